import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fieldsIn, firstTimeField, type LookRow, type Row } from '../../../src/domain/history/chunk.ts'
import type { PastLook } from '../../../src/domain/history/look.ts'
import { packRows, unpackRows } from '../../../src/domain/history/packing.ts'
import { readChunk } from '../../../src/domain/history/readChunk.ts'
import { writeChunk } from '../../../src/domain/history/writeChunk.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { serverTimeOf } from '../../../src/domain/text/serverTime.ts'
import { looksOf, randomLooks } from '../../support/looks.ts'

const head = { cluster: 'orders', everyMs: 5_000, startedAt: 1_772_334_000_000 } as const

/** Reads what was written, after the way through the store, which keeps it in pieces. */
function again(looks: readonly PastLook[], from?: number, to?: number): PastLook[] {
  const writer = writeChunk(head)
  const rows: Row[] = [head, ...looks.map(writer.add)]
  const half = Math.ceil(rows.length / 2)
  const read = [rows.slice(0, half), rows.slice(half)].flatMap(
    (piece) => unpackRows(Buffer.from(packRows(piece))) ?? [],
  )
  expect(read).toEqual(rows)
  const texts = writer.takeTexts()
  expect(writer.takeTexts().size).toBe(0)
  return readChunk(read, (id) => texts.get(id), from, to)
}

/** Times that are none, that no age fits, or of which there is the age alone. */
const oddTimes: readonly Partial<Session>[] = [
  { xactStart: 'infinity', xactSeconds: null },
  { stateChange: '-infinity', stateSeconds: 0.25 },
  { queryStart: '10000-01-01 00:00:00+00', querySeconds: 0 },
  { queryStart: serverTimeOf(head.startedAt * 1000), querySeconds: null },
  { xactStart: null, xactSeconds: 3.25 },
  { xactStart: null, xactSeconds: 1e12 },
  { stateChange: '2026-03-01 03:00:00.500000+00', stateSeconds: 1e12 },
  { stateChange: '2026-03-01 03:00:00.500000+00', stateSeconds: 2e12 },
  { queryStart: null, querySeconds: 0.123_456_78 },
  { sameWaitSeconds: 1e12 },
  { leaves: 'a table' },
]

/** Random looks in which some sessions have such times. */
const oddLooks: fc.Arbitrary<PastLook[]> = fc
  .tuple(
    randomLooks(head.startedAt),
    fc.array(fc.constantFrom({}, ...oddTimes), { minLength: 1, maxLength: 20 }),
  )
  .map(([looks, overs]) => {
    let at = 0
    return looks.map((look) =>
      'snapshot' in look
        ? withSessions(look, (session) => ({ ...session, ...overs[at++ % overs.length] }))
        : look,
    )
  })

type Seen = Extract<PastLook, { readonly snapshot: unknown }>

const withSessions = (look: Seen, change: (session: Session) => Session): Seen => ({
  ...look,
  snapshot: { ...look.snapshot, sessions: look.snapshot.sessions.map(change) },
})

describe('chunks', () => {
  it('give each look back as it was', () => {
    fc.assert(
      fc.property(randomLooks(head.startedAt), (looks) => {
        expect(again(looks)).toEqual(looks)
      }),
      { numRuns: 300 },
    )
  })

  it('give each look back with times that are none, and ages that fit to no moment', () => {
    fc.assert(
      fc.property(oddLooks, (looks) => {
        expect(again(looks)).toEqual(looks)
      }),
      { numRuns: 300 },
    )
  })

  it('say nothing twice', () => {
    fc.assert(
      fc.property(oddLooks, (looks) => {
        const writer = writeChunk(head)
        for (const look of looks) {
          if (!('snapshot' in look)) continue
          const still = withSessions(look, ({ sameWaitSeconds: _, ...session }) => session)
          writer.add(still)
          const [, changed, , ...others] = writer.add({ ...still, takenAt: look.takenAt + 1 }) as LookRow
          expect([changed, ...others]).toEqual([[[], [], []], [], [], [], [], []])
        }
      }),
      { numRuns: 300 },
    )
  })

  it('give those between two times back', () => {
    fc.assert(
      fc.property(randomLooks(head.startedAt), fc.nat(12), fc.nat(12), (looks, first, last) => {
        const [from, to] = [looks[first]?.takenAt ?? 0, looks[last]?.takenAt ?? 0]
        const between = looks.filter(({ takenAt }) => takenAt >= from && takenAt <= to)
        expect(again(looks, from, to)).toEqual(between)
      }),
    )
  })

  it('write nothing about a session that only grows older', () => {
    const [first, second] = looksOf(head.startedAt, 2, 50, 0)
    const writer = writeChunk(head)
    if (!first || !second) throw new Error('no looks')
    writer.add(first)
    expect(JSON.stringify(writer.add(second)).length).toBeLessThan(60)
  })

  it('write of who comes what is not null, and of who stays nothing', () => {
    const [look] = looksOf(head.startedAt, 1, 1, 0)
    if (!look || !('snapshot' in look)) throw new Error('no look')
    const noTimes = { stateChange: null, stateSeconds: null, queryStart: null, querySeconds: null }
    const still = withSessions(look, (session) => ({
      ...session,
      ...noTimes,
      xactStart: null,
      xactSeconds: null,
    }))
    const [first] = still.snapshot.sessions
    if (!first) throw new Error('no session')
    const waits = (pid: number, sameWaitSeconds: number) => ({ ...first, pid, sameWaitSeconds })
    const looks = [
      [first],
      [first, waits(7, 3.001)],
      // Another one in its place, which waits since the same moment.
      [first, waits(8, 3.002)],
    ].map((sessions, index): Seen => {
      const takenAt = look.takenAt + index
      return { takenAt, snapshot: { ...still.snapshot, takenAt, sessions } }
    })
    const writer = writeChunk(head)
    const fields = looks
      .map((one) => (writer.add(one) as LookRow)[1])
      .map(([slots, [mask]]) => [slots, fieldsIn(mask ?? 0)])
    const time = (index: number) => firstTimeField + 2 * index
    const isTime = (field: number) => field >= firstTimeField
    expect(fields.map(([slots, mask]) => [slots, mask?.filter(isTime)])).toEqual([
      [[0], [time(0)]],
      [[1], [time(0), time(4) + 1]],
      [[1], [time(0), time(4) + 1]],
    ])
    expect(again(looks)).toEqual(looks)
  })

  it('keep microseconds, and a time that is none', () => {
    const [look] = looksOf(head.startedAt, 1, 1, 0)
    if (!look || !('snapshot' in look)) throw new Error('no look')
    const odd: Partial<Session>[] = [
      { xactStart: '10000-01-01 00:00:00+00', xactSeconds: 0 },
      { xactStart: serverTimeOf(1_772_333_999_123_456), xactSeconds: null },
      { xactStart: null, xactSeconds: 3.25 },
      { xactStart: '2026-03-01 03:00:00.500000+00', xactSeconds: 1e12 },
    ]
    for (const over of odd) {
      const [session] = look.snapshot.sessions
      if (!session) throw new Error('no session')
      const one = { ...look, snapshot: { ...look.snapshot, sessions: [{ ...session, ...over }] } }
      expect(again([one])).toEqual([one])
    }
  })
})
