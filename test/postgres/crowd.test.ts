import { afterAll, beforeAll, expect, test } from 'vitest'
import { blockingForest } from '../../src/domain/locks/blocking.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'

/** A thousand sessions on one row. The bounds are far above what is measured, and far below what quadratic would be. */
const crowd = 1_000
let server: TestServer
let cluster: Cluster
let waiters: TestSession[]

beforeAll(async () => {
  server = await startTestServer({ settings: { max_connections: crowd + 20, deadlock_timeout: '10min' } })
  await server.admin.query('CREATE TABLE hot (id int PRIMARY KEY, v int); INSERT INTO hot VALUES (1, 0)')
  cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  waiters = []
  while (waiters.length < crowd) {
    const batch = Array.from({ length: 50 }, (_, index) => server.open(`waiter-${waiters.length + index}`))
    waiters.push(...(await Promise.all(batch)))
  }
}, 120_000)
afterAll(async () => {
  await closeClusters()
  await server?.stop()
})

test('a thousand sessions wait for one row: one root, all victims, in one look', async () => {
  const [root, ...others] = waiters
  if (!root) throw new Error('no sessions')
  await root.query('BEGIN')
  await root.query('UPDATE hot SET v = 1')
  for (const session of others) void session.start('UPDATE hot SET v = 2')
  await server.untilWaiting(...others)

  await cluster.snapshot()
  const started = performance.now()
  const { sessions, locks } = await cluster.snapshot()
  if (locks.kind !== 'read') throw new Error(locks.kind)
  const forest = blockingForest(locks.table, sessions)
  const took = performance.now() - started

  expect(forest.roots).toMatchObject([{ pid: root.pid, wait: { relationName: 'hot' } }])
  expect(new Set(forest.roots[0]?.victims)).toEqual(new Set(others.map(({ pid }) => pid)))
  expect(took).toBeLessThan(3_000)
  expect((await cluster.withText(sessions)).filter(({ query }) => query === null).length).toBeLessThan(
    sessions.length - crowd + 1,
  )

  // They came at once, and the server stamps `waitstart` only after it has queued them: neighbours may be swapped.
  // The first of them holds the row's own lock and waits for the root alone; the others wait for it, and for some.
  const first = forest.roots[0]?.wait.pid ?? 0
  expect(forest.blockedBy(first)).toEqual([root.pid])
  for (const { pid } of others) if (pid !== first) expect(forest.blockedBy(pid)).toContain(first)
  const lengths = others.map(({ pid }) => forest.blockedBy(pid).length).sort((a, b) => a - b)
  expect(lengths).toEqual([1, ...others.slice(1).map((_, index) => index + 1)])
})
