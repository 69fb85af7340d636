import pino from 'pino'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { blockingForest, type Forest } from '../../src/domain/locks/blocking.ts'
import type { LockTable } from '../../src/domain/session/snapshot.ts'
import { type Cluster, createCluster } from '../../src/postgres/cluster.ts'
import { type Chooser, chooser } from '../support/chooser.ts'
import { startTestServer, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'

/**
 * Random trouble on a real server; then every edge of our forest must be the one that pg_blocking_pids tells.
 * One scenario again: PG_MARSHAL_SEED=17 vitest run test/postgres/oracle.test.ts; more of them: PG_MARSHAL_SEEDS=300.
 */
const seeds = process.env.PG_MARSHAL_SEED
  ? [Number(process.env.PG_MARSHAL_SEED)]
  : Array.from({ length: Number(process.env.PG_MARSHAL_SEEDS ?? 24) }, (_, index) => index + 1)

let server: TestServer
let cluster: Cluster
const seen = new Map<string, number>()
const count = (what: string, by = 1) => seen.set(what, (seen.get(what) ?? 0) + by)

beforeAll(async () => {
  server = await startTestServer({
    settings: {
      max_prepared_transactions: 20,
      max_connections: 100,
      max_worker_processes: 30,
      max_parallel_workers: 30,
      autovacuum: false,
      // A deadlock stays, and no queue is re-ordered, until the scenario is over.
      deadlock_timeout: '10min',
    },
  })
  await server.admin.query(`
    CREATE TABLE rows (id int PRIMARY KEY, v int);
    INSERT INTO rows SELECT n, 0 FROM generate_series(1, 3) AS n;
    CREATE TABLE child (id serial PRIMARY KEY, row_id int REFERENCES rows);
    CREATE TABLE t1 (v int);
    CREATE TABLE t2 (v int);
    CREATE TABLE big (v int) WITH (parallel_workers = 2);
    INSERT INTO big SELECT n FROM generate_series(1, 5000) AS n;
    CREATE FUNCTION peek() RETURNS bigint LANGUAGE plpgsql PARALLEL SAFE
      AS 'BEGIN RETURN (SELECT count(*) FROM t1); END';
    ANALYZE`)
  cluster = createCluster({
    name: 'oracle',
    url: server.marshalUrl,
    log: pino({ level: 'silent' }),
    maskText: () => null,
    now: Date.now,
    deadlines: { locks: 20_000, activity: 20_000 },
  })
  await cluster.start()
})

afterEach(async () => {
  await server.closeAll()
  const { rows } = await server.admin.query('SELECT gid FROM pg_prepared_xacts')
  for (const { gid } of rows) await server.admin.query(`ROLLBACK PREPARED '${gid}'`)
})

afterAll(async () => {
  await cluster?.close()
  await server?.stop()
})

test.each(seeds)('seed %i: the forest is what pg_blocking_pids says', async (seed) => {
  await play(chooser(seed), seed)
  const { table, sessions, told } = await lookTwice()
  if (cameAtOnce(table)) {
    count('ambiguous')
    return
  }
  const pids = [...told.keys()]
  const asked = blockingForest(table, sessions)
  const computed = blockingForest({ ...table, confirmedBlockers: new Map() }, sessions)
  for (const forest of [computed, asked]) {
    expect(edges(forest, pids), `seed ${seed}`).toEqual(Object.fromEntries(told))
    expect(rootsOf(forest), `seed ${seed}`).toEqual(expectedRoots(told, sessions))
  }
  count('waiters', [...told.values()].filter((blockers) => blockers.length > 0).length)
  count('edges', [...told.values()].flat().length)
  count('prepared', [...told.values()].flat().filter((pid) => pid === 0).length)
  count('cycles', computed.cycles.length)
  for (const { pid, target } of computed.waits.values()) {
    count(target.locktype)
    if (sessions.some((session) => session.pid === pid && session.backendType === 'parallel worker'))
      count('workers')
  }
})

test.skipIf(seeds.length === 1)('the scenarios met every kind of trouble', () => {
  const kinds = [
    'relation',
    'transactionid',
    'tuple',
    'advisory',
    'virtualxid',
    'prepared',
    'workers',
    'cycles',
  ]
  if (process.env.PG_MARSHAL_SEEDS) console.log(Object.fromEntries(seen))
  expect([...seen.keys()]).toEqual(expect.arrayContaining(kinds))
  expect(seen.get('edges')).toBeGreaterThan(200)
  expect(seen.get('ambiguous') ?? 0).toBeLessThan(seeds.length / 5)
})

/**
 * The server stamps `waitstart` after it has queued the waiter. Of two that are woken by the same commit and queue up
 * again in the same moment, no column tells who came first; every other step of a scenario waits for the one before.
 */
function cameAtOnce({ groups }: LockTable): boolean {
  const starts = Map.groupBy(
    groups.flatMap(({ target, waitStarts }) =>
      waitStarts.map((start) => ({ key: JSON.stringify(target), start: start ?? 0 })),
    ),
    ({ key }) => key,
  )
  return [...starts.values()].some((queue) => {
    const inOrder = queue.map(({ start }) => start).sort((a, b) => a - b)
    return inOrder.some((start, index) => start - (inOrder[index - 1] ?? 0) < 0.000_2)
  })
}

/** Random sessions take random locks until everybody waits or the steps are used up. */
async function play(choose: Chooser, seed: number): Promise<void> {
  const actors: Actor[] = []
  for (let index = 0; index < 8 + choose.below(6); index++) {
    const session = await server.open(`seed-${seed}-${index}`)
    await session.query('BEGIN')
    actors.push({ session, busy: false })
  }
  const settled = async ({ session, busy }: Actor): Promise<boolean> => {
    if (!busy) return true
    const { rows } = await server.admin.query(
      `SELECT 1 FROM pg_stat_activity
       WHERE (pid = $1 OR leader_pid = $1) AND wait_event_type = 'Lock' AND state IS DISTINCT FROM 'idle'`,
      [session.pid],
    )
    return rows.length > 0
  }
  const everybodySettled = async () => {
    for (const actor of actors) if (!(await settled(actor))) return false
    return true
  }
  for (let step = 0; step < 30; step++) {
    const free = actors.filter((actor) => !actor.busy)
    const actor = free[choose.below(free.length)]
    if (!actor) break
    const script = choose.one(actions)(choose, `${seed}-${step}`)
    actor.busy = true
    void perform(actor.session, script).finally(() => {
      actor.busy = false
    })
    await waitFor(everybodySettled, `everybody waits or is done (seed ${seed}, ${script.join('; ')})`)
  }
}

type Actor = { readonly session: TestSession; busy: boolean }

async function perform(session: TestSession, script: readonly string[]): Promise<void> {
  for (const statement of script) {
    const result = await session.start(statement)
    if (!(result instanceof Error)) continue
    await session.start('ROLLBACK')
    await session.start('BEGIN')
    return
  }
}

type Action = (choose: Chooser, id: string) => string[]

const rowLock: Action = (choose) => {
  const row = 1 + choose.below(3)
  const strength = choose.one(['UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE'])
  return choose.one([
    [`SELECT FROM rows WHERE id = ${row} FOR ${strength}`],
    [`SELECT FROM rows WHERE id = ${row} FOR ${strength}`],
    [`UPDATE rows SET v = v + 1 WHERE id = ${row}`],
    [`DELETE FROM rows WHERE id = ${row}`],
    [`INSERT INTO child (row_id) VALUES (${row})`],
    [`INSERT INTO rows VALUES (${10 + row}, 0)`],
    ['SAVEPOINT s', `UPDATE rows SET v = v + 1 WHERE id = ${row}`],
    ['SAVEPOINT s', `SELECT FROM rows WHERE id = ${row} FOR UPDATE`, 'ROLLBACK TO s'],
  ])
}
const tableLock: Action = (choose) => {
  const modes = [
    'ACCESS SHARE',
    'ROW SHARE',
    'ROW EXCLUSIVE',
    'SHARE UPDATE EXCLUSIVE',
    'SHARE',
    'SHARE ROW EXCLUSIVE',
  ]
  const mode = choose.one([...modes, 'EXCLUSIVE', 'ACCESS EXCLUSIVE'])
  return [`LOCK TABLE ${choose.one(['t1', 't2'])} IN ${mode} MODE`]
}
const readers: Action = (choose) => [`SELECT count(*) FROM ${choose.one(['t1', 't2', 'rows'])}`]
const ddl: Action = (choose, id) => [
  choose.one([
    `ALTER TABLE ${choose.one(['t1', 't2'])} ADD COLUMN "c${id}" int`,
    'TRUNCATE t2',
    `CREATE INDEX "i${id}" ON t2 (v)`,
  ]),
]
const advisory: Action = (choose) => [
  `SELECT pg_advisory${choose.one(['', '_xact'])}_lock${choose.one(['', '_shared'])}(${choose.below(3)})`,
]
const prepare: Action = (choose, id) => [
  choose.one(['LOCK TABLE t1 IN ROW EXCLUSIVE MODE', 'UPDATE rows SET v = v + 1 WHERE id = 2']),
  `PREPARE TRANSACTION 'gid-${id}'`,
  'BEGIN',
]
const indexConcurrently: Action = (choose, id) => [
  'ROLLBACK',
  `CREATE INDEX CONCURRENTLY "i${id}" ON ${choose.one(['t2', 'child', 'rows'])} ((1))`,
  'BEGIN',
]
const parallel: Action = () => [
  'SET LOCAL parallel_setup_cost = 0',
  'SET LOCAL parallel_tuple_cost = 0',
  'SET LOCAL min_parallel_table_scan_size = 0',
  'SET LOCAL parallel_leader_participation = off',
  'SELECT sum(peek()) FROM big WHERE v < 3 AND peek() >= 0',
]
const actions = [
  ...[rowLock, rowLock, rowLock, rowLock, rowLock, tableLock, tableLock, tableLock, tableLock],
  ...[readers, readers, ddl, advisory, advisory, prepare, indexConcurrently, parallel],
]

type Told = ReadonlyMap<number, readonly number[]>

/** The situation is taken between two equal answers of the server, so that nothing moved meanwhile. */
async function lookTwice() {
  for (let attempt = 1; ; attempt++) {
    const before = await ask()
    const { locks, sessions } = await cluster.snapshot()
    const after = await ask()
    if (JSON.stringify([...before]) !== JSON.stringify([...after]) && attempt < 20) continue
    expect(locks.kind).not.toBe('jammed')
    const nothing: LockTable = {
      readAt: 0,
      groups: [],
      prepared: [],
      confirmedBlockers: new Map(),
      near: [],
      sharedRows: null,
      unchanged: new Set(),
    }
    return { table: locks.kind === 'read' ? locks.table : nothing, sessions, told: after }
  }
}

async function ask(): Promise<Told> {
  const { rows } = await server.admin.query(
    `SELECT pid, pg_blocking_pids(pid) AS blockers FROM pg_stat_activity
     WHERE backend_type IN ('client backend', 'parallel worker') ORDER BY pid`,
  )
  return new Map(rows.map(({ pid, blockers }) => [pid, [...new Set<number>(blockers)].sort((a, b) => a - b)]))
}

const edges = (forest: Forest, pids: readonly number[]) =>
  Object.fromEntries(pids.map((pid) => [pid, forest.blockedBy(pid)]))

const rootsOf = (forest: Forest) =>
  Object.fromEntries(
    forest.roots
      .filter(({ pid }) => pid !== 0)
      .map(({ pid, victims }) => [pid, victims.toSorted((a, b) => a - b)]),
  )

/** From the edges alone: who blocks and is not blocked, and everybody from whom a way leads there. */
function expectedRoots(told: Told, sessions: readonly { pid: number; leaderPid: number | null }[]) {
  const leaders = new Map(sessions.map(({ pid, leaderPid }) => [pid, leaderPid ?? pid]))
  const blockersOf = (pid: number) => told.get(pid) ?? []
  const waiters = [...told.keys()].filter((pid) => leaders.get(pid) === pid && blockersOf(pid).length > 0)
  const reaches = (from: number, root: number, met = new Set<number>()): boolean => {
    if (met.has(from)) return false
    met.add(from)
    return blockersOf(from).some((pid) => pid === root || reaches(pid, root, met))
  }
  const roots = [...new Set(waiters.flatMap(blockersOf))].filter(
    (pid) => pid !== 0 && blockersOf(pid).length === 0,
  )
  return Object.fromEntries(
    roots.map((root) => [root, waiters.filter((pid) => reaches(pid, root)).sort((a, b) => a - b)]),
  )
}
