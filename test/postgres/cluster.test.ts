import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { blockingForest } from '../../src/domain/locks/blocking.ts'
import type { Session } from '../../src/domain/session/session.ts'
import type { Locks, LockTable, Snapshot } from '../../src/domain/session/snapshot.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { createConnection } from '../../src/postgres/connection.ts'
import { closeClusters, logTo, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer({
    settings: { max_connections: 40, max_prepared_transactions: 5, deadlock_timeout: '10min' },
  })
  await server.admin.query(`
    CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders VALUES (1, 'one'), (2, 'two');
    CREATE SCHEMA "Odd";
    CREATE TABLE "Odd"."Order Items" (id int);
    CREATE ROLE app LOGIN PASSWORD 'app';
    GRANT ALL ON orders, "Odd"."Order Items" TO app;
    GRANT USAGE ON SCHEMA "Odd" TO app`)
})
afterEach(async () => {
  await closeClusters()
  await server.closeAll()
})
afterAll(() => server?.stop())

const app = () => server.urlFor('app', 'app')
const started = async (
  options: Parameters<typeof openCluster>[0] = { url: server.marshalUrl },
): Promise<Cluster> => {
  const cluster = openCluster(options)
  await cluster.start()
  return cluster
}
const find = ({ sessions }: Pick<Snapshot, 'sessions'>, pid: number): Session => {
  const session = sessions.find((one) => one.pid === pid)
  if (!session) throw new Error(`no session ${pid}`)
  return session
}
const tableOf = (locks: Locks): LockTable => {
  if (locks.kind !== 'read') throw new Error(`locks are ${JSON.stringify(locks)}`)
  return locks.table
}
const ownSessions = async (application = 'pg-marshal') => {
  const { rows } = await server.admin.query(
    'SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY pid',
    [application],
  )
  return rows.map((row): number => row.pid)
}

test.runIf(process.env.PG_MARSHAL_TEST_MAJOR)('it is the version that scripts/matrix.ts means', () => {
  expect(Math.floor(server.versionNum / 10_000)).toBe(Number(process.env.PG_MARSHAL_TEST_MAJOR))
})

test('a calm server: sessions, facts, and no look at the locks', async () => {
  const idle = await server.open('calm', app())
  await idle.query('BEGIN')
  const cluster = await started()
  const snapshot = await cluster.snapshot()
  expect(snapshot).toMatchObject({
    cluster: 'orders',
    server: {
      versionNum: server.versionNum,
      inRecovery: false,
      maxConnections: 40,
      seesOthers: true,
      isSuperuser: false,
    },
    ownConnections: 2,
    locks: { kind: 'none' },
  })
  expect(find(snapshot, idle.pid)).toMatchObject({
    datname: 'postgres',
    usename: 'app',
    isSuperuser: false,
    applicationName: 'calm',
    clientAddr: '127.0.0.1',
    state: 'idle in transaction',
    backendType: 'client backend',
    query: null,
  })
  expect(find(snapshot, idle.pid).backendStart).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+00$/)
  const admin = await server.admin.query('SELECT pg_backend_pid() AS pid')
  expect(find(snapshot, admin.rows[0].pid).isSuperuser).toBe(true)
  expect(snapshot.sessions.map((session) => session.applicationName)).not.toContain('pg-marshal')
})

test('two connections, also when everything is asked at once', async () => {
  const cluster = await started()
  const looks = Array.from({ length: 20 }, () => [
    cluster.snapshot(),
    cluster.look([1]),
    cluster.locksOf(1),
  ]).flat()
  await Promise.all(looks)
  expect(await ownSessions()).toHaveLength(2)
  const [one, other] = [cluster.snapshot(), cluster.snapshot()]
  expect(await one).toBe(await other)
})

test('our name stands whatever the url says', async () => {
  await started({ url: `${server.marshalUrl}?application_name=something-else` })
  expect(await ownSessions()).toHaveLength(2)
  expect(await ownSessions('something-else')).toEqual([])
})

