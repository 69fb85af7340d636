import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placeUnreachable, assignCards as placeWith } from '../../../src/domain/incidents/assignCards.ts'
import type { Finding } from '../../../src/domain/incidents/finding.ts'
import {
  hasOwnCard,
  type Incident,
  openedWith,
  reopenWithinMs,
  type Transition,
} from '../../../src/domain/incidents/incident.ts'
import { severityOf } from '../../../src/domain/incidents/severity.ts'
import { idle, incident as incidentOf, takenAt } from '../../support/builders.ts'

describe('place', () => {
  const opening = (n: number, openedAt = takenAt): Transition => {
    const finding = { kind: 'idle', session: idle(n, 4_000), seconds: 4_000 } as const
    const incident = incidentOf({ id: `i${n}`, key: `k${n}`, finding, openedAt })
    return { kind: 'opened', incident, reason: 'new' }
  }
  const place = (
    transitions: readonly Transition[],
    known: readonly Incident[],
    cardsPerMinute: number,
    now: number,
    newId: () => string,
    isSilent: (incident: Incident) => boolean = () => false,
  ) => placeWith(transitions, known, { cardsPerMinute, isSilent }, { now, newId })
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

  it('begins another digest when the last has been over for a minute, not for each that comes and goes', () => {
    const known = place(many(0, 7), [], 6, takenAt, () => 'digest').map(({ incident }) => ({
      ...incident,
      resolvedAt: takenAt + 1,
    }))
    expect(cards(place(many(7, 14), known, 6, takenAt + 2, () => 'another')).at(-1)).toBe('digest')
    const later = takenAt + 2 + reopenWithinMs
    expect(cards(place(many(7, 14), known, 6, later, () => 'another')).at(-1)).toBe('another')
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
    // The next one does not wait for a minute to pass: no other card is open.
    known = follow(known, placed)
    expect(
      cards(
        place([resolved(known[1] as Incident, takenAt + 125_000)], known, 1, takenAt + 125_000, () => 'x'),
      ),
    ).toEqual(['i1', 'i2'])
  })

  it('holds back nothing critical, however many cards a minute has seen', () => {
    const notices = place(many(0, 6), [], 6, takenAt, () => 'digest').map(({ incident }) => incident)
    expect(cards(place([jam(6, 40), jam(7, 9)], notices, 6, takenAt + 1, () => 'digest'))).toEqual([
      'i6',
      'digest',
    ])
    const jams = Array.from({ length: 9 }, (_, n) => jam(n, 10))
    expect(cards(place(jams, [], 2, takenAt, () => 'x'))).toEqual(jams.map(({ incident }) => incident.id))
  })

  it('counts cards that are open: the seventh of seven jams has its card when the others are over', () => {
    let known: Incident[] = []
    for (let n = 0; n < 7; n++) {
      const now = takenAt + n * 2000
      const over = known.filter(({ resolvedAt }) => resolvedAt === null).map((one) => resolved(one, now))
      const placed = place([...over, jam(n, 2, now)], known, 6, now, () => 'digest')
      expect(cards(placed).at(-1)).toBe(`i${n}`)
      known = follow(known, placed)
    }
  })

  it('counts no card that a silence covers, and none from before the clock was set back', () => {
    const silenced = [opening(0).incident, opening(1).incident]
    const isSilent = ({ id }: Incident) => id === 'i0' || id === 'i1'
    expect(cards(place(many(2, 5), silenced, 2, takenAt + 1, () => 'x', isSilent))).toEqual(['i2', 'i3', 'x'])
    expect(cards(place(many(2, 5), silenced, 2, takenAt - 1, () => 'x'))).toEqual(['i2', 'i3', 'x'])
    expect(cards(place(many(2, 5), silenced, 2, takenAt, () => 'x'))).toEqual(['x', 'x', 'x'])
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

  it('holds back nothing critical and not all, passes by no worse one, and keeps to what a minute allows', () => {
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
          const standing = known.filter(({ resolvedAt }) => resolvedAt === null)
          const isGiven = (one: Incident) => {
            const earlier = before.get(one.id)
            return hasOwnCard(one) && !(earlier && hasOwnCard(earlier))
          }
          const isCritical = (one: Incident) => severityOf(one.finding) === 'critical'
          // Beyond what a minute allows goes only what is critical, and one that stands alone.
          const recent = standing.filter((one) => hasOwnCard(one) && now - one.placedAt < 60_000)
          const lesser = standing.filter((one) => isGiven(one) && !isCritical(one))
          if (recent.length > perMinute)
            expect(lesser.length).toBeLessThanOrEqual(standing.filter(hasOwnCard).length === 1 ? 1 : 0)
          expect(standing.filter(isCritical).every(hasOwnCard)).toBe(true)
          if (standing.length > 0) expect(standing.some(hasOwnCard)).toBe(true)
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

describe('a cluster that cannot be seen', () => {
  const blind = (id: string, over: Partial<Incident> = {}): Incident => ({
    ...openedWith(
      { kind: 'unreachable', code: 'ECONNREFUSED', reason: 'Nothing listens there.', seconds: 0, last: null },
      null,
      { cluster: id, takenAt: 1_000 },
      id,
    ),
    ...over,
  })
  const listed = { cardId: 'digest', digestId: 'digest' }
  const place = (one: Incident, others: Incident[], isNew: boolean) => {
    const { cardId, digestId, placedAt } = placeUnreachable(
      one,
      others,
      { cardsPerMinute: 2, isNew },
      { now: 2_000, newId: () => 'new' },
    )
    return [cardId, digestId, placedAt]
  }

  it('has a card while fewer have one than a minute allows', () => {
    expect(place(blind('a'), [], true)).toEqual(['a', null, 2_000])
    expect(place(blind('a'), [blind('b')], true)).toEqual(['a', null, 2_000])
    expect(place(blind('a'), [blind('b'), blind('c', listed)], true)).toEqual(['a', null, 2_000])
  })

  it('shares a digest when more are blind', () => {
    const cards = [blind('b'), blind('c')]
    expect(place(blind('a'), cards, true)).toEqual(['new', 'new', 1_000])
    expect(place(blind('a'), [...cards, blind('d', listed)], true)).toEqual(['digest', 'digest', 1_000])
  })

  it('keeps its place, and moves to a card of its own as others end', () => {
    expect(place(blind('a'), [blind('b'), blind('c')], false)).toEqual(['a', null, 1_000])
    expect(place(blind('a', listed), [blind('b'), blind('c')], false)).toEqual(['digest', 'digest', 1_000])
    expect(place(blind('a', listed), [blind('b')], false)).toEqual(['a', 'digest', 2_000])
  })
})
