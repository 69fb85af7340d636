import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import { workLost } from '../../src/domain/locks/workLost.ts'
import { leftoverOf } from '../../src/domain/session/leftover.ts'
import type { Session } from '../../src/domain/session/session.ts'
import { createMasker } from '../../src/domain/text/mask.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'

/** What is said to stay behind a statement that is cancelled, and what really does. */

let server: TestServer
let cluster: Cluster
let scratch: string

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pg-marshal-leftovers-'))
  await chmod(scratch, 0o777)
  server = await startTestServer({ settings: { autovacuum: false, max_prepared_transactions: 5 } })
  await server.admin.query('CREATE TABLE orders (id int PRIMARY KEY, state text)')
  cluster = openCluster({
    url: server.marshalUrl,
    maskText: createMasker('masked'),
    deadlines: { locks: 20_000, activity: 20_000 },
  })
  await cluster.start()
})
afterEach(() => server.closeAll())
afterAll(async () => {
  await closeClusters()
  await server?.stop()
  await rm(scratch, { recursive: true, force: true })
})

/** The session as it is now, with its statement, and what is lost with it. */
async function seen({ pid }: TestSession): Promise<{ session: Session; lost: string }> {
  const { snapshot, forest } = pictureOf(await cluster.snapshot())
  const [session] = await cluster.withText(snapshot.sessions.filter((one) => one.pid === pid))
  if (!session) throw new Error(`no session ${pid}`)
  return { session, lost: workLost(session, forest.waits.get(pid)) }
}

const cancel = async ({ pid }: TestSession) => {
  await server.admin.query('SELECT pg_cancel_backend($1)', [pid])
  await server.until("SELECT state <> 'active' FROM pg_stat_activity WHERE pid = $1", [pid])
}
const untilIn = ({ pid }: TestSession, waitEvent: string) =>
  server.until('SELECT wait_event = $2 FROM pg_stat_activity WHERE pid = $1', [pid, waitEvent])
const one = async (sql: string) => (await server.admin.query({ text: sql, rowMode: 'array' })).rows[0]?.[0]

test('CREATE INDEX CONCURRENTLY behind a prepared transaction waits for its id, and leaves an invalid index', async () => {
  await server.admin.query("BEGIN; INSERT INTO orders VALUES (1, 'open'); PREPARE TRANSACTION 'payment'")
  const migration = await server.open('migration')
  void migration.start('/* deploy */ CREATE INDEX /* now */ CONCURRENTLY at_state ON orders (state)')
  await untilIn(migration, 'transactionid')

  const { session, lost } = await seen(migration)
  expect(lost).toBe('halfDone')
  expect(leftoverOf(session)?.stays).toBe('an invalid index stays')
  await cancel(migration)
  expect(await one('SELECT count(*)::int FROM pg_index WHERE NOT indisvalid')).toBe(1)
  await server.admin.query("ROLLBACK PREPARED 'payment'")
  await server.admin.query('DROP INDEX CONCURRENTLY at_state')
})

test('before its first lock CREATE INDEX CONCURRENTLY has done nothing, and leaves nothing', async () => {
  const owner = await server.open('owner')
  await owner.query('BEGIN; LOCK orders IN SHARE MODE')
  const migration = await server.open('migration')
  void migration.start('CREATE INDEX CONCURRENTLY at_state ON orders (state)')
  await untilIn(migration, 'relation')
  expect(await seen(migration)).toMatchObject({ lost: 'request' })
  await cancel(migration)
  expect(await one('SELECT count(*)::int FROM pg_index WHERE NOT indisvalid')).toBe(0)
})

test.each([
  ['DROP INDEX CONCURRENTLY at_state', 'the index stays, invalid', 1],
  [
    'REINDEX INDEX CONCURRENTLY at_state',
    'an invalid index (…_ccnew or …_ccold) stays beside the one in use',
    1,
  ],
])('%s behind a reader', async (command, stays, invalid) => {
  await server.admin.query('CREATE INDEX at_state ON orders (state)')
  const reader = await server.open('reader')
  await reader.query('BEGIN; SELECT * FROM orders')
  await reader.query("INSERT INTO orders VALUES (7, 'x')")
  const migration = await server.open('migration')
  void migration.start(command)
  await untilIn(migration, 'virtualxid')
  const { session, lost } = await seen(migration)
  expect({ lost, stays: leftoverOf(session)?.stays }).toEqual({ lost: 'halfDone', stays })
  await cancel(migration)
  expect(await one('SELECT count(*)::int FROM pg_index WHERE NOT indisvalid')).toBe(invalid)
  await reader.query('ROLLBACK')
  await server.admin.query('DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY, state text)')
})

test('REFRESH … CONCURRENTLY and one that finishes a DETACH leave nothing of their own', async () => {
  await server.admin.query(`
    CREATE TABLE parts (k int) PARTITION BY RANGE (k);
    CREATE TABLE old_part PARTITION OF parts FOR VALUES FROM (0) TO (10)`)
  const reader = await server.open('reader')
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM parts')
  const migration = await server.open('migration')
  void migration.start('ALTER TABLE parts DETACH PARTITION old_part CONCURRENTLY')
  await untilIn(migration, 'virtualxid')
  expect(await seen(migration)).toMatchObject({ lost: 'halfDone' })
  await cancel(migration)
  expect(await one('SELECT count(*)::int FROM pg_inherits WHERE inhdetachpending')).toBe(1)
  void migration.start('ALTER TABLE parts DETACH PARTITION old_part FINALIZE')
  await server.untilWaiting(migration)
  const { session } = await seen(migration)
  expect(leftoverOf(session)).toBeNull()
  await cancel(migration)
  expect(await one('SELECT count(*)::int FROM pg_inherits WHERE inhdetachpending')).toBe(1)
  await reader.query('ROLLBACK')
  await server.admin.query('ALTER TABLE parts DETACH PARTITION old_part FINALIZE')
  await server.admin.query('DROP TABLE parts, old_part')
})

