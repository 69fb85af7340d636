import fc from 'fast-check'
import { expect, test } from 'vitest'
import { workLost } from '../../../src/domain/locks/workLost.ts'
import { fittingAction, objection } from '../../../src/domain/session/allowedAction.ts'
import { commandOf, statementsIn } from '../../../src/domain/session/command.ts'
import { leavesOf, leftoverOf } from '../../../src/domain/session/leftover.ts'
import { maskQuery } from '../../../src/domain/text/mask.ts'
import { consequenceOf, costOf } from '../../../src/views/card/cost.ts'
import * as of from '../../support/builders.ts'

const running = (query: string | null, over = {}) => of.session(1, { query, ...over })
const leftBy = (query: string) => leftoverOf(running(query))?.stays ?? null

test.each([
  ['CREATE INDEX CONCURRENTLY i ON t (x)', /^an invalid index stays/],
  ['create unique index concurrently "i" on t (x)', /^an invalid index stays/],
  ['/* deploy 7 */ CREATE /* why */ INDEX -- now\n CONCURRENTLY i ON t (x)', /^an invalid index stays/],
  ["SET lock_timeout = '5s'; CREATE INDEX CONCURRENTLY i ON t (x);", /^an invalid index stays/],
  ['REINDEX TABLE CONCURRENTLY t', /_ccnew/],
  ['REINDEX (VERBOSE, CONCURRENTLY) SCHEMA s', /_ccnew/],
  ['REINDEX (CONCURRENTLY FALSE) SCHEMA s', /^the indexes that it has finished/],
  ['REINDEX DATABASE orders', /^the indexes that it has finished/],
  ['REINDEX TABLE t', null],
  ['DROP INDEX CONCURRENTLY IF EXISTS i', /^the index stays, invalid/],
  ['DROP INDEX i', null],
  ['ALTER TABLE t DETACH PARTITION p CONCURRENTLY', /half detached/],
  ['ALTER TABLE t DETACH PARTITION p FINALIZE', null],
  ['ALTER TABLE t DETACH PARTITION p', null],
  ['REFRESH MATERIALIZED VIEW CONCURRENTLY sums', null],
  ['REPACK (CONCURRENTLY) t', null],
  ['DROP DATABASE old WITH (FORCE)', /^the database stays, invalid/],
  ['CREATE DATABASE new', null],
  ['ALTER DATABASE old SET TABLESPACE fast', null],
  ['CREATE TABLESPACE fast LOCATION ?', /directory/],
  ['DROP TABLESPACE fast', null],
  ['ALTER SYSTEM SET work_mem = ?', /postgresql.auto.conf/],
  ['VACUUM', /cleaned up/],
  ['VACUUM (ANALYZE) t', /cleaned up/],
  ['VACUUM (FULL OFF) t', /cleaned up/],
  ['VACUUM FULL t', null],
  ['VACUUM (VERBOSE, FULL) t', null],
  ['VACUUM FULL', /^the tables that it has finished/],
  ['VACUUM FULL VERBOSE a, b', /^the tables that it has finished/],
  ['VACUUM (FULL) s.a (x, y), b', /^the tables that it has finished/],
  ['VACUUM (FULL) a (x, y)', null],
  ['ANALYZE', /statistics/],
  ['CLUSTER', /^the tables that it has finished/],
  ['CLUSTER (VERBOSE)', /^the tables that it has finished/],
  ['CLUSTER t USING i', null],
  ['REPACK', /^the tables that it has finished/],
  ['REPACK t USING INDEX', null],
  ['REPACK USING INDEX', /^the tables that it has finished/],
  ["CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p", /slot may stay on the publisher/],
  ["CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false)", null],
  ["CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (create_slot = off)", null],
  ['DROP SUBSCRIPTION s', /slot on the publisher may be gone/],
  ['SELECT pg_switch_wal()', /made the server do/],
  ['SELECT pg_terminate_backend(pid) FROM pg_stat_activity', /made the server do/],
  ['SELECT pg_stat_reset_shared($1)', /made the server do/],
  ['SELECT pg_stat_get_activity(1)', null],
  ['ALTER SUBSCRIPTION s REFRESH PUBLICATION', /_sync_/],
  ['ALTER SUBSCRIPTION s ADD PUBLICATION p', /_sync_/],
  ['ALTER SUBSCRIPTION s DISABLE', null],
  ["COPY t FROM PROGRAM 'curl x'", /program/],
  ["COPY (SELECT 1 TO STDOUT) TO PROGRAM 'curl x'", /program/],
  ["COPY t TO '/tmp/t'", /its file/],
  ["COPY t TO '/tmp/t' WITH (FORMAT csv)", /its file/],
  ["COPY t TO '/tmp/t' (FORMAT csv)", /its file/],
  ['COPY t TO STDOUT', null],
  ['COPY t TO STDOUT WITH (FORMAT csv)', null],
  ["COPY t FROM '/tmp/t'", null],
  ['COPY t FROM STDIN', null],
  ["SELECT dblink_exec('orders', 'DELETE FROM t')", /dblink/],
  ["SELECT lo_export(1, '/tmp/x')", /files/],
  ["SELECT pg_replication_slot_advance('s', '0/1')", /replication slots/],
  ["SELECT pg_create_logical_replication_slot('s', 'pgoutput')", /replication slots/],
  ["INSERT INTO t VALUES (nextval('s'))", /sequences/],
  ["SELECT setval('s', 7)", /sequences/],
  ['UPDATE a SET x = 1; COMMIT; UPDATE b SET x = 1', /committed so far/],
  ['UPDATE a SET x = 1; COMMIT AND CHAIN; UPDATE b SET x = 1', /committed so far/],
  ['UPDATE a SET x = 1; COMMIT', null],
  ["COMMIT PREPARED 'x'; SELECT 1", null],
  ['CALL migrate()', null],
  ['DO $$ BEGIN COMMIT; END $$', null],
  ["ALTER TYPE mood ADD VALUE 'calm'", null],
  ["SELECT 'CREATE INDEX CONCURRENTLY i ON t (x)'", null],
  ['SELECT 1 AS "x; DROP DATABASE y"', null],
  ['/* DROP DATABASE y */ SELECT 1', null],
  ['SELECT 1 -- ; DROP DATABASE y', null],
  ['UPDATE t SET x = $$; DROP DATABASE y$$', null],
])('%s: what stays is %s', (query, stays) => {
  for (const text of [query, maskQuery(query)])
    stays === null ? expect(leftBy(text)).toBeNull() : expect(leftBy(text)).toMatch(stays)
})

