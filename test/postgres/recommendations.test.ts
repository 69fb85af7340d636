import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import { type JamRecommendation, jamRecommendations } from '../../src/domain/locks/recommendation.ts'
import { jamsIn } from '../../src/domain/locks/tree.ts'
import { createMasker } from '../../src/domain/text/mask.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'

/** What is advised about holders of unusual kinds, and what really comes of it. */

let server: TestServer
let cluster: Cluster
let shop: string

beforeAll(async () => {
  // Nobody waits for that standby but who sets synchronous_commit.
  server = await startTestServer({ settings: { autovacuum: false, synchronous_standby_names: 'nobody' } })
  shop = await server.createRole('shop')
  await server.admin.query(`
    CREATE TABLE orders (id int PRIMARY KEY, state text);
    INSERT INTO orders SELECT n, 'open' FROM generate_series(1, 5000) AS n;
    ALTER TABLE orders OWNER TO shop;
    GRANT ALL ON SCHEMA public TO shop`)
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
})

/** What is advised about the jam behind this session. */
async function adviceAbout({ pid }: TestSession): Promise<JamRecommendation> {
  const picture = pictureOf(await cluster.snapshot())
  const told = await cluster.withText(picture.snapshot.sessions)
  const jam = jamsIn(picture.forest).find(({ root }) => root?.pid === pid)
  const advice = jam && jamRecommendations(picture, [], told)(jam)
  if (!advice) throw new Error(`no jam behind ${pid}`)
  return advice
}

const untilIn = ({ pid }: TestSession, waitEvent: string) =>
  server.until('SELECT wait_event = $2 FROM pg_stat_activity WHERE pid = $1', [pid, waitEvent])

test('a COPY whose client sends nothing ignores a cancel: it is terminated', async () => {
  const loader = await server.open('loader', shop)
  loader.client.connection.query('COPY orders FROM STDIN')
  await untilIn(loader, 'ClientRead')
  await server.until("SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1", [loader.pid])
  const migration = await server.open('migration', shop)
  const migrated = migration.start('ALTER TABLE orders ADD COLUMN note text')
  await server.untilWaiting(migration)

  const { best, others } = await adviceAbout(loader)
  expect(best).toMatchObject({ action: 'terminate', pid: loader.pid })
  expect(others).toEqual([])
  // The signal takes effect when the client sends something, and not before.
  await server.admin.query('SELECT pg_cancel_backend($1)', [loader.pid])
  // It wakes up for the signal, and waits for its client again.
  await untilIn(loader, 'ClientRead')
  await expect.poll(async () => (await adviceAbout(loader)).best?.action).toBe('terminate')
  await server.untilWaiting(migration)
  await server.admin.query('SELECT pg_terminate_backend($1)', [loader.pid])
  expect(await migrated).not.toBeInstanceOf(Error)
  await server.admin.query('ALTER TABLE orders DROP COLUMN note')
})

test('a commit that waits for a synchronous standby is done: nothing would be rolled back, so nothing is offered', async () => {
  const checkout = await server.open('checkout', shop)
  await checkout.query("SET synchronous_commit = on; BEGIN; UPDATE orders SET state = 'paid' WHERE id = 1")
  const committed = checkout.start('COMMIT')
  await untilIn(checkout, 'SyncRep')
  const web = await server.open('web', shop)
  const waited = web.start("UPDATE orders SET state = state || ', packed' WHERE id = 1 RETURNING state")
  await server.untilWaiting(web)

  const { best, others, text } = await adviceAbout(checkout)
  expect({ best, others }).toEqual({ best: null, others: [] })
  expect(text).toMatch(
    new RegExp(
      `^Nothing can be done to ${checkout.pid} \\(checkout, running .*\\) from here\\. It has committed and waits for a synchronous standby`,
    ),
  )
  // What is advised instead lets all of them go on, and the commit stands.
  await server.admin.query("ALTER SYSTEM SET synchronous_standby_names = ''")
  await server.admin.query('SELECT pg_reload_conf()')
  expect(await committed).toMatchObject({ command: 'COMMIT' })
  expect(await waited).toMatchObject({ rows: [{ state: 'paid, packed' }] })
})

test.each([
  [
    'VACUUM',
    "SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1; SET vacuum_cost_page_hit = 10",
    'VACUUM orders',
    'VacuumDelay',
    /VACUUM, running .*, what it has cleaned up stays\)/,
  ],
  [
    'CREATE INDEX CONCURRENTLY',
    "CREATE FUNCTION slowly(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN $1; END'",
    'CREATE INDEX CONCURRENTLY slow ON orders (slowly(id))',
    'PgSleep',
    /CREATE INDEX, running .*, an invalid index stays\)/,
  ],
])(
  '%s at work has no transaction id, and yet has done something',
  async (_, before, command, waitEvent, told) => {
    const janitor = await server.open('janitor', shop)
    await janitor.query(before)
    void janitor.start(command)
    await untilIn(janitor, waitEvent)
    const migration = await server.open('migration', shop)
    void migration.start('ALTER TABLE orders ADD COLUMN note text')
    await server.untilWaiting(migration)

    const { best, others } = await adviceAbout(janitor)
    expect([best, ...others].find((way) => way?.pid === janitor.pid)?.text).toMatch(told)
    await server.admin.query('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [
      [migration.pid, janitor.pid],
    ])
    await server.until(
      "SELECT count(*) = 0 FROM pg_stat_activity WHERE state = 'active' AND pid = ANY ($1)",
      [[migration.pid, janitor.pid]],
    )
    const { rows } = await server.admin.query(
      'SELECT count(*)::int AS invalid FROM pg_index WHERE NOT indisvalid',
    )
    expect(rows[0].invalid).toBe(command.includes('INDEX') ? 1 : 0)
    await server.admin.query('DROP INDEX IF EXISTS slow')
  },
)