test('nothing of ours can write, wait long, or find a name outside of pg_catalog', async () => {
  const connection = createConnection({
    url: server.url,
    log: logTo([]),
    connectMs: 5_000,
    deadlineMs: 5_000,
    onDeadline: 'drop',
    settings: { statement_timeout: '700', lock_timeout: '70' },
  })
  await connection.start()
  const run = (text: string) => connection.query({ name: text.slice(0, 20), text }, [])
  expect(
    await run(`SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
                      current_setting('search_path') AS path, current_setting('TimeZone') AS zone`),
  ).toEqual([{ statement: '700ms', lock: '70ms', path: 'pg_catalog, pg_temp', zone: 'UTC' }])
  await expect(run('CREATE TABLE written ()')).rejects.toMatchObject({ code: '25006' })
  await expect(run('SELECT * FROM orders')).rejects.toMatchObject({ code: '42P01' })
  await expect(run('SELECT pg_sleep(20)')).rejects.toMatchObject({ code: '57014' })
  expect(connection.failure()).toBeNull()
  await connection.close()
  await expect(run('SELECT 1')).rejects.toMatchObject({ code: 'CLOSED' })
})

test('a row lock: the root, its relation, and how long', async () => {
  const [root, first, second] = await Promise.all(
    ['root', 'first', 'second'].map((name) => server.open(name, app())),
  )
  if (!root || !first || !second) throw new Error('not opened')
  await root.query('BEGIN')
  await root.query("UPDATE orders SET note = 'x' WHERE id = 1")
  void first.start("UPDATE orders SET note = 'y' WHERE id = 1")
  await server.untilWaiting(first)
  void second.start("UPDATE orders SET note = 'z' WHERE id = 1")
  await server.untilWaiting(second)

  const { sessions, locks } = await (await started()).snapshot()
  const forest = blockingForest(tableOf(locks), sessions)
  expect(forest.roots).toMatchObject([
    {
      pid: root.pid,
      kind: 'session',
      victims: [first.pid, second.pid],
      wait: {
        pid: first.pid,
        relationName: 'orders',
        mode: 'ShareLock',
        target: { locktype: 'transactionid' },
      },
    },
  ])
  expect(forest.roots[0]?.oldestWaitSeconds).toBeGreaterThan(0)
  expect(forest.roots[0]?.oldestWaitSeconds).toBeLessThan(60)
  expect(forest.waits.get(second.pid)?.relationName).toBe('orders')
})

test('a relation in another schema keeps its schema and its quotes', async () => {
  const [root, waiter] = [await server.open('root', app()), await server.open('waiter', app())]
  await root.query('BEGIN')
  await root.query('LOCK TABLE "Odd"."Order Items" IN SHARE MODE')
  void waiter.start('INSERT INTO "Odd"."Order Items" VALUES (1)')
  await server.untilWaiting(waiter)
  const { sessions, locks } = await (await started()).snapshot()
  expect(blockingForest(tableOf(locks), sessions).roots[0]?.wait.relationName).toBe('"Odd"."Order Items"')
})

test.each(['before', 'after'])(
  'a prepared transaction is a root, %s a restart of the server too',
  async (when) => {
    const session = await server.open('prepares')
    await session.query('BEGIN')
    await session.query("UPDATE orders SET note = 'p' WHERE id = 2")
    await session.query('SAVEPOINT s')
    await session.query("UPDATE orders SET note = 'q' WHERE id = 2")
    await session.query("PREPARE TRANSACTION 'two-phase'")
    // Held by the prepared transaction's own entry, not by a session with a live virtual id.
    if (when === 'after') await session.close()
    const waiter = await server.open('waiter', app())
    void waiter.start('DELETE FROM orders WHERE id = 2')
    await server.untilWaiting(waiter)
    const { sessions, locks } = await (await started()).snapshot()
    const forest = blockingForest(tableOf(locks), sessions)
    expect(forest.blockedBy(waiter.pid)).toEqual([0])
    expect(forest.roots).toMatchObject([
      {
        pid: 0,
        kind: 'preparedTransaction',
        victims: [waiter.pid],
        prepared: { gid: 'two-phase', owner: 'postgres' },
      },
    ])
    await server.closeAll()
    await server.admin.query("ROLLBACK PREPARED 'two-phase'")
  },
)

