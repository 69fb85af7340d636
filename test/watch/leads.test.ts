import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { clusterLease, deskLease } from '../../src/domain/fleet/share.ts'
import { createLog } from '../../src/log.ts'
import { LeaseLost, type Membership, type Round } from '../../src/store/replicas.ts'
import {
  createLeads,
  type Duty,
  leadershipIn,
  othersSee,
  unlessLost,
  watcherIn,
} from '../../src/watch/leads.ts'

/** What an operator reads of all this. */
const said: { lease?: string; epoch?: number; reason?: string; msg: string }[] = []
const log = createLog({
  level: 'info',
  destination: { write: (line) => void said.push(JSON.parse(line)) },
})
beforeEach(() => {
  said.length = 0
})

/** Lets everything go on that waits for nothing but its turn. */
const settled = () => new Promise(setImmediate)

const roundWith = (over: Partial<Round> = {}): Round => ({
  leases: new Map(),
  replicas: [],
  leaders: new Map(),
  takenOver: 0,
  storeNow: null,
  isGone: () => false,
  ...over,
})

/** Leases of this replica by name, with their epochs. */
type Held = Readonly<Record<string, number>>
const roundOf = (held: Held): Round =>
  roundWith({
    leases: new Map(Object.entries(held).map(([name, epoch]) => [name, { name, epoch, takenAt: 0 }])),
  })

/** One run of a duty, from its start until nothing of it is under way. */
type Run = {
  readonly name: string
  readonly epoch: number
  hurried: number
  /** As `stop` was told; null while it goes on. */
  isLast: boolean | null
  hasEnded: boolean
  end(): void
}

/** Leads of one replica, whose rounds bring what they are told, and whose duties end when they are told to. */
function replica(known: readonly string[]) {
  const runs: Run[] = []
  const happened: string[] = []
  let clusters = known
  let held: Held = {}
  let barrier: Promise<void> | null = null
  let clockAsked = 0
  const duty = (name: string, epochOf: () => number): Duty => {
    let run: Run | null = null
    return {
      start() {
        if (runs.some((one) => one.name === name && !one.hasEnded)) happened.push(`${name} begins twice`)
        const ended = Promise.withResolvers<void>()
        run = { name, epoch: epochOf(), hurried: 0, isLast: null, hasEnded: false, end: ended.resolve }
        runs.push(run)
      },
      hurry() {
        if (run) run.hurried++
      },
      stop(isLast) {
        const now = run
        if (!now) throw new Error(`${name} did not go on`)
        if (now.isLast !== null) happened.push(`${name} ends twice`)
        now.isLast = isLast
        const { promise, resolve } = Promise.withResolvers<void>()
        now.end = () => {
          now.hasEnded = true
          resolve()
        }
        return promise
      },
    }
  }
  const membership: Membership = {
    id: 'this',
    fence: () => async () => {},
    async round() {
      const round = roundOf(held)
      await barrier
      return round
    },
    takes: async () => true,
    leave: async () => void happened.push('left'),
  }
  const leads = createLeads({
    membership,
    clock: {
      following(ask) {
        clockAsked++
        return ask()
      },
    },
    about: () => ({ clusters, unseen: [] }),
    watch: (cluster, { epoch }) => duty(clusterLease(cluster), () => epoch),
    desk: duty(deskLease, () => held[deskLease] ?? -1),
    after: (round) => happened.push(`after ${round.leases.size}`),
    log,
  })
  return {
    leads,
    runs,
    happened,
    clockAsked: () => clockAsked,
    going: () => runs.filter(({ isLast }) => isLast === null),
    ending: () => runs.filter(({ isLast, hasEnded }) => isLast !== null && !hasEnded),
    /** The next rounds bring this. */
    gets(next: Held, over: { clusters?: readonly string[]; barrier?: Promise<void> } = {}) {
      held = next
      clusters = over.clusters ?? clusters
      barrier = over.barrier ?? null
    },
  }
}
type Replica = ReturnType<typeof replica>

