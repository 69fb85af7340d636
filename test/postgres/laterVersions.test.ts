/**
 * What later versions add is looked for, not taken from the number of the version. What 19 has is put into the catalogs of the
 * server of the tests, so that the real statements run.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ClusterError } from '../../src/postgres/cluster.ts'
import { createWaitEvents } from '../../src/postgres/waitEvents.ts'
import * as of from '../support/builders.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ settings: { autovacuum: false } })
  await server.admin.query('SET allow_system_table_mods = on')
})
afterEach(async () => {
  await closeClusters()
  await server.closeAll()
})
afterAll(() => server?.stop())

const started = async () => {
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  return cluster
}
const seen = async (cluster: Awaited<ReturnType<typeof started>>, pid: number) => {
  const session = (await cluster.snapshot()).sessions.find((one) => one.pid === pid)
  if (!session) throw new Error(`${pid} is not there`)
  return session
}

describe('waits for locks, as the server counts them', () => {
  const row = "'relation'::text, 41::int8, 754000.5::float8, 7::int8, '2026-11-20 10:00:00+00'::timestamptz"
  /** As pg_proc.dat of 19 has it. */
  const put = (columns: string, rows: string) =>
    server.admin.query(
      `CREATE FUNCTION pg_catalog.pg_stat_get_lock(${columns}) RETURNS SETOF record STABLE LANGUAGE sql AS $$ ${rows} $$`,
    )
  const all =
    'OUT locktype text, OUT waits int8, OUT wait_time float8, OUT fastpath_exceeded int8, OUT stats_reset timestamptz'
  beforeEach((context) => {
    if (server.versionNum >= 190_000) context.skip()
  })
  afterEach(() => server.admin.query('DROP FUNCTION IF EXISTS pg_catalog.pg_stat_get_lock()'))

  it('are left out of the health check where it has none', async () => {
    expect(await (await started()).health()).not.toHaveProperty('lockWaits')
  })

  it('are told by type, the longest first, and without those that never waited', async () => {
    await put(
      all,
      `VALUES ('tuple'::text, 0::int8, 0::float8, 0::int8, '2026-11-20 10:00:00+00'::timestamptz), ('advisory', 50, 10, 0, '2026-11-20 10:00:00+00'), (${row})`,
    )
    expect((await (await started()).health()).lockWaits).toEqual({
      since: Date.UTC(2026, 10, 20, 10),
      kinds: [
        { locktype: 'relation', waits: 41, seconds: 754.0005, fastPathExceeded: 7 },
        { locktype: 'advisory', waits: 50, seconds: 0.01, fastPathExceeded: 0 },
      ],
    })
  })

  it('are told as far as their columns are there', async () => {
    await put('OUT locktype text, OUT waits int8', "VALUES ('relation'::text, 41::int8)")
    expect((await (await started()).health()).lockWaits).toEqual({
      since: null,
      kinds: [{ locktype: 'relation', waits: 41, seconds: 0, fastPathExceeded: 0 }],
    })
  })

  it('are left out where the role may not read them, or somebody else made a function of that name', async () => {
    await put(all, `VALUES (${row})`)
    await server.admin.query('REVOKE EXECUTE ON FUNCTION pg_catalog.pg_stat_get_lock() FROM PUBLIC')
    expect(await (await started()).health()).not.toHaveProperty('lockWaits')
    await server.admin.query('DROP FUNCTION pg_catalog.pg_stat_get_lock()')
    await server.admin.query(
      'CREATE FUNCTION public.pg_stat_get_lock() RETURNS int LANGUAGE sql AS $$ SELECT 1/0 $$',
    )
    try {
      expect(await (await started()).health()).not.toHaveProperty('lockWaits')
    } finally {
      await server.admin.query('DROP FUNCTION public.pg_stat_get_lock()')
    }
  })
})

