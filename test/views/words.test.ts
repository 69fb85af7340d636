import { expect, test } from 'vitest'
import { lockOf, targetOf, waitedFor, whoOf } from '../../src/views/words.ts'
import * as of from '../support/builders.ts'

test.each([
  [{ classid: 1260, objid: 16_385 }, 'role 16385'],
  [{ classid: 1262, objid: 16_390 }, 'database 16390'],
  [{ classid: 1262, objid: 0 }, 'the queue of NOTIFY'],
  [{ classid: 99_999, objid: 7 }, 'object of catalog 99999, 7'],
])('an object that is no relation: %o is %s', (over, words) => {
  expect(targetOf(of.target({ locktype: 'object', database: 0, objsubid: 0, ...over }))).toBe(words)
})

test('a worker of the server is named by its kind', () => {
  const over = { usename: 'postgres', datname: 'shop' }
  expect(whoOf(of.serverProcess(7, 'logical replication apply worker', over))).toBe(
    'logical replication apply… · postgres · shop',
  )
  expect(whoOf(of.serverProcess(7, 'startup'))).toBe('startup')
})

test.each([
  [{ locktype: 'transactionid', transactionid: '764' }, null, 'the end of transaction 764'],
  // The row's own lock, which the waiter has too, names its table.
  [{ locktype: 'transactionid', transactionid: '764' }, 'public.orders', 'a row of public.orders'],
  [{ locktype: 'tuple', relation: 7, relationName: 'orders' }, 'orders', 'a row of orders'],
  [{ locktype: 'tuple', relation: 7 }, null, 'a row of relation 7 of database 5'],
  [{ locktype: 'virtualxid', virtualxid: '3/22' }, null, 'the end of transaction 3/22'],
  [{ locktype: 'spectoken', transactionid: '764' }, null, 'an INSERT … ON CONFLICT of transaction 764'],
  [{ locktype: 'extend', relation: 7, relationName: 'orders' }, 'orders', 'the right to extend orders'],
  [{ locktype: 'page', relation: 7, relationName: 'i' }, 'i', 'a page of i'],
  [{ locktype: 'frozenid' }, null, 'the oldest transaction id of database 5'],
  [{ locktype: 'applytransaction' }, null, 'a transaction that a subscription applies'],
  [{ locktype: 'safe snapshot' }, null, 'a safe snapshot (SERIALIZABLE READ ONLY DEFERRABLE)'],
  [{ locktype: 'relation', relation: 7, relationName: 'orders' }, 'orders', 'ShareLock on orders'],
  [{ locktype: 'object', classid: 1262, objid: 9 }, null, 'ShareLock on database 9'],
  [{ locktype: 'userlock' }, null, 'userlock'],
])('%o of %s is waited for as: %s', (over, relationName, words) => {
  const wait = { pid: 1, mode: 'ShareLock', seconds: 1, relationName, target: of.target(over) }
  expect(lockOf(wait)).toBe(words)
})

test.each([
  [of.waiting(1, 5, { query: '? INSERT INTO t VALUES (?)' }), ' (likely for a key that it inserted)'],
  [of.waiting(1, 5, { query: 'CREATE INDEX CONCURRENTLY i ON t (x)' }), ' (to go on CONCURRENTLY)'],
  [of.waiting(1, 5, { query: 'REINDEX (CONCURRENTLY) TABLE t' }), ' (to go on CONCURRENTLY)'],
  [
    of.waiting(1, 5, { query: 'SELECT pg_create_logical_replication_slot(?, ?)' }),
    ' (to make a replication slot)',
  ],
  [of.serverProcess(1, 'walsender'), ' (to make a replication slot)'],
  [of.waiting(1, 5, { query: 'UPDATE t SET x = ?' }), ''],
  [of.waiting(1, 5), ''],
])('what a transaction is waited for for: %#', (waiter, purpose) => {
  const at = of.transaction('764')
  const wait = { pid: 1, mode: 'ShareLock', seconds: 1, relationName: null, target: at }
  expect(lockOf(wait, waiter)).toBe(`the end of transaction 764${purpose}`)
  expect(lockOf({ ...wait, relationName: 'orders' }, waiter)).toBe('a row of orders')
})

test('says for how long somebody waits, and what of it for who has the row now', () => {
  const wait = { pid: 2, target: of.transaction('7'), mode: 'ShareLock', relationName: null }
  expect(waitedFor({ ...wait, seconds: null })).toBe('')
  expect(waitedFor({ ...wait, seconds: 240 })).toBe('4 min')
  expect(waitedFor({ ...wait, seconds: 240, sinceHandOver: 3 })).toBe(
    '4 min (3 s since the row changed hands)',
  )
})
