import type { Chooser } from '../chooser.ts'

/** Next move of a session: statements in order, until one of them waits. */
export type Move = {
  readonly sql: readonly string[]
  /** Outside of a transaction: one that is open is committed first. */
  readonly outside?: boolean
}

type Make = (choose: Chooser, id: string) => Move

export type Family = {
  readonly name: string
  /** So many sessions take part; all of the lane's, where it is not there. */
  readonly sessions?: number
  readonly moves: readonly Make[]
  /** Steps of each session, instead of moves: in order, and mixed with those of the others. */
  readonly orders?: readonly (readonly string[])[]
  /** Waits for transactions in the whole server: nothing else may run there. */
  readonly alone?: boolean
}

/*
 * Not made here, since no statement holds them for longer than a moment: the lock by which NOTIFY commits one after the other (on
 * the database as an object, which a commit keeps to its end), and those by which a relation or a page is extended. Whoever waits for
 * one is promised that this wait ends.
 */

/** The tables of a lane; `restore` makes their rows what they were. */
export const schema = `
  CREATE TABLE parent (id int PRIMARY KEY, v int);
  CREATE TABLE child (id serial PRIMARY KEY, parent_id int REFERENCES parent);
  CREATE TABLE part (id int, k int, v int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
  CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
  CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
  CREATE TABLE part_child (id serial PRIMARY KEY, part_id int, k int, FOREIGN KEY (part_id, k) REFERENCES part);
  CREATE TABLE t1 (v int);
  CREATE TABLE t2 (v int);
  CREATE TABLE log (k int) PARTITION BY LIST (k);
  CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1);
  CREATE TABLE log_2 PARTITION OF log FOR VALUES IN (2);
  CREATE MATERIALIZED VIEW view AS SELECT 1 AS id;
  CREATE UNIQUE INDEX ON view (id);
  CREATE INDEX t1_v ON t1 (v);
  CREATE INDEX t2_v ON t2 (v)`

export const restore = `
  TRUNCATE parent, child, part, part_child, t1, t2, log;
  INSERT INTO parent SELECT n, 0 FROM generate_series(1, 3) AS n;
  INSERT INTO part SELECT n, 1, 0 FROM generate_series(1, 2) AS n;
  INSERT INTO t1 VALUES (0);
  INSERT INTO t2 VALUES (0)`

/** Removes what moves of `concurrently` may leave behind. */
export const tidy = `
  DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'i' AND relname ~ '^new_|_ccnew|_ccold'
      LOOP EXECUTE format('DROP INDEX IF EXISTS %I', name); END LOOP;
  END $$;
  DROP INDEX IF EXISTS t1_v, t2_v;
  CREATE INDEX t1_v ON t1 (v);
  CREATE INDEX t2_v ON t2 (v);
  DROP TABLE IF EXISTS log, log_1, log_2;
  CREATE TABLE log (k int) PARTITION BY LIST (k);
  CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1);
  CREATE TABLE log_2 PARTITION OF log FOR VALUES IN (2);
  ALTER TABLE log OWNER TO shop; ALTER TABLE log_1 OWNER TO shop; ALTER TABLE log_2 OWNER TO shop`

const rowOf = (choose: Chooser) => (choose.below(4) === 0 ? 2 : 1)
const strengthOf = (choose: Chooser) => choose.one(['UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE'])

