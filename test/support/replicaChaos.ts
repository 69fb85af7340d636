import { truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { seeded } from './chaos.ts'
import { waitFor } from './postgres.ts'
import { faultsOf, type Jam, written } from './replicaChecks.ts'
import {
  channelOf,
  type Fleet,
  type Ground,
  type LinkName,
  linkNames,
  openFleet,
  watchedNames,
} from './replicas.ts'
import { jamOne } from './shop.ts'

/** Disturbance of a round. */
type Step = { readonly afterMs: number } & (
  | { readonly kind: 'kill' | 'stop'; readonly replica: number; readonly forMs: number }
  | { readonly kind: 'upgrade'; readonly replica: number }
  | { readonly kind: 'freeze'; readonly replica: number; readonly forMs: number }
  | {
      readonly kind: 'cut' | 'hold' | 'slow'
      readonly replica: number
      readonly link: LinkName
      readonly forMs: number
    }
  | { readonly kind: 'storeRestarts' | 'storeFailsOver' | 'socketsRefresh' | 'socketsEnd' }
)

type Press = { readonly afterMs: number; readonly place: number; readonly person: string }

/** Everything that is left to chance in a round. */
export type Plan = {
  readonly clocksMs: readonly number[]
  /** Backend of each server that is stopped at first: it takes its signal late, which stretches an approval. */
  readonly frozenMs: readonly number[]
  readonly steps: readonly Step[]
  readonly presses: readonly Press[]
  readonly twice: boolean
}

/** Time in which everything comes to its end even on a machine that has no time for it: it takes 2 s on one that has. */
const settlesInMs = 180_000

export type ReplicaRound = {
  readonly plan: Plan
  readonly outcomes: readonly string[]
  readonly seconds: number
}

export function planOf(seed: number, replicas: number): Plan {
  const random = seeded(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const one = <T>(from: readonly T[]): T => from[below(from.length)] as T
  const presses = Array.from({ length: 4 + below(6) }, () => ({
    afterMs: below(3000),
    place: below(watchedNames.length),
    person: one(['U0DANA', 'U0DEVI', 'U0DANA', 'U0GUEST']),
  }))
  const step = (): Step => {
    // Most fall into the middle of an approval.
    const afterMs = random() < 0.7 ? one(presses).afterMs + below(250) : below(2500)
    const replica = below(replicas)
    const kind = one([
      ...([
        'kill',
        'kill',
        'freeze',
        'freeze',
        'freeze',
        'stop',
        'cut',
        'hold',
        'hold',
        'slow',
        'slow',
      ] as const),
      ...(['storeRestarts', 'storeFailsOver', 'socketsRefresh', 'socketsEnd'] as const),
    ])
    switch (kind) {
      case 'kill':
      case 'stop':
        return { afterMs, kind, replica, forMs: below(3000) }
      case 'freeze':
        // The hold of a lease is 1.5 s here, the deadline of a signal 5 s.
        return { afterMs, kind, replica, forMs: one([1000, 3000, 7000]) + below(500) }
      case 'cut':
      case 'hold':
        return { afterMs, kind, replica, link: one(linkNames), forMs: one([500, 2500, 6500]) + below(500) }
      case 'slow':
        // Slow from the beginning, so that other disturbances fall between the steps of an approval.
        return { afterMs: 0, kind, replica, link: one(linkNames), forMs: 3000 + below(3000) }
      default:
        return { afterMs, kind }
    }
  }
  const drawn = {
    clocksMs: Array.from({ length: replicas }, () => one([0, -600_000, 90_000, 3000, -2000, 7_200_000])),
    frozenMs: watchedNames.map(() => (random() < 0.3 ? 500 + below(3000) : 0)),
    steps: Array.from({ length: 3 + below(4) }, step),
    presses,
    twice: random() < 0.3,
  }
  // All of them, so that the round begins with the version before.
  const upgradesAfterMs = random() < 0.35 ? below(3000) : null
  if (upgradesAfterMs === null) return drawn
  const upgrades = drawn.clocksMs.map((_, replica) => ({
    afterMs: upgradesAfterMs,
    kind: 'upgrade' as const,
    replica,
  }))
  return { ...drawn, steps: [...drawn.steps, ...upgrades] }
}

const isUpgrade = ({ kind }: Step) => kind === 'upgrade'

export const describeStep = (step: Step): string => {
  const { afterMs, kind, ...rest } = step
  return `+${afterMs} ms ${kind}${Object.entries(rest)
    .map(([name, value]) => ` ${name} ${value}`)
    .join('')}`
}

/**
 * One jam on each server, approvals of them by several people at once, and disturbances meanwhile. Then all is well again,
 * what is still open is approved, and everything must come to its end. Throws with the history when a promise is broken.
 */
export async function replicaRound(ground: Ground, seed: number, replicas = 3): Promise<ReplicaRound> {
  const drawn = planOf(seed, replicas)
  const plan = ground.before ? drawn : { ...drawn, steps: drawn.steps.filter((step) => !isUpgrade(step)) }
  const started = performance.now()
  const history: string[] = []
  const note = (what: string) => history.push(`${new Date().toISOString().slice(11, -1)} ${what}`)
  for (const { server } of ground.watched) {
    await server.admin.query('SELECT pg_stat_statements_reset()')
    await truncate(join(dirname(server.dataDir), 'server.log'))
  }
  const fleet = await openFleet(ground, plan.clocksMs, plan.steps.some(isUpgrade) ? ground.before : null)
  const frozen = new Set<number>()
  try {
    const jams = await Promise.all(
      ground.watched.map(async (watched) => ({ watched, ...(await jamOne(watched.server, watched.shop)) })),
    )
    await Promise.all(fleet.replicas.map((replica) => replica.start()))
    await waitFor(() => watchedNames.every(fleet.approvable), 'each server has a card', {
      boundMs: settlesInMs,
    })
    note('each server has a card')
    for (const [place, { root }] of jams.entries())
      if (plan.frozenMs[place]) {
        process.kill(root.pid, 'SIGSTOP')
        frozen.add(root.pid)
      }
    const thawed = Promise.all(
      jams.map(async ({ watched, root }, place) => {
        await delay(plan.frozenMs[place] ?? 0)
        if (frozen.delete(root.pid)) process.kill(root.pid, 'SIGCONT')
        return { watched, rootPid: root.pid, frozenUntil: Date.now() + 200 } satisfies Jam
      }),
    )
    if (plan.twice) fleet.room.workspace.duplicateNext()
    const pressing = Promise.all(
      plan.presses.map(async ({ afterMs, place, person }) => {
        await delay(afterMs)
        await press(fleet, place, person, note)
      }),
    )
    // Two disturbances of one thing come one after the other.
    const turns = Map.groupBy(
      plan.steps.toSorted((a, b) => a.afterMs - b.afterMs),
      (step) => ('replica' in step ? step.replica : 'all'),
    )
    const begun = performance.now()
    let rolling = Promise.resolve()
    await Promise.all(
      [...turns.values()].map(async (steps) => {
        for (const step of steps) {
          await delay(Math.max(0, step.afterMs - (performance.now() - begun)))
          note(describeStep(step))
          if (step.kind === 'upgrade') {
            rolling = rolling.then(() => fleet.replicas[step.replica]?.upgrade())
            await rolling
          } else await disturb(ground, fleet, step)
          note(`${step.kind} is over`)
        }
      }),
    )
    await pressing
    const facts = await thawed

    note('all is well again')
    let turn = 0
    await waitFor(
      async () => {
        for (const [place, name] of watchedNames.entries())
          if (fleet.approvable(name) && turn++ % 10 === 0) await press(fleet, place, 'U0DANA', note)
        await delay(100)
        return !watchedNames.some(fleet.approvable) && (await isSettled(ground, fleet))
      },
      'nothing is left to approve, every claim has an outcome, and Slack has everything',
      { boundMs: settlesInMs, seen: () => fleet.room.workspace.transcript() },
    )
    note('everything is settled')
    await Promise.all(jams.map(({ root }) => root.close()))
    await Promise.all(jams.map(({ victim }) => victim.close()))
    await waitFor(
      async () => {
        await delay(100)
        const { incidents } = await written(ground, fleet)
        return incidents.every(({ resolvedAt }) => resolvedAt !== null) && (await isSettled(ground, fleet))
      },
      'every incident is over, and Slack knows it',
      { boundMs: settlesInMs, seen: () => fleet.room.workspace.transcript() },
    )
    const faults = await faultsOf(ground, fleet, facts)
    if (faults.length > 0) throw new Error(faults.join('\n'))
    const { events } = await written(ground, fleet)
    return {
      plan,
      outcomes: events.flatMap((event) => (event.kind === 'outcome' ? [event.outcome.kind] : [])),
      seconds: (performance.now() - started) / 1000,
    }
  } catch (error) {
    throw new Error(await report(ground, fleet, { seed, plan, history, error }))
  } finally {
    for (const pid of frozen) process.kill(pid, 'SIGCONT')
    await fleet.close()
    for (const { server } of ground.watched) await server.closeAll()
  }
}

async function press(fleet: Fleet, place: number, userId: string, note: (what: string) => void) {
  const name = watchedNames[place] ?? 'alpha'
  const card = fleet.approvable(name)
  if (!card) return
  const { workspace } = fleet.room
  const channelId = channelOf(name)
  const pressed = await workspace
    .press({ userId, channelId, messageTs: card.ts, actionId: 'approve_terminate' })
    .catch((error: unknown) => ({ complaint: String(error) }))
  note(`${userId} pressed on ${name}: ${pressed.complaint ?? 'taken'}`)
}

async function disturb(
  { store }: Ground,
  { room, replicas }: Fleet,
  step: Exclude<Step, { kind: 'upgrade' }>,
): Promise<void> {
  const replica = 'replica' in step ? replicas[step.replica] : undefined
  const move = (port: number) => {
    for (const { links } of replicas) links.store.moveTo(port)
  }
  switch (step.kind) {
    case 'kill':
    case 'stop':
      await replica?.end(step.kind === 'kill' ? 'SIGKILL' : 'SIGTERM')
      await delay(step.forMs)
      return replica?.start()
    case 'freeze':
      replica?.signal('SIGSTOP')
      await delay(step.forMs)
      replica?.signal('SIGCONT')
      return
    case 'cut':
    case 'hold':
    case 'slow': {
      const link = replica?.links[step.link]
      if (step.kind === 'slow') link?.slow(150)
      else if (step.kind === 'cut') link?.cut()
      else link?.hold()
      await delay(step.forMs)
      return link?.heal()
    }
    case 'storeRestarts':
      return store.restart()
    case 'storeFailsOver':
      return store.failOver(move)
    case 'socketsRefresh':
      return room.workspace.refreshSockets()
    case 'socketsEnd':
      return room.workspace.disconnectSockets()
  }
}

async function isSettled({ store }: Ground, { storeUrl }: Fleet): Promise<boolean> {
  const [left] = await store.ask<{ n: number }>(
    storeUrl,
    `SELECT ((SELECT count(*) FROM proposals WHERE state = 'claimed')
       + (SELECT count(*) FROM messages WHERE sent_revision < revision))::int AS n`,
  )
  return left?.n === 0
}

type Failure = {
  readonly seed: number
  readonly plan: Plan
  readonly history: readonly string[]
  readonly error: unknown
}

async function report(
  ground: Ground,
  fleet: Fleet,
  { seed, plan, history, error }: Failure,
): Promise<string> {
  const { events } = await written(ground, fleet).catch(() => ({ events: [] }))
  return [
    `seed ${seed}, ${fleet.replicas.length} replicas: ${error instanceof Error ? error.message : error}`,
    `clocks apart by ${plan.clocksMs.join(', ')} ms; backends frozen for ${plan.frozenMs.join(', ')} ms`,
    ...history,
    ...events.map((event) => JSON.stringify(event)),
    fleet.room.workspace.transcript(),
    ...fleet.replicas.map((replica, place) => `replica ${place} said:\n${replica.said()}`),
  ].join('\n')
}
