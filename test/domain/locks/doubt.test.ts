import { describe, expect, it, test } from 'vitest'
import type { Doubt } from '../../../src/domain/locks/doubt.ts'
import { readSharedRows } from '../../../src/domain/locks/sharedRows.ts'
import { lockTableOf, rehearse } from '../../../src/domain/locks/simulation.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { LockGroup, RowHolder, SharedRows } from '../../../src/domain/session/snapshot.ts'
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
  sharedRows: SharedRows | null = null,
) => {
  const locks = locksRead(
    [
      held(transaction('100'), 'ExclusiveLock', 1),
      wanted(transaction('100'), 'ShareLock', [2, 40]),
      held(tuple('public.orders'), mode, 2),
      ...more,
    ],
    { near, sharedRows },
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

  it('an earlier transaction too: a savepoint that it has released may have a later id', () => {
    const near = [held(orders, 'RowShareLock', 1, 3)]
    expect(doubtOf2('AccessExclusiveLock', near, [sharer(3, '99')])).toMatchObject({ by: [3] })
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

describe('where the server says who shares rows', () => {
  const near = [held(orders, 'RowShareLock', 1, 3, 4)]
  const others = [sharer(3, '105'), sharer(4, '106')]
  const known = (rows: readonly (readonly RowHolder[])[], mode = 'AccessExclusiveLock', since = 0) =>
    doubtOf2(mode, near, others, [], { since, rows, moved: new Set() })
  const one = { xid: '100', mode: 'keysh', pid: 1 }
  const three = { xid: '105', mode: 'keysh', pid: 3 }
  const released = (xid: string, mode = 'keysh'): RowHolder => ({ xid, mode, pid: null })

  it('who shares none with the one that is waited for is not in doubt', () => {
    expect(known([])).toBeUndefined()
    expect(known([[three, { xid: '106', mode: 'keysh', pid: 4 }]])).toBeUndefined()
  })

  it('who does may hold this row', () => {
    expect(known([[one, three]])).toEqual({ kind: 'holders', by: [3] })
  })

  it('not one that is waited for first, and has rested since before', () => {
    const early = (xid: string, stateSeconds: number) =>
      doubtOf2('AccessExclusiveLock', near, [sharer(3, xid, { stateSeconds })], [], {
        since: 0,
        rows: [[one, { ...three, xid }]],
        moved: new Set(),
      })
    expect(early('99', 300)).toBeUndefined()
    expect(early('99', 5)).toMatchObject({ by: [3] })
    expect(early('105', 300)).toMatchObject({ by: [3] })
  })

  it('not in a mode that gets along with the wanted one', () => {
    const writes = { ...one, mode: 'nokeyupd' }
    expect(known([[writes, three]], 'ExclusiveLock')).toBeUndefined()
    expect(known([[writes, three]])).toMatchObject({ by: [3] })
    expect(known([[writes, { ...three, mode: 'sh' }]], 'ExclusiveLock')).toMatchObject({ by: [3] })
  })

  it('not on a row where the one that is waited for is not in the way: the waiter wants another', () => {
    expect(known([[one, { ...three, mode: 'nokeyupd' }]], 'ExclusiveLock')).toBeUndefined()
  })

  it('a savepoint that was released may be that of anybody with locks there', () => {
    expect(known([[one, released('104')]])).toMatchObject({ by: [3, 4] })
    expect(known([[{ ...one, mode: 'nokeyupd' }, released('104')]], 'ExclusiveLock')).toBeUndefined()
  })

  it('a savepoint with a later id may be that of the one that is waited for, but not with an earlier one', () => {
    expect(known([[released('101'), three]])).toEqual({ kind: 'holders', by: [3] })
    expect(known([[released('99'), three]])).toBeUndefined()
    expect(known([[released('101'), released('102')]])).toMatchObject({ by: [3, 4] })
  })

  it('nothing is known of transactions from before, also where the ids began again', () => {
    expect(known([], 'AccessExclusiveLock', 100)).toBeUndefined()
    expect(known([], 'AccessExclusiveLock', 101)).toMatchObject({ by: [3, 4] })
    expect(known([], 'AccessExclusiveLock', 2 ** 32 - 5)).toBeUndefined()
  })

  it('everything is known where nothing was left out, whatever the ids are', () => {
    expect(readSharedRows({ since: 0, rows: [], moved: new Set() })('3000000000', [])).toEqual([])
  })

  it('who follows may meet one that shares the row, and then nobody of its queue is sure to', () => {
    const queue = (rows: readonly (readonly RowHolder[])[]) =>
      waitsFor(
        'ExclusiveLock',
        near,
        [...others, waiting(5, 30), waiting(6, 20)],
        [
          wanted(tuple('public.orders'), 'ExclusiveLock', [5, 30]),
          wanted(tuple('public.orders'), 'AccessExclusiveLock', [6, 20]),
        ],
        { since: 0, rows, moved: new Set() },
      ).doubts
    expect(queue([])).toEqual(new Map())
    const doubt = { kind: 'holders', by: [3] }
    expect(queue([[{ ...one, mode: 'nokeyupd' }, three]])).toEqual(
      new Map([
        [6, doubt],
        [5, doubt],
      ]),
    )
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

  const began = { xactStart: '2026-03-01 02:00:00+00' }
  const row2 = [held(tuple('public.orders', 2), 'ExclusiveLock', 3)]

  test('two versions of a row may be what they want, where one has waited before', () => {
    const late = { ...began, queryStart: '2026-03-01 02:00:00+00', querySeconds: 3600 }
    expect(twoWait(late, row2).get(2)).toEqual({ kind: 'rivals', by: [3] })
    expect(twoWait(late, row2).get(3)).toEqual({ kind: 'rivals', by: [2] })
    expect(twoWait({ ...began, queryStart: null }, row2).get(2)).toMatchObject({ kind: 'rivals' })
    // The one that they wait for has rested for 400 s.
    expect(twoWait({ ...late, querySeconds: 400 }, row2).get(2)).toMatchObject({ kind: 'rivals' })
    expect(twoWait({ ...late, querySeconds: 399 }, row2)).toEqual(new Map())
  })

  test('also where the one that they wait for holds a row that was moved, or may do so', () => {
    const shared = (sharedRows: SharedRows | null, mode: string) =>
      waitsFor(
        'ExclusiveLock',
        [held(orders, mode, 1), held(orders, 'RowExclusiveLock', 3)],
        [waiting(3, 39, { backendXid: '102' })],
        [wanted(transaction('100'), 'ShareLock', [3, 39]), ...row2],
        sharedRows,
      ).doubts.get(2)
    const rivals = { kind: 'rivals', by: [3] }
    expect(shared({ since: 0, rows: [], moved: new Set(['100']) }, 'RowShareLock')).toEqual(rivals)
    expect(shared({ since: 0, rows: [], moved: new Set(['101']) }, 'RowShareLock')).toBeUndefined()
    expect(shared({ since: 101, rows: [], moved: new Set() }, 'RowShareLock')).toEqual(rivals)
    expect(shared(null, 'RowShareLock')).toEqual(rivals)
    expect(shared(null, 'RowExclusiveLock')).toBeUndefined()
  })

  test('not where their modes get along', () => {
    const late = { ...began, queryStart: '2026-03-01 02:00:00+00' }
    const share = [held(tuple('public.orders', 2), 'AccessShareLock', 3)]
    expect(twoWait(late, share)).toEqual(new Map())
  })

  describe('one that holds the row already, as the server says', () => {
    const holding = (mode: string, wantedMode: string, query = 'SELECT FROM orders FOR UPDATE') =>
      waitsFor(
        wantedMode,
        [held(orders, 'RowExclusiveLock', 1), held(orders, 'RowShareLock', 3)],
        [waiting(3, 39, { backendXid: '102', query })],
        [wanted(transaction('100'), 'ShareLock', [3, 39])],
        {
          since: 0,
          rows: [
            [
              { xid: '100', mode: 'sh', pid: 1 },
              { xid: '102', mode, pid: 3 },
            ],
          ],
          moved: new Set(),
        },
      ).doubts.get(3)

    test.each([
      ['sh', 'ExclusiveLock', 'goes before one that it keeps out'],
      ['keysh', 'AccessExclusiveLock', 'also with a weak lock before who wants it alone'],
    ])('%s before %s: %s', (mode, wantedMode) => {
      expect(holding(mode, wantedMode)).toBeUndefined()
    })

    test('does not where the other gets along with what it holds', () => {
      expect(holding('keysh', 'ExclusiveLock')).toEqual({ kind: 'rivals', by: [2] })
    })

    test('does not where it may wait for a key', () => {
      expect(holding('sh', 'ExclusiveLock', 'UPDATE orders SET id = ?')).toEqual({ kind: 'rivals', by: [2] })
    })
  })
})
