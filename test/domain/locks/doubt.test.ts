import { describe, expect, it, test } from 'vitest'
import type { Doubt } from '../../../src/domain/locks/doubt.ts'
import { lockTableOf, rehearse } from '../../../src/domain/locks/simulation.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { LockGroup } from '../../../src/domain/session/snapshot.ts'
import {
  held,
  idleInTransaction,
  locksRead,
  picture,
  relation,
  transaction,
  tuple,
  waiting,
  wanted,
} from '../../support/builders.ts'

/**
 * Who may have to wait again when session 1 ends: 2 waits for its transaction 100, and holds the lock of a row of `orders`.
 * The row locks and what each leaves on its table were seen on real servers, see doubt.ts.
 */
const waitsFor = (
  mode: string,
  near: readonly LockGroup[],
  others: readonly Session[] = [],
  more: readonly LockGroup[] = [],
) => {
  const locks = locksRead(
    [
      held(transaction('100'), 'ExclusiveLock', 1),
      wanted(transaction('100'), 'ShareLock', [2, 40]),
      held(tuple('public.orders'), mode, 2),
      ...more,
    ],
    { near },
  )
  const shown = picture(
    [
      idleInTransaction(1, 400, { backendXid: '100' }),
      waiting(2, 40, { backendXid: '101', query: 'UPDATE orders SET state = ?' }),
      ...others,
    ],
    locks,
  )
  const table = lockTableOf(shown)
  if (!table) throw new Error('no lock table')
  return rehearse(table, shown.snapshot.sessions).whatIf({ pid: 1, action: 'terminate' })
}
const doubtOf2 = (...args: Parameters<typeof waitsFor>): Doubt | undefined => waitsFor(...args).doubts.get(2)

const orders = relation('public.orders')
const other = relation('public.others', 20_000)
const sharer = (pid: number, xid: string, over: Partial<Session> = {}) =>
  idleInTransaction(pid, 300, { backendXid: xid, ...over })

describe('whether somebody else may hold the row of a waiter', () => {
  it('nobody, where nobody else has a lock on its table: then the promise is sure', () => {
    expect(waitsFor('AccessExclusiveLock', [held(orders, 'RowShareLock', 1)]).atOnce).toEqual([2])
    expect(doubtOf2('AccessExclusiveLock', [held(orders, 'RowShareLock', 1)])).toBeUndefined()
  })

  it('whoever has locked rows of the same table, with an id of a later transaction', () => {
    expect(doubtOf2('AccessExclusiveLock', [held(orders, 'RowShareLock', 1, 3)], [sharer(3, '105')])).toEqual(
      {
        kind: 'holders',
        by: [3],
      },
    )
  })

  it('not who has locked rows of another table alone', () => {
    const near = [held(orders, 'RowShareLock', 1), held(other, 'RowShareLock', 3)]
    expect(doubtOf2('AccessExclusiveLock', near, [sharer(3, '105')])).toBeUndefined()
  })

  it('not who has no transaction id: it has locked no row', () => {
    const near = [held(orders, 'RowShareLock', 1, 3)]
    expect(doubtOf2('AccessExclusiveLock', near, [sharer(3, '105', { backendXid: null })])).toBeUndefined()
  })

  it('not an earlier transaction that has rested since before: it would be waited for first', () => {
    const near = [held(orders, 'RowShareLock', 1, 3)]
    expect(doubtOf2('AccessExclusiveLock', near, [sharer(3, '99')])).toBeUndefined()
    expect(doubtOf2('AccessExclusiveLock', near, [sharer(3, '99', { stateSeconds: 5 })])).toMatchObject({
      by: [3],
    })
  })

  it.each(['AccessShareLock', 'RowShareLock'])(
    'nobody for a waiter with %s, who waits for one alone',
    (mode) => {
      expect(doubtOf2(mode, [held(orders, 'RowShareLock', 1, 3)], [sharer(3, '105')])).toBeUndefined()
    },
  )

  it('for NO KEY UPDATE, only where the ended one may have shared the row', () => {
    const wrote = [held(orders, 'RowExclusiveLock', 1), held(orders, 'RowShareLock', 3)]
    expect(doubtOf2('ExclusiveLock', wrote, [sharer(3, '105')])).toBeUndefined()
    const shared = [held(orders, 'RowShareLock', 1, 3)]
    expect(doubtOf2('ExclusiveLock', shared, [sharer(3, '105')])).toMatchObject({ kind: 'holders', by: [3] })
  })

  it('a waiter, who may hold it while it waits for another row, but not one that began with its statement', () => {
    const near = [held(orders, 'RowShareLock', 1, 3)]
    const waits = [
      wanted(transaction('100'), 'ShareLock', [3, 30]),
      held(tuple('public.others', 9, 20_000), 'ExclusiveLock', 3),
    ]
    const began = {
      xactStart: '2026-03-01 02:00:00+00',
      queryStart: '2026-03-01 02:59:00+00',
      backendXid: '105',
    }
    expect(doubtOf2('AccessExclusiveLock', near, [waiting(3, 30, began)], waits)).toMatchObject({ by: [3] })
    const fresh = { ...began, xactStart: began.queryStart }
    expect(doubtOf2('AccessExclusiveLock', near, [waiting(3, 30, fresh)], waits)).toBeUndefined()
  })

  it('of a crowd of waiters names twenty, and all who rest', () => {
    const crowd = Array.from({ length: 30 }, (_, n) => n + 10)
    const began = {
      xactStart: '2026-03-01 02:00:00+00',
      queryStart: '2026-03-01 02:59:00+00',
      backendXid: '105',
    }
    const waits = crowd.flatMap((pid) => [
      wanted(transaction('100'), 'ShareLock', [pid, 30]),
      held(tuple('public.others', pid, 20_000), 'ExclusiveLock', pid),
    ])
    const sessions = crowd.map((pid) => waiting(pid, 30, began))
    const doubt = doubtOf2(
      'AccessExclusiveLock',
      [held(orders, 'RowShareLock', 1, ...crowd)],
      sessions,
      waits,
    )
    expect(doubt?.by).toHaveLength(20)
    const resting = crowd.map((pid) => sharer(pid, '105'))
    expect(
      doubtOf2('AccessExclusiveLock', [held(orders, 'RowShareLock', 1, ...crowd)], resting)?.by,
    ).toHaveLength(30)
  })
})

describe('rivals: who is freed at the same moment and may want the same row', () => {
  const twoWait = (second: Partial<Session>, secondLocks: readonly LockGroup[], mode = 'ExclusiveLock') =>
    waitsFor(
      mode,
      [held(orders, 'RowExclusiveLock', 1), held(orders, 'RowExclusiveLock', 3)],
      [waiting(3, 39, { backendXid: '102', query: 'UPDATE orders SET state = ?', ...second })],
      [wanted(transaction('100'), 'ShareLock', [3, 39]), ...secondLocks],
    ).doubts

  it('two with a lock of a row each want different rows: both go on', () => {
    expect(twoWait({}, [held(tuple('public.orders', 2), 'ExclusiveLock', 3)])).toEqual(new Map())
  })

  it('one without, who may hold the row already: neither is promised', () => {
    const doubts = twoWait({}, [])
    expect(doubts.get(2)).toEqual({ kind: 'rivals', by: [3] })
    expect(doubts.get(3)).toEqual({ kind: 'rivals', by: [2] })
  })

  test('a DELETE without one goes before who wants the row for itself alone', () => {
    expect(twoWait({ query: 'DELETE FROM orders' }, [], 'AccessExclusiveLock').get(3)).toBeUndefined()
  })
})