const rowLock: Make = (choose) => ({
  sql: [`SELECT FROM parent WHERE id = ${rowOf(choose)} FOR ${strengthOf(choose)}`],
})
const sharedRow: Make = (choose) => ({
  sql: [`SELECT FROM parent WHERE id = ${rowOf(choose)} FOR ${choose.one(['SHARE', 'KEY SHARE'])}`],
})
const update: Make = (choose) => ({ sql: [`UPDATE parent SET v = v + 1 WHERE id = ${rowOf(choose)}`] })
const remove: Make = (choose) => ({ sql: [`DELETE FROM parent WHERE id = ${rowOf(choose)}`] })
const updateKey: Make = (choose) => ({
  sql: [`UPDATE parent SET id = id + 10 WHERE id = ${rowOf(choose)}`],
})
const insertChild: Make = (choose) => ({ sql: [`INSERT INTO child (parent_id) VALUES (${rowOf(choose)})`] })
const sameKey: Make = (choose) => ({
  sql: [
    `INSERT INTO parent VALUES (${20 + choose.below(2)}, 0)${choose.one(['', '', ' ON CONFLICT DO NOTHING'])}`,
  ],
})
const savepoint: Make = (choose) => {
  const row = rowOf(choose)
  const lock = choose.one([
    `SELECT FROM parent WHERE id = ${row} FOR ${strengthOf(choose)}`,
    `UPDATE parent SET v = v + 1 WHERE id = ${row}`,
    `INSERT INTO child (parent_id) VALUES (${row})`,
  ])
  return { sql: ['SAVEPOINT s', lock, ...choose.one([[], [], ['ROLLBACK TO s'], ['RELEASE s']])] }
}
const partitioned: Make = (choose) => {
  const row = rowOf(choose)
  return {
    sql: [
      choose.one([
        `SELECT FROM part WHERE id = ${row} FOR ${strengthOf(choose)}`,
        `UPDATE part SET v = v + 1 WHERE id = ${row}`,
        `UPDATE part SET k = 3 - k WHERE id = ${row}`,
        `DELETE FROM part WHERE id = ${row}`,
        `INSERT INTO part_child (part_id, k) VALUES (${row}, 1)`,
        `INSERT INTO part_child (part_id, k) VALUES (${row}, 1)`,
      ]),
    ],
  }
}
/** The transaction goes on: what it locked stays locked, with or without its session. */
const prepare: Make = (choose, id) => ({ sql: [`PREPARE TRANSACTION '${id}_${choose.below(100)}'`] })
const commit: Make = (choose) => ({ sql: [choose.one(['COMMIT', 'ROLLBACK'])] })
const sleep: Make = () => ({ sql: ['SELECT pg_sleep(1000)'] })

const modes = [
  ...['ACCESS SHARE', 'ROW SHARE', 'ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE'],
  ...['SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'],
]
const tableOf = (choose: Chooser) => choose.one(['t1', 't1', 't2'])
const tableLock: Make = (choose) => ({
  sql: [`LOCK TABLE ${tableOf(choose)} IN ${choose.one(modes)} MODE`],
})
const read: Make = (choose) => ({ sql: [`SELECT count(*) FROM ${tableOf(choose)}`] })
const write: Make = (choose) => ({ sql: [`INSERT INTO ${tableOf(choose)} VALUES (1)`] })
const ddl: Make = (choose) => {
  const table = tableOf(choose)
  return {
    sql: [
      choose.one([
        `ALTER TABLE ${table} ALTER v SET DEFAULT 1`,
        `ALTER TABLE ${table} ALTER v SET STATISTICS 10`,
        `TRUNCATE ${table}`,
      ]),
    ],
  }
}
const advisory: Make = (choose) => ({
  sql: [
    `SELECT pg_advisory${choose.one(['', '_xact'])}_lock${choose.one(['', '', '_shared'])}(${1 + choose.below(2)})`,
  ],
})

const snapshot: Make = (choose) => ({
  sql: [
    'COMMIT',
    'BEGIN ISOLATION LEVEL REPEATABLE READ',
    `SELECT count(*) FROM ${choose.one(['t2', 'parent'])}`,
  ],
})
const concurrently: Make = (choose, id) => ({
  outside: true,
  sql: [
    choose.one([
      `CREATE INDEX CONCURRENTLY new_${id} ON ${tableOf(choose)} (v)`,
      `CREATE INDEX CONCURRENTLY new_${id} ON ${tableOf(choose)} (v)`,
      'REINDEX INDEX CONCURRENTLY t1_v',
      'REINDEX TABLE CONCURRENTLY t1',
      'DROP INDEX CONCURRENTLY t1_v',
    ]),
  ],
})
const detach: Make = () => ({ outside: true, sql: ['ALTER TABLE log DETACH PARTITION log_1 CONCURRENTLY'] })
const useLog: Make = (choose) => ({
  sql: [choose.one(['SELECT count(*) FROM log', 'INSERT INTO log VALUES (1)', 'SELECT count(*) FROM log_1'])],
})
const refresh: Make = (choose) => ({
  sql: [
    choose.one([
      'REFRESH MATERIALIZED VIEW CONCURRENTLY view',
      'REFRESH MATERIALIZED VIEW CONCURRENTLY view',
      'REFRESH MATERIALIZED VIEW view',
      'SELECT count(*) FROM view',
      'SELECT count(*) FROM view',
    ]),
  ],
})

