import { type AddressInfo, createServer } from 'node:net'
import { startPostgres, type TemporaryPostgres } from 'temporary-postgres'
import { afterEach, expect, test } from 'vitest'
import { blockingForest } from '../../src/domain/locks/blocking.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import {
  openSession,
  startTestServer,
  type TestServer,
  type TestSession,
  waitFor,
} from '../support/postgres.ts'
import { guardFor } from '../support/proposals.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  await closeClusters()
  for (const end of ends.splice(0).reverse()) await end()
})

const testServer = async (settings = {}): Promise<TestServer> => {
  const server = await startTestServer({ settings })
  ends.push(server.stop)
  return server
}
const bareServer = async (settings = {}): Promise<TemporaryPostgres> => {
  const packageDir = process.env.PG_MARSHAL_TEST_POSTGRES
  const server = await startPostgres({ settings, ...(packageDir ? { packageDir } : {}) })
  ends.push(server.stop)
  return server
}
const isBack = (cluster: Cluster) => waitFor(() => cluster.failure() === null, 'the cluster is seen again')

/** Two sessions, of which one waits for the other; their names are `root` and `waiter`. */
async function block(server: TestServer): Promise<[TestSession, TestSession]> {
  const [root, waiter] = [await server.open('root'), await server.open('waiter')]
  await root.query('SELECT pg_advisory_lock(7)')
  void waiter.start('SELECT pg_advisory_lock(7)')
  await server.untilWaiting(waiter)
  return [root, waiter]
}

test('unreachable at the start, restarted, and its grants looked at again', async () => {
  const server = await bareServer({ max_prepared_transactions: 2 })
  const url = await server.createRole('marshal', ['pg_monitor'])
  await server.halt()
  const cluster = openCluster({ url })
  await cluster.start()
  expect(cluster.failure()).toMatchObject({ code: 'ECONNREFUSED', retryable: true })
  await expect(cluster.snapshot()).rejects.toMatchObject({ code: 'ECONNREFUSED' })

  await server.restart()
  await isBack(cluster)
  expect((await cluster.snapshot()).server.seesOthers).toBe(true)

  const session = await openSession('prepares', server.url)
  await session.query('CREATE TABLE t (v int)')
  await session.query('REVOKE pg_monitor FROM marshal')
  await session.query('BEGIN')
  await session.query('LOCK TABLE t')
  await session.query("PREPARE TRANSACTION 'survives'")
  await server.restart()
  await session.close()
  await waitFor(() => cluster.failure() !== null, 'it is noticed')
  await expect(cluster.look([1])).rejects.toMatchObject({ retryable: true })
  await isBack(cluster)
  expect((await cluster.snapshot()).server.seesOthers).toBe(false)

  // After a restart a prepared transaction has lost the virtual id that it was prepared under.
  const seeing = openCluster({ url: server.url })
  await seeing.start()
  const waiter = await openSession('waiter', server.url)
  const waits = waiter.start('SELECT * FROM t')
  await waitFor(async () => (await seeing.snapshot()).locks.kind === 'read', 'somebody waits')
  const { locks, sessions } = await seeing.snapshot()
  const forest = blockingForest(locks.kind === 'read' ? locks.table : expect.unreachable(), sessions)
  expect(forest.roots).toMatchObject([{ kind: 'preparedTransaction', prepared: { gid: 'survives' } }])
  const resolver = await openSession('resolver', server.url)
  await resolver.query("ROLLBACK PREPARED 'survives'")
  expect(await waits).toMatchObject({ rows: [] })
  await Promise.all([resolver.close(), waiter.close()])
})

test('a server that hangs: a deadline, one sentence, and back as soon as it answers', async () => {
  const server = await testServer()
  const cluster = openCluster({
    url: server.marshalUrl,
    deadlines: { activity: 300, connect: 500, locks: 300 },
  })
  await cluster.start()
  await cluster.snapshot()
  server.suspend()
  await expect(cluster.snapshot()).rejects.toMatchObject({ code: 'DEADLINE' })
  await expect(cluster.snapshot()).rejects.toMatchObject({ retryable: true })
  server.resume()
  await isBack(cluster)
  expect((await cluster.snapshot()).sessions.length).toBeGreaterThan(0)
  await server.until("SELECT count(*) = 2 FROM pg_stat_activity WHERE application_name = 'pg-marshal'")
})