test('a cycle is asked of the server', async () => {
  const [a, b] = [await server.open('a'), await server.open('b')]
  await a.query('SELECT pg_advisory_lock(1)')
  await b.query('SELECT pg_advisory_lock(2)')
  void a.start('SELECT pg_advisory_lock(2)')
  void b.start('SELECT pg_advisory_lock(1)')
  await server.untilWaiting(a, b)
  const { sessions, locks } = await (await started()).snapshot()
  const table = tableOf(locks)
  expect(new Map(table.confirmedBlockers)).toEqual(
    new Map([
      [a.pid, [b.pid]],
      [b.pid, [a.pid]],
    ]),
  )
  const forest = blockingForest(table, sessions)
  expect(forest.cycles).toEqual([[a.pid, b.pid].sort((x, y) => x - y)])
  expect(forest.roots).toEqual([])
})

test('a migration that waits in a transaction: whether it has changed a table before', async () => {
  await server.admin.query('CREATE TABLE IF NOT EXISTS history (id int)')
  const cluster = await started()
  const report = await server.open('report')
  await report.query('BEGIN; SELECT count(*) FROM orders')
  const calm = await server.open('calm migration')
  await calm.query("BEGIN; SET LOCAL lock_timeout = '10min'")
  await calm.query('SELECT count(*) FROM history')
  const busy = await server.open('busy migration')
  await busy.query('BEGIN')
  await busy.query('INSERT INTO history VALUES (1)')
  // Well apart from what was before.
  await server.until("SELECT clock_timestamp() > xact_start + '2ms' FROM pg_stat_activity WHERE pid = $1", [
    busy.pid,
  ])
  const altered = calm.start('ALTER TABLE orders ADD COLUMN extra text')
  const refused = busy.start('LOCK TABLE orders')
  await server.untilWaiting(calm, busy)
  for (const time of ['asked', 'remembered']) {
    const table = tableOf((await cluster.snapshot()).locks)
    expect([...table.unchanged], time).toEqual([calm.pid])
  }
  // It waits on, and has changed something by now.
  await server.admin.query('SELECT pg_cancel_backend($1)', [busy.pid])
  expect(await refused).toMatchObject({ code: '57014' })
  await report.query('COMMIT')
  await altered
  await calm.query('SAVEPOINT more')
  const other = await server.open('other report')
  await other.query('BEGIN; SELECT count(*) FROM history')
  void calm.start('ALTER TABLE history ADD COLUMN extra text')
  await server.untilWaiting(calm)
  expect([...tableOf((await cluster.snapshot()).locks).unchanged]).toEqual([])
})

test('a wait for a safe snapshot, which is in no lock table', async () => {
  const [writer, reader] = [await server.open('writer'), await server.open('reader')]
  await writer.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
  await writer.query("UPDATE orders SET note = 's' WHERE id = 1")
  await reader.query('BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE')
  void reader.start('SELECT * FROM orders')
  await server.until("SELECT wait_event = 'SafeSnapshot' FROM pg_stat_activity WHERE pid = $1", [reader.pid])
  const { sessions, locks } = await (await started()).snapshot()
  const forest = blockingForest(tableOf(locks), sessions)
  expect(forest.roots).toMatchObject([
    { pid: writer.pid, victims: [reader.pid], wait: { mode: 'SafeSnapshot' } },
  ])
})