test('a statement that was cut, or is hidden, is taken for what it shows', () => {
  expect(leftBy('CREATE INDEX CONCURRENTLY i ON t (lower(na')).toMatch(/invalid index/)
  expect(leftBy('/* a comment as long as track_activity_query_size')).toBeNull()
  expect(leftoverOf(running(null))).toBeNull()
  // Whoever waits for a virtual transaction works in several of its own, whatever is known of its text.
  const between = { waitEventType: 'Lock', waitEvent: 'virtualxid' }
  for (const query of [null, '/* a comment as long as …', 'ALTER TABLE measurements_of_all_the_…'])
    expect(leftoverOf(running(query, between))).toMatchObject({ kind: 'halfDone' })
  for (const query of ['ALTER TABLE t DETACH PARTITION p FINALIZE', 'REPACK (CONCURRENTLY) t'])
    expect(leftoverOf(running(query, between))).toBeNull()
})

test('a hidden statement is described only by what it may leave behind', () => {
  const told = leavesOf("CREATE INDEX CONCURRENTLY i ON t (x) WHERE name = 'secret'")
  expect(told).toEqual({ leaves: 'an invalid index stays' })
  expect(leavesOf("SELECT 'secret'")).toEqual({})
  const waiter = of.waiting(1, 40, { query: null, ...told })
  expect(leftoverOf(waiter)).toMatchObject({ kind: 'halfDone', stays: 'an invalid index stays' })
  expect(workLost(waiter, wait('transactionid', 'ShareLock'))).toBe('halfDone')
  expect(workLost(waiter, wait('relation', 'ShareUpdateExclusiveLock'))).toBe('request')
})

