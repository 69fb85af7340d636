import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PastLook, reachOf } from '../../../src/domain/history/look.ts'
import {
  beginTally,
  isWaiting,
  meanIn,
  spansOf,
  stretchesOf,
  type TimedLook,
  waitedForRelation,
  waitingApplication,
  waitingStatement,
  waitTypeOf,
} from '../../../src/domain/history/waiting.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { Locks, Server } from '../../../src/domain/session/snapshot.ts'
import {
  held,
  idle,
  idleInTransaction,
  lockTable,
  relation,
  serverProcess,
  session,
  snapshot,
  takenAt,
  transaction,
  tuple,
  waiting,
  wanted,
} from '../../support/builders.ts'
import { randomLooks } from '../../support/looks.ts'

const everyMs = 5_000
const reach = reachOf(everyMs)

/** A look so many seconds after the beginning. */
const lookAt = (
  seconds: number,
  sessions: readonly Session[],
  {
    locks = { kind: 'none' },
    server = {},
    texts,
  }: { locks?: Locks; server?: Partial<Server>; texts?: ReadonlyMap<number, string> } = {},
): TimedLook => {
  const at = takenAt + seconds * 1000
  const calm = snapshot(sessions)
  const shown = { ...calm, takenAt: at, locks, server: { ...calm.server, ...server } }
  return { look: { takenAt: at, snapshot: { ...shown, ...(texts && { texts }) } }, everyMs }
}
const blindAt = (seconds: number, why: string): TimedLook => ({
  look: { takenAt: takenAt + seconds * 1000, unseen: why },
  everyMs,
})
const until = (seconds: number) => takenAt + seconds * 1000

const shown = (looks: readonly TimedLook[], from: number, to: number) =>
  stretchesOf(looks, until(from), until(to)).map((one) => [
    (one.from - takenAt) / 1000,
    (one.to - takenAt) / 1000,
    one.sight,
    one.why ?? one.picture?.snapshot.sessions.length ?? null,
  ])

describe('stretches', () => {
  it('go from a look to the next one, and no further than a look speaks', () => {
    const looks = [lookAt(0, [session(1)]), lookAt(5, []), lookAt(60, [session(1), session(2)])]
    expect(shown(looks, 0, 70)).toEqual([
      [0, 5, 'seen', 1],
      [5, 17.5, 'seen', 0],
      [17.5, 60, 'notSeen', null],
      [60, 70, 'seen', 2],
    ])
  })

  it('begin with what a look from before speaks for, and end where they are to end', () => {
    const looks = [lookAt(-30, [session(1)]), lookAt(-5, [session(1), session(2)]), lookAt(40, [])]
    expect(shown(looks, 0, 30)).toEqual([
      [0, 7.5, 'seen', 2],
      [7.5, 30, 'notSeen', null],
    ])
    expect(shown([], 0, 30)).toEqual([[0, 30, 'notSeen', null]])
    expect(shown([lookAt(0, [session(1)])], 5, 5)).toEqual([])
  })

  it('tell what was seen in part, and why nothing was', () => {
    const storm = { kind: 'jammed', why: 'busy', last: null, lastTakenAt: null } as const
    const looks = [
      lookAt(0, [session(1)], { locks: storm }),
      blindAt(5, 'The connection was lost.'),
      blindAt(10, 'The connection was lost.'),
      blindAt(15, 'The server starts.'),
      lookAt(20, []),
    ]
    expect(shown(looks, 0, 25)).toEqual([
      [0, 5, 'partly', 1],
      [5, 15, 'notSeen', 'The connection was lost.'],
      [15, 20, 'notSeen', 'The server starts.'],
      [20, 25, 'seen', 0],
    ])
  })

  const timed = (looks: readonly PastLook[]): TimedLook[] => looks.map((look) => ({ look, everyMs }))
  const times = fc
    .tuple(fc.integer({ min: -20_000, max: 150_000 }), fc.integer({ min: 0, max: 150_000 }))
    .map(([from, ms]) => [takenAt + from, takenAt + from + ms] as const)

  it('cover the time without a gap, each within the reach of its look', () => {
    fc.assert(
      fc.property(randomLooks(takenAt), times, (looks, [from, to]) => {
        const stretches = stretchesOf(timed(looks), from, to)
        let at = from
        for (const one of stretches) {
          expect(one.from).toBe(at)
          expect(one.to).toBeGreaterThan(at)
          at = one.to
          const last = looks.findLast((look) => look.takenAt <= one.from)
          const spoken = last && one.from < last.takenAt + reach ? last : null
          expect(one.picture?.snapshot ?? null).toBe(spoken && 'snapshot' in spoken ? spoken.snapshot : null)
          if (one.picture) expect(one.to).toBeLessThanOrEqual(one.picture.snapshot.takenAt + reach)
          if (one.picture)
            expect(looks.some(({ takenAt }) => one.from < takenAt && takenAt < one.to)).toBe(false)
        }
        expect(at).toBe(Math.max(from, to))
      }),
    )
  })

  it('are the same in parts as in one', () => {
    fc.assert(
      fc.property(randomLooks(takenAt), times, fc.integer({ min: 1, max: 7 }), (looks, [from, to], parts) => {
        const whole = beginTally(spansOf(from, to, 4), waitTypeOf)
        whole.add(stretchesOf(timed(looks), from, to))
        const inParts = beginTally(spansOf(from, to, 4), waitTypeOf)
        const borders = spansOf(from, to, parts).map(Math.round)
        for (const [index, end] of borders.slice(1).entries())
          inParts.add(stretchesOf(timed(looks), borders[index] ?? end, end))
        for (const [index, bucket] of inParts.buckets().entries()) {
          const other = whole.buckets()[index]
          expect(bucket.seenMs).toBeCloseTo(other?.seenMs ?? -1, 3)
          expect(bucket.partlyMs).toBeCloseTo(other?.partlyMs ?? -1, 3)
          expect([...bucket.seconds.keys()].sort()).toEqual([...(other?.seconds.keys() ?? [])].sort())
          for (const [key, seconds] of bucket.seconds)
            expect(seconds).toBeCloseTo(other?.seconds.get(key) ?? -1, 3)
        }
      }),
    )
  })
})