describe('how far a rewrite of a table is', () => {
  /** A VACUUM FULL that stands still while it builds its index again. */
  const standing = async () => {
    await server.admin.query(`CREATE TABLE bloated AS SELECT n FROM generate_series(1, 1000) AS n`)
    await server.admin.query(
      'CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN n; END $$',
    )
    await server.admin.query('CREATE INDEX ON bloated (slow(n))')
    await server.admin.query('SELECT pg_advisory_lock(7)')
    const rewriting = await server.open('night')
    void rewriting.start('VACUUM FULL bloated')
    await server.untilWaiting(rewriting)
    return rewriting
  }
  afterEach(async () => {
    await server.admin.query('SELECT pg_advisory_unlock_all()')
    await server.closeAll()
    await server.admin.query('DROP TABLE IF EXISTS bloated')
    await server.admin.query('DROP FUNCTION IF EXISTS slow(int)')
  })

  it('is told by its phase, and by what is read of the old table', async () => {
    const rewriting = await standing()
    const cluster = await started()
    const phase = 'rebuilding index'
    expect(await cluster.rewriteProgress(rewriting.pid)).toEqual({ phase, share: 1 })
    expect(await cluster.rewriteProgress(rewriting.pid + 100_000)).toBeNull()
    if (server.versionNum >= 190_000) return
    // As 19 has it, with what a REPACK (CONCURRENTLY) says at its end; then without what may be missing.
    for (const [columns, told] of [
      [
        "'catch-up'::text AS phase, 3 AS heap_blks_scanned, 4 AS heap_blks_total",
        { phase: 'catch-up', share: 0.75 },
      ],
      [
        "'catch-up'::text AS phase, 3 AS heap_blks_scanned, 0 AS heap_blks_total",
        { phase: 'catch-up', share: null },
      ],
      ['phase', { phase, share: null }],
      ['NULL::text AS phase', null],
    ] as const) {
      const view = 'pg_catalog.pg_stat_progress_repack'
      await server.admin.query(`CREATE VIEW ${view} AS SELECT pid, ${columns} FROM pg_stat_progress_cluster`)
      await server.admin.query(`GRANT SELECT ON ${view} TO PUBLIC`)
      try {
        expect(await cluster.rewriteProgress(rewriting.pid)).toEqual(told)
      } finally {
        await server.admin.query(`DROP VIEW ${view}`)
      }
    }
  })
})

describe('what a wait means, in the words of the server', () => {
  it('is told from 17 on, and nothing before', async () => {
    const holder = await server.open('holder')
    await holder.query('BEGIN')
    await holder.query('SELECT pg_advisory_xact_lock(1)')
    const waiter = await server.open('waiter')
    void waiter.start('SELECT pg_advisory_lock(1)')
    await server.untilWaiting(waiter)
    const cluster = await started()
    const isThere = server.versionNum >= 170_000
    expect(await cluster.explainWait(await seen(cluster, waiter.pid))).toBe(
      isThere ? 'Waiting to acquire an advisory user lock' : null,
    )
    expect(await cluster.explainWait(await seen(cluster, holder.pid))).toBe(
      isThere ? 'Waiting to read data from the client' : null,
    )
    expect(await cluster.explainWait(of.session(1))).toBeNull()
    expect(await cluster.explainWait(of.session(1, { waitEventType: 'IO', waitEvent: 'Unheard' }))).toBeNull()
  })

  it('is read once for each start of a server, and again after a failure', async () => {
    let reads = 0
    let isDown = true
    let rows: unknown[] = [{ type: 'Buffer', name: 'BufferCleanup', description: 'Waiting for a pin.' }]
    const facts = { functions: ['pg_get_wait_events' as const], started_at: 'monday' }
    const explain = createWaitEvents({
      connection: {
        query: async () => {
          reads++
          if (isDown) throw new ClusterError('It is away.', 'CONNECTION_LOST', true)
          return rows
        },
      },
      facts: { latest: () => facts as never },
    })
    const pin = of.session(1, { waitEventType: 'Buffer', waitEvent: 'BufferCleanup' })
    expect(await Promise.all([explain(pin), explain(pin)])).toEqual([null, null])
    expect(reads).toBe(1)
    isDown = false
    expect(await explain(pin)).toBe('Waiting for a pin.')
    expect(await explain(pin)).toBe('Waiting for a pin.')
    expect(reads).toBe(2)
    facts.started_at = 'tuesday'
    rows = [{ type: 'Buffer', name: 'BufferCleanup', description: 7 }]
    expect(await explain(pin)).toBeNull()
    rows = [{ type: 'Buffer', name: 'BufferCleanup', description: null }]
    expect(await explain(pin)).toBeNull()
    expect(reads).toBe(4)
  })
})
