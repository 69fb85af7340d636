import { describe, expect, it } from 'vitest'
import { figuresOf } from '../../src/domain/incidents/figures.ts'
import { kindNames } from '../../src/domain/incidents/severity.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import type { Remembered } from '../../src/http/rememberedMetrics.ts'
import * as of from '../support/builders.ts'

const nothing: Remembered = {
  openIncidents: async () => [],
  backlog: async () => ({ count: 0, oldestAt: null, oldestEditAt: null }),
  figures: async () => figuresOf({ incidents: [], proposals: [], rows: [] }),
}
const metricsOf = (remembered: Partial<Remembered> = {}, clusters = ['orders', 'shop']) =>
  createMetrics({
    version: '1.2.3',
    clusters: () => clusters,
    remembered: { ...nothing, ...remembered },
    now: () => of.takenAt,
  })

type Watching = ReturnType<typeof metricsOf>

/** The lines of one metric, without its help. */
const told = async (metrics: Watching, name: string) =>
  (await metrics.expose()).body
    .split('\n')
    .filter((line) => line.startsWith(`pg_marshal_${name}{`) || line.startsWith(`pg_marshal_${name} `))
    .map((line) => line.replace(`pg_marshal_${name}`, ''))

const jam = of.picture(
  [
    of.idleInTransaction(1, 90, { xactSeconds: 4_000 }),
    of.waiting(2, 40),
    of.waiting(3, 20),
    of.idle(4, 10),
    of.session(5, { state: 'not invented yet' }),
    of.serverProcess(6, 'checkpointer'),
  ],
  of.rowQueue(1, [
    [2, 40.5],
    [3, 20],
  ]),
)

describe('a cluster', () => {
  it('is reported as it was seen', async () => {
    const metrics = metricsOf()
    metrics.observeSnapshot(jam, 0.02)
    expect(await told(metrics, 'cluster_up')).toEqual(['{cluster="orders"} 1', '{cluster="shop"} 0'])
    expect(await told(metrics, 'sessions')).toEqual([
      '{cluster="orders",state="active"} 2',
      '{cluster="orders",state="idle"} 1',
      '{cluster="orders",state="idle in transaction"} 1',
      '{cluster="orders",state="idle in transaction (aborted)"} 0',
      '{cluster="orders",state="fastpath function call"} 0',
      '{cluster="orders",state="starting"} 0',
      '{cluster="orders",state="disabled"} 0',
      '{cluster="orders",state="unknown"} 1',
    ])
    expect(await told(metrics, 'sessions_waiting')).toEqual(['{cluster="orders"} 2'])
    expect(await told(metrics, 'oldest_wait_seconds')).toEqual(['{cluster="orders"} 40.5'])
    expect(await told(metrics, 'longest_transaction_seconds')).toEqual(['{cluster="orders"} 4000'])
    expect(await told(metrics, 'connections_used')).toEqual(['{cluster="orders"} 7'])
    expect(await told(metrics, 'connections_max')).toEqual(['{cluster="orders"} 100'])
    expect(await told(metrics, 'connections_reserved')).toEqual(['{cluster="orders"} 3'])
    expect(await told(metrics, 'last_snapshot_timestamp_seconds')).toEqual([
      `{cluster="orders"} ${of.takenAt / 1000}`,
    ])
    expect(await told(metrics, 'snapshot_duration_seconds_bucket')).toContain(
      '{le="0.025",cluster="orders"} 1',
    )
    expect(await told(metrics, 'snapshot_duration_seconds_count')).toEqual(['{cluster="orders"} 1'])
  })

  it('is reported as calm when it is', async () => {
    const metrics = metricsOf()
    metrics.observeSnapshot(of.picture([]), 0.001)
    expect(await told(metrics, 'oldest_wait_seconds')).toEqual(['{cluster="orders"} 0'])
    expect(await told(metrics, 'longest_transaction_seconds')).toEqual(['{cluster="orders"} 0'])
  })

  const sayNothing = async (metrics: Watching) => {
    expect(await told(metrics, 'cluster_up')).toEqual(['{cluster="orders"} 0'])
    for (const name of ['sessions', 'sessions_waiting', 'oldest_wait_seconds', 'longest_transaction_seconds'])
      expect(await told(metrics, name)).toEqual([])
  }

  it('that cannot be read is down, and what was seen before is not reported any longer', async () => {
    const metrics = metricsOf({}, ['orders'])
    metrics.observeSnapshot(jam, 0.02)
    metrics.clusterUnseen('orders')
    await sayNothing(metrics)
    expect(await told(metrics, 'connections_used')).toEqual([])
    expect(await told(metrics, 'last_snapshot_timestamp_seconds')).toHaveLength(1)
  })

  it('whose sessions may not be seen is down, not calm; its connections can be counted', async () => {
    const metrics = metricsOf({}, ['orders'])
    metrics.observeSnapshot(jam, 0.02)
    const blind = of.picture([of.session(1, { state: null })], [], {
      server: of.server({ seesOthers: false }),
    })
    metrics.observeSnapshot(blind, 0.02)
    await sayNothing(metrics)
    expect(await told(metrics, 'connections_used')).toEqual(['{cluster="orders"} 3'])
  })

  it('in a lock storm keeps the waits that go on, and says nothing where it cannot know', async () => {
    const metrics = metricsOf({}, ['orders'])
    const { snapshot } = jam
    const last = snapshot.locks.kind === 'read' ? snapshot.locks.table : null
    const sessions = snapshot.sessions.map((one) => (one.pid === 2 ? of.session(2) : one))
    const storm = (table: typeof last) =>
      of.picture(sessions, {
        kind: 'jammed',
        why: 'it piles up.',
        last: table,
        lastTakenAt: table && of.takenAt - 5_000,
      })
    metrics.observeSnapshot(storm(last), 0.02)
    expect(await told(metrics, 'oldest_wait_seconds')).toEqual(['{cluster="orders"} 25'])
    metrics.observeSnapshot(storm(null), 0.02)
    expect(await told(metrics, 'oldest_wait_seconds')).toEqual([])
    expect(await told(metrics, 'sessions_waiting')).toEqual(['{cluster="orders"} 1'])
  })
})

