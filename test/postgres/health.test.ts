import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { DeadlockReport, Health } from '../../src/domain/session/health.ts'
import { createMasker } from '../../src/domain/text/mask.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

let server: TestServer
/** The format of the log that this version has. */
let format: 'jsonlog' | 'csvlog'

beforeAll(async () => {
  server = await startTestServer({
    settings: {
      max_prepared_transactions: 5,
      wal_level: 'logical',
      deadlock_timeout: '50ms',
      logging_collector: true,
      autovacuum: false,
    },
  })
  format = server.versionNum >= 150000 ? 'jsonlog' : 'csvlog'
  await server.admin.query('CREATE TABLE orders (id int PRIMARY KEY, note text)')
  await server.admin.query("INSERT INTO orders VALUES (1, 'one'), (2, 'two')")
})
afterEach(async () => {
  await closeClusters()
  await server.closeAll()
})
afterAll(() => server?.stop())

const started = async (url = server.marshalUrl): Promise<Cluster> => {
  const cluster = openCluster({ url, maskText: createMasker('masked') })
  await cluster.start()
  return cluster
}

/** Begins transactions, so that what is old has an age. */
const spend = async (transactions: number) => {
  for (let n = 0; n < transactions; n++) await server.admin.query('SELECT pg_current_xact_id()')
}

const setLog = async (destination: string) => {
  await server.admin.query(`ALTER SYSTEM SET log_destination = '${destination}'`)
  await server.admin.query('SELECT pg_reload_conf()')
  await server.until(`SELECT current_setting('log_destination') = '${destination}'`)
}

test('a calm server: nothing is held, and what there is has an age', async () => {
  const cluster = await started()
  expect((await cluster.snapshot()).health).toBeNull()
  const health = await cluster.health()
  expect(health).toMatchObject({
    prepared: [],
    slots: [],
    deadlocks: [],
    freezeMaxAge: 200_000_000,
    deadlockTimeoutSeconds: 0.05,
    serverLog: 'noFormat',
  })
  expect(health.databases.map(({ name }) => name).sort()).toEqual(['postgres', 'template0', 'template1'])
  for (const { xidAge, multixactAge } of health.databases) {
    expect(xidAge).toBeGreaterThan(0)
    expect(xidAge).toBeLessThan(100_000)
    expect(multixactAge).toBeLessThan(1_000)
  }
  expect((await cluster.snapshot()).health).toBe(health)
})

test('looks at the same time are one look', async () => {
  const cluster = await started()
  const [one, other] = await Promise.all([cluster.health(), cluster.health()])
  expect(one).toBe(other)
})

test('a prepared transaction that blocks nobody, with what it holds back', async () => {
  const session = await server.open('payments')
  await session.query('BEGIN')
  await session.query("UPDATE orders SET note = 'p' WHERE id = 2")
  await session.query("PREPARE TRANSACTION 'pay''ment'")
  await spend(20)
  try {
    const { prepared, vacuumHolders } = await (await started()).health()
    expect(prepared).toMatchObject([{ gid: "pay'ment", owner: 'postgres', database: 'postgres' }])
    const [holder] = vacuumHolders
    expect(holder).toMatchObject({ kind: 'prepared', name: "pay'ment", database: 'postgres', pid: null })
    expect(holder?.age).toBeGreaterThanOrEqual(20)
  } finally {
    await server.admin.query("ROLLBACK PREPARED 'pay''ment'")
  }
})

test('sessions that hold vacuum back: by a snapshot, by a transaction, but not a vacuum', async () => {
  const [reader, writer, calm] = [
    await server.open('reader'),
    await server.open('writer'),
    await server.open('calm'),
  ]
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await reader.query('SELECT * FROM orders')
  await spend(5)
  await writer.query('BEGIN')
  await writer.query("UPDATE orders SET note = 'w' WHERE id = 1")
  await calm.query('BEGIN')
  await calm.query('SELECT 1')
  const vacuum = await server.open('vacuum')
  await vacuum.query("SET vacuum_cost_delay = '100ms'")
  await vacuum.query('SET vacuum_cost_limit = 1')
  void vacuum.start('VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) pg_catalog.pg_proc')
  await server.until('SELECT count(*) = 1 FROM pg_stat_progress_vacuum')
  await spend(5)

  const cluster = await started()
  const { vacuumHolders } = await cluster.health()
  const { sessions } = await cluster.snapshot()
  expect(vacuumHolders.map(({ name }) => name)).toEqual(['reader', 'writer'])
  const [first, second] = vacuumHolders
  expect(first?.age).toBeGreaterThanOrEqual(11)
  expect(second?.age).toBeGreaterThanOrEqual(5)
  for (const { pid, backendStart, xactStart } of vacuumHolders)
    expect(sessions).toContainEqual(expect.objectContaining({ pid, backendStart, xactStart }))
})

