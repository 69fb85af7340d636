import { describe, expect, it } from 'vitest'
import { longestWait, middle, mostWaiting } from '../../../src/domain/history/report.ts'
import type { TimedLook } from '../../../src/domain/history/waiting.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import {
  held,
  idle,
  idleInTransaction,
  incident,
  locksRead,
  prepared,
  relation,
  rowQueue,
  session,
  takenAt,
  transaction,
  waiting,
  wanted,
} from '../../support/builders.ts'
import {
  at,
  every5,
  type Holder,
  jamIncident,
  look,
  reportFrom,
  rowLook,
  type Waiter,
} from '../../support/pastJams.ts'

const checkout: Holder = { pid: 1, from: 2, to: 101, over: { applicationName: 'checkout' } }
const web: Waiter[] = [
  { pid: 11, from: 12, to: 101 },
  { pid: 12, from: 23, to: 101 },
  { pid: 13, from: 31, to: 61 },
]
const jam = (seconds: number) => rowLook(seconds, [checkout], web)
const looks = every5(0, 120, jam)
const about = jamIncident(looks, 1, { openedAt: at(40), beganAt: at(12), resolvedAt: at(105) })

describe('a jam that is over', () => {
  const report = reportFrom(looks, about, { from: 0, to: 120 })

  it('begins with the first wait, as the server dates it, before the card', () => {
    expect(report.began).toEqual({ firstWaitAt: at(12), firstSeenAt: at(15), maybeEarlier: false })
    expect([report.from, report.to]).toEqual([at(12), at(105)])
  })

  it('has each wait, from its own begin to between two looks, or to what its session did next', () => {
    expect(
      report.waits.map(({ session: { pid }, from, lastSeenAt, overAt }) => [
        pid,
        ...[from, lastSeenAt, overAt ?? 0].map((ms) => (ms - takenAt) / 1000),
      ]),
    ).toEqual([
      [11, 12, 100, 101],
      [12, 23, 100, 101],
      [13, 31, 60, 61],
    ])
    expect(longestWait(report)?.session.pid).toBe(11)
    expect(report.cost).toMatchObject({ sessions: 3, least: 88 + 77 + 29, most: 89 + 78 + 30 })
    expect(report.cost.applications).toEqual([{ name: 'web', sessions: 3, seconds: middle(report.cost) }])
    expect(report.cost.statements).toHaveLength(1)
  })

  it('dates waits by the clock of the look, however long after it the locks were read', () => {
    const late = looks.map((one): TimedLook => {
      if (!('snapshot' in one.look) || one.look.snapshot.locks.kind !== 'read') return one
      const { snapshot: shown } = one.look
      const table = { ...one.look.snapshot.locks.table, readAt: shown.takenAt / 1000 + 0.8 }
      return { ...one, look: { ...one.look, snapshot: { ...shown, locks: { kind: 'read', table } } } }
    })
    const same = reportFrom(late, about, { from: 0, to: 120 })
    expect(same.waits.map(({ from }) => Math.round(from))).toEqual([at(12), at(23), at(31)])
  })

  it('says how many waited when, without gaps, and when it was worst', () => {
    expect(mostWaiting(report)).toBe(3)
    expect(
      report.course.map(({ from, to, waiting: n }) => [(from - takenAt) / 1000, (to - takenAt) / 1000, n]),
    ).toEqual([
      [0, 15, 0],
      [15, 25, 1],
      [25, 35, 2],
      [35, 65, 3],
      [65, 105, 2],
      [105, 120, 0],
    ])
    expect(report.worst).toMatchObject({ takenAt: at(60), waiting: 3 })
    expect(report.worst?.trees.trees[0]?.root?.pid).toBe(1)
  })

  it('says who held what since when', () => {
    expect(report.holders).toMatchObject([
      { pid: 1, transactionAt: at(2), from: at(15), to: at(100), mostVictims: 3 },
    ])
    expect(report.holders[0]?.held).toMatchObject([
      { relationName: 'public.orders', modes: ['ExclusiveLock'] },
    ])
    expect(report.holders[0]?.did.map(({ state }) => state)).toEqual(['active', 'idle in transaction'])
  })

  it('names the way out once, where it stays the same', () => {
    expect(report.ways.map(({ at: when, recommendation }) => [when, recommendation.target?.action])).toEqual([
      [at(15), 'terminate'],
    ])
  })
})