test('a cancel of a DO block with an EXCEPTION in it ends all of its locks', async () => {
  const batch = await server.open('batch', shop)
  void batch.start(`DO $$ BEGIN
    UPDATE orders SET state = 'a' WHERE id = 1;
    BEGIN
      UPDATE orders SET state = 'b' WHERE id = 2;
      PERFORM pg_sleep(600);
    EXCEPTION WHEN OTHERS THEN NULL;
    END; END $$`)
  await untilIn(batch, 'PgSleep')
  const webs = [await server.open('web-1', shop), await server.open('web-2', shop)]
  const waited = webs.map((web, at) => web.start(`UPDATE orders SET state = 'c' WHERE id = ${at + 1}`))
  await server.untilWaiting(...webs)

  const { best, text } = await adviceAbout(batch)
  expect(best).toMatchObject({ action: 'cancel', pid: batch.pid, atOnce: 2, stuck: 0 })
  expect(text).toContain('all 2 waiters proceed at once')
  await server.admin.query('SELECT pg_cancel_backend($1)', [batch.pid])
  for (const answer of await Promise.all(waited)) expect(answer).not.toBeInstanceOf(Error)
})

test('a command CONCURRENTLY shows only the transaction that it waits for now: that there may be a next is said', async () => {
  const writers = [await server.open('writer-1', shop), await server.open('writer-2', shop)]
  for (const writer of writers)
    await writer.query("BEGIN; UPDATE orders SET state = 'w' WHERE id = pg_backend_pid()")
  const migration = await server.open('migration', shop)
  void migration.start('CREATE INDEX CONCURRENTLY at_state ON orders (state)')
  await server.untilWaiting(migration)
  for (const left of [2, 1]) {
    const blockers = `pg_blocking_pids(${migration.pid})`
    await server.until(`SELECT cardinality(${blockers}) > 0`)
    const { rows } = await server.admin.query(`SELECT ${blockers} AS pids`)
    const first = writers.find(({ pid }) => pid === rows[0].pids[0])
    if (!first) throw new Error('it waits for nobody')
    const { text } = await adviceAbout(first)
    // While there is a next one, the end of this one changes nothing: what ends the jam is the command's own end.
    expect(text, `${left} left`).toMatch(
      left === 2
        ? new RegExp(
            `^Cancel ${migration.pid} \\(CREATE INDEX, .*: it waits no more; ${first.pid} .* stays\\.$`,
          )
        : new RegExp(`^Terminate ${first.pid} .*the one waiter proceeds at once\\.$`),
    )
    await server.admin.query('SELECT pg_terminate_backend($1)', [first.pid])
    await first.ended
    await server.until(`SELECT NOT ${first.pid} = ANY (${blockers})`)
  }
})

test('a cancel inside a savepoint frees nobody: the recommendation warns of it, and terminate frees the waiters', async () => {
  const batch = await server.open('batch', shop)
  await batch.query("BEGIN; UPDATE orders SET state = 'a' WHERE id = 1; SELECT pg_sleep(0.01)")
  await batch.query('SAVEPOINT here')
  void batch.start('SELECT pg_sleep(600)')
  await untilIn(batch, 'PgSleep')
  const web = await server.open('web', shop)
  const waited = web.start("UPDATE orders SET state = 'b' WHERE id = 1")
  await server.untilWaiting(web)

  const first = await adviceAbout(batch)
  expect(first.best).toMatchObject({ action: 'cancel', pid: batch.pid })
  expect(first.text).toMatch(
    new RegExp(
      `proceeds at once\\. Inside a savepoint a cancel ends that alone; then terminate ${batch.pid}\\.$`,
    ),
  )
  await server.admin.query('SELECT pg_cancel_backend($1)', [batch.pid])
  await server.until("SELECT state = 'idle in transaction (aborted)' FROM pg_stat_activity WHERE pid = $1", [
    batch.pid,
  ])
  const second = await adviceAbout(batch)
  expect(second.best).toMatchObject({ action: 'terminate', pid: batch.pid })
  await server.admin.query('SELECT pg_terminate_backend($1)', [batch.pid])
  expect(await waited).not.toBeInstanceOf(Error)
})