test('who waits behind the oldest transaction is as old as it, and not to blame', async () => {
  const [web, batch, payments] = [
    await server.open('web'),
    await server.open('batch'),
    await server.open('payments'),
  ]
  const changing = (id: number) => `UPDATE orders SET note = 'x' WHERE id = ${id}`
  await batch.query(`BEGIN; ${changing(1)}`)
  const first = web.start(changing(1))
  await server.untilWaiting(web)
  const cluster = await started()
  expect((await cluster.health()).vacuumHolders).toMatchObject([{ name: 'batch' }, { name: 'web' }])
  await batch.query('ROLLBACK')
  // Until it is over, `web` still has the older transaction, and is seen to wait.
  await first

  await payments.query(`BEGIN; ${changing(2)}; PREPARE TRANSACTION 'payment-9'`)
  try {
    void web.start(changing(2))
    await server.untilWaiting(web)
    expect((await cluster.health()).vacuumHolders).toMatchObject([{ name: 'payment-9' }, { name: 'web' }])
  } finally {
    await server.admin.query("ROLLBACK PREPARED 'payment-9'")
  }
})

test('a walsender that copies tables for a subscriber is no standby', async () => {
  const url = new URL(server.url)
  url.searchParams.set('replication', 'database')
  const copy = await server.open('pg_1_sync_2', url.href)
  await copy.query('BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ')
  await copy.query('CREATE_REPLICATION_SLOT copying TEMPORARY LOGICAL pgoutput USE_SNAPSHOT')
  await copy.query('SELECT count(*) FROM orders')
  await spend(3)
  const { vacuumHolders } = await (await started()).health()
  expect(vacuumHolders.filter(({ pid }) => pid === copy.pid)).toMatchObject([
    { kind: 'session', name: 'pg_1_sync_2', database: 'postgres' },
  ])
})

test('a slot that keeps WAL, and a logical one that keeps rows of the catalogs', async () => {
  await server.admin.query("SELECT pg_create_physical_replication_slot('standby_2', true)")
  await server.admin.query("SELECT pg_create_logical_replication_slot('warehouse', 'pgoutput')")
  try {
    await server.admin.query('CREATE TABLE filler AS SELECT repeat($1, 1000) FROM generate_series(1, 2000)', [
      'x',
    ])
    await spend(3)
    const { slots, vacuumHolders } = await (await started()).health()
    expect(slots.map(({ name }) => name).sort()).toEqual(['standby_2', 'warehouse'])
    for (const slot of slots) {
      expect(slot).toMatchObject({ active: false, walStatus: 'reserved', safeBytes: null })
      expect(slot.retainedBytes).toBeGreaterThan(500_000)
      if (server.versionNum >= 170000) expect(slot.inactiveSeconds).toBeGreaterThanOrEqual(0)
      else expect(slot.inactiveSeconds).toBeNull()
    }
    expect(vacuumHolders).toMatchObject([{ kind: 'slot', name: 'warehouse', catalogsOnly: true }])
    // However many sessions there are.
    const readers = await Promise.all(Array.from({ length: 11 }, (_, n) => server.open(`reader-${n}`)))
    for (const reader of readers) {
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
      await reader.query('SELECT * FROM orders')
    }
    const many = (await (await started()).health()).vacuumHolders
    expect(many.map(({ kind }) => kind)).toEqual([...Array(10).fill('session'), 'slot'])
  } finally {
    await server.admin.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots')
    await server.admin.query('DROP TABLE IF EXISTS filler')
  }
})