it('leaves out another jam at the same time', () => {
  const stock = relation('stock', 7)
  const both = every5(0, 120, (seconds) =>
    look(
      seconds,
      [
        idleInTransaction(1, seconds + 2),
        waiting(11, seconds + 1),
        idleInTransaction(2, seconds + 2),
        waiting(21, seconds + 1),
      ],
      [
        ...rowQueue(1, [[11, 1]]),
        held(stock, 'AccessExclusiveLock', 2),
        wanted(stock, 'AccessShareLock', [21, 1]),
      ],
    ),
  )
  const report = reportFrom(both, jamIncident(both, 1, { openedAt: at(40) }), { from: 0, to: 120 })
  expect(report.waits.map(({ session: { pid } }) => pid)).toEqual([11])
  expect(report.worst?.jams.map(({ root }) => root?.pid)).toEqual([1])
  expect(report.holders.map(({ pid }) => pid)).toEqual([1])
})

describe('a queue that goes on behind another session', () => {
  // The first waiter gets the row and sits on it.
  const holders = [checkout, { pid: 11, from: 101, to: 160 }].map((one) => ({ ...one }))
  const queue = web.map((one) => (one.pid === 12 ? { ...one, to: 160 } : one))
  const moving = every5(0, 180, (seconds) => rowLook(seconds, holders, queue))

  it('is one report, by whichever of them the incident is named last', () => {
    const then = jamIncident(moving, 11, { openedAt: at(40), beganAt: at(12), resolvedAt: at(165) })
    const report = reportFrom(moving, then, { from: 0, to: 180 })
    expect(report.began.firstWaitAt).toBe(at(12))
    expect(report.holders.map(({ pid }) => pid)).toEqual([1, 11])
    expect(report.waits.find(({ session: { pid } }) => pid === 12)).toMatchObject({
      from: at(23),
      least: 132,
    })
  })

  it('is over where nobody is in the same statement any more', () => {
    const later = [
      ...every5(0, 100, jam),
      ...every5(105, 150, (seconds) =>
        rowLook(seconds, [{ pid: 1, from: 104, to: 999 }], [{ pid: 12, from: 110, to: 999 }]),
      ),
    ]
    const then = jamIncident(later, 1, { openedAt: at(140), beganAt: at(110) })
    const report = reportFrom(later, then, { from: 0, to: 150 })
    expect(report.waits.map(({ from }) => from)).toEqual([at(110)])
    expect(report.began.firstSeenAt).toBe(at(110))
  })

  it('comes back as the same incident behind the same session', () => {
    const later = [
      ...every5(0, 105, jam),
      ...every5(110, 150, (seconds) =>
        rowLook(
          seconds,
          [{ pid: 1, from: 106, to: 999, over: { applicationName: 'checkout' } }],
          [{ pid: 12, from: 110, to: 999 }],
        ),
      ),
    ]
    const then = jamIncident(later, 1, { openedAt: at(40), beganAt: at(12) })
    const report = reportFrom(later, then, { from: 0, to: 150 })
    expect(report.waits.map(({ session: { pid }, from }) => [pid, from])).toContainEqual([12, at(110)])
    expect(report.waits).toHaveLength(4)
    expect(report.began.firstWaitAt).toBe(at(12))
  })
})