test('the catalog is locked: an answer without the name, and nobody waits', async () => {
  const [root, waiter, vacuum] = [
    await server.open('root'),
    await server.open('waiter'),
    await server.open('vacuum'),
  ]
  const cluster = await started()
  await root.query('BEGIN')
  await root.query('LOCK TABLE orders IN SHARE MODE')
  void waiter.start("UPDATE orders SET note = 'c'")
  await server.untilWaiting(waiter)
  tableOf((await cluster.snapshot()).locks)
  await vacuum.query('BEGIN')
  await vacuum.query('LOCK TABLE pg_catalog.pg_class IN ACCESS EXCLUSIVE MODE')
  const { sessions, locks } = await cluster.snapshot()
  const forest = blockingForest(tableOf(locks), sessions)
  expect(forest.roots).toMatchObject([{ pid: root.pid, wait: { relationName: null } }])
})

test('every lock of one session, fast-path ones too', async () => {
  const session = await server.open('holder')
  await session.query('BEGIN')
  await session.query('SELECT * FROM orders')
  const groups = await (await started()).locksOf(session.pid)
  expect(groups).toContainEqual(
    expect.objectContaining({
      mode: 'AccessShareLock',
      granted: true,
      pids: [session.pid],
      target: expect.objectContaining({ locktype: 'relation', relationName: 'orders' }),
    }),
  )
})

test('text is masked before it leaves, cut, and only for the same statement', async () => {
  const cluster = await started()
  const [idle, moves] = [await server.open('idle', app()), await server.open('moves', app())]
  await idle.query("SELECT 'a secret'")
  const snapshot = await cluster.snapshot()
  const session = find(snapshot, idle.pid)
  const other = find(snapshot, moves.pid)
  await moves.query('SELECT 2')
  const texts = await cluster.withText([
    session,
    other,
    { ...session, backendStart: '2001-01-01 00:00:00+00' },
  ])
  expect(texts.map(({ query }) => query)).toEqual([`masked(${"SELECT 'a secret'".length})`, null, null])
  expect(await cluster.withText([session], 4)).toMatchObject([{ query: 'masked(4)' }])
  expect(JSON.stringify(await cluster.snapshot())).not.toContain('secret')
})

test('statements of databases with other encodings do not take those of the others with them', async () => {
  const cluster = await started({ url: server.marshalUrl, maskText: (text) => text })
  await server.admin.query(
    "CREATE DATABASE western ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
  )
  const western = new URL(server.url)
  western.pathname = '/western'
  const sessions = await Promise.all([server.open('ours'), server.open('theirs', western.href)])
  const statement = 'SELECT $$\\x5c\\$$ AS größe, 1 AS café'
  for (const session of sessions) await session.query(statement)
  const { sessions: all } = await cluster.snapshot()
  const seen = sessions.map(({ pid }) => find({ sessions: all }, pid))
  const told = await cluster.withText(seen)
  // The last byte of theirs begins a character of UTF-8 that does not end.
  expect(told.map(({ query }) => query)).toEqual([statement, statement])
  expect((await cluster.withText(seen.slice(0, 1), 23))[0]?.query).toBe('SELECT $$\\x5c\\$$ AS gr')
})

test('a database whose encoding lacks letters of a name is named, with another to take', async () => {
  await server.admin.query(
    "CREATE DATABASE windows ENCODING 'WIN1252' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
  )
  await server.admin.query(`CREATE ROLE "Á" LOGIN PASSWORD 'x'`)
  await server.open('named', server.urlFor('Á', 'x'))
  const windows = new URL(server.marshalUrl)
  windows.pathname = '/windows'
  const cluster = await started({ url: windows.href })
  expect(cluster.failure()).toMatchObject({
    code: '22P05',
    reason: expect.stringMatching(/the encoding UTF8/),
  })
  await server.closeAll()
  await server.admin.query('DROP ROLE "Á"')
})

