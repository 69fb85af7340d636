import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PastTrouble, Prevention } from '../../src/domain/advice/prevention.ts'
import { preventionsFor } from '../../src/domain/advice/preventions.ts'
import { holding, type Scope, type SettingName } from '../../src/domain/advice/settings.ts'
import { beginSpells } from '../../src/domain/advice/spells.ts'
import { findings } from '../../src/domain/incidents/finding.ts'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import type { Session } from '../../src/domain/session/session.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { thresholds } from '../support/builders.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'

/** Each statement that is advised is run on a real server: there the very trouble ends, and the server shows the setting. */

let server: TestServer
let cluster: Cluster
let shop: string
/** The role of the shop, with a name that has to be quoted. */
const role = 'Shop "1"'

beforeAll(async () => {
  server = await startTestServer({ settings: { max_prepared_transactions: 4, log_lock_waits: false } })
  shop = await server.createRole(role)
  await server.admin.query(
    `CREATE TABLE orders (id int PRIMARY KEY, state text); INSERT INTO orders VALUES (1, 'open');
     ALTER TABLE orders OWNER TO "Shop ""1"""`,
  )
  cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
})
afterEach(() => server.closeAll())
afterAll(async () => {
  await closeClusters()
  await server.stop()
})

/** Prevention about what is seen now, as if it had gone on for long. */
async function adviseNow(age: (session: Session) => Partial<Session>): Promise<Prevention[]> {
  const picture = pictureOf(await cluster.snapshot())
  const { snapshot, forest } = picture
  const aged = snapshot.sessions.map((session) => ({ ...session, ...age(session) }))
  const limits = { ...thresholds, blockedForSeconds: 0, queryLongerThanSeconds: 60 }
  const found = findings({ ...snapshot, sessions: aged }, forest, limits)
  const troubles: PastTrouble[] = found.map((finding) => ({ finding, mostVictims: 1 }))
  const spells = beginSpells()
  const waits = new Map([...forest.waits].map(([pid, wait]) => [pid, { ...wait, seconds: 40 }]))
  const seen = { snapshot: { ...snapshot, sessions: aged }, forest: { ...forest, waits }, forestTakenAt: 0 }
  spells.add([{ from: 0, to: 1, sight: 'seen', picture: seen, why: null }])
  return preventionsFor({
    ...{ troubles, spells: spells.all(), isRecorded: true, slotRetainsBytes: 1 },
    settings: await cluster.settings(),
    target: snapshot.server,
  })
}

/** Runs what is advised, with a value that a test can wait for, and then as it is. */
async function apply({ statement, undo, setting, scope }: Prevention, short: string) {
  const value = /'([^']+)'/.exec(statement)?.[1] ?? ''
  await server.admin.query(statement.replace(`'${value}'`, `'${short}'`))
  return async () => {
    await server.admin.query(statement)
    const held = holding(await cluster.settings(), setting, scope)
    const session = await server.open('after', shop)
    const { rows } = await session.query('SELECT current_setting($1)::interval = $2::interval AS shown', [
      setting,
      value,
    ])
    expect(rows).toEqual([{ shown: true }])
    expect(held).toMatchObject({ text: value, setFor: 'role in database' })
    if (undo === null) throw new Error('there is no way back')
    await server.admin.query(undo)
    expect(holding(await cluster.settings(), setting, scope)).toMatchObject({ amount: 0, setFor: 'server' })
  }
}

const scope = (): Scope => ({ role, database: new URL(shop).pathname.slice(1) })
const only = (advice: readonly Prevention[], setting: SettingName): Prevention => {
  const found = advice.find((one) => one.setting === setting)
  if (!found) throw new Error(`no advice about ${setting}: ${JSON.stringify(advice)}`)
  expect(found.scope).toEqual(scope())
  return found
}

const oldBy = (seconds: number, of: TestSession) => (session: Session) =>
  session.pid === of.pid
    ? {
        stateSeconds: seconds,
        querySeconds: seconds,
        xactSeconds: session.xactStart === null ? null : seconds,
      }
    : {}

async function holdRow(name = 'checkout'): Promise<TestSession> {
  const session = await server.open(name, shop)
  await session.query('BEGIN')
  await session.query("UPDATE orders SET state = 'paying' WHERE id = 1")
  return session
}

