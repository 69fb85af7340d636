import type { Family } from './moves.ts'

/**
 * Short plays of a few sessions: each does its steps in order, and who is next is left to chance, as in PostgreSQL's own
 * isolation tests. They are of the kinds that these try: what goes wrong with a lock in a handful of statements.
 */
const play = (name: string, ...sessions: readonly string[][]): Family => ({
  name,
  moves: [],
  sessions: sessions.length,
  orders: sessions,
})

const begin = 'BEGIN'
const snapshot = 'BEGIN ISOLATION LEVEL REPEATABLE READ'
const add = (id = 1) => `UPDATE parent SET v = v + 1 WHERE id = ${id}`
const key = (id = 1) => `UPDATE parent SET id = id + 10 WHERE id = ${id}`
const remove = (id = 1) => `DELETE FROM parent WHERE id = ${id}`
const lock = (strength: string, id = 1) => `SELECT FROM parent WHERE id = ${id} FOR ${strength}`
const child = (id = 1) => `INSERT INTO child (parent_id) VALUES (${id})`
const insert = (id: number, rest = '') => `INSERT INTO parent VALUES (${id}, 0)${rest}`
const merge = (then: string) =>
  `MERGE INTO parent USING (VALUES (1)) AS s (id) ON parent.id = s.id WHEN MATCHED THEN ${then} WHEN NOT MATCHED THEN INSERT VALUES (s.id, 0)`
const nothing = ' ON CONFLICT DO NOTHING'
const update = ' ON CONFLICT (id) DO UPDATE SET v = parent.v + 1'

const strengths = ['KEY SHARE', 'SHARE', 'NO KEY UPDATE', 'UPDATE']
/** Those that do not get along: "Row-Level Locks" in the manual. */
const pairs = strengths.flatMap((first, one) =>
  strengths
    .slice(Math.max(3 - one, one))
    .map((second) =>
      play(
        `${first} against ${second}`,
        [begin, lock(first), 'COMMIT'],
        [begin, lock(second), 'COMMIT'],
        [begin, lock(first), 'COMMIT'],
      ),
    ),
)