describe('session-seconds', () => {
  const tallied = (looks: readonly TimedLook[], to: number, keyOf = waitTypeOf, count = 1) => {
    const tally = beginTally(spansOf(takenAt, until(to), count), keyOf)
    tally.add(stretchesOf(looks, takenAt, until(to)))
    return tally
  }

  it('count active clients by what they wait for, the most first', () => {
    const looks = [
      lookAt(0, [
        waiting(1, 3),
        waiting(2, 3),
        session(3),
        session(4, { state: 'fastpath function call', waitEventType: 'IO' }),
        idle(5, 60),
        idleInTransaction(6, 60),
        serverProcess(7, 'walwriter', { waitEventType: 'Activity' }),
        session(8, { backendType: 'parallel worker', waitEventType: 'IPC', leaderPid: 3 }),
      ]),
      lookAt(4, [waiting(1, 7)]),
    ]
    expect(tallied(looks, 10).seconds()).toEqual([
      ['Lock', 14],
      ['IO', 4],
      ['working', 4],
    ])
  })

  it('are averages over what was seen, and nothing where nothing was', () => {
    const looks = [
      lookAt(0, [waiting(1, 3), waiting(2, 3)]),
      blindAt(5, 'gone'),
      lookAt(20, [session(1)], { locks: { kind: 'jammed', why: '', last: null, lastTakenAt: null } }),
      lookAt(24, []),
    ]
    const buckets = tallied(looks, 30, waitTypeOf, 3).buckets()
    expect(
      buckets.map(({ from, to, seenMs, partlyMs }) => [from - takenAt, to - takenAt, seenMs, partlyMs]),
    ).toEqual([
      [0, 10_000, 5_000, 0],
      [10_000, 20_000, 0, 0],
      [20_000, 30_000, 10_000, 4_000],
    ])
    expect(buckets.map((one) => meanIn(one, 'Lock'))).toEqual([2, null, 0])
    expect(buckets.map((one) => meanIn(one, 'working'))).toEqual([0, null, 0.4])
  })

  it('know nothing of sessions that are hidden from us', () => {
    const looks = [lookAt(0, [session(1, { state: null })], { server: { seesOthers: false } })]
    expect(tallied(looks, 10).buckets()).toMatchObject([{ seenMs: 0, partlyMs: 0, seconds: new Map() }])
  })

  it('are divided among the spans that a stretch lies in', () => {
    const looks = [lookAt(0, [waiting(1, 1)]), lookAt(8, [])]
    const borders = [until(-5), until(2), until(5), until(6)]
    const tally = beginTally(borders, waitTypeOf)
    tally.add(stretchesOf(looks, takenAt, until(20)))
    expect(tally.buckets().map(({ seconds }) => seconds.get('Lock'))).toEqual([2, 3, 1])
    expect(tally.seconds()).toEqual([['Lock', 6]])
  })

  it('go by statement, application and relation of those who wait', () => {
    const table = lockTable([
      held(transaction('7'), 'ExclusiveLock', 9),
      wanted(transaction('7'), 'ShareLock', [1, 3]),
      held(tuple('stock'), 'ExclusiveLock', 1),
      wanted(tuple('stock'), 'ExclusiveLock', [2, 2]),
      held(relation('orders'), 'AccessShareLock', 9),
      wanted(relation('orders'), 'AccessExclusiveLock', [3, 2]),
    ])
    const sessions = [
      waiting(1, 3),
      waiting(2, 2, { applicationName: 'job' }),
      waiting(3, 2, { applicationName: '' }),
      session(4, { waitEventType: 'IO' }),
      session(5),
      idleInTransaction(9, 60),
    ]
    const texts = new Map([
      [1, 'UPDATE stock SET n = ?'],
      [2, 'UPDATE stock SET n = ?'],
      [5, 'SELECT ?'],
      [9, 'BEGIN'],
    ])
    expect(sessions.filter(isWaiting).map(({ pid }) => pid)).toEqual([1, 2, 3, 4])
    const looks = [lookAt(0, sessions, { locks: { kind: 'read', table }, texts })]
    expect(tallied(looks, 10, waitingStatement).seconds()).toEqual([['UPDATE stock SET n = ?', 20]])
    expect(tallied(looks, 10, waitingApplication).seconds()).toEqual([
      ['web', 20],
      ['', 10],
      ['job', 10],
    ])
    expect(tallied(looks, 10, waitedForRelation).seconds()).toEqual([
      ['stock', 20],
      ['orders', 10],
    ])
    const storm = { kind: 'jammed', why: '', last: table, lastTakenAt: takenAt - 60_000 } as const
    expect(tallied([lookAt(0, sessions, { locks: storm })], 10, waitedForRelation).seconds()).toEqual([])
  })
})