test('nothing is left by what does not run', () => {
  const query = 'CREATE INDEX CONCURRENTLY i ON t (x)'
  expect(leftoverOf(of.idle(1, 5, { query }))).toBeNull()
  expect(leftoverOf(of.idleInTransaction(1, 5, { query }))).toBeNull()
})

test('a procedure that has committed leaves that, and one that has not leaves nothing', () => {
  for (const query of ['CALL migrate()', 'DO ?', null]) {
    const committed = running(query, { querySeconds: 60, xactSeconds: 2 })
    expect(leftoverOf(committed)?.stays).toMatch(/committed so far/)
    expect(workLost(committed, undefined)).toBe('halfDone')
    // To the microsecond; in the extended protocol the transaction begins before the statement.
    expect(leftoverOf(running(query, { querySeconds: 60, xactSeconds: 59.999999 }))).not.toBeNull()
    expect(leftoverOf(running(query, { querySeconds: 60, xactSeconds: 60 }))).toBeNull()
    expect(leftoverOf(running(query, { querySeconds: 60, xactSeconds: 60.0004 }))).toBeNull()
  }
  const worker = of.serverProcess(1, 'autovacuum worker', {
    state: 'active',
    querySeconds: 60,
    xactSeconds: 2,
  })
  expect(leftoverOf(worker)).toBeNull()
})

const wait = (locktype: string, mode: string) => ({
  pid: 1,
  target: of.target({ locktype }),
  mode,
  relationName: null,
  seconds: 40,
})

test.each([
  // Behind a prepared transaction it waits for that one's own id.
  ['CREATE INDEX CONCURRENTLY i ON t (x)', 'transactionid', 'ShareLock', 'halfDone'],
  ['CREATE INDEX CONCURRENTLY i ON t (x)', 'virtualxid', 'ShareLock', 'halfDone'],
  ['CREATE INDEX CONCURRENTLY i ON t (x)', 'extend', 'ExclusiveLock', 'halfDone'],
  ['CREATE INDEX CONCURRENTLY i ON t (x)', 'relation', 'ShareUpdateExclusiveLock', 'request'],
  ['CREATE INDEX CONCURRENTLY i ON t (x)', 'object', 'AccessShareLock', 'request'],
  ['REINDEX INDEX CONCURRENTLY i', 'transactionid', 'ShareLock', 'halfDone'],
  ['DROP INDEX CONCURRENTLY i', 'relation', 'AccessExclusiveLock', 'halfDone'],
  ['DROP DATABASE old', 'object', 'AccessExclusiveLock', 'request'],
  ['DROP SUBSCRIPTION s', 'object', 'AccessExclusiveLock', 'request'],
  ['ALTER TABLE t DETACH PARTITION p FINALIZE', 'virtualxid', 'ShareLock', 'request'],
  [null, 'virtualxid', 'ShareLock', 'halfDone'],
  [null, 'transactionid', 'ShareLock', 'request'],
])('%s that waits for %s (%s) since it began loses: %s', (query, locktype, mode, lost) => {
  const waiter = of.waiting(1, 40, { query, waitEvent: locktype })
  expect(workLost(waiter, wait(locktype, mode))).toBe(lost)
})

test('a DROP DATABASE that is past its lock is half done', () => {
  const session = running('DROP DATABASE old', {
    waitEventType: 'IPC',
    waitEvent: 'ProcSignalBarrier',
    backendXid: '9',
  })
  expect(workLost(session, undefined)).toBe('halfDone')
  const fit = fittingAction(session, of.server(), [])
  expect(fit.why).toBe(
    'Cancel ends its statement with an error; the database stays, invalid, and nobody can connect to it. The connection stays.',
  )
  expect(costOf('cancel', session, 'halfDone', null)).toContain(
    'Run DROP DATABASE again: nothing else mends it',
  )
  expect(consequenceOf('terminate', session, 'halfDone')).toBe(
    'Its connection is closed and the database stays, invalid, and nobody can connect to it.',
  )
})

