import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Finding, findings } from '../../../src/domain/incidents/finding.ts'
import {
  fold,
  type Incident,
  rememberedMs,
  reopenWithinMs,
  type Transition,
  waitersOf,
} from '../../../src/domain/incidents/incident.ts'
import { recommendationsFor } from '../../../src/domain/incidents/recommend.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { LockGroup } from '../../../src/domain/session/snapshot.ts'
import {
  held,
  idle,
  idleInTransaction,
  locksRead,
  picture,
  relation,
  rowQueue,
  server,
  session,
  snapshot,
  takenAt,
  thresholds,
  waiting,
  wanted,
} from '../../support/builders.ts'

const found = (
  sessions: readonly Session[],
  locks?: Parameters<typeof picture>[1],
  over = {},
  open = new Set<string>(),
) => {
  const { snapshot: shot, forest } = picture(sessions, locks, over)
  return findings(shot, forest, thresholds, { open })
}
const kinds = (list: readonly Finding[]) => list.map(({ kind }) => kind)

describe('findings', () => {
  it('finds a jam past its threshold, and not its victims', () => {
    const sessions = [idleInTransaction(1, 400), waiting(2, 40), waiting(3, 4_000)]
    const [jam, ...more] = found(
      sessions,
      rowQueue(1, [
        [2, 40],
        [3, 39],
      ]),
    )
    expect(jam).toMatchObject({ kind: 'blocking', session: { pid: 1 }, root: { victims: [2, 3] } })
    expect(more).toEqual([])
  })

  it('finds one jam where several readers stand before one ALTER TABLE', () => {
    const orders = relation('orders')
    const sessions = [session(1, { backendStart: 'a' }), session(2, { backendStart: 'b' }), waiting(3, 40)]
    const locks = [
      held(orders, 'AccessShareLock', 1, 2),
      wanted(orders, 'AccessExclusiveLock', [3, 40]),
      wanted(orders, 'AccessShareLock', [4, 35]),
    ]
    const heads = (open?: Set<string>, more: LockGroup[] = []) =>
      found([...sessions, waiting(4, 35), waiting(5, 32)], [...locks, ...more], {}, open).flatMap(
        (finding) => (finding.kind === 'blocking' ? finding.root.pid : []),
      )
    expect(heads()).toEqual([1])
    expect(heads(new Set(['blocking:2:b']))).toEqual([2])
    // Who keeps one more waiting is told with all of them; who keeps others waiting is told too.
    expect(heads(new Set(['blocking:1:a']), rowQueue(2, [[5, 32]]))).toEqual([2])
    expect(heads(undefined, rowQueue(7, [[5, 32]]))).toEqual([1, 7])
  })

  it('leaves a young jam alone, unless it is known already', () => {
    const sessions = [session(1, { backendStart: 'then' }), waiting(2, 5)]
    const locks = rowQueue(1, [[2, 5]])
    expect(found(sessions, locks)).toEqual([])
    expect(kinds(found(sessions, locks, {}, new Set(['blocking:1:then'])))).toEqual(['blocking'])
  })

  it('finds each session once, for the worst thing', () => {
    const list = found([
      session(1, { querySeconds: 4_000 }),
      idleInTransaction(2, 301),
      idle(3, 2_000),
      idle(4, 10),
    ])
    expect(kinds(list)).toEqual(['longQuery', 'idleInTransaction', 'idle'])
  })

  it('finds saturation, with who holds the connections, and lets go of it a little lower', () => {
    const many = Array.from({ length: 83 }, (_, n) =>
      idle(n + 1, 1, n < 60 ? { applicationName: 'leaky' } : {}),
    )
    expect(found(many)).toMatchObject([
      {
        kind: 'connections',
        used: 85,
        max: 100,
        holders: [{ applicationName: 'leaky', count: 60 }, { count: 23 }],
      },
    ])
    expect(found(many.slice(2))).toEqual([])
    expect(kinds(found(many.slice(2), undefined, {}, new Set(['connections'])))).toEqual(['connections'])
    expect(found(many.slice(6), undefined, {}, new Set(['connections']))).toEqual([])
  })

  it('reports a lock storm with the likely suspects', () => {
    const sessions = [idleInTransaction(1, 5), waiting(2, 1), waiting(3, 1)]
    const jammed = { kind: 'jammed', why: 'busy', last: null, lastTakenAt: null } as const
    expect(found(sessions, jammed)).toMatchObject([{ kind: 'lockStorm', waiting: 2, suspects: [{ pid: 1 }] }])
  })
})