test('a slot that the server gave up holds nothing back, though it shows an xmin', async () => {
  await server.admin.query("SELECT pg_create_logical_replication_slot('given_up', 'pgoutput')")
  await server.admin.query("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
  await server.admin.query('SELECT pg_reload_conf()')
  try {
    for (let n = 0; n < 3; n++) {
      await server.admin.query('SELECT pg_switch_wal()')
      await spend(1)
    }
    await server.admin.query('CHECKPOINT')
    await server.until(
      "SELECT wal_status = 'lost' AND catalog_xmin IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'given_up'",
    )
    const { slots, vacuumHolders } = await (await started()).health()
    expect(slots).toMatchObject([{ name: 'given_up', walStatus: 'lost', retainedBytes: 0 }])
    expect(vacuumHolders).toEqual([])
  } finally {
    await server.admin.query("SELECT pg_drop_replication_slot('given_up')")
    await server.admin.query('ALTER SYSTEM RESET max_slot_wal_keep_size')
    await server.admin.query('SELECT pg_reload_conf()')
  }
})

/** Two sessions that take the same rows in opposite order, again and again until the server breaks a deadlock. */
const deadlock = async () => {
  const { rows } = await server.admin.query('SELECT sum(deadlocks) AS before FROM pg_stat_database')
  const [a, b] = [await server.open('transfer-a'), await server.open('transfer-b')]
  await a.query('BEGIN')
  await b.query('BEGIN')
  await a.query("UPDATE orders SET note = 'secret a1' WHERE id = 1")
  await b.query("UPDATE orders SET note = 'secret b2' WHERE id = 2")
  const [one, other] = await Promise.all([
    a.start("UPDATE orders SET note = 'secret a2' WHERE id = 2").then(async (result) => {
      if (!(result instanceof Error)) await a.query('ROLLBACK')
      return result
    }),
    b.start("UPDATE orders SET note = 'secret b1' WHERE id = 1").then(async (result) => {
      if (!(result instanceof Error)) await b.query('ROLLBACK')
      return result
    }),
  ])
  const victim = one instanceof Error ? a : b
  expect([one, other].filter((result) => result instanceof Error)).toMatchObject([{ code: '40P01' }])
  await a.close()
  await b.close()
  await server.until('SELECT sum(deadlocks) > $1 FROM pg_stat_database', [rows[0].before])
  return { victim, pids: [a.pid, b.pid].sort((x, y) => x - y) }
}

/** The server counts a deadlock when the session that lost it tells its statistics: when it ends at the latest. */
const untilRisen = async (cluster: Cluster): Promise<Health> => {
  let health: Health | undefined
  await waitFor(async () => {
    health = await cluster.health()
    return health.deadlocks.length > 0
  }, 'the count rises')
  if (!health) throw new Error('no look')
  return health
}

test('a deadlock: the counter rises, and the log cannot be read yet', async () => {
  await setLog(format)
  const cluster = await started()
  const before = await cluster.health()
  expect(before).toMatchObject({ deadlocks: [], serverLog: 'notGranted' })
  await deadlock()
  const health = await untilRisen(cluster)
  expect(health.deadlocks).toMatchObject([
    { database: 'postgres', count: 1, lastAt: health.takenAt, reports: [] },
  ])
  // It stands until it was quiet for a while, and is not counted twice.
  expect((await cluster.health()).deadlocks).toEqual(health.deadlocks)
  await deadlock()
  await waitFor(async () => (await cluster.health()).deadlocks[0]?.count === 2, 'the second one')
  // Who resets the counters of one table moves the time of the reset, but no deadlock is new.
  await server.admin.query("SELECT pg_stat_reset_single_table_counters('orders'::regclass)")
  await server.until(
    'SELECT stats_reset IS NOT NULL FROM pg_stat_database WHERE datname = current_database()',
  )
  expect((await cluster.health()).deadlocks[0]?.count).toBe(2)
})

test('a deadlock in the log, where the role may read it: who, and the statement that was ended, masked', async () => {
  await setLog(format)
  const url = await server.createRole('reader_of_logs', ['pg_monitor'])
  await server.admin.query(
    'GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint) TO reader_of_logs',
  )
  const cluster = await started(url)
  expect((await cluster.health()).serverLog).toBe('readable')
  const { victim, pids } = await deadlock()
  const { deadlocks } = await untilRisen(cluster)
  expect(deadlocks).toMatchObject([
    {
      database: 'postgres',
      count: 1,
      reports: [
        {
          database: 'postgres',
          user: 'postgres',
          applicationName: victim.name,
          pid: victim.pid,
          statement: 'UPDATE orders SET note = ? WHERE id = ?',
        },
      ],
    },
  ])
  expect([...(deadlocks[0]?.reports[0]?.pids ?? [])].sort((x, y) => x - y)).toEqual(pids)
  expect(JSON.stringify(deadlocks)).not.toContain('secret')
})

test('the csv log says the same', async () => {
  await setLog('csvlog')
  const cluster = await started(server.url)
  await cluster.health()
  const { victim, pids } = await deadlock()
  // The server writes its log on its own time.
  let report: DeadlockReport | undefined
  await waitFor(async () => {
    report = (await cluster.health()).deadlocks[0]?.reports.at(-1)
    return report !== undefined
  }, 'what the log says')
  expect(report).toMatchObject({ pid: victim.pid, statement: 'UPDATE orders SET note = ? WHERE id = ?' })
  expect([...(report?.pids ?? [])].sort((x, y) => x - y)).toEqual(pids)
})

test('a cycle that was seen in the lock table names those who were in it', async () => {
  const cluster = await started()
  await cluster.health()
  const [a, b] = [await server.open('a'), await server.open('b')]
  for (const session of [a, b]) await session.query("SET deadlock_timeout = '1h'")
  await a.query('SELECT pg_advisory_lock(1)')
  await b.query('SELECT pg_advisory_lock(2)')
  void a.start('SELECT pg_advisory_lock(2)')
  void b.start('SELECT pg_advisory_lock(1)')
  await server.untilWaiting(a, b)
  await cluster.snapshot()
  await server.closeAll()
  await deadlock()
  const [rise] = (await untilRisen(cluster)).deadlocks
  expect(rise?.participants.map(({ applicationName }) => applicationName).sort()).toEqual(['a', 'b'])
})