test('what goes on outside is said beside the rollback, and not of a request that has done nothing', () => {
  const session = running("COPY t FROM PROGRAM 'sleep 9'", { backendXid: '9' })
  expect(fittingAction(session, of.server(), []).why).toContain(
    'its transaction is rolled back, but what its program has done stays',
  )
  for (const lost of ['halfDone', 'vacuum', 'steps'] as const)
    expect(costOf('cancel', { ...session, query: null }, lost, null)).toMatch(
      /^What it has committed stays\. /,
    )
  expect(costOf('cancel', session, 'activeWriter', null)).toContain('What its program has done stays')
  expect(costOf('cancel', session, 'request', null)).not.toContain('program')
  expect(consequenceOf('cancel', session, 'request')).toContain(
    'its transaction is rolled back, the connection',
  )
})

test('steps that are done stay, and a queue for the first of them loses nothing', () => {
  const query = 'REINDEX SCHEMA s'
  expect(workLost(running(query, { backendXid: '9' }), undefined)).toBe('steps')
  expect(workLost(of.waiting(1, 40, { query }), wait('relation', 'ShareLock'))).toBe('request')
  expect(workLost(of.waiting(1, 40, { query, querySeconds: 90 }), wait('relation', 'ShareLock'))).toBe(
    'steps',
  )
})

test.each([
  ['/* x */ ALTER TABLE t ADD c int', 'ALTER TABLE'],
  ['SET lock_timeout = 1; ALTER TABLE t ADD c int', 'ALTER TABLE'],
  ['UPDATE a SET x = 1; DELETE FROM b', null],
  ['DROP DATABASE old', 'DROP DATABASE'],
  ['selection', null],
])('%s is known as %s', (query, command) => {
  expect(commandOf({ query })).toBe(command)
})

test('no name, comment or constant is taken for a keyword', () => {
  const hidden = fc.constantFrom(
    (text: string) => `"${text.replaceAll('"', '""')}"`,
    (text: string) => `'${text.replaceAll("'", "''").replaceAll('\\', '')}'`,
    (text: string) => `/* ${text.replaceAll(/[*/]/g, '')} */`,
  )
  fc.assert(
    fc.property(hidden, fc.string(), (hide, noise) => {
      const query = `SELECT ${hide(`${noise} DROP DATABASE x; CREATE INDEX CONCURRENTLY`)} , 1`
      expect(statementsIn({ query }).join()).not.toMatch(/DATABASE|CONCURRENTLY/)
      expect(leftBy(query)).toBeNull()
    }),
  )
})

test('an autovacuum worker is cancelled where the role may, and where it is at work', () => {
  const worker = (over = {}) =>
    of.serverProcess(1, 'autovacuum worker', {
      state: 'active',
      stateSeconds: 60,
      query: 'autovacuum: VACUUM public.orders (to prevent wraparound)',
      ...over,
    })
  const may = of.server({ maySignalAutovacuum: true })
  expect(fittingAction(worker(), may, [])).toMatchObject({ action: 'cancel', isOnly: true })
  expect(fittingAction(worker(), of.server(), []).action).toBeNull()
  expect(fittingAction(worker({ state: null }), may, []).action).toBeNull()
  expect(fittingAction(of.serverProcess(1, 'walsender', { state: 'active' }), may, []).action).toBeNull()
  expect(objection('terminate', worker(), may, [])).toMatch(/^Terminate does no more/)
  expect(objection('terminate', running('SELECT 1'), may, [])).toBeNull()
  expect(costOf('cancel', worker(), workLost(worker(), undefined), null)).toBe(
    'What it has cleaned up stays. It comes back for this table, at once when it prevents transaction-id wraparound. It has no client; the log of the server has its error.',
  )
  expect(consequenceOf('cancel', worker(), 'vacuum')).toBe(
    'Its work on this table ends with an error, what it has cleaned up stays, and it comes back for it.',
  )
})