const clusters = ['a', 'b', 'c']
const leaseNames = [...clusters.map(clusterLease), deskLease]
const held: fc.Arbitrary<Held> = fc.dictionary(
  fc.constantFrom(...leaseNames),
  // An epoch changes where another one had it between two rounds.
  fc.integer({ min: 1, max: 3 }),
)
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('round' as const), held }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ends' as const), place: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('renew' as const), which: fc.subarray(clusters) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'hurry' as const }) },
)
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

const brief = ({ name, epoch }: { name: string; epoch: number }) => `${name} ${epoch}`
const stateOf = ({ going, ending }: Replica) => ({
  going: new Set(going().map(brief)),
  ending: new Set(ending().map(({ name }) => name)),
})

async function apply(one: Replica, event: Event) {
  const before = stateOf(one)
  switch (event.kind) {
    case 'round': {
      one.gets(event.held)
      await one.leads.round()
      const has = new Set(Object.entries(event.held).map(([name, epoch]) => brief({ name, epoch })))
      // What it has no more is ended, and what it has is begun, unless an end of it is still under way.
      for (const { name, epoch } of one.going()) expect(has).toContain(brief({ name, epoch }))
      const after = stateOf(one)
      const wanted = [...has].filter((lease) => !after.ending.has(lease.replace(/ \d+$/, '')))
      expect([...after.going].sort()).toEqual(wanted.sort())
      // It goes on undisturbed with what it keeps.
      for (const kept of [...before.going].filter((lease) => has.has(lease)))
        expect(one.runs.filter((run) => brief(run) === kept && !run.hasEnded)).toHaveLength(1)
      expect(one.happened.at(-1)).toBe(`after ${has.size}`)
      expect(one.leads.last()?.leases.size).toBe(has.size)
      break
    }
    case 'ends': {
      one.ending()[event.place]?.end()
      await settled()
      break
    }
    case 'renew': {
      const names = event.which.map(clusterLease)
      let isDone = false
      const renewed = one.leads.renew(event.which).then(() => {
        isDone = true
      })
      const after = stateOf(one)
      const others = [...before.going].filter((lease) => !names.includes(lease.replace(/ \d+$/, '')))
      expect([...after.going].sort()).toEqual(others.sort())
      // It is done when all of these have ended, whoever ended them.
      for (const run of one.ending().filter(({ name }) => names.includes(name))) {
        await settled()
        expect(isDone).toBe(false)
        run.end()
      }
      await renewed
      break
    }
    case 'hurry': {
      const counts = new Map(one.runs.map((run) => [run, run.hurried]))
      one.leads.hurry()
      for (const run of one.runs)
        expect(run.hurried).toBe((counts.get(run) ?? 0) + (run.isLast === null ? 1 : 0))
      break
    }
  }
  expect(one.going().every(({ isLast }) => isLast !== true)).toBe(true)
  expect(one.ending().every(({ isLast }) => isLast === false)).toBe(true)
  expect(one.leads.hasDesk()).toBe(one.going().some(({ name }) => name === deskLease))
}