describe('fold', () => {
  let ids = 0
  const step = (
    known: readonly Incident[],
    sessions: readonly Session[],
    afterMs = 0,
    locks?: Parameters<typeof picture>[1],
  ) => {
    const shown = picture(sessions, locks, {
      takenAt: takenAt + afterMs,
      server: server({ maxConnections: 1_000 }),
    })
    const { snapshot: shot, forest } = shown
    const open = known.filter(({ resolvedAt }) => resolvedAt === null)
    const keys = new Set(open.map(({ key }) => key))
    const recommendationOf = recommendationsFor(shown, { protectedSessions: [] })
    const list = findings(shot, forest, thresholds, { open: keys, waited: waitersOf(open) })
    return fold(known, list, shot, { recommendationOf, newId: () => `incident-${++ids}` })
  }
  const only = (transitions: readonly Transition[]): Transition => {
    expect(transitions).toHaveLength(1)
    return transitions[0] as Transition
  }

  it('opens, stays silent while nothing changes, and resolves', () => {
    const opened = only(step([], [idleInTransaction(1, 310, { xactStart: 'x' })]))
    expect(opened).toMatchObject({
      kind: 'opened',
      // It began before anybody looked: 310 s ago.
      incident: {
        recommendation: { target: { action: 'terminate' } },
        resolvedAt: null,
        openedAt: takenAt,
        beganAt: takenAt - 310_000,
      },
    })
    expect(step([opened.incident], [idleInTransaction(1, 312, { xactStart: 'x' })], 2_000)).toEqual([])
    const resolved = only(step([opened.incident], [], 4_000))
    expect(resolved).toMatchObject({ kind: 'resolved', reason: 'The session is gone.' })
    expect(resolved.incident.resolvedAt).toBe(takenAt + 4_000)
  })

  it('says that it counts elsewhere only where it does', () => {
    const idler = { backendStart: 'then', xactStart: 'x', stateChange: 'left' }
    const forgotten = only(step([], [idleInTransaction(1, 310, idler)])).incident
    const long = { backendStart: 'then', queryStart: 'q', querySeconds: 3700 }
    const runaway = only(step([], [session(1, long)])).incident
    const next = (incident: Incident, sessions: readonly Session[], locks?: Parameters<typeof picture>[1]) =>
      step([incident], sessions, 2_000, locks).map(({ kind, reason }) => [kind, reason])

    // It works on, and is idle in the same transaction again: nobody else tells of it.
    const inUse = [['resolved', 'The session is in use again, in the same transaction.']]
    const { backendStart, xactStart } = idler
    expect(next(forgotten, [session(1, { backendStart, xactStart, queryStart: 'more' })])).toEqual(inUse)
    expect(next(forgotten, [idleInTransaction(1, 1, { ...idler, stateChange: 'later' })])).toEqual(inUse)
    // Another rule holds at this hour.
    const within = [['resolved', 'It is within its limit now (see /pg rules).']]
    expect(next(forgotten, [idleInTransaction(1, 10, idler)])).toEqual(within)
    expect(next(runaway, [session(1, { ...long, querySeconds: 10 })])).toEqual(within)
    // For a moment only: not long enough to be anybody's victim.
    expect(next(runaway, [session(2), waiting(1, 1, long)], rowQueue(2, [[1, 1]]))).toEqual([
      ['resolved', 'It waits for a lock now.'],
    ])
    const elsewhere = ['resolved', 'It counts with another incident now.']
    expect(next(runaway, [session(2), waiting(1, 90, long)], rowQueue(2, [[1, 90]]))).toContainEqual(
      elsewhere,
    )
    const jam = [idleInTransaction(1, 312, idler), waiting(2, 40)]
    expect(next(forgotten, jam, rowQueue(1, [[2, 40]]))).toContainEqual(elsewhere)
  })

  it('reports a growing jam in steps', () => {
    const jam = (victims: number) => {
      const waits = Array.from({ length: victims }, (_, n): [number, number] => [n + 2, 40])
      return [
        [
          idleInTransaction(1, 100, { backendStart: 'then', xactStart: 'x' }),
          ...waits.map(([pid]) => waiting(pid, 40)),
        ],
        0,
        rowQueue(1, waits),
      ] as const
    }
    const opened = only(step([], ...jam(1)))
    expect(only(step([opened.incident], ...jam(2)))).toMatchObject({
      kind: 'changed',
      incident: { mostVictims: 2 },
    })
    const large = only(step([opened.incident], ...jam(100)))
    expect(large.incident.mostVictims).toBe(100)
    expect(step([large.incident], ...jam(101))).toEqual([])
    // Where sessions come and go the number swings: it stands on the card, and only more than ever is told.
    const fewer = only(step([large.incident], ...jam(3)))
    expect(fewer).toMatchObject({ kind: 'changed', reason: null, incident: { mostVictims: 100 } })
    expect(only(step([fewer.incident], ...jam(90))).reason).toBeNull()
    expect(only(step([fewer.incident], ...jam(200))).reason).toBe(
      '200 sessions wait, before it were 100 at most.',
    )
  })

  it('does not report each statement of a transaction that runs one after the other', () => {
    const at = (state: 'active' | 'idle in transaction', xactSeconds: number, stateSeconds: number) => {
      const over = { state, xactSeconds, stateSeconds, querySeconds: stateSeconds }
      const root = session(1, { ...over, backendStart: 'then', xactStart: 'x', backendXid: '9' })
      return [[root, waiting(2, 40)], 0, rowQueue(1, [[2, 40]])] as const
    }
    const opened = only(step([], ...at('active', 100, 1)))
    expect(opened.incident.recommendation?.target?.action).toBe('terminate')
    // The card says how it is now, and the same button stays on it.
    const idles = only(step([opened.incident], ...at('idle in transaction', 105, 2)))
    expect(idles).toMatchObject({ kind: 'changed', reason: null })
    expect(idles.incident.recommendation?.target?.action).toBe('terminate')
    const again = only(step([idles.incident], ...at('active', 110, 1)))
    expect(again).toMatchObject({ kind: 'changed', reason: null })
    // What lasted is told.
    const calm = only(step([again.incident], ...at('idle in transaction', 150, 1)))
    expect(calm.reason).toBe('Its session went from active to idle in transaction.')
  })

  it('is the same incident when it comes back soon, and another one later', () => {
    const trouble = [idleInTransaction(1, 310, { backendStart: 'then' })]
    const { incident } = only(step([], trouble))
    const over = only(step([incident], [idle(1, 1, { backendStart: 'then' })], 1_000)).incident
    expect(only(step([over], trouble, 1_000 + reopenWithinMs))).toMatchObject({
      kind: 'reopened',
      incident: { id: incident.id, resolvedAt: null },
    })
    expect(only(step([over], trouble, 2_000 + reopenWithinMs))).toMatchObject({ kind: 'opened' })
  })

  it('does not take a lock table that it cannot read for the end of a jam', () => {
    const sessions = [idleInTransaction(1, 100), waiting(2, 40)]
    const { incident } = only(step([], sessions, 0, rowQueue(1, [[2, 40]])))
    const jammed = { kind: 'jammed', why: 'busy', last: null, lastTakenAt: null } as const
    expect(
      step([incident], sessions, 1_000, jammed).map(({ kind, incident }) => [kind, incident.finding.kind]),
    ).toEqual([['opened', 'lockStorm']])
  })

  it('keeps a jam whose root is replaced by the next in the queue', () => {
    const [a, b, c] = [idleInTransaction(1, 100), waiting(2, 50), waiting(3, 45)]
    const { incident } = only(
      step(
        [],
        [a, b, c],
        0,
        rowQueue(1, [
          [2, 50],
          [3, 45],
        ]),
      ),
    )
    const next = only(step([incident], [idleInTransaction(2, 1), c], 5_000, rowQueue(2, [[3, 50]])))
    expect(next).toMatchObject({
      kind: 'changed',
      reason: 'The same jam goes on behind another session.',
      incident: { id: incident.id, finding: { root: { pid: 2, victims: [3] } }, mostVictims: 2 },
    })
    // And it ends as one incident.
    expect(step([next.incident], [], 9_000).map(({ kind, incident: { id } }) => [kind, id])).toEqual([
      ['resolved', incident.id],
    ])
  })

  it('goes on while a queue moves, though all waits begin again, and tells only of heads that stay', () => {
    const all = [2, 3, 4, 5, 6]
    const statement = 50
    const queue = (root: number, afterMs: number, known: readonly Incident[], seconds = statement) =>
      step(
        known,
        [
          idleInTransaction(root, 1),
          ...all
            .filter((pid) => pid > root)
            .map((pid) => waiting(pid, 1, { querySeconds: seconds + afterMs / 1000 })),
        ],
        afterMs,
        rowQueue(
          root,
          all.filter((pid) => pid > root).map((pid) => [pid, known.length === 0 ? statement : 1]),
        ),
      )
    const goesOn = 'The same jam goes on behind another session.'
    const first = only(queue(1, 0, []))
    const second = only(queue(2, 2_000, [first.incident]))
    const third = only(queue(3, 4_000, [second.incident]))
    const fourth = only(queue(4, 30_000, [third.incident]))
    expect([second, third, fourth].map(({ kind, reason }) => [kind, reason])).toEqual([
      ['changed', goesOn],
      ['changed', null],
      ['changed', goesOn],
    ])
    expect(fourth.incident).toMatchObject({ id: first.incident.id, headSince: takenAt + 30_000 })
    // Who waits there now came a moment ago: nobody was kept waiting.
    expect(only(queue(5, 32_000, [fourth.incident], -30)).kind).toBe('resolved')
  })

  it('says of a jam that another one has swallowed that they wait there', () => {
    const [a, b] = [
      idleInTransaction(1, 100, { backendStart: 'a' }),
      idleInTransaction(2, 100, { backendStart: 'b' }),
    ]
    const orders = relation('orders')
    const others = [waiting(3, 40), waiting(5, 41)]
    const alone = [
      held(orders, 'AccessShareLock', 1),
      wanted(orders, 'AccessExclusiveLock', [3, 40]),
      ...rowQueue(2, [[5, 41]]),
    ]
    const opened = step([], [a, b, ...others], 0, alone).map(({ incident }) => incident)
    expect(opened).toHaveLength(2)
    const both = [...alone, held(orders, 'AccessShareLock', 2)]
    const [over] = step(opened, [a, b, ...others], 5_000, both)
    expect(over).toMatchObject({
      kind: 'resolved',
      reason: 'Those who waited behind it wait in another incident.',
      incident: { finding: { root: { pid: 1 } } },
    })
  })

  it('is the same jam when the waits behind a row began again with its next holder', () => {
    const queue = (root: number, waits: [number, number][], afterMs: number, known: readonly Incident[]) =>
      step(
        known,
        [idleInTransaction(root, 40), ...waits.map(([pid, seconds]) => waiting(pid, seconds))],
        afterMs,
        rowQueue(root, waits),
      )
    const waits: [number, number][] = [
      [2, 50],
      [3, 45],
    ]
    const { incident } = only(queue(1, waits, 0, []))
    // Nobody has waited for long behind the next one.
    const over = only(queue(2, [[3, 1]], 5_000, [incident])).incident
    expect(over.resolvedAt).toBe(takenAt + 5_000)
    const back = only(queue(2, [[3, 31]], 35_000, [over]))
    expect(back).toMatchObject({
      kind: 'reopened',
      reason: 'The same jam is back behind another session.',
      incident: { id: incident.id, finding: { root: { pid: 2 } }, resolvedAt: null, resolution: null },
    })
    // It counts when the waits began, however long they may last; later it is another jam.
    expect(only(queue(2, [[3, 300]], 310_000, [over])).kind).toBe('reopened')
    expect(only(queue(2, [[3, 300]], 5_000 + 361_000, [over])).kind).toBe('opened')
    expect(rememberedMs({ ...thresholds, blockedForSeconds: 300 })).toBe(360_000)
    expect(rememberedMs({ ...thresholds, blockedForSeconds: Number.POSITIVE_INFINITY })).toBe(3_600_000)
    // Its sessions wait for somebody who was not in it.
    expect(only(queue(9, [[3, 31]], 35_000, [over])).kind).toBe('opened')
  })

  it('does not take another jam for the same one', () => {
    const { incident } = only(
      step([], [idleInTransaction(1, 100), waiting(2, 50)], 0, rowQueue(1, [[2, 50]])),
    )
    const transitions = step(
      [incident],
      [idleInTransaction(7, 1), waiting(8, 40)],
      5_000,
      rowQueue(7, [[8, 40]]),
    )
    expect(transitions.map(({ kind }) => kind)).toEqual(['resolved', 'opened'])
  })

  it('never has two open incidents for one trouble, every opened one can end, and no story runs backwards', () => {
    const scene = fc.array(
      fc.record({
        pid: fc.integer({ min: 1, max: 4 }),
        state: fc.constantFrom('idle', 'idle in transaction', 'active'),
        seconds: fc.integer({ min: 0, max: 10_000 }),
        jam: fc.boolean(),
      }),
      { maxLength: 4 },
    )
    // Mostly forward; now and then somebody sets the clock.
    const clock = fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 0, max: 90_000 }) },
      fc.integer({ min: -3_600_000, max: 3_600_000 }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(scene, clock), { maxLength: 15 }), (scenes) => {
        let known: Incident[] = []
        let at = 0
        const apply = (transitions: readonly Transition[]) => {
          for (const { incident } of transitions) {
            const before = known.find(({ id }) => id === incident.id)
            expect(incident.changedAt).toBeGreaterThanOrEqual(before?.changedAt ?? 0)
            expect(incident.resolvedAt ?? incident.openedAt).toBeGreaterThanOrEqual(incident.openedAt)
            if (before) {
              expect(incident.openedAt).toBe(before.openedAt)
              expect(incident.mostVictims).toBeGreaterThanOrEqual(before.mostVictims)
            }
            known = [...known.filter(({ id }) => id !== incident.id), incident]
          }
        }
        for (const [actors, passed] of [...scenes, [[], 5_000] as const]) {
          at += passed
          const unique = [...new Map(actors.map((actor) => [actor.pid, actor])).values()]
          const sessions = unique.map(({ pid, state, seconds }) =>
            session(pid, { state, stateSeconds: seconds, backendStart: 'then' }),
          )
          const jam = unique.find((actor) => actor.jam)
          const locks = jam ? locksRead(rowQueue(jam.pid, [[99, 50]])) : undefined
          apply(step(known, jam ? [...sessions, waiting(99, 50)] : sessions, at, locks))
          const open = known.filter(({ resolvedAt }) => resolvedAt === null).map(({ key }) => key)
          expect(new Set(open).size).toBe(open.length)
          expect(new Set(known.map(({ id }) => id)).size).toBe(known.length)
        }
        expect(known.every(({ resolvedAt }) => resolvedAt !== null)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('keeps what it cannot see', () => {
    expect(fold([], [], snapshot([]), { recommendationOf: () => null, newId: () => 'x' })).toEqual([])
  })
})