const slot: Make = (_, id) => ({
  outside: true,
  sql: [`SELECT pg_create_logical_replication_slot('slot_${id}', 'pgoutput')`],
})
const serializable: Make = (choose) => ({
  sql: [
    'COMMIT',
    'BEGIN ISOLATION LEVEL SERIALIZABLE',
    choose.one(['SELECT count(*) FROM t1', 'INSERT INTO t1 VALUES (1)', 'SELECT count(*) FROM t2']),
  ],
})
const deferrable: Make = () => ({
  sql: ['COMMIT', 'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE', 'SELECT count(*) FROM t1'],
})

const times = (count: number, make: Make) => Array<Make>(count).fill(make)

/** Those that run alone come last. */
export const families: readonly Family[] = [
  { name: 'rows of four strengths', moves: [...times(4, rowLock), ...times(2, update), sleep, commit] },
  {
    name: 'rows that several hold',
    moves: [...times(4, sharedRow), ...times(2, insertChild), ...times(2, update), remove, updateKey, sleep],
  },
  { name: 'one row after the other', moves: [...times(6, update), rowLock, remove, sleep, commit] },
  {
    name: 'foreign keys',
    moves: [...times(5, insertChild), ...times(2, update), updateKey, ...times(2, remove), sleep, commit],
  },
  { name: 'savepoints', moves: [...times(4, savepoint), rowLock, update, insertChild, sleep, commit] },
  { name: 'partitions', moves: [...times(6, partitioned), sleep, commit] },
  {
    name: 'prepared transactions',
    moves: [
      ...times(2, sharedRow),
      ...times(3, update),
      insertChild,
      write,
      ddl,
      ...times(2, prepare),
      sleep,
    ],
  },
  {
    name: 'small',
    sessions: 3,
    moves: [
      ...[rowLock, sharedRow, update, update, update, remove, updateKey, insertChild, insertChild],
      ...[savepoint, partitioned, tableLock, write, advisory, commit],
    ],
  },
  {
    name: 'small, of four',
    sessions: 4,
    moves: [...times(2, rowLock), ...times(3, update), remove, insertChild, savepoint, partitioned, commit],
  },
  { name: 'relations', moves: [...times(4, tableLock), read, write, sleep] },
  {
    name: 'a queue behind DDL',
    moves: [...times(4, read), ...times(3, write), ...times(2, ddl), sleep, commit],
  },
  { name: 'advisory locks', moves: [...times(6, advisory), sleep, commit] },
  { name: 'keys that come twice', moves: [...times(5, sameKey), update, insertChild, sleep, commit] },
  {
    name: 'indexes CONCURRENTLY',
    moves: [...times(3, concurrently), ...times(3, write), ...times(2, read), ...times(2, snapshot), sleep],
  },
  {
    name: 'other commands CONCURRENTLY',
    moves: [...times(2, detach), ...times(4, useLog), ...times(4, refresh), snapshot, sleep],
  },
  {
    name: 'all of it',
    moves: [
      ...[rowLock, rowLock, sharedRow, update, update, remove, insertChild, savepoint, partitioned, prepare],
      ...[tableLock, read, write, ddl, advisory, advisory, sameKey, concurrently, snapshot, sleep, commit],
    ],
  },
  { name: 'new slots', alone: true, moves: [...times(2, slot), ...times(5, write), update, read, sleep] },
  {
    name: 'DEFERRABLE',
    alone: true,
    moves: [...times(4, serializable), ...times(3, deferrable), write, sleep],
  },
]

/** Decides whether the statement asks for one lock after the other, on different things: no table shows the next. */
export const wantsMore = (sql: string): boolean => /k = 3 - k|REFRESH|FROM log$/.test(sql)