describe('what nobody saw', () => {
  it('is a gap and no calm; a wait before and after it is one', () => {
    const gappy = looks.filter(({ look: { takenAt: ms } }) => ms < at(40) || ms > at(80))
    const report = reportFrom(gappy, about, { from: 0, to: 120 })
    expect(report.gaps).toEqual([{ from: at(47.5), to: at(85), sight: 'notSeen', why: null }])
    expect(report.course).toContainEqual({ from: at(47.5), to: at(85), sight: 'notSeen', waiting: null })
    // Who waited through it, waited through it; of the one that ended in it, the end is not known.
    expect(report.waits.map(({ session: { pid }, least, most }) => [pid, least, most])).toEqual([
      [11, 88, 89],
      [12, 77, 78],
      [13, 4, 30],
    ])
    expect(report.began.maybeEarlier).toBe(false)
  })

  it('before the first look leaves open when it began', () => {
    const late = looks.filter(({ look: { takenAt: ms } }) => ms >= at(50))
    const report = reportFrom(late, about, { from: 0, to: 120 })
    expect(report.began).toEqual({ firstWaitAt: at(12), firstSeenAt: at(50), maybeEarlier: true })
    expect(report.gaps).toEqual([{ from: at(12), to: at(50), sight: 'notSeen', why: null }])
  })

  it('is no report of anything where no look is', () => {
    const report = reportFrom([], about, { from: 0, to: 120 })
    expect(report).toMatchObject({ from: at(12), to: at(105), waits: [], holders: [], worst: null, ways: [] })
    expect(mostWaiting(report)).toBeNull()
    expect(report.gaps).toEqual([{ from: at(12), to: at(105), sight: 'notSeen', why: null }])
  })

  it('in a lock storm counts all who wait, and says that it is seen in part', () => {
    const stormy = every5(0, 120, (seconds) =>
      seconds === 50 || seconds === 55
        ? rowLook(seconds, [checkout], [...web, { pid: 14, from: 48, to: 57 }], {
            locks: { kind: 'jammed', why: 'Too many wait.', last: null, lastTakenAt: null },
          })
        : jam(seconds),
    )
    const report = reportFrom(stormy, about, { from: 0, to: 120 })
    expect(report.gaps).toEqual([{ from: at(50), to: at(60), sight: 'partly', why: 'Too many wait.' }])
    expect(report.course).toContainEqual({ from: at(50), to: at(60), sight: 'partly', waiting: 4 })
    expect(report.waits).toContainEqual(expect.objectContaining({ wait: null, from: at(50) }))
    expect(report.waits).toHaveLength(4)
    // The tree is of a look that could read the locks.
    expect(report.worst?.waiting).toBe(3)
  })

  it('because the role might not see others is no calm either', () => {
    const blinded = every5(0, 120, (seconds) =>
      seconds === 50
        ? rowLook(seconds, [checkout], [], { seesOthers: false, locks: { kind: 'none' } })
        : jam(seconds),
    )
    const report = reportFrom(blinded, { ...about, openedAt: at(70) }, { from: 0, to: 120 })
    expect(report.began.firstSeenAt).toBe(at(15))
    expect(report.gaps).toEqual([
      { from: at(50), to: at(55), sight: 'partly', why: 'pg-marshal may not see what other sessions do.' },
    ])
    expect(report.course).toContainEqual({ from: at(50), to: at(55), sight: 'notSeen', waiting: null })
    expect(report.waits).toHaveLength(3)
    expect(report.holders).toHaveLength(1)
  })

  it('reasons of the look are kept', () => {
    const blind = looks.map((one) =>
      one.look.takenAt === at(50) || one.look.takenAt === at(55)
        ? { ...one, look: { takenAt: one.look.takenAt, unseen: 'The connection was lost.' } }
        : one,
    )
    expect(reportFrom(blind, about, { from: 0, to: 120 }).gaps).toEqual([
      { from: at(50), to: at(60), sight: 'notSeen', why: 'The connection was lost.' },
    ])
  })
})

describe('a request that queues for a table', () => {
  // A reader holds it, an ALTER TABLE waits, and new readers wait behind that alone.
  const ddl = (seconds: number): TimedLook => {
    const table = relation('public.orders')
    const readers = [31, 32].filter((_, index) => seconds >= 20 + 10 * index && seconds < 100)
    const alters = seconds >= 10 && seconds < 100
    return look(
      seconds,
      [
        session(1, { stateSeconds: seconds + 5, querySeconds: seconds + 5 }),
        ...(alters ? [waiting(30, seconds - 10, { applicationName: 'migration' })] : [idle(30, 1)]),
        ...readers.map((pid, index) => waiting(pid, seconds - 20 - 10 * index)),
      ],
      alters
        ? [
            held(table, 'AccessShareLock', 1),
            wanted(table, 'AccessExclusiveLock', [30, -10]),
            ...readers.map((pid, index) => wanted(table, 'AccessShareLock', [pid, -20 - 10 * index])),
          ]
        : [],
    )
  }
  const report = reportFrom(
    every5(0, 110, ddl),
    jamIncident(every5(0, 110, ddl), 1, { openedAt: at(40), beganAt: at(10), resolvedAt: at(105) }),
    { from: 0, to: 110 },
  )

  it('has those behind it who would not have waited otherwise', () => {
    expect(
      report.queues.map(({ wait, behind }) => [wait.session.pid, behind.map(({ session: { pid } }) => pid)]),
    ).toEqual([[30, [31, 32]]])
  })

  it('is the gentlest to end', () => {
    expect(report.ways.at(-1)?.recommendation.target?.session.pid).toBe(30)
  })
})

it('of one that lasts, waits go on until now, and of one who has got the lock the look says when', () => {
  const working = every5(0, 60, (seconds) => {
    const one = jam(seconds)
    if (seconds < 50 || !('snapshot' in one.look)) return one
    // 11 has what it wanted, and works on in the same statement.
    const { snapshot: shown } = one.look
    const sessions = shown.sessions.map((each) =>
      each.pid === 11 ? { ...each, waitEventType: null, waitEvent: null } : each,
    )
    const table = { readAt: at(seconds) / 1000, groups: rowQueue(1, [[12, -23]]) }
    const locks = shown.locks.kind === 'read' ? { ...shown.locks.table, ...table } : null
    return {
      ...one,
      look: {
        ...one.look,
        snapshot: { ...shown, sessions, locks: locks ? { kind: 'read', table: locks } : shown.locks },
      },
    }
  })
  const open = { ...about, resolvedAt: null }
  const report = reportFrom(working, open, { from: 0, to: 62 })
  expect(report.waits.map(({ session: { pid }, least, most, overAt }) => [pid, least, most, overAt])).toEqual(
    [
      [12, 37, 39, null],
      [11, 33, 38, at(50)],
      [13, 14, 19, at(50)],
    ],
  )
})