test('a role without pg_monitor is reported with the grants, and sees again once granted', async () => {
  const url = await server.createRole('wea"k')
  const session = await server.open('unseen', app())
  const cluster = await started({ url })
  const blind = await cluster.snapshot()
  expect(blind.server.seesOthers).toBe(false)
  expect(find(blind, session.pid)).toMatchObject({ state: null, backendStart: '', backendType: '' })
  expect(await cluster.withText([find(blind, session.pid)])).toMatchObject([{ query: null }])
  const fixes = (await cluster.missingPrivileges()).map(({ fix }) => fix)
  expect(fixes.slice(0, 2)).toEqual(['GRANT pg_monitor TO "wea""k";', 'GRANT pg_signal_backend TO "wea""k";'])
  expect(fixes.length).toBe(server.versionNum >= 180000 ? 4 : server.versionNum >= 160000 ? 3 : 2)

  for (const fix of fixes) await server.admin.query(fix.replace(/ ALTER SYSTEM.*/, ''))
  await waitFor(async () => (await cluster.snapshot()).server.seesOthers, 'it sees')
  expect(await cluster.missingPrivileges()).toEqual([])
  await server.admin.query('REVOKE pg_monitor FROM "wea""k"')
  await waitFor(async () => !(await cluster.snapshot()).server.seesOthers, 'it does not see')
})

test('a superuser has every privilege; doctor recommends a role with fewer', async () => {
  const cluster = await started({ url: server.url })
  const [lack, ...more] = await cluster.missingPrivileges()
  expect(lack?.what).toContain('superuser')
  expect(more).toEqual([])
})

test('a database and a role made after the start are named', async () => {
  const cluster = await started()
  await server.admin.query('CREATE DATABASE later')
  await server.admin.query("CREATE ROLE newcomer LOGIN PASSWORD 'n'")
  const session = await server.open('newcomer', server.urlFor('newcomer', 'n', 'later'))
  expect(find(await cluster.snapshot(), session.pid)).toMatchObject({ datname: 'later', usename: 'newcomer' })
})

test.each([
  ['a wrong password', () => server.urlFor('app', 'wrong-secret'), '28P01'],
  ['no such role', () => server.urlFor('nobody-here', 'wrong-secret'), '28P01'],
  ['no such database', () => server.urlFor('app', 'app', 'nowhere'), '3D000'],
  ['nobody listens', () => 'postgres://app:wrong-secret@127.0.0.1:1/x', 'ECONNREFUSED'],
  ['no connection string', () => 'postgres://app:wrong-secret@127.0.0.1:port/x', 'ERR_INVALID_URL'],
])('%s: one sentence, no secret', async (_, url, code) => {
  const lines: string[] = []
  const cluster = await started({ url: url(), log: logTo(lines) })
  const failure = cluster.failure()
  expect(failure).toMatchObject({ code })
  expect(failure?.cause).toBeUndefined()
  await expect(cluster.snapshot()).rejects.toBe(cluster.failure())
  await expect(cluster.missingPrivileges()).rejects.toMatchObject({ code })
  expect(failure?.reason).toMatch(/^[A-Z].*\.$/)
  expect(lines.join()).toContain(code)
  expect(lines.join() + failure?.stack).not.toContain('wrong-secret')
})

test('connections of another replica are ours as well, and those of another role under our name are not', async () => {
  const cluster = await started()
  await started()
  const stranger = await server.open('pg-marshal', app())
  await stranger.query('SELECT 1')
  const { sessions, ownConnections } = await cluster.snapshot()
  expect(ownConnections).toBe(4)
  const named = sessions.filter(({ applicationName }) => applicationName === 'pg-marshal')
  expect(named.map(({ pid }) => pid)).toEqual([stranger.pid])
  const pids = await ownSessions()
  expect(pids.filter((pid) => !cluster.isOwn(pid))).toEqual([stranger.pid])
})