test('DETACH PARTITION CONCURRENTLY that waits for its last step would be left half done', async () => {
  await server.admin.query(`
    CREATE TABLE parts (id int, k int) PARTITION BY RANGE (k);
    CREATE TABLE old_part PARTITION OF parts FOR VALUES FROM (0) TO (10);
    ALTER TABLE parts OWNER TO shop; ALTER TABLE old_part OWNER TO shop`)
  const report = await server.open('report', shop)
  await report.query('BEGIN; SELECT count(*) FROM old_part')
  const migration = await server.open('migration', shop)
  void migration.start('ALTER TABLE parts DETACH PARTITION old_part CONCURRENTLY')
  await server.untilWaiting(migration)
  const web = await server.open('web', shop)
  void web.start('SELECT count(*) FROM old_part')
  await server.untilWaiting(web)

  const { best, others } = await adviceAbout(report)
  expect(best).toMatchObject({ action: 'terminate', pid: report.pid })
  expect(others.map(({ text }) => text).join()).toMatch(
    new RegExp(`Cancel ${migration.pid} .*, the partition stays half detached\\)`),
  )
  await server.admin.query('SELECT pg_cancel_backend($1)', [migration.pid])
  await server.until('SELECT count(*) = 1 FROM pg_inherits WHERE inhdetachpending')
})

test.each([
  [
    'locks alone',
    'SELECT * FROM orders WHERE id = 1 FOR UPDATE',
    /it has locked rows and changed no table\)/,
  ],
  ['a change', "UPDATE orders SET state = 'x' WHERE id = 1", /what it wrote in .* is rolled back\)/],
])('a transaction that is idle after %s', async (_, sql, told) => {
  const holder = await server.open('holder', shop)
  await holder.query('BEGIN')
  await holder.query(sql)
  const web = await server.open('web', shop)
  void web.start("UPDATE orders SET state = 'w' WHERE id = 1")
  await server.untilWaiting(web)
  for (const look of ['first', 'second']) expect((await adviceAbout(holder)).text, look).toMatch(told)
  // What it does next is seen as well, though its statement began when it began.
  await holder.query("UPDATE orders SET state = 'y' WHERE id = 2")
  expect((await adviceAbout(holder)).text).toMatch(/what it wrote in/)
})

test('what a transaction holds is seen from its id and its snapshot', async () => {
  const seen = async (name: string, ...steps: string[]) => {
    const session = await server.open(name, shop)
    for (const step of steps) await session.start(step)
    // An error reaches the client before the state does pg_stat_activity.
    await server.until("SELECT state LIKE 'idle in transaction%' FROM pg_stat_activity WHERE pid = $1", [
      session.pid,
    ])
    const { snapshot } = pictureOf(await cluster.snapshot())
    const { rows } = await server.admin.query(
      "SELECT count(*)::int AS locks FROM pg_locks WHERE pid = $1 AND locktype <> 'virtualxid'",
      [session.pid],
    )
    const found = snapshot.sessions.find(({ pid }) => pid === session.pid)
    return {
      xid: found?.backendXid != null,
      xmin: found?.backendXmin != null,
      xact: found?.xactStart != null,
      locks: rows[0].locks > 0,
    }
  }
  expect(await seen('failed', 'BEGIN', 'UPDATE orders SET state = NULL', 'SELECT 1/0')).toEqual({
    ...{ xid: false, xmin: false, xact: false, locks: false },
  })
  expect(await seen('reader', 'BEGIN', 'SELECT * FROM orders')).toEqual({
    ...{ xid: false, xmin: false, xact: true, locks: true },
  })
  expect(await seen('repeatable', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT * FROM orders')).toEqual({
    ...{ xid: false, xmin: true, xact: true, locks: true },
  })
  const inSavepoint = ['BEGIN', 'UPDATE orders SET state = NULL WHERE id = 9', 'SAVEPOINT a', 'SELECT 1/0']
  expect(await seen('in a savepoint', ...inSavepoint)).toMatchObject({ xid: true, xact: true, locks: true })
})

test('a gentler way that may not be gone from here is named, with who can do it', async () => {
  const writer = await server.open('writer', shop)
  await writer.query("BEGIN; UPDATE orders SET state = 'w' WHERE id = 7")
  const vacuum = await server.open('maintenance')
  void vacuum.start('VACUUM FULL orders')
  await server.untilWaiting(vacuum)
  const readers = await Promise.all([1, 2, 3].map((n) => server.open(`reader-${n}`, shop)))
  for (const reader of readers) void reader.start('SELECT count(*) FROM orders')
  await server.untilWaiting(...readers)

  const { best, text } = await adviceAbout(writer)
  expect(best).toMatchObject({ action: 'terminate', pid: writer.pid })
  expect(text).toMatch(
    new RegExp(
      `1 of 4 waiters proceeds at once, 3 follow when ${vacuum.pid} \\(VACUUM FULL\\) is done, which may take long\\.`,
    ),
  )
  expect(text).toMatch(
    new RegExp(
      `Gentler, but not from here: cancel ${vacuum.pid} \\(VACUUM FULL, waiting .*, nothing done is lost\\)\\. It belongs to a superuser, .*only a superuser can end it\\.`,
    ),
  )
})