describe('a statement that is advised', () => {
  it('ends the session that sits idle in its transaction, and lets the others on', async () => {
    const forgotten = await holdRow()
    const waiter = await server.open('web', shop)
    const waited = waiter.start("UPDATE orders SET state = 'x' WHERE id = 1")
    await server.untilWaiting(waiter)
    const advice = only(await adviseNow(oldBy(900, forgotten)), 'idle_in_transaction_session_timeout')
    const restore = await apply(advice, '300ms')
    await forgotten.close()
    await waited

    const again = await holdRow()
    const behind = await server.open('web', shop)
    expect(await behind.start("UPDATE orders SET state = 'x' WHERE id = 1")).not.toBeInstanceOf(Error)
    await again.ended
    await restore()
  })

  it('cancels the statement that takes too long', async () => {
    const report = await server.open('report', shop)
    void report.start('SELECT pg_sleep(3600)')
    await server.until('SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = $2', [
      report.pid,
      'PgSleep',
    ])
    const restore = await apply(only(await adviseNow(oldBy(7200, report)), 'statement_timeout'), '300ms')
    const again = await server.open('report', shop)
    expect(await again.start('SELECT pg_sleep(3600)')).toMatchObject({ code: '57014' })
    await restore()
  })

  it('lets a migration give up its wait, so that the queue behind it goes on', async () => {
    const reader = await server.open('reader', shop)
    await reader.query('BEGIN; SELECT * FROM orders')
    const migration = await server.open('migration', shop)
    void migration.start('ALTER TABLE orders ADD COLUMN note text')
    await server.untilWaiting(migration)
    const web = await server.open('web', shop)
    const waited = web.start('SELECT * FROM orders')
    await server.untilWaiting(web)
    const advice = only(await adviseNow(() => ({})), 'lock_timeout')
    expect(advice.statement).toContain("'5s'")
    const restore = await apply(advice, '300ms')
    await server.admin.query('SELECT pg_terminate_backend($1)', [migration.pid])
    await waited

    const again = await server.open('migration', shop)
    const gaveUp = again.start('ALTER TABLE orders ADD COLUMN note text')
    await server.untilWaiting(again)
    const next = await server.open('web')
    expect(await next.start('SELECT * FROM orders')).not.toBeInstanceOf(Error)
    expect(await gaveUp).toMatchObject({ code: '55P03' })
    await restore()
  })

  it('ends the session that sits idle', async () => {
    const leaked = await server.open('leaked', shop)
    await server.until("SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $1", [leaked.pid])
    const restore = await apply(only(await adviseNow(oldBy(9000, leaked)), 'idle_session_timeout'), '300ms')
    const again = await server.open('leaked', shop)
    await again.ended
    await restore()
  })

  it('ends a transaction that goes on from one brief statement to the next, where the server knows how', async () => {
    const chatty = await holdRow()
    const waiter = await server.open('web', shop)
    const waited = waiter.start("UPDATE orders SET state = 'x' WHERE id = 1")
    await server.untilWaiting(waiter)
    const all = await adviseNow((session) =>
      session.pid === chatty.pid ? { stateSeconds: 1, xactSeconds: 900 } : {},
    )
    if (server.versionNum < 170_000) {
      expect(all.map(({ setting }) => setting)).toEqual(['log_lock_waits'])
      return
    }
    const restore = await apply(only(all, 'transaction_timeout'), '300ms')
    await chatty.close()
    await waited
    const again = await holdRow()
    await again.ended
    await restore()
  })

  it('for the whole server is shown by it at once, and not advised any more', async () => {
    const holder = await holdRow()
    const waiter = await server.open('web', shop)
    void waiter.start("UPDATE orders SET state = 'x' WHERE id = 1")
    await server.untilWaiting(waiter)
    const advice = (await adviseNow(oldBy(5, holder))).find(({ setting }) => setting === 'log_lock_waits')
    expect(advice).toMatchObject({ scope: null, now: 'off, as on the whole server' })
    for (const one of advice?.statement.split('\n') ?? []) await server.admin.query(one)
    await server.until("SELECT setting = 'on' FROM pg_settings WHERE name = 'log_lock_waits'")
    await expect.poll(async () => holding(await cluster.settings(), 'log_lock_waits', null)?.amount).toBe(1)
    expect((await adviseNow(oldBy(5, holder))).map(({ setting }) => setting)).not.toContain('log_lock_waits')
  })
})

describe('the settings of the server', () => {
  it('are those of each role and database, and our own hide those of the server', async () => {
    const { database } = scope()
    await server.admin.query(`
      ALTER ROLE ALL SET statement_timeout = '1h';
      ALTER DATABASE "${database}" SET lock_timeout = '7s';
      ALTER ROLE "Shop ""1""" SET idle_session_timeout = '2h';
      ALTER ROLE marshal SET idle_in_transaction_session_timeout = '9s'`)
    const fresh = openCluster({ url: server.marshalUrl })
    await fresh.start()
    const settings = await fresh.settings()
    const of = (name: SettingName) => holding(settings, name, scope())
    expect(of('statement_timeout')).toEqual({ text: '1h', amount: 3600, setFor: 'server' })
    expect(of('lock_timeout')).toEqual({ text: '7s', amount: 7, setFor: 'database' })
    expect(of('idle_session_timeout')).toEqual({ text: '2h', amount: 7200, setFor: 'role' })
    // What the server itself has is hidden from a session that began with another value.
    expect(of('idle_in_transaction_session_timeout')).toBeNull()
    expect(holding(settings, 'lock_timeout', null)).toBeNull()
    expect(of('max_prepared_transactions')).toEqual({ text: '4', amount: 4, setFor: 'server' })
    await server.admin.query(`
      ALTER ROLE ALL RESET ALL; ALTER DATABASE "${database}" RESET ALL; ALTER ROLE marshal RESET ALL;
      ALTER ROLE "Shop ""1""" RESET ALL`)
  })
})