describe('a health check', () => {
  it('is told with every snapshot that carries it, and nothing before there was one', async () => {
    const metrics = metricsOf()
    metrics.observeSnapshot(jam, 0.02)
    expect(await told(metrics, 'wraparound_ratio')).toEqual([])
    expect(await told(metrics, 'deadlocks_total')).toEqual([])
    const seen = (deadlocks: number, takenAt = of.takenAt) =>
      of.picture([], undefined, {
        takenAt,
        health: of.health({
          prepared: [of.prepared(700, { preparedSeconds: 90 }), of.prepared(701, { preparedSeconds: 9 })],
          databases: [
            of.database('orders', { xidAge: 2 ** 29, deadlocks }),
            of.database('shop', { multixactAge: 2 ** 30, deadlocks: 2 }),
          ],
          vacuumHolders: [of.holder('standby', 500), of.holder('slot', 900, { catalogsOnly: true })],
          slots: [of.slot('a', { retainedBytes: 1024 })],
        }),
      })
    metrics.observeSnapshot(seen(5), 0.02)
    metrics.observeSnapshot(seen(5), 0.02)
    expect(await told(metrics, 'wraparound_ratio')).toEqual(['{cluster="orders"} 0.5'])
    expect(await told(metrics, 'vacuum_horizon_transactions')).toEqual(['{cluster="orders"} 500'])
    expect(await told(metrics, 'oldest_prepared_transaction_seconds')).toEqual(['{cluster="orders"} 90'])
    expect(await told(metrics, 'replication_slot_retained_wal_bytes')).toEqual(['{cluster="orders"} 1024'])
    expect(await told(metrics, 'deadlocks_total')).toEqual(['{cluster="orders"} 7'])
    metrics.observeSnapshot(seen(1), 0.02)
    expect(await told(metrics, 'deadlocks_total')).toEqual(['{cluster="orders"} 3'])
    // The health checks fail since then: their old figures are not shown as current.
    metrics.observeSnapshot(seen(1, of.takenAt + 280_000), 0.02)
    expect(await told(metrics, 'wraparound_ratio')).toEqual(['{cluster="orders"} 0.5'])
    metrics.observeSnapshot(seen(1, of.takenAt + 281_000), 0.02)
    expect(await told(metrics, 'wraparound_ratio')).toEqual([])
    expect(await told(metrics, 'deadlocks_total')).toEqual(['{cluster="orders"} 3'])
    metrics.observeSnapshot(seen(1), 0.02)
    metrics.clusterUnseen('orders')
    expect(await told(metrics, 'wraparound_ratio')).toEqual([])
    expect(await told(metrics, 'deadlocks_total')).toEqual(['{cluster="orders"} 3'])
  })
})

