import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { guardOf } from '../../src/domain/approvals/approvedState.ts'
import { fittingAction, objection } from '../../src/domain/session/allowedAction.ts'
import { type Session, sessionKeyOf } from '../../src/domain/session/session.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ settings: { autovacuum_naptime: '1s', autovacuum_max_workers: 1 } })
  // A worker that takes hours for its table.
  await server.admin.query(
    'CREATE TABLE bloated (n int, note text) WITH (autovacuum_vacuum_threshold = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)',
  )
  await server.admin.query(
    "INSERT INTO bloated SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n",
  )
  await server.admin.query('DELETE FROM bloated')
  // Before 15 a session tells what it did with a later statement.
  await server.until("SELECT n_dead_tup > 0 FROM pg_stat_user_tables WHERE relname = 'bloated'")
})
afterEach(() => closeClusters())
afterAll(() => server?.stop())

const started = async (url: string) => {
  const cluster = openCluster({ url, maskText: (text) => text })
  await cluster.start()
  return cluster
}
const workerSeenBy = async (cluster: Cluster): Promise<Session> => {
  const workers = async () => {
    const { sessions } = await cluster.snapshot()
    const withText = await cluster.withText(
      sessions.filter(({ backendType, state }) => backendType === 'autovacuum worker' && state === 'active'),
    )
    return withText.filter(({ query }) => query?.includes('bloated'))
  }
  let found: Session | undefined
  await waitFor(async () => {
    found = (await workers())[0]
    return found !== undefined
  }, 'a worker is at the table')
  if (!found) throw new Error('no worker')
  return found
}
const send = (cluster: Cluster, action: 'cancel' | 'terminate', session: Session) =>
  cluster.signal(
    guardOf({
      action,
      session,
      key: sessionKeyOf('orders', session),
      victims: [],
      requestedBy: 'U0DANA',
      signalBefore: '2999-01-01 00:00:00+00',
    }),
  )

it('is not touched by a role that may not signal it, and the server refuses it too', async () => {
  const cluster = await started(server.marshalUrl)
  const worker = await workerSeenBy(cluster)
  const snapshot = await cluster.snapshot()
  expect(snapshot.server.maySignalAutovacuum).toBe(false)
  expect(fittingAction(worker, snapshot.server, [])).toMatchObject({ action: null })
  await expect(send(cluster, 'cancel', worker)).rejects.toMatchObject({ code: '42501' })
})

it('is cancelled, and never terminated, where the role may signal it', async () => {
  // Before 18 only a superuser may.
  const hasRole = server.versionNum >= 180_000
  const url = hasRole
    ? await server.createRole('sweeper', ['pg_monitor', 'pg_signal_backend', 'pg_signal_autovacuum_worker'])
    : server.url
  const cluster = await started(url)
  const advised = (await cluster.missingPrivileges()).map(({ fix }) => fix)
  expect(advised.join()).not.toContain('pg_signal_autovacuum_worker')
  const worker = await workerSeenBy(cluster)
  const { server: facts } = await cluster.snapshot()
  expect(facts.maySignalAutovacuum).toBe(true)
  expect(fittingAction(worker, facts, [])).toMatchObject({
    action: 'cancel',
    why: expect.stringContaining('what it has cleaned up stays'),
  })
  expect(objection('cancel', worker, facts, [])).toBeNull()
  expect(objection('terminate', worker, facts, [])).toMatch(/^Terminate does no more/)
  // Not even where somebody decided it.
  expect(await send(cluster, 'terminate', worker)).toMatchObject({ kind: 'changed' })
  // Nor what it does by now.
  expect(await send(cluster, 'cancel', { ...worker, queryStart: '2026-01-01 00:00:00+00' })).toMatchObject({
    kind: 'changed',
  })
  expect(await send(cluster, 'cancel', worker)).toMatchObject({ kind: 'sent', returned: true })
  await waitFor(async () => {
    const [now] = await cluster.look([worker.pid])
    return now?.backendStart !== worker.backendStart || now.queryStart !== worker.queryStart
  }, 'its statement is over')
})