export const suite: readonly Family[] = [
  play(
    'a child against a change of its parent',
    [begin, child(), 'COMMIT'],
    [begin, add(), 'COMMIT'],
    [begin, add(), 'COMMIT'],
  ),
  play('a child against the end of its parent', [begin, child(), 'COMMIT'], [remove()], [key()]),
  play(
    'two children, then their parent',
    [begin, child(), add(), 'COMMIT'],
    [begin, child(), add(), 'COMMIT'],
  ),
  play(
    'parent, then children',
    [begin, add(), child(), 'COMMIT'],
    [begin, child(), add(2), 'COMMIT'],
    [begin, add(2), child(2), 'COMMIT'],
  ),
  play(
    'a child in a snapshot',
    [snapshot, child(), 'COMMIT'],
    [begin, add(), 'COMMIT'],
    [begin, remove(), 'COMMIT'],
  ),
  ...pairs,
  play(
    'a lock, then an update that is rolled back',
    [begin, lock('KEY SHARE'), 'SAVEPOINT s', add(), 'ROLLBACK TO s', 'COMMIT'],
    [begin, lock('KEY SHARE'), 'COMMIT'],
    [begin, lock('UPDATE'), 'COMMIT'],
  ),
  play(
    'two hold it, one has forgotten',
    [begin, lock('KEY SHARE'), 'COMMIT'],
    [begin, add(), 'ROLLBACK'],
    [begin, lock('UPDATE'), 'COMMIT'],
  ),
  play(
    'an upgrade beside who waits',
    [begin, lock('KEY SHARE'), lock('UPDATE'), 'COMMIT'],
    [begin, lock('UPDATE'), 'COMMIT'],
    [begin, remove(), 'COMMIT'],
  ),
  play(
    'an upgrade of one of two',
    [begin, lock('SHARE'), 'COMMIT'],
    [begin, lock('SHARE'), add(), 'COMMIT'],
    [begin, lock('UPDATE'), 'COMMIT'],
  ),
  play(
    'an upgrade to delete',
    [begin, lock('KEY SHARE'), 'COMMIT'],
    [begin, lock('KEY SHARE'), remove(), 'COMMIT'],
    [begin, add(), 'COMMIT'],
  ),
  play(
    'an update that is locked on its way',
    [snapshot, 'SELECT count(*) FROM t2', lock('KEY SHARE'), 'COMMIT'],
    [begin, add(), add(), 'COMMIT'],
    [begin, remove(), 'COMMIT'],
  ),
  play(
    'the lock of a new version',
    [snapshot, 'SELECT count(*) FROM t2', lock('SHARE'), 'COMMIT'],
    [begin, add(), key(), 'COMMIT'],
    [begin, lock('KEY SHARE'), 'COMMIT'],
  ),
  play(
    'a lock that goes on to what was updated',
    [begin, child(), 'COMMIT'],
    [begin, child(), 'COMMIT'],
    [begin, add(), 'SAVEPOINT s', add(), remove(), 'COMMIT'],
  ),
  play(
    'a key that was revoked and given back',
    [begin, 'SAVEPOINT s', key(), 'ROLLBACK TO s', lock('KEY SHARE'), 'COMMIT'],
    [begin, lock('KEY SHARE'), 'COMMIT'],
    [begin, remove(), 'COMMIT'],
  ),
  play(
    'an update of what others have locked',
    [begin, child(2), add(), 'COMMIT'],
    [begin, child(), add(2), 'COMMIT'],
    [begin, lock('UPDATE'), 'COMMIT'],
  ),
  play(
    'who does not wait',
    [begin, lock('UPDATE'), 'COMMIT'],
    [begin, lock('UPDATE NOWAIT', 2), 'COMMIT'],
    [begin, 'SELECT FROM parent ORDER BY id FOR UPDATE SKIP LOCKED', 'COMMIT'],
    [lock('SHARE')],
  ),
  play(
    'an update that looks again',
    [begin, add(), 'COMMIT'],
    [begin, 'UPDATE parent SET v = v - 1 WHERE id = 1 AND v < 5', 'COMMIT'],
    ['WITH done AS (UPDATE parent SET v = v + 2 WHERE id = 1 RETURNING v) SELECT v FROM done'],
  ),
  play(
    'a join that looks again',
    [begin, add(), 'COMMIT'],
    ['SELECT FROM parent p JOIN t1 ON true WHERE p.id = 1 FOR UPDATE OF p'],
    ['UPDATE parent SET v = t1.v FROM t1 WHERE parent.id = 1'],
  ),
  play(
    'an index built again',
    [begin, 'SELECT count(*) FROM t1', 'INSERT INTO t1 VALUES (1)', 'COMMIT'],
    [begin, 'UPDATE t1 SET v = v + 1', 'COMMIT'],
    ['REINDEX TABLE CONCURRENTLY t1'],
  ),
  play(
    'an index dropped',
    [begin, 'SELECT count(*) FROM t1', 'COMMIT'],
    ['DROP INDEX CONCURRENTLY t1_v'],
    [begin, 'INSERT INTO t1 VALUES (1)', 'COMMIT'],
  ),
  play(
    'a partition detached',
    [begin, 'SELECT count(*) FROM log', 'INSERT INTO log VALUES (1)', 'COMMIT'],
    ['ALTER TABLE log DETACH PARTITION log_1 CONCURRENTLY'],
    [begin, 'INSERT INTO log VALUES (2)', 'COMMIT'],
  ),
  play(
    'prepared, with locks of rows and tables',
    [begin, add(), 'INSERT INTO t1 VALUES (1)', "PREPARE TRANSACTION 'suite'"],
    [begin, child(), 'COMMIT'],
    [lock('UPDATE')],
    ['LOCK TABLE t2'],
  ),
  play(
    'DDL behind a reader',
    [begin, 'SELECT count(*) FROM t1', 'COMMIT'],
    ['ALTER TABLE t1 ADD CHECK (v < 100) NOT VALID'],
    ['SELECT count(*) FROM t1'],
    ['INSERT INTO t1 VALUES (1)'],
  ),
  play(
    'a table emptied',
    [begin, 'INSERT INTO t1 VALUES (1)', 'COMMIT'],
    [begin, 'TRUNCATE t1', 'COMMIT'],
    ['SELECT count(*) FROM t1'],
  ),
  play('the same key', [begin, insert(20), 'COMMIT'], [begin, insert(20), 'COMMIT']),
  play(
    'the same key, or nothing',
    [begin, insert(20, nothing), 'COMMIT'],
    [begin, insert(20, nothing), 'COMMIT'],
  ),
  play(
    'the same key, or an update',
    [begin, insert(20, update), 'COMMIT'],
    [begin, insert(20, update), 'COMMIT'],
    [begin, 'SELECT count(*) FROM parent', 'COMMIT'],
  ),
  play('an update on conflict', [begin, insert(1, update), 'COMMIT'], [begin, insert(1, update), 'COMMIT']),
  play(
    'a merge and an update',
    [begin, merge('UPDATE SET v = parent.v + 1'), 'COMMIT'],
    [begin, add(), 'COMMIT'],
  ),
  play(
    'a merge and a delete',
    [begin, merge('DELETE'), 'COMMIT'],
    [begin, merge('UPDATE SET v = parent.v + 1'), 'COMMIT'],
  ),
  play(
    'vacuum',
    [begin, 'LOCK TABLE t1 IN SHARE UPDATE EXCLUSIVE MODE', 'COMMIT'],
    ['VACUUM t1'],
    ['ANALYZE t1'],
    ['VACUUM (SKIP_LOCKED) t1'],
  ),
  play(
    'tables in other orders',
    [begin, 'LOCK TABLE t1 IN SHARE MODE', 'INSERT INTO t2 VALUES (1)', 'COMMIT'],
    [begin, 'LOCK TABLE t2 IN SHARE MODE', 'COMMIT'],
    [begin, 'INSERT INTO t1 VALUES (1)', 'COMMIT'],
  ),
  play(
    'advisory locks',
    [begin, 'SELECT pg_advisory_xact_lock(1)', 'COMMIT'],
    ['SELECT pg_advisory_lock(1)', 'SELECT pg_advisory_unlock(1)'],
    ['SELECT pg_advisory_lock_shared(1)'],
  ),
  play(
    'a row that goes to another partition',
    [begin, 'UPDATE part SET k = 2 WHERE id = 1', 'COMMIT'],
    [begin, 'UPDATE part SET v = v + 1 WHERE id = 1', 'COMMIT'],
    [begin, 'INSERT INTO part_child (part_id, k) VALUES (1, 1)', 'COMMIT'],
  ),
  play(
    'a view made new',
    [begin, 'SELECT count(*) FROM view', 'COMMIT'],
    ['REFRESH MATERIALIZED VIEW view'],
    ['SELECT count(*) FROM view'],
  ),
  play(
    'rows in other orders',
    [begin, add(), add(2), 'COMMIT'],
    [begin, add(2), 'COMMIT'],
    [begin, add(), 'COMMIT'],
  ),
  play('a queue for one row', [begin, add(), 'COMMIT'], [add()], [remove()], [lock('UPDATE')]),
  play(
    'a delete that is rolled back',
    [begin, lock('KEY SHARE'), 'SAVEPOINT s', remove(), 'ROLLBACK TO s', 'COMMIT'],
    [begin, lock('NO KEY UPDATE'), 'COMMIT'],
  ),
]