test('a server that takes connections and never answers is reported after one deadline, not after two', async () => {
  let met = 0
  const silent = createServer(() => {
    met++
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  ends.push(async () => void silent.close())
  const { port } = silent.address() as AddressInfo
  const cluster = openCluster({ url: `postgres://a:b@127.0.0.1:${port}/x`, deadlines: { connect: 300 } })
  await cluster.start()
  expect(cluster.failure()).toMatchObject({ code: 'DEADLINE' })
  expect(met).toBe(1)
})

test('closing does not wait for a server that hangs', async () => {
  const server = await testServer()
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  server.suspend()
  const pending = cluster.snapshot().catch((error) => error)
  const connecting = openCluster({ url: server.marshalUrl })
  void connecting.start()
  await Promise.all([cluster.close(), connecting.close()])
  expect(await pending).toMatchObject({ name: 'ClusterError' })
  await expect(cluster.snapshot()).rejects.toMatchObject({ code: 'CLOSED' })
})

test('the lock table stalls: seen in the activity, with the last table; the late read is picked up', async () => {
  const server = await testServer()
  const cluster = openCluster({ url: server.marshalUrl, deadlines: { locks: 200 } })
  await cluster.start()
  const [root] = await block(server)
  const first = await cluster.snapshot()
  expect(first.locks.kind).toBe('read')

  const { rows } = await server.admin.query(
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'pg-marshal' AND query LIKE '%pg_locks%'",
  )
  const [{ pid }] = rows
  process.kill(pid, 'SIGSTOP')
  try {
    const late = await cluster.snapshot()
    expect(late.locks).toMatchObject({ kind: 'jammed', lastTakenAt: expect.any(Number) })
    expect(late.locks.kind === 'jammed' && late.locks.last?.groups.length).toBeGreaterThan(0)
    expect(late.sessions.some((session) => session.pid === root.pid)).toBe(true)
    expect((await cluster.snapshot()).locks).toMatchObject({ kind: 'jammed' })
    await expect(cluster.locksOf(root.pid)).rejects.toMatchObject({ code: 'DEADLINE' })
    const target = late.sessions.find((session) => session.applicationName === 'waiter')
    expect(await cluster.look([target?.pid ?? 0])).toHaveLength(1)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await waitFor(async () => (await cluster.snapshot()).locks.kind === 'read', 'the lock table is read again')
  await server.until("SELECT count(*) = 2 FROM pg_stat_activity WHERE application_name = 'pg-marshal'")
})

test('the connection for locks is lost: the activity is still seen, and the locks come back', async () => {
  const server = await testServer()
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  await block(server)
  await cluster.snapshot()
  await server.admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg-marshal' AND query LIKE '%pg_locks%'",
  )
  await waitFor(async () => (await cluster.snapshot()).ownConnections === 1, 'the loss is noticed')
  const { locks } = await cluster.snapshot()
  if (locks.kind === 'jammed') expect(locks.why).toMatch(/\.$/)
  expect(cluster.failure()).toBeNull()
  await waitFor(async () => (await cluster.snapshot()).locks.kind === 'read', 'the locks are back')
})

test('every slot is taken: an open connection still reads and signals, a new one fails with the reason', async () => {
  const server = await testServer({ max_connections: 12, superuser_reserved_connections: 2 })
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  const app = await server.createRole('app')
  const crowd: TestSession[] = []
  for (let full = false; !full; ) {
    await server.open('crowd', app).then(
      (session) => crowd.push(session),
      () => {
        full = true
      },
    )
  }
  const late = openCluster({ url: server.marshalUrl })
  await late.start()
  expect(late.failure()).toMatchObject({
    code: '53300',
    reason: expect.stringContaining('pg_use_reserved_connections'),
  })

  const { sessions, ownConnections } = await cluster.snapshot()
  expect(sessions.filter((session) => session.applicationName === 'crowd')).toHaveLength(crowd.length)
  expect(ownConnections).toBe(2)
  const victims = sessions.filter((session) => session.applicationName === 'crowd').slice(0, 2)
  for (const session of victims) {
    const guard = guardFor('terminate', session)
    expect(await cluster.signal(guard)).toMatchObject({ kind: 'sent', returned: true })
  }
  await isBack(late)
})
