import type { TemporaryPostgres } from 'temporary-postgres'
import { startStandby } from 'temporary-postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer, waitFor } from '../../test/support/postgres.ts'
import { type Admin, createAdmin } from '../admin.ts'
import { createActor, type Loss } from '../trouble/actor.ts'
import { createDirector, type Director } from '../trouble/director.ts'
import { scenarios } from '../trouble/index.ts'
import { prepareShop } from '../trouble/schema.ts'

let server: TestServer
let admin: Admin
let shopUrl: string
let director: Director

let standby: TemporaryPostgres | undefined
let standbyAdmin: Admin | undefined
const standbyPlace = async () => {
  standby ??= await startStandby(server, { settings: { ...settings, max_standby_streaming_delay: -1 } })
  const there = (url: string) => url.replace(`:${server.port}/`, `:${standby?.port}/`)
  standbyAdmin ??= createAdmin(there(server.url))
  return { url: there(shopUrl), admin: standbyAdmin }
}
const settings = { max_connections: 40, max_prepared_transactions: 5, deadlock_timeout: '200ms' }

beforeAll(async () => {
  server = await startTestServer({ settings })
  shopUrl = await server.createRole('shop')
  await server.admin.query('GRANT CREATE ON SCHEMA public TO shop')
  await prepareShop(shopUrl)
  admin = createAdmin(server.url)
  director = createDirector(scenarios, { url: shopUrl, admin }, standbyPlace)
})
afterEach(() => director.stopAll())
afterAll(async () => {
  admin.close()
  standbyAdmin?.close()
  await standby?.stop()
  await server.stop()
})

/** Asks whether this number of sessions wait directly for a session of this name. */
const waitBehind = (name: string, count: number) => `
  SELECT count(*) = ${count} FROM pg_stat_activity AS waiter
  WHERE EXISTS (SELECT FROM pg_stat_activity AS root
                WHERE root.application_name = '${name}' AND root.pid = ANY (pg_blocking_pids(waiter.pid)))`

/** Questions that PostgreSQL must answer with yes once the trouble is there. */
const signs: Readonly<Record<string, readonly string[]>> = {
  'row-queue': [
    "SELECT state = 'idle in transaction' FROM pg_stat_activity WHERE application_name = 'checkout'",
    waitBehind('checkout', 1),
    waitBehind('fulfilment', 5),
  ],
  migration: [
    waitBehind('monthly-report', 1),
    waitBehind('migrate', 10),
    "SELECT bool_or(mode = 'AccessExclusiveLock' AND NOT granted) FROM pg_locks WHERE relation = 'customers'::regclass",
  ],
  chain: [waitBehind('intake', 1), waitBehind('pricing', 1), waitBehind('shipping', 1)],
  'advisory-lock': [
    "SELECT state = 'idle' AND xact_start IS NULL FROM pg_stat_activity WHERE application_name = 'nightly-sync'",
    "SELECT count(*) = 5 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
  ],
  'prepared-transaction': [
    'SELECT count(*) = 1 FROM pg_prepared_xacts',
    'SELECT count(*) >= 1 FROM pg_stat_activity WHERE 0 = ANY (pg_blocking_pids(pid))',
  ],
  'runaway-query': [
    "SELECT state = 'active' AND backend_xmin IS NOT NULL FROM pg_stat_activity WHERE application_name = 'analytics'",
  ],
  'forgotten-transaction': [
    "SELECT state = 'idle in transaction' AND backend_xid IS NOT NULL FROM pg_stat_activity WHERE application_name = 'nightly-import'",
  ],
  'stubborn-retry': [waitBehind('importer', 3)],
  // On the primary all is well; see below.
  'standby-conflict': [
    "SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = 'regions'::regclass AND attname = 'vat'",
  ],
  'connection-leak': [
    "SELECT count(*) = current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int FROM pg_stat_activity WHERE backend_type = 'client backend'",
  ],
  'idle-leak': [
    "SELECT count(*) >= 30 AND bool_and(state = 'idle') FROM pg_stat_activity WHERE application_name = 'coupon-app'",
  ],
  'full-server': [
    "SELECT state = 'idle in transaction' FROM pg_stat_activity WHERE application_name = 'basket'",
    "SELECT count(*) >= 30 AND bool_and(wait_event_type = 'Lock') FROM pg_stat_activity WHERE application_name = 'cart'",
    "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'marshal'",
  ],
  'deadlock-loop': ['SELECT deadlocks >= 2 FROM pg_stat_database WHERE datname = current_database()'],
}

const untraced = async () => {
  // A session that was ended takes a moment to go.
  await server.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'shop'")
  const { rows } = await server.admin.query(`
    SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'shop') AS sessions,
           (SELECT count(*)::int FROM pg_prepared_xacts) AS prepared,
           (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' OR NOT granted) AS locks,
           (SELECT count(*)::int FROM pg_attribute WHERE attname IN ('loyalty', 'vat') AND attnum > 0 AND NOT attisdropped) AS columns`)
  expect(rows).toEqual([{ sessions: 0, prepared: 0, locks: 0, columns: 0 }])
}

it('every scenario is tested', () => {
  expect(Object.keys(signs).sort()).toEqual(scenarios.map(({ id }) => id).sort())
})

