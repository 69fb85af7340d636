import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
  await server.admin.query(
    'CREATE TABLE stock (id int PRIMARY KEY, n int); INSERT INTO stock VALUES (1, 0), (2, 0)',
  )
})
afterEach(closeClusters)
afterAll(() => server.stop())

const take = 'UPDATE stock SET n = n + 1 WHERE id = 1'

async function waitOf(cluster: Cluster, pid: number) {
  const picture = pictureOf(await cluster.snapshot())
  return { wait: picture.forest.waits.get(pid), root: picture.forest.roots[0], snapshot: picture.snapshot }
}

it('counts a wait for a hot row from its begin, over all who had the row, also after a restart of the bot', async () => {
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  const [first, second, last] = [
    await server.open('first'),
    await server.open('second'),
    await server.open('last'),
  ]
  for (const one of [first, second, last]) await one.query('BEGIN')
  await first.query(take)
  const ofSecond = second.start(take)
  await server.untilWaiting(second)
  const ofLast = last.start(take)
  await server.untilWaiting(last)
  const begun = performance.now()
  const before = await waitOf(cluster, last.pid)
  expect(before.wait?.sinceHandOver).toBeUndefined()
  await waitFor(async () => performance.now() - begun > 1_500, 'a second and a half')

  await first.query('COMMIT')
  // Who wins the race for the row is in no view, and not always the one that waited first.
  const holder = await Promise.race([ofSecond.then(() => second), ofLast.then(() => last)])
  const [waiter, waited] = holder === second ? [last, ofLast] : [second, ofSecond]
  await waitFor(
    async () => (await waitOf(cluster, waiter.pid)).root?.pid === holder.pid,
    'another one has the row',
  )
  const after = await waitOf(cluster, waiter.pid)
  expect(after.wait?.seconds).toBeGreaterThan(1.5)
  expect(after.wait?.sinceHandOver).toBeLessThan(1.5)
  expect(after.root?.oldestWaitSeconds).toBeGreaterThan(1.5)

  // Another process knows what the record says, and nothing without.
  const another = openCluster({ url: server.marshalUrl })
  await another.start()
  expect((await waitOf(another, waiter.pid)).wait?.sinceHandOver).toBeUndefined()
  another.recall(after.snapshot)
  const recalled = await waitOf(another, waiter.pid)
  expect(recalled.wait?.seconds).toBeGreaterThanOrEqual(after.wait?.seconds ?? Number.POSITIVE_INFINITY)

  // The next statement of the same transaction is another wait.
  await holder.query('COMMIT')
  await waited
  await first.query('BEGIN; UPDATE stock SET n = 0 WHERE id = 2')
  const other = waiter.start('UPDATE stock SET n = 1 WHERE id = 2')
  await server.untilWaiting(waiter)
  const fresh = await waitOf(cluster, waiter.pid)
  expect(fresh.wait?.sinceHandOver).toBeUndefined()
  expect(fresh.wait?.seconds).toBeLessThan(1.5)
  await first.query('ROLLBACK')
  await other
  await server.closeAll()
})