describe('what is about no jam', () => {
  const of = (finding: Incident['finding'], looks: readonly TimedLook[]) =>
    reportFrom(looks, incident({ finding, openedAt: at(40), beganAt: at(20), resolvedAt: at(105) }), {
      from: 0,
      to: 120,
    })
  const sessionAt = (seconds: number, pid: number) => {
    const shown = jam(seconds).look
    const found = 'snapshot' in shown ? shown.snapshot.sessions.find((one) => one.pid === pid) : undefined
    if (!found) throw new Error(`${pid} is not there`)
    return found
  }

  it('has who waited behind its session', () => {
    const about = { kind: 'idleInTransaction', session: sessionAt(100, 1), seconds: 98 } as const
    const report = of(about, looks)
    expect(report.waits.map(({ session: { pid } }) => pid)).toEqual([11, 12, 13])
    expect(report.ways[0]?.recommendation.target?.session.pid).toBe(1)
    const other = { ...about, session: { ...about.session, backendStart: 'another' } }
    expect(of(other, looks).waits).toEqual([])
    // Behind one who waits himself: the next in the queue.
    const queued = of({ ...about, session: sessionAt(60, 12) }, looks)
    expect(queued.waits.map(({ session: { pid } }) => pid)).toEqual([13])
    expect(report.holders[0]?.did.map(({ state }) => state)).toEqual(['active', 'idle in transaction'])
  })

  it('of the whole server has all who waited', () => {
    const storm = { kind: 'lockStorm', waiting: 3, why: '', suspects: [] } as const
    expect(of(storm, looks).waits).toHaveLength(3)
    const jammed = every5(0, 120, (seconds) =>
      rowLook(seconds, [checkout], web, {
        locks: { kind: 'jammed', why: 'Too many wait.', last: null, lastTakenAt: null },
      }),
    )
    expect(of(storm, jammed)).toMatchObject({ worst: null, cost: { sessions: 3 } })
    expect(of({ kind: 'connections', used: 9, max: 10, reserved: 0, holders: [] }, jammed).waits).toEqual([])
  })

  it('of a prepared transaction has who waited for it alone', () => {
    const gone = prepared(77)
    const held2 = every5(0, 120, (seconds) =>
      look(seconds, [waiting(11, seconds + 1), idleInTransaction(2, 9), waiting(21, 3)], [], {
        locks: locksRead([...rowQueue(-77, [[11, 1]]), ...rowQueue(2, [[21, 1]], 'public.stock', 2)], {
          readAt: at(seconds) / 1000,
          prepared: [gone],
        }),
      }),
    )
    const report = of({ kind: 'preparedTransaction', prepared: gone, seconds: 9, finisher: 'shop' }, held2)
    expect(report.waits.map(({ session: { pid } }) => pid)).toEqual([11])
    expect(report.holders).toMatchObject([{ session: null, pid: 0, prepared: { gid: 'payment-77' } }])
    expect(report.holders[0]?.held).toHaveLength(1)
  })

  it('of sessions that wait for each other has those, and no others', () => {
    const circle = every5(0, 120, (seconds) =>
      look(
        seconds,
        [waiting(1, 5), waiting(2, 5), idleInTransaction(3, 9), waiting(31, 5)],
        [
          held(transaction('1'), 'ExclusiveLock', 1),
          wanted(transaction('1'), 'ShareLock', [2, 1]),
          held(transaction('2'), 'ExclusiveLock', 2),
          wanted(transaction('2'), 'ShareLock', [1, 1]),
          ...rowQueue(3, [[31, 1]]),
        ],
      ),
    )
    const about = {
      kind: 'lockCycle',
      ...{ session: null, pids: [1, 2], backendStart: '', waiting: 2, seconds: 5 },
      ...{ closedSeconds: 5, deadlockTimeoutSeconds: 1 },
    } as const
    const report = of(about, circle)
    expect(new Set(report.waits.map(({ session: { pid } }) => pid))).toEqual(new Set([1, 2]))
    expect(report.worst?.jams).toHaveLength(1)
  })
})
