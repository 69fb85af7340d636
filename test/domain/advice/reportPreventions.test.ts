import { describe, expect, it } from 'vitest'
import { preventionsIn } from '../../../src/domain/advice/reportPreventions.ts'
import type { Report } from '../../../src/domain/history/report.ts'
import type { TimedLook } from '../../../src/domain/history/waiting.ts'
import type { Server } from '../../../src/domain/session/snapshot.ts'
import {
  held,
  idleInTransaction,
  prepared,
  relation,
  session,
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

const reportOf = (looks: readonly TimedLook[], pid: number, to: number): Report =>
  reportFrom(looks, jamIncident(looks, pid, { openedAt: at(20), beganAt: at(4) }), { from: 0, to })
/** A row that these hold one after the other, and those who want it. */
const rowJam = (holders: readonly Holder[], waiters: readonly Waiter[], to = 300): Report =>
  reportOf(
    every5(0, to, (seconds) => rowLook(seconds, holders, waiters)),
    holders[0]?.pid ?? 0,
    to,
  )
const found = (report: Report) =>
  preventionsIn(report).map(({ setting, value, scope, pid, at: stopAt, spared }) => ({
    ...{ set: `${scope?.role} ${setting} ${value}`, pid },
    ...{ at: Math.round(stopAt - at(0)) / 1000, spared: Math.round(spared) },
  }))
const idleLimit = 'idle_in_transaction_session_timeout'
const by = (usename: string) => ({ over: { usename } })

describe('a session that sat in the way', () => {
  const jam = rowJam(
    [{ pid: 1, from: 2, to: 101 }],
    [
      { pid: 11, from: 12, to: 101 },
      { pid: 12, from: 80, to: 101 },
      { pid: 13, from: 31, to: 61 },
    ],
  )

  it('would have been stopped by a limit, at a time that is known, which spares those who waited then', () => {
    // Seen until 100. One waits from 80 on, and one has given up before.
    expect(found(jam)).toEqual([{ set: `shop ${idleLimit} 60s`, pid: 1, at: 62, spared: 38 + 20 }])
  })

  it('has the statement and the words of the advice', () => {
    expect(preventionsIn(jam)[0]).toMatchObject({
      statement: `ALTER ROLE shop IN DATABASE orders SET ${idleLimit} = '60s';`,
      trouble:
        'shop in orders sat idle in a transaction for up to 1 min 38 s, once, with up to 2 sessions behind it.',
      before: { times: 1, ended: 1, hits: null },
    })
  })

  it('is charged with those alone who waited while it was in the way', () => {
    const late = jam.holders.map((one) => ({ ...one, from: at(81) }))
    const seenUntil = (seconds: number) =>
      jam.waits.map((one) => (one.session.pid === 11 ? { ...one, lastSeenAt: at(seconds) } : one))
    expect(found({ ...jam, holders: late, waits: seenUntil(80) })).toMatchObject([{ at: 62, spared: 20 }])
    expect(found({ ...jam, holders: late, waits: seenUntil(81) })).toMatchObject([{ at: 62, spared: 58 }])
    const early = jam.holders.map((one) => ({ ...one, to: at(79) }))
    expect(found({ ...jam, holders: early })).toMatchObject([{ at: 41, spared: 38 + 19 }])
  })

  it('is nobody whom a limit could be set for', () => {
    const nameless = [{ pid: 1, from: 2, to: 101, over: { usename: null } }]
    expect(found(rowJam(nameless, [{ pid: 11, from: 12, to: 101 }]))).toEqual([])
    const gone = jam.holders.map((one) => ({ ...one, session: null, prepared: prepared(7) }))
    expect(found({ ...jam, holders: gone })).toEqual([])
  })

  it('is not worth a limit where that spares next to nothing', () => {
    // It is last seen at 70: eight seconds of eighty are a tenth.
    const since = (from: number) => found(rowJam([{ pid: 1, from: 2, to: 71 }], [{ pid: 11, from, to: 71 }]))
    expect(since(-10)).toEqual([])
    expect(since(-9)).toEqual([{ set: `shop ${idleLimit} 60s`, pid: 1, at: 62, spared: 8 }])
  })
})

describe('several in the way, one after the other', () => {
  const waiters = [{ pid: 21, from: 12, to: 251 }]

  it('of other roles are each charged with the time in which they were there, the longest first', () => {
    const [first, second] = [
      { pid: 1, from: 2, to: 101, ...by('first') },
      { pid: 2, from: 101, to: 251, ...by('second') },
    ]
    expect(found(rowJam([first, second], waiters))).toEqual([
      { set: `second ${idleLimit} 60s`, pid: 2, at: 161, spared: 89 },
      { set: `first ${idleLimit} 60s`, pid: 1, at: 62, spared: 38 },
    ])
  })

  it('of one role are one advice, and nobody is spared twice', () => {
    const holders = [
      { pid: 1, from: 2, to: 101 },
      { pid: 2, from: 101, to: 251 },
    ]
    const jam = rowJam(holders, waiters)
    const both = { set: `shop ${idleLimit} 60s`, pid: 1, at: 62, spared: 38 + 89 }
    expect(found(jam)).toEqual([both])
    // Both at once, as with shared locks.
    const [one] = jam.holders
    if (!one?.session) throw new Error('nobody in the way')
    const twin = { ...one, pid: 3, session: { ...one.session, pid: 3 } }
    expect(found({ ...jam, holders: [...jam.holders, twin] })).toEqual([both])
    expect(found({ ...jam, holders: jam.holders.toReversed() })).toEqual([both])
  })

  it('are three at most', () => {
    const holders = [1, 2, 3, 4].map((n) => ({
      pid: n,
      from: 200 * n - 198,
      to: 200 * n + 2,
      ...by(`role${n}`),
    }))
    expect(found(rowJam(holders, [{ pid: 21, from: 12, to: 800 }], 810))).toHaveLength(3)
  })
})

describe('a request that queues for a table', () => {
  // A reader holds it, somebody waits for a lock, and others wait behind that request alone.
  const queue = (holds: string, wants: string, behind: string, usename = 'deploy') =>
    reportOf(
      every5(0, 110, (seconds) => {
        const table = relation('public.orders')
        const readers = [31, 32].filter((_, index) => seconds >= 20 + 10 * index && seconds < 100)
        const asks = seconds >= 10 && seconds < 100
        return look(
          seconds,
          [
            session(1, { stateSeconds: seconds + 5, querySeconds: seconds + 5, usename: 'report' }),
            ...(asks ? [waiting(30, seconds - 10, { usename })] : []),
            ...readers.map((pid, index) => waiting(pid, seconds - 20 - 10 * index)),
          ],
          asks
            ? [
                held(table, holds, 1),
                wanted(table, wants, [30, -10]),
                ...readers.map((pid, index) => wanted(table, behind, [pid, -20 - 10 * index])),
              ]
            : [],
        )
      }),
      1,
      110,
    )
  const reader = { set: 'report statement_timeout 60s', pid: 1, at: 55, spared: 3 * 40 }

  it('gives up with a lock_timeout, which spares those behind it', () => {
    const jam = queue('AccessShareLock', 'AccessExclusiveLock', 'AccessShareLock')
    expect(found(jam)).toEqual([{ set: 'deploy lock_timeout 5s', pid: 30, at: 15, spared: 75 + 65 }, reader])
  })

  it('does not where its lock is none that many queue up behind, or no role is known', () => {
    expect(found(queue('ShareLock', 'RowExclusiveLock', 'ShareLock'))).toEqual([reader])
  })
})

describe('a limit of the server', () => {
  const chatty = (seconds: number) => ({
    ...idleInTransaction(1, 2, { xactSeconds: seconds + 90, querySeconds: 2 }),
  })
  const jam = reportOf(
    every5(0, 110, (seconds) => {
      const table = relation('public.orders')
      return look(
        seconds,
        [chatty(seconds), waiting(11, seconds + 1)],
        [held(table, 'AccessExclusiveLock', 1), wanted(table, 'AccessShareLock', [11, 1])],
      )
    }),
    1,
    110,
  )
  const on = (over: Partial<Server>): Report => {
    if (!jam.worst) throw new Error('nobody waited')
    const { snapshot } = jam.worst
    const worst = { ...jam.worst, snapshot: { ...snapshot, server: { ...snapshot.server, ...over } } }
    return { ...jam, worst }
  }

  it('is one that its version knows', () => {
    const [limit] = found(on({ versionNum: 170_000 }))
    expect(limit?.set).toBe('shop transaction_timeout 60s')
    expect(found(on({ versionNum: 160_012 }))).toEqual([])
    expect(found({ ...jam, worst: null })).toEqual([])
  })

  it('is set on the primary', () => {
    expect(preventionsIn(on({ inRecovery: true }))[0]?.statement).toMatch(/-- on the primary$/)
  })
})