it('a look that began before the trouble was there does not say that it is over', async () => {
  const before = Date.now() - 1
  await director.start('forgotten-transaction')
  const phase = () => director.playing()[0]?.phase
  director.saw({ at: before, sessions: [] })
  expect(phase()).toBe('running')
  director.saw({ at: Date.now(), sessions: [] })
  expect(phase()).toBe('over')
})

describe.each(scenarios)('$title', ({ id }) => {
  it('is what it says, and stops without traces', async () => {
    await director.start(id)
    for (const sign of signs[id] ?? []) await server.until(sign)
    await director.stop(id)
    await untraced()
    expect(director.playing()).toEqual([])
  })

  it('stops as cleanly when its sessions were terminated, and can be played again', async () => {
    await director.start(id)
    await server.admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'")
    await director.stop(id)
    await untraced()
    await director.start(id)
    await director.stop(id)
    await untraced()
  })
})

it('an application that retries is stopped by a terminate alone', async () => {
  await director.start('stubborn-retry')
  const importer = "FROM pg_stat_activity WHERE application_name = 'importer'"
  const { rows } = await server.admin.query(`SELECT pid, query_start::text AS since ${importer}`)
  await server.admin.query('SELECT pg_cancel_backend($1)', [rows[0].pid])
  await server.until(`SELECT query_start::text <> $1 AND query LIKE '%pg_sleep%' ${importer}`, [
    rows[0].since,
  ])
  await server.until(waitBehind('importer', 3))
  await server.admin.query(`SELECT pg_terminate_backend(pid) ${importer}`)
  await server.until(`SELECT count(*) = 0 ${importer}`)
  const losses = () => director.damage('stubborn-retry').losses
  await waitFor(() => losses().length === 2, 'both losses')
  expect(losses()).toMatchObject([
    { name: 'importer', how: 'cancelled' },
    { name: 'importer', how: 'terminated' },
  ])
  expect(Math.min(...losses().map(({ seconds }) => seconds))).toBeGreaterThan(0)
})

it('to wait is no work, also not after the last look', async () => {
  let now = 0
  const losses: Loss[] = []
  const holder = await createActor('holder', shopUrl, () => {})
  const waiter = await createActor(
    'waiter',
    shopUrl,
    (loss) => losses.push(loss),
    () => now,
  )
  await holder.run('BEGIN')
  await holder.run('UPDATE visits SET seen = 1')
  await waiter.run('BEGIN')
  waiter.leave('UPDATE visits SET seen = 2')
  await server.until(waitBehind('holder', 1))
  now = 5_000
  waiter.sawWaiting(2)
  now = 9_000
  // Three seconds of work before it had to wait, and none since.
  expect(waiter.work()).toBe(3)
  waiter.sawWaiting(null)
  now = 10_000
  expect(waiter.work()).toBe(4)
  waiter.sawWaiting(0)
  now = 20_000
  await server.admin.query('SELECT pg_cancel_backend($1)', [waiter.pid()])
  await waitFor(() => losses.length === 1, 'the loss')
  expect(losses).toEqual([{ name: 'waiter', how: 'cancelled', seconds: 4 }])
  for (const actor of [holder, waiter]) actor.drop()
  await server.until(
    "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name IN ('holder', 'waiter')",
  )
})

it('on the standby replay waits for the report, and the dashboards behind replay; a cancel lets all of them go on', async () => {
  await director.start('standby-conflict')
  const { admin: there } = await standbyPlace()
  const met = (sql: string) =>
    waitFor(async () => Object.values((await there.query(sql))[0] ?? {})[0] === true, sql)
  const report = "SELECT pid FROM pg_stat_activity WHERE application_name = 'yearly-report'"
  const startup = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'"
  await met('SELECT pg_is_in_recovery()')
  // pg_blocking_pids is silent about the startup process.
  await met(`SELECT count(*) = 2 FROM pg_locks WHERE relation = 'regions'::regclass
    AND ((pid = (${report}) AND granted) OR (pid = (${startup}) AND mode = 'AccessExclusiveLock' AND NOT granted))`)
  await met(
    `SELECT count(*) = 4 FROM pg_stat_activity WHERE application_name LIKE 'chart-%' AND (${startup}) = ANY (pg_blocking_pids(pid))`,
  )
  await there.query(`SELECT pg_cancel_backend((${report}))`)
  await met('SELECT count(*) = 0 FROM pg_locks WHERE NOT granted')
  await waitFor(() => director.damage('standby-conflict').losses.length === 1, 'the loss')
  expect(director.damage('standby-conflict').losses).toMatchObject([
    { name: 'yearly-report', how: 'cancelled' },
  ])
  await director.stop('standby-conflict')
  await met("SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'shop'")
})

/** Take slots or locks that the others need. */
const taking = ['connection-leak', 'idle-leak', 'full-server', 'migration']

it('all of them play together', async () => {
  const together = scenarios.filter(({ id }) => !taking.includes(id))
  for (const { id } of together) await director.start(id)
  for (const { id } of together.filter((one) => one.id !== 'deadlock-loop'))
    for (const sign of signs[id] ?? []) await server.until(sign)
  await director.stopAll()
  await untraced()
})

it('what was stopped while the server hung is gone when it wakes up', async () => {
  await director.start('row-queue')
  server.suspend()
  const stopped = director.stop('row-queue')
  expect(director.playing()).toMatchObject([{ phase: 'stopping' }])
  server.resume()
  await stopped
  await untraced()
})
