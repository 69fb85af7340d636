import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Finding, findings } from '../../src/domain/finding.ts'
import {
  fold,
  hasOwnCard,
  type Incident,
  place as placeWith,
  reopenWithinMs,
  severityOf,
  type Transition,
} from '../../src/domain/incident.ts'
import { remediesFor } from '../../src/domain/remedy.ts'
import type { Session } from '../../src/domain/session.ts'
import {
  idle,
  idleInTransaction,
  locksRead,
  picture,
  rowQueue,
  server,
  session,
  snapshot,
  takenAt,
  thresholds,
  waiting,
} from '../support/pictures.ts'

const found = (
  sessions: readonly Session[],
  locks?: Parameters<typeof picture>[1],
  over = {},
  open?: Set<string>,
) => {
  const { snapshot: shot, forest } = picture(sessions, locks, over)
  return findings(shot, forest, thresholds, open)
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

  it('tells a lock storm with the likely suspects', () => {
    const sessions = [idleInTransaction(1, 5), waiting(2, 1), waiting(3, 1)]
    const jammed = { kind: 'jammed', why: 'busy', last: null, lastTakenAt: null } as const
    expect(found(sessions, jammed)).toMatchObject([{ kind: 'lockStorm', waiting: 2, suspects: [{ pid: 1 }] }])
  })
})