describe('what one replica leads', () => {
  it('goes on exactly as long as it has the lease, once at a time, and all of it ends with it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
        const one = replica(clusters)
        expect([one.leads.last(), one.leads.hasDesk()]).toEqual([null, false])
        for (const event of events) await apply(one, event)
        expect(one.clockAsked()).toBe(events.filter(({ kind }) => kind === 'round').length)

        const going = one.going()
        const ending = one.ending()
        const stopped = one.leads.stop()
        // Nobody has taken over what goes on until now.
        expect(going.every(({ isLast }) => isLast === true)).toBe(true)
        expect(ending.every(({ isLast }) => isLast === false)).toBe(true)
        for (const run of [...going, ...ending]) {
          await settled()
          expect(one.happened).not.toContain('left')
          run.end()
        }
        await stopped
        expect(one.happened.filter((what) => what === 'left')).toHaveLength(1)
        expect(one.happened.filter((what) => what.includes('twice'))).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('is said where it begins and where it ends', async () => {
    const one = replica(clusters)
    one.gets({ 'cluster:a': 7 })
    await one.leads.round()
    expect(said).toMatchObject([{ lease: 'cluster:a', epoch: 7, msg: 'this replica leads' }])
    one.gets({})
    await one.leads.round()
    expect(said.slice(1)).toMatchObject([{ lease: 'cluster:a', msg: 'this replica leads no longer' }])
  })

  it('is nothing that is not configured any more, though the lease is still there', async () => {
    const one = replica(['a', 'b'])
    one.gets({ 'cluster:a': 1, 'cluster:b': 1 }, { clusters: ['b'] })
    await one.leads.round()
    expect(one.going().map(({ name }) => name)).toEqual(['cluster:b'])
  })

  it('begins nothing with a round that was under way when it stopped, or after', async () => {
    const one = replica(clusters)
    const { promise, resolve } = Promise.withResolvers<void>()
    one.gets({ 'cluster:a': 1, desk: 1 }, { barrier: promise })
    const round = one.leads.round()
    await one.leads.stop()
    resolve()
    await round
    await one.leads.round()
    expect([one.runs, one.happened, one.clockAsked(), one.leads.last()]).toEqual([[], ['left'], 1, null])
  })
})

describe('a round of a duty', () => {
  it('that lost its lease is no fault; any other failure is', async () => {
    const failing = (error: Error) => unlessLost(log, () => Promise.reject(error))()
    await expect(failing(new LeaseLost('cluster:a'))).resolves.toBeUndefined()
    expect(said).toMatchObject([{ reason: 'another replica has cluster:a now' }])
    await expect(failing(new Error('disk full'))).rejects.toThrow('disk full')
    expect(said).toHaveLength(1)
  })
})

const of = (id: string, unseen: readonly string[] = []) => ({ id, name: `name of ${id}`, clusters, unseen })

describe('the others', () => {
  const see = (leaders: Record<string, string>, ...replicas: ReturnType<typeof of>[]) =>
    othersSee(
      roundWith({
        replicas,
        leaders: new Map(Object.entries(leaders).map(([cluster, id]) => [clusterLease(cluster), id])),
      }),
      ['a', 'b'],
      'this',
    )

  it('see all where each cluster is watched by one who sees it', () => {
    const both = { a: 'this', b: 'other' }
    expect(see(both, of('this'), of('other'))).toBe(true)
    expect(see({ a: 'this' }, of('this'), of('other'))).toBe(false)
    expect(see({}, of('this'), of('other'))).toBe(false)
    // The one who watches it does not see it.
    expect(see(both, of('this'), of('other', ['b']))).toBe(false)
    expect(see(both, of('other', ['a', 'b']), of('this'))).toBe(false)
    // One of several that it has: one is enough.
    expect(see({ a: 'other', b: 'other' }, of('this'), of('other', ['b']))).toBe(false)
    // What somebody does not see who does not watch it is no matter, nor is what this one does not see itself.
    expect(see(both, of('this'), of('other', ['a']))).toBe(true)
    expect(see(both, of('this', ['a']), of('other'))).toBe(true)
  })
})

it('leadership is told of every lease that there is, also of those that another one has', () => {
  const lease = { name: clusterLease('b'), epoch: 3, takenAt: 17 }
  const round = roundWith({ replicas: [of('this'), of('other')], leases: new Map([[lease.name, lease]]) })
  expect(leadershipIn(round, ['a', 'b'])).toEqual({
    replicas: 2,
    leases: [
      { name: deskLease, takenAt: null },
      { name: clusterLease('a'), takenAt: null },
      { name: clusterLease('b'), takenAt: 17 },
    ],
  })
})

describe('who watches a cluster', () => {
  const leaders = new Map([[clusterLease('a'), 'other']])

  it('has a name where there are several', () => {
    const round = roundWith({ replicas: [of('this'), of('other')], leaders })
    expect(watcherIn(round, 'a')).toBe('name of other')
    expect(watcherIn(round, 'b')).toBeNull()
  })

  it('needs none where one works alone, or before the first round', () => {
    expect(watcherIn(roundWith({ replicas: [of('other')], leaders }), 'a')).toBeNull()
    expect(watcherIn(null, 'a')).toBeNull()
    // It is gone since.
    expect(watcherIn(roundWith({ replicas: [of('this'), of('third')], leaders }), 'a')).toBeNull()
  })
})