describe('one replica of several', () => {
  const held = (name: string) => ({ name, takenAt: of.takenAt - 90_000 })
  const free = (name: string) => ({ name, takenAt: null })

  it('shows what it leads, for how long, what it took over, and who lives', async () => {
    const metrics = metricsOf()
    expect(await told(metrics, 'replicas')).toEqual([' 1'])
    expect(await told(metrics, 'lease_takeovers_total')).toEqual([' 0'])
    metrics.tellLeases({
      replicas: 3,
      leases: [held('cluster:orders'), free('cluster:shop'), free('desk')],
    })
    metrics.countTakeover()
    expect(await told(metrics, 'leads')).toEqual([
      '{lease="cluster:orders"} 1',
      '{lease="cluster:shop"} 0',
      '{lease="desk"} 0',
    ])
    expect(await told(metrics, 'lease_age_seconds')).toEqual(['{lease="cluster:orders"} 90'])
    expect(await told(metrics, 'replicas')).toEqual([' 3'])
    expect(await told(metrics, 'lease_takeovers_total')).toEqual([' 1'])
    metrics.tellLeases({ replicas: 2, leases: [held('desk')] })
    expect(await told(metrics, 'leads')).toEqual(['{lease="desk"} 1'])
    expect(await told(metrics, 'lease_age_seconds')).toEqual(['{lease="desk"} 90'])
  })

  it('leaves a cluster to the one that leads it, also when a look of its own ends late', async () => {
    const metrics = metricsOf()
    metrics.observeSnapshot(of.picture([], undefined, { health: of.health() }), 0.02)
    metrics.tellLeases({ replicas: 2, leases: [free('cluster:orders'), held('cluster:shop')] })
    metrics.observeSnapshot(jam, 0.02)
    metrics.clusterUnseen('orders')
    const { body } = await metrics.expose()
    const series = body.split('\n').filter((line) => line.includes('cluster="orders"'))
    expect(series.filter((line) => !line.startsWith('pg_marshal_incidents_open'))).toEqual([])
    expect(await told(metrics, 'cluster_up')).toEqual(['{cluster="shop"} 0'])
  })

  it('has not seen a cluster that it has just taken, and keeps what it sees of one that it leads', async () => {
    const metrics = metricsOf()
    const ups = () => told(metrics, 'cluster_up')
    metrics.tellLeases({ replicas: 2, leases: [free('cluster:orders'), free('cluster:added')] })
    expect(await ups()).toEqual([])
    const both = { replicas: 1, leases: [held('cluster:orders'), held('cluster:added')] }
    metrics.tellLeases(both)
    expect(await ups()).toEqual(['{cluster="orders"} 0', '{cluster="added"} 0'])
    metrics.observeSnapshot(jam, 0.02)
    metrics.tellLeases(both)
    expect(await ups()).toEqual(['{cluster="orders"} 1', '{cluster="added"} 0'])
  })
})