test('DROP DATABASE: in line for its lock it has done nothing', async () => {
  await server.admin.query('CREATE DATABASE waited')
  const owner = await server.open('owner')
  await owner.query("BEGIN; COMMENT ON DATABASE waited IS 'x'")
  const janitor = await server.open('janitor')
  void janitor.start('DROP DATABASE waited')
  await untilIn(janitor, 'object')
  expect(await seen(janitor)).toMatchObject({ lost: 'request' })
  await cancel(janitor)
  expect(await one("SELECT datconnlimit FROM pg_database WHERE datname = 'waited'")).toBe(-1)
})

test('DROP DATABASE past its lock: cancelled, it leaves an invalid database', async () => {
  // Up to 14 it waits for no barrier.
  if (server.versionNum < 150_000) return
  await server.admin.query('CREATE DATABASE doomed')
  await server.admin.query('CREATE TABLE lines (line text)')
  const pidFile = join(scratch, 'pid')
  const loader = await server.open('loader')
  const loaded = loader.start(`COPY lines FROM PROGRAM 'echo $$ > ${pidFile}; exec sleep 120'`)
  const programPid = async () => Number(await readFile(pidFile, 'utf8').catch(() => ''))
  await waitFor(async () => (await programPid()) > 0, 'the program runs')
  try {
    const janitor = await server.open('janitor')
    void janitor.start('DROP DATABASE doomed')
    await untilIn(janitor, 'ProcSignalBarrier')
    const { session, lost } = await seen(janitor)
    expect(lost).toBe('halfDone')
    expect(leftoverOf(session)?.stays).toMatch(/^the database stays, invalid/)
    expect(leftoverOf((await seen(loader)).session)?.stays).toMatch(/^what its program has done stays/)
    await cancel(janitor)
    expect(await one("SELECT datconnlimit FROM pg_database WHERE datname = 'doomed'")).toBe(-2)
  } finally {
    process.kill(await programPid())
    await loaded
  }
  await server.admin.query('DROP DATABASE doomed')
})

test('a procedure that has committed is distinguished from one that has not', async () => {
  await server.admin.query(`
    CREATE PROCEDURE in_batches(has_committed boolean) LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO orders VALUES (100, 'batch');
      IF has_committed THEN COMMIT; INSERT INTO orders VALUES (101, 'batch'); END IF;
      PERFORM pg_sleep(600);
    END $$`)
  for (const extended of [false, true])
    for (const hasCommitted of [false, true]) {
      const batch = await server.open('batch')
      void (extended
        ? batch.start('CALL in_batches($1)', [hasCommitted])
        : batch.start(`CALL in_batches(${hasCommitted})`))
      await untilIn(batch, 'PgSleep')
      const { session, lost } = await seen(batch)
      expect(leftoverOf(session)?.stays ?? null).toBe(
        hasCommitted ? 'what it has committed so far stays' : null,
      )
      expect(lost).toBe(hasCommitted ? 'halfDone' : 'activeWriter')
      await cancel(batch)
      expect(await one("SELECT count(*)::int FROM orders WHERE state = 'batch'")).toBe(hasCommitted ? 1 : 0)
      await server.admin.query('TRUNCATE orders')
    }
})

test('none of the commands that work in transactions of their own runs among others in one message', async () => {
  const migration = await server.open('migration')
  for (const text of [
    "SET lock_timeout = '5s'; CREATE INDEX CONCURRENTLY at_state ON orders (state)",
    'BEGIN; COMMIT; CREATE INDEX CONCURRENTLY at_state ON orders (state)',
    'SELECT 1; VACUUM',
  ])
    expect(await migration.start(text)).toMatchObject({ code: '25001' })
})

test('where the text is hidden, what a statement leaves is known all the same, and nothing else of it', async () => {
  const hidden = openCluster({ url: server.marshalUrl, maskText: createMasker('hidden') })
  await hidden.start()
  await server.admin.query("BEGIN; INSERT INTO orders VALUES (1, 'open'); PREPARE TRANSACTION 'payment'")
  const migration = await server.open('migration')
  void migration.start('CREATE INDEX CONCURRENTLY at_state ON orders (state)')
  await untilIn(migration, 'transactionid')
  const { snapshot } = pictureOf(await hidden.snapshot())
  const [session] = await hidden.withText(snapshot.sessions.filter(({ pid }) => pid === migration.pid))
  expect(session).toMatchObject({ query: null, leaves: 'an invalid index stays' })
  expect(session && workLost(session, undefined)).toBe('halfDone')
  await cancel(migration)
  await server.admin.query("ROLLBACK PREPARED 'payment'")
  await server.admin.query('DROP INDEX CONCURRENTLY at_state')
})
