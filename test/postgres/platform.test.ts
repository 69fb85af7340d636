import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { fittingAction } from '../../src/domain/session/allowedAction.ts'
import { finisherOn, tellingRoles } from '../../src/domain/session/platform.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { guardFor } from '../support/proposals.ts'

/** A server of our own, dressed as a managed one: with its roles, and a master user who is no superuser. */
let server: TestServer
const master = () => server.urlFor('master', 'm')

beforeAll(async () => {
  server = await startTestServer({ settings: { max_prepared_transactions: 5 } })
  await server.admin.query(`
    CREATE ROLE rds_superuser;
    GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION;
    CREATE ROLE rdsadmin LOGIN SUPERUSER PASSWORD 'r';
    CREATE ROLE shop LOGIN PASSWORD 's';
    CREATE ROLE master LOGIN CREATEROLE PASSWORD 'm' IN ROLE rds_superuser, shop;
    CREATE TABLE orders (id int);
    GRANT ALL ON orders TO shop`)
})
afterEach(async () => {
  await closeClusters()
  await server.closeAll()
})
afterAll(() => server?.stop())

const started = async (url = server.marshalUrl) => {
  const cluster = openCluster({ url })
  await cluster.start()
  return cluster
}

test('on RDS the shown grants work as the master user, and no fix asks for ALTER SYSTEM', async () => {
  const cluster = await started(await server.createRole('weak'))
  const fixes = (await cluster.missingPrivileges()).map(({ fix }) => fix)
  expect(fixes.slice(0, 2)).toEqual([
    'GRANT pg_monitor TO "weak"; -- as the master user (a member of rds_superuser)',
    'GRANT pg_signal_backend TO "weak"; -- as the master user (a member of rds_superuser)',
  ])
  expect(fixes.join()).not.toContain('ALTER SYSTEM')
  const admin = await server.open('master', master())
  for (const fix of fixes.slice(0, 2)) await admin.query(fix)
  expect((await cluster.missingPrivileges()).filter(({ needed }) => needed)).toEqual([])
  expect((await cluster.snapshot()).server).toMatchObject({ platform: 'rds', seesOthers: true })
})

test('sessions of rdsadmin are the provider’s, and the server indeed refuses', async () => {
  const cluster = await started()
  const theirs = await server.open('monitoring', server.urlFor('rdsadmin', 'r'))
  await theirs.query('BEGIN')
  const snapshot = await cluster.snapshot()
  const session = snapshot.sessions.find(({ pid }) => pid === theirs.pid)
  if (!session) throw new Error('rdsadmin is not seen')
  expect(fittingAction(session, snapshot.server, [])).toEqual({
    action: null,
    why: 'It belongs to rdsadmin, with which Amazon RDS itself works on the server: nobody but the provider ends it.',
  })
  const guard = guardFor('terminate', session)
  await expect(cluster.signal(guard)).rejects.toMatchObject({ code: '42501' })
})

test('the owner of a prepared transaction can end it, also by SET ROLE, as the card says; another role cannot', async () => {
  expect(finisherOn('rds', 'shop')).toBe('shop (by login or SET ROLE; Amazon RDS makes nobody a superuser)')
  const shop = await server.open('shop', server.urlFor('shop', 's'))
  await shop.query("BEGIN; INSERT INTO orders VALUES (1); PREPARE TRANSACTION 'payment-77'")
  const admin = await server.open('master', master())
  await expect(admin.query("ROLLBACK PREPARED 'payment-77'")).rejects.toMatchObject({ code: '42501' })
  await admin.query('SET ROLE shop')
  await admin.query("ROLLBACK PREPARED 'payment-77'")
})

test('each platform is known by its roles; Aurora by its function; none means a server of one’s own', async () => {
  const { admin } = server
  const cluster = await started()
  const platform = async () => {
    // It looks at the facts again.
    await cluster.missingPrivileges()
    return (await cluster.snapshot()).server.platform
  }
  await admin.query("CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS $$ SELECT '16.4.0' $$")
  expect(await platform()).toBe('aurora')
  await admin.query('ALTER ROLE rds_superuser RENAME TO nobody_special')
  expect(await platform()).toBe('own')
  for (const role of tellingRoles.slice(1)) {
    await admin.query(`CREATE ROLE ${role}`)
    const known = await platform()
    expect(known === 'own' || known === 'rds' || known === 'aurora', `${role}: ${known}`).toBe(
      role === 'rds_superuser',
    )
    await admin.query(`DROP ROLE ${role}`)
  }
  await admin.query('ALTER ROLE nobody_special RENAME TO rds_superuser')
})

test.each([
  ['-1', null],
  ['0', 0],
  ['500ms', 0.5],
  ['30s', 30],
  ['5min', 300],
  ['2h', 7_200],
  ['1d', 86_400],
])('max_standby_streaming_delay = %s', async (value, seconds) => {
  await server.admin.query(`ALTER SYSTEM SET max_standby_streaming_delay = '${value}'`)
  await server.admin.query('SELECT pg_reload_conf()')
  const cluster = await started()
  // The setting reaches a backend with its next command after the signal.
  await server.until("SELECT setting = $1 FROM pg_settings WHERE name = 'max_standby_streaming_delay'", [
    String(seconds === null ? -1 : seconds * 1000),
  ])
  await cluster.missingPrivileges()
  expect((await cluster.snapshot()).server.standbyDelaySeconds).toBe(seconds)
})