describe('place', () => {
  const opening = (n: number, openedAt = takenAt): Transition => {
    const finding = { kind: 'idle', session: idle(n, 4_000), seconds: 4_000 } as const
    const incident: Incident = {
      id: `i${n}`,
      cardId: `i${n}`,
      digestId: null,
      placedAt: openedAt,
      cluster: 'orders',
      key: `k${n}`,
      finding,
      remedy: null,
      openedAt,
      changedAt: openedAt,
      resolvedAt: null,
      resolution: null,
      acknowledgedBy: null,
      mostVictims: 0,
    }
    return { kind: 'opened', incident, reason: 'new' }
  }
  const place = (
    transitions: readonly Transition[],
    known: readonly Incident[],
    cardsPerMinute: number,
    now: number,
    newId: () => string,
    isSilent: (incident: Incident) => boolean = () => false,
  ) => placeWith(transitions, known, { cardsPerMinute, isSilent }, now, newId)
  const cards = (transitions: readonly Transition[]) => transitions.map(({ incident }) => incident.cardId)
  const many = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => opening(from + n))

  it('gives the first a card each, and puts the rest into one digest', () => {
    const placed = place(many(0, 9), [], 6, takenAt, () => 'digest')
    expect(cards(placed)).toEqual(['i0', 'i1', 'i2', 'i3', 'i4', 'i5', 'digest', 'digest', 'digest'])
    const known = placed.map(({ incident }) => incident)
    expect(cards(place(many(9, 11), known, 6, takenAt + 30_000, () => 'another'))).toEqual([
      'digest',
      'digest',
    ])
    expect(cards(place(many(9, 11), known, 6, takenAt + 60_000, () => 'another'))).toEqual(['i9', 'i10'])
  })

  it('begins another digest when the last is over', () => {
    const known = place(many(0, 7), [], 6, takenAt, () => 'digest').map(({ incident }) => ({
      ...incident,
      resolvedAt: takenAt + 1,
    }))
    expect(cards(place(many(7, 8), known, 6, takenAt + 2, () => 'another'))).toEqual(['another'])
  })

  /** A jam with so many victims: ten make it critical. */
  const jam = (n: number, victims: number, openedAt = takenAt): Transition => {
    const root = {
      pid: n,
      victims: Array.from({ length: victims }, (_, k) => 1000 * n + k),
      oldestWaitSeconds: 40,
    }
    const finding = { kind: 'blocking', root, session: null, rivals: [] } as unknown as Finding
    const transition = opening(n, openedAt)
    return { ...transition, incident: { ...transition.incident, finding, mostVictims: victims } }
  }
  /** What is known after these transitions. */
  const follow = (known: readonly Incident[], transitions: readonly Transition[]) => {
    const changed = new Map(transitions.map(({ incident }) => [incident.id, incident]))
    return [
      ...known.map((one) => changed.get(one.id) ?? one),
      ...transitions.map(({ incident }) => incident).filter(({ id }) => !known.some((one) => one.id === id)),
    ]
  }
  const resolved = (incident: Incident, at: number): Transition => ({
    kind: 'resolved',
    incident: { ...incident, resolvedAt: at, changedAt: at },
    reason: 'Over.',
  })

  it('moves the worst of the digest to a card of its own when one of the cards is over, and says so', () => {
    let known = follow(
      [],
      place([jam(0, 3), jam(1, 2), jam(2, 1)], [], 1, takenAt, () => 'digest'),
    )
    expect(known.map(({ cardId }) => cardId)).toEqual(['i0', 'digest', 'digest'])
    // Time alone makes no room: people have one card to look after.
    expect(place([], known, 1, takenAt + 120_000, () => 'x')).toEqual([])
    const over = resolved(known[0] as Incident, takenAt + 121_000)
    const placed = place([over], known, 1, takenAt + 121_000, () => 'x')
    expect(placed).toMatchObject([
      { kind: 'resolved', incident: { id: 'i0' } },
      {
        kind: 'changed',
        reason: 'It moved from the digest to a card of its own.',
        incident: { id: 'i1', cardId: 'i1', digestId: 'digest', placedAt: takenAt + 121_000 },
      },
    ])
    // The card that it got counts for its minute.
    known = follow(known, placed)
    expect(
      place([resolved(known[1] as Incident, takenAt + 125_000)], known, 1, takenAt + 125_000, () => 'x'),
    ).toHaveLength(1)
  })

  it('gives what became critical in the digest a card though lesser ones are open, and the minute to the worst', () => {
    const known = follow(
      [],
      place([...many(0, 3), jam(3, 1)], [], 3, takenAt, () => 'digest'),
    )
    expect(known.filter(hasOwnCard).map(({ id }) => id)).toEqual(['i3', 'i0', 'i1'].sort())
    const grown = jam(2, 12).incident
    const worse = known.map((one) => (one.id === 'i2' ? { ...one, finding: grown.finding } : one))
    expect(cards(place([], worse, 3, takenAt + 60_000, () => 'x'))).toEqual(['i2'])
    // One more a minute is all there is: the critical one of the digest goes before the new one.
    expect(cards(place(many(9, 10), worse, 1, takenAt + 60_000, () => 'x'))).toEqual(['digest', 'i2'])
  })

  it('lets what is silent wait in the digest, without taking a card from others', () => {
    const isSilent = ({ finding }: Incident) => finding.kind === 'idle'
    const placed = place([jam(7, 1), ...many(0, 3)], [], 2, takenAt, () => 'digest', isSilent)
    expect(cards(placed)).toEqual(['i7', 'digest', 'digest', 'digest'])
    const known = follow([], placed)
    expect(place([], known, 2, takenAt + 60_000, () => 'x', isSilent)).toEqual([])
    expect(cards(place([], known, 2, takenAt + 60_000, () => 'x'))).toEqual(['i0'])
  })

  it('never passes by a worse one, never gives more cards than a minute allows, and every incident has a place', () => {
    const round = fc.record({
      opens: fc.array(fc.integer({ min: 0, max: 15 }), { maxLength: 5 }),
      ends: fc.array(fc.nat(20), { maxLength: 4 }),
      afterMs: fc.integer({ min: 1, max: 40_000 }),
    })
    fc.assert(
      fc.property(fc.array(round, { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), (rounds, perMinute) => {
        let known: Incident[] = []
        let now = takenAt
        let next = 0
        const given: number[] = []
        for (const { opens, ends, afterMs } of rounds) {
          now += afterMs
          const open = known.filter(({ resolvedAt }) => resolvedAt === null)
          const over = [...new Set(ends)].flatMap((index) =>
            open[index] ? [resolved(open[index], now)] : [],
          )
          const opening = opens.toSorted((a, b) => b - a).map((victims) => jam(next++, victims, now))
          const placed = place([...over, ...opening], known, perMinute, now, () => `digest${next}`)
          expect(new Set(placed.map(({ incident }) => incident.id)).size).toBe(placed.length)
          const before = new Map(known.map((one) => [one.id, one]))
          known = follow(known, placed)
          for (const one of known)
            if (hasOwnCard(one) && !(before.get(one.id) && hasOwnCard(before.get(one.id) as Incident)))
              given.push(now)
          expect(given.filter((at) => now - at < 60_000).length).toBeLessThanOrEqual(perMinute)
          const standing = known.filter(({ resolvedAt }) => resolvedAt === null)
          expect(standing.every((one) => hasOwnCard(one) || one.digestId === one.cardId)).toBe(true)
          // Of those that were given a card just now none is less severe than one that was left in the digest.
          const rank = (one: Incident) => ['critical', 'warning', 'notice'].indexOf(severityOf(one.finding))
          const fresh = standing.filter((one) => hasOwnCard(one) && one.placedAt === now)
          const left = standing.filter((one) => !hasOwnCard(one))
          const asBad = (one: Incident) =>
            standing.filter((card) => hasOwnCard(card) && rank(card) <= rank(one)).length
          for (const one of left)
            for (const other of fresh) expect(rank(other) <= rank(one) || asBad(one) >= perMinute).toBe(true)
          known = known.filter(({ resolvedAt }) => resolvedAt === null || now - resolvedAt < reopenWithinMs)
        }
      }),
      { numRuns: 300 },
    )
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
    const open = new Set(known.filter(({ resolvedAt }) => resolvedAt === null).map(({ key }) => key))
    const remedyFor = remediesFor(shown, { protectedSessions: [] })
    return fold(known, findings(shot, forest, thresholds, open), shot, remedyFor, () => `incident-${++ids}`)
  }
  const only = (transitions: readonly Transition[]): Transition => {
    expect(transitions).toHaveLength(1)
    return transitions[0] as Transition
  }

  it('opens, stays silent while nothing changes, and resolves', () => {
    const opened = only(step([], [idleInTransaction(1, 310, { xactStart: 'x' })]))
    expect(opened).toMatchObject({
      kind: 'opened',
      incident: { remedy: { target: { action: 'terminate' } }, resolvedAt: null },
    })
    expect(step([opened.incident], [idleInTransaction(1, 312, { xactStart: 'x' })], 2_000)).toEqual([])
    const resolved = only(step([opened.incident], [], 4_000))
    expect(resolved).toMatchObject({ kind: 'resolved', reason: 'The session is gone.' })
    expect(resolved.incident.resolvedAt).toBe(takenAt + 4_000)
  })

  it('tells a growing jam in steps', () => {
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
    expect(
      fold(
        [],
        [],
        snapshot([]),
        () => null,
        () => 'x',
      ),
    ).toEqual([])
  })
})