describe('the bot', () => {
  it('shows how quickly trouble was answered, and no step that was not taken', async () => {
    const { counts, steps } = figuresOf({ incidents: [], proposals: [], rows: [] })
    const figures = async () => ({
      counts: { ...counts, denied: 2 },
      steps: { ...steps, cardToApproved: { n: 3, p50: 40_000, p95: 90_500 } },
    })
    const metrics = metricsOf({ figures })
    expect(await told(metrics, 'response_seconds')).toEqual([
      '{step="cardToApproved",quantile="0.5"} 40',
      '{step="cardToApproved",quantile="0.95"} 90.5',
    ])
    expect(await told(metrics, 'responses')).toContain('{result="denied"} 2')
  })

  it('counts the looks that were recorded, and tells the extent of the record where that is known', async () => {
    const told7 = { written: 5, lost: 1, extent: { bytes: 7, oldestAt: of.takenAt } }
    const states = [
      { written: 3, lost: 0, extent: null },
      told7,
      told7,
      { written: 6, lost: 1, extent: { bytes: 0, oldestAt: null } },
    ]
    let at = 0
    const metrics = metricsOf({ history: () => states[at] ?? told7 })
    const all = async () => ({
      looks: await told(metrics, 'history_looks_total'),
      bytes: await told(metrics, 'history_bytes'),
      oldest: await told(metrics, 'history_oldest_timestamp_seconds'),
    })
    expect(await told(metricsOf(), 'history_bytes')).toEqual([])
    expect((await all()).looks).toEqual(['{result="written"} 3', '{result="lost"} 0'])
    expect((await all()).bytes).toEqual([])
    expect((await all()).oldest).toEqual([])
    at = 1
    const looks = ['{result="written"} 5', '{result="lost"} 1']
    expect(await all()).toEqual({ looks, bytes: [' 7'], oldest: [` ${of.takenAt / 1000}`] })
    at = 3
    expect(await all()).toEqual({
      looks: ['{result="written"} 6', '{result="lost"} 1'],
      bytes: [' 0'],
      oldest: [],
    })
  })

  it('tells open incidents and the outbox as they are remembered at that moment', async () => {
    const open = [
      { cluster: 'orders', kind: 'blocking' as const },
      { cluster: 'orders', kind: 'blocking' as const },
      { cluster: 'shop', kind: 'connections' as const },
    ]
    const metrics = metricsOf({
      openIncidents: async () => open.splice(0, 3),
      backlog: async () => ({ count: 4, oldestAt: of.takenAt - 12_500, oldestEditAt: of.takenAt - 3_000 }),
    })
    const first = await told(metrics, 'incidents_open')
    expect(first).toHaveLength(2 * Object.keys(kindNames).length)
    expect(first.filter((line) => !line.endsWith(' 0'))).toEqual([
      '{cluster="orders",kind="blocking"} 2',
      '{cluster="shop",kind="connections"} 1',
    ])
    expect((await told(metrics, 'incidents_open')).filter((line) => !line.endsWith(' 0'))).toEqual([])
    expect(await told(metrics, 'outbox_messages')).toEqual([' 4'])
    expect(await told(metrics, 'outbox_oldest_age_seconds')).toEqual([' 12.5'])
    expect(await told(metricsOf(), 'outbox_oldest_age_seconds')).toEqual([' 0'])
    expect(await told(metrics, 'outbox_oldest_edit_age_seconds')).toEqual([' 3'])
    expect(await told(metricsOf(), 'outbox_oldest_edit_age_seconds')).toEqual([' 0'])
  })

  it('counts actions by what came of them, from 0', async () => {
    const metrics = metricsOf()
    metrics.countAction('terminate', 'effective')
    metrics.countAction('terminate', 'effective')
    metrics.countAction('cancel', 'unknown')
    const lines = await told(metrics, 'actions_total')
    expect(lines).toHaveLength(14)
    expect(lines).toContain('{action="terminate",result="effective"} 2')
    expect(lines).toContain('{action="cancel",result="unknown"} 1')
    expect(lines).toContain('{action="cancel",result="refused"} 0')
  })

  it('counts errors of Slack by a bounded set of codes', async () => {
    const metrics = metricsOf()
    // Each begins at 0, or the first error of a kind would be no rise.
    const before = await told(metrics, 'slack_errors_total')
    expect(before.filter((line) => line.endsWith(' 0'))).toEqual(before)
    for (const code of ['ratelimited', 'http_503', 'http_404', 'http_418', 'never_heard_of', 'x'.repeat(999)])
      metrics.countSlackError(code)
    for (let code = 0; code < 500; code++) metrics.countSlackError(`code_${code}`)
    const after = await told(metrics, 'slack_errors_total')
    expect(after).toHaveLength(before.length)
    expect(after.filter((line) => !line.endsWith(' 0'))).toEqual([
      '{code="ratelimited"} 1',
      '{code="http_5xx"} 1',
      '{code="http_4xx"} 2',
      '{code="other"} 502',
    ])
  })

  it('says what runs', async () => {
    expect(await told(metricsOf(), 'build_info')).toEqual([
      `{version="1.2.3",node_version="${process.versions.node}"} 1`,
    ])
  })
})

describe('the text', () => {
  it('has names by the conventions, a help for each, and no label that grows', async () => {
    const metrics = metricsOf({ openIncidents: async () => [{ cluster: 'orders', kind: 'idle' }] })
    metrics.observeSnapshot(jam, 0.02)
    metrics.countSlackError('ratelimited')
    const { body, contentType } = await metrics.expose()
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/)
    const types = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => ({ name, type }))
    expect(types.map(({ name }) => name)).toEqual(metrics.names())
    for (const { name, type } of types) {
      expect(name).toMatch(/^pg_marshal_[a-z_]+[a-z]$/)
      expect(name.endsWith('_total')).toBe(type === 'counter')
      expect(body).toMatch(new RegExp(`^# HELP ${name} [A-Z].*[.\\w]$`, 'm'))
    }
    const labels = new Set([...body.matchAll(/[{,](\w+)="/g)].map(([, label]) => label))
    expect([...labels].sort()).toEqual(
      ['action', 'cluster', 'code', 'kind', 'le', 'node_version', 'result', 'state', 'version'].sort(),
    )
    expect(body).not.toMatch(/"web"|10\.0\.0\.7|"public/)
  })

  it('is refused where the store cannot be read', async () => {
    const metrics = metricsOf({
      backlog: async () => {
        throw new Error('disk')
      },
    })
    await expect(metrics.expose()).rejects.toThrow('disk')
  })

  it('belongs to one service: a second one starts from nothing', async () => {
    metricsOf().countAction('cancel', 'effective')
    expect((await told(metricsOf(), 'actions_total')).every((line) => line.endsWith(' 0'))).toBe(true)
  })
})
