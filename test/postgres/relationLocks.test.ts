import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { blockingForest, noForest } from '../../src/domain/locks/blocking.ts'
import { lockedTargets } from '../../src/domain/locks/list.ts'
import { readRelationName } from '../../src/domain/text/identifier.ts'
import type { Cluster, RelationLocks } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer({ settings: { max_prepared_transactions: 5, deadlock_timeout: '10min' } })
  await server.admin.query(`
    CREATE TABLE orders (id int PRIMARY KEY, note text);
    CREATE SCHEMA "Odd";
    CREATE TABLE "Odd"."Order Items" (id int);
    CREATE TABLE "Odd".orders (id int);
    CREATE TABLE events (at int) PARTITION BY RANGE (at);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (10) PARTITION BY RANGE (at);
    CREATE TABLE events_1_a PARTITION OF events_1 FOR VALUES FROM (1) TO (5)`)
})
afterEach(async () => {
  await closeClusters()
  await server.closeAll()
})
afterAll(() => server?.stop())

const started = async (): Promise<Cluster> => {
  const cluster = openCluster({ url: server.marshalUrl, deadlines: { locks: 10_000 } })
  await cluster.start()
  return cluster
}
const locksOn = async (cluster: Cluster, typed: string) => {
  const name = readRelationName(typed)
  if (!name) throw new Error(`no name: ${typed}`)
  return cluster.locksOn(name)
}
const found = <T extends RelationLocks>(locks: T) => {
  if (locks.kind !== 'found') throw new Error('not found')
  return locks as T & { kind: 'found' }
}
const names = (locks: RelationLocks) => found(locks).relations.map(({ name }) => name)
const fewest = (locks: RelationLocks) =>
  lockedTargets(found(locks).locks, [], noForest).map(({ relationName, holders, waiters }) => ({
    relationName,
    holders: holders.map(({ pid, modes }) => [pid, ...modes]),
    waiters: waiters.map(({ pid, modes }) => [pid, ...modes]),
  }))

test('everybody who locks a relation: fast-path locks too, several modes as one, and who waits', async () => {
  const cluster = await started()
  const reader = await server.open('reader')
  await reader.query('BEGIN; SELECT * FROM orders')
  expect(fewest(await locksOn(cluster, 'public.orders'))).toEqual([
    { relationName: 'orders', holders: [[reader.pid, 'AccessShareLock']], waiters: [] },
  ])
  await reader.query('LOCK TABLE orders IN ROW EXCLUSIVE MODE')
  const migration = await server.open('migration')
  void migration.start('ALTER TABLE orders ADD COLUMN extra int')
  await server.untilWaiting(migration)
  const locks = await locksOn(cluster, 'public.orders')
  expect(fewest(locks)).toEqual([
    {
      relationName: 'orders',
      holders: [[reader.pid, 'RowExclusiveLock', 'AccessShareLock']],
      waiters: [[migration.pid, 'AccessExclusiveLock']],
    },
  ])
  const { sessions } = await cluster.snapshot()
  const [target] = lockedTargets(found(locks).locks, sessions, noForest)
  expect(target?.waiters[0]?.seconds).toBeGreaterThanOrEqual(0)
  expect(target?.holders[0]?.seconds).toBeGreaterThan(target?.waiters[0]?.seconds ?? 0)
  expect(found(locks).database).toBe('postgres')
})

test('names as PostgreSQL reads them: in every schema, in one, quoted; and it never waits for the relation', async () => {
  const cluster = await started()
  const locker = await server.open('locker')
  await locker.query('BEGIN; LOCK TABLE "Odd"."Order Items", "Odd".orders, orders')
  expect(names(await locksOn(cluster, 'Orders'))).toEqual(['orders', '"Odd".orders'])
  expect(names(await locksOn(cluster, '"Odd".orders'))).toEqual(['"Odd".orders'])
  expect(names(await locksOn(cluster, '“Odd”.“Order Items”'))).toEqual(['"Odd"."Order Items"'])
  expect(fewest(await locksOn(cluster, '"Order Items"'))).toEqual([
    {
      relationName: '"Odd"."Order Items"',
      holders: [[locker.pid, 'AccessExclusiveLock']],
      waiters: [],
    },
  ])
  expect(names(await locksOn(cluster, 'pg_catalog.pg_class'))).toEqual(['pg_catalog.pg_class'])
})

test('partitions of partitions are found with the whole, and a part says what it belongs to', async () => {
  const cluster = await started()
  const writer = await server.open('writer')
  await writer.query('BEGIN; INSERT INTO events VALUES (2)')
  const whole = await locksOn(cluster, 'events')
  expect(found(whole).relations.map(({ name, isAsked, parent }) => [name, isAsked, parent])).toEqual([
    ['events', true, null],
    ['events_1', false, 'events'],
    ['events_1_a', false, 'events_1'],
  ])
  expect(fewest(whole).map(({ relationName }) => relationName)).toContain('events_1_a')
  expect(found(await locksOn(cluster, 'events_1_a')).relations).toMatchObject([{ parent: 'events_1' }])
})

test('a prepared transaction holds locks under its own name', async () => {
  const cluster = await started()
  const session = await server.open('two-phase')
  await session.query("BEGIN; LOCK TABLE orders IN SHARE MODE; PREPARE TRANSACTION 'left behind'")
  try {
    const locks = found(await locksOn(cluster, 'public.orders')).locks
    const [target] = lockedTargets(locks, [], noForest)
    expect(target?.holders).toMatchObject([
      { pid: 0, modes: ['ShareLock'], prepared: { gid: 'left behind' } },
    ])
  } finally {
    await server.admin.query("ROLLBACK PREPARED 'left behind'")
  }
})

test('a name that nothing has: what there is instead, without the system and without partitions', async () => {
  const cluster = await started()
  const unknown = await locksOn(cluster, 'ordrs')
  if (unknown.kind !== 'unknown') throw new Error('it was found')
  expect(unknown.database).toBe('postgres')
  expect(unknown.known).toEqual([
    { schema: 'public', name: 'events' },
    { schema: 'public', name: 'orders' },
    { schema: 'Odd', name: 'Order Items' },
    { schema: 'Odd', name: 'orders' },
  ])
})

test('the holder of a row and who waits for it are found in the lock table by the name of the relation', async () => {
  const cluster = await started()
  await server.admin.query("INSERT INTO orders VALUES (1, 'one') ON CONFLICT DO NOTHING")
  const holder = await server.open('holder')
  await holder.query("BEGIN; UPDATE orders SET note = 'mine' WHERE id = 1")
  const waiter = await server.open('waiter')
  void waiter.start("UPDATE orders SET note = 'yours' WHERE id = 1")
  await server.untilWaiting(waiter)
  const { locks, sessions } = await cluster.snapshot()
  if (locks.kind !== 'read') throw new Error('not read')
  const targets = lockedTargets(locks.table, sessions, blockingForest(locks.table, sessions))
  expect(targets[0]).toMatchObject({
    target: { locktype: 'transactionid' },
    relationName: 'orders',
    holders: [{ pid: holder.pid }],
    waiters: [{ pid: waiter.pid }],
  })
})
