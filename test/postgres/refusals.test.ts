import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { clusterErrorOf } from '../../src/postgres/errors.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

/** One SQLSTATE, several causes: each is made on a real server, and the sentence must name it. */

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ settings: { max_connections: 30 } })
  const { admin } = server
  for (const statement of [
    "CREATE ROLE limited LOGIN PASSWORD 'secret' CONNECTION LIMIT 1",
    "CREATE ROLE group_only PASSWORD 'secret'",
    "CREATE ROLE plain LOGIN PASSWORD 'secret'",
    "CREATE ROLE expired LOGIN PASSWORD 'secret' VALID UNTIL '2001-01-01'",
    "CREATE ROLE rejected LOGIN PASSWORD 'secret'",
    'CREATE DATABASE small CONNECTION LIMIT 1',
    'CREATE DATABASE shut ALLOW_CONNECTIONS false',
    'CREATE DATABASE private',
    'REVOKE CONNECT ON DATABASE private FROM PUBLIC',
    'CREATE DATABASE half_dropped',
    "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half_dropped'",
  ])
    await admin.query(statement)
  const { rows } = await admin.query("SELECT current_setting('hba_file') AS file")
  const lines = await readFile(rows[0].file, 'utf8')
  await writeFile(
    rows[0].file,
    `host all rejected all reject\nhost all trusted all trust\nhost all asked all password\n${lines}`,
  )
  await admin.query('SELECT pg_reload_conf()')
  await server.until("SELECT count(*) > 0 FROM pg_hba_file_rules WHERE auth_method = 'reject'")
})
afterEach(closeClusters)
afterAll(() => server.stop())

const at = (user: string, database = 'postgres', rest = '') =>
  `${server.urlFor(user, 'secret', database)}${rest}`

test.each([
  ['the password is another', 'plain', 'postgres', '28P01', /check user and password/],
  ['the password is no longer valid', 'expired', 'postgres', '28P01', /VALID UNTIL/],
  ['the role may not log in', 'group_only', 'postgres', '28000', /LOGIN/],
  ['pg_hba.conf rejects', 'rejected', 'postgres', '28000', /^pg_hba\.conf has no line/],
  ['there is no such role, and no password is asked for', 'trusted', 'postgres', '28000', /no such role/],
  ['there is no such database', 'plain', 'nowhere', '3D000', /no such database/],
  ['the database lets nobody in', 'plain', 'shut', '55000', /ALLOW_CONNECTIONS/],
  ['the database was dropped by half', 'plain', 'half_dropped', '55000', /DROP DATABASE was interrupted/],
  ['the role may not connect to it', 'plain', 'private', '42501', /GRANT CONNECT/],
  ['the password is asked for in clear', 'asked', 'postgres', 'LOGIN_NOT_ALLOWED', /require_auth/],
])('%s', async (what, user, database, code, reason) => {
  const url = what === 'the password is another' ? server.urlFor(user, 'wrong', database) : at(user, database)
  const cluster = openCluster({ url })
  await cluster.start()
  expect(cluster.failure()).toMatchObject({ code, reason: expect.stringMatching(reason) })
})

test.each([
  ['foo=1', '42704', /options in the url/],
  ['work_mem=abc', '22023', /options in the url/],
  ['log_statement=all', '42501', /options in the url/],
])('the url sets %s', async (setting, code, reason) => {
  const cluster = openCluster({
    url: at('plain', 'postgres', `?options=-c%20${encodeURIComponent(setting)}`),
  })
  await cluster.start()
  expect(cluster.failure()).toMatchObject({ code, reason: expect.stringMatching(reason) })
})

test.each([
  ['the role', 'limited', 'postgres', /^The role of the bot.*CONNECTION LIMIT/],
  ['the database', 'plain', 'small', /^The database in the url.*CONNECTION LIMIT/],
])('%s has its limit of connections, and the server has room', async (_, user, database, reason) => {
  const holder = await server.open('holder', at(user, database))
  const cluster = openCluster({ url: at(user, database) })
  await cluster.start()
  const failure = cluster.failure()
  expect(failure).toMatchObject({ code: '53300', isServerFull: false, retryable: true })
  expect(failure?.reason).toMatch(reason)
  expect(failure?.reason).not.toContain('max_connections')
  await holder.close()
  await waitFor(() => cluster.failure() === null, 'it is seen when the limit allows it')
})

test('no slot is left', async () => {
  const crowd = []
  let refused: unknown = null
  while (refused === null)
    await server.open('crowd', at('plain')).then(
      (session) => crowd.push(session),
      (error) => {
        refused = error
      },
    )
  expect(clusterErrorOf(refused)).toMatchObject({ code: '53300', isServerFull: true })
  // The slots that are kept back go too.
  refused = null
  while (refused === null)
    await server.open('crowd').catch((error) => {
      refused = error
    })
  expect(clusterErrorOf(refused)).toMatchObject({ code: '53300', isServerFull: true })
  await server.closeAll()
})

test("a superuser's session, and the limits of our own queries", async () => {
  const mine = await server.open('mine', server.marshalUrl)
  const errorOf = (sql: string, values?: unknown[]) =>
    mine.query(sql, values).then(
      () => null,
      (error) => clusterErrorOf(error),
    )
  const { rows } = await server.admin.query('SELECT pg_backend_pid() AS pid')
  for (const name of ['pg_terminate_backend', 'pg_cancel_backend'])
    expect(await errorOf(`SELECT ${name}($1)`, [rows[0].pid])).toMatchObject({
      code: '42501',
      reason: expect.stringMatching(/superuser/),
    })
  expect(await errorOf('SELECT FROM pg_authid')).toMatchObject({
    code: '42501',
    reason: expect.not.stringMatching(/superuser/),
  })
  await mine.query("SET statement_timeout = '20ms'")
  expect(await errorOf('SELECT pg_sleep(5)')).toMatchObject({
    code: '57014',
    reason: expect.stringMatching(/statement_timeout allows, or somebody cancelled/),
  })
  const locks = await server.open('locks')
  const full = await locks.start('SELECT pg_advisory_lock(n) FROM generate_series(1, 200000) AS n')
  expect(clusterErrorOf(full)).toMatchObject({
    code: '53200',
    reason: expect.stringMatching(/max_locks_per_transaction/),
  })
  await locks.close()
})

test('nothing of the message gets out, and what is not known is no fault of ours', () => {
  const error = clusterErrorOf({ code: '99999', routine: 'constructor', message: 'hunter2' })
  expect(error.reason).toBe('The server could not be asked (99999).')
  expect(clusterErrorOf({ code: '53300', routine: 'constructor' })).toMatchObject({ isServerFull: false })
  expect(clusterErrorOf({ code: 'ERR_SSL_WRONG_VERSION_NUMBER' }).reason).toMatch(/^No encrypted connection/)
  expect(clusterErrorOf({ code: 'ERR_OSSL_PEM_NO_START_LINE' }).reason).toMatch(/PEM/)
  expect(clusterErrorOf({ code: '08006' }).reason).toMatch(/^The connection failed/)
})
