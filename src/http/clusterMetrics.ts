import { Histogram } from 'prom-client'
import { connectionsUsed, longestTransactionSeconds, oldestWaitSeconds } from '../domain/incidents/finding.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { type Health, wraparoundRatio } from '../domain/session/health.ts'
import { isClient, waitsForLock } from '../domain/session/session.ts'
import { type Meters, metricName } from './meters.ts'

/** Figures of the clusters, as the looks show them. */
export type ClusterMetrics = {
  /** A cluster was read. Without pg_monitor it counts as not seen: what is seen then would read as calm. */
  observeSnapshot(picture: Picture, seconds: number): void
  /** A cluster could not be read: what was last seen of it is not reported any longer. */
  clusterUnseen(cluster: string): void
  /** Reports these clusters from now on, and nothing more of others. */
  reportOnly(clusters: ReadonlySet<string>): void
}

/** PostgreSQL's own: https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW */
const states = [
  'active',
  'idle',
  'idle in transaction',
  'idle in transaction (aborted)',
  'fastpath function call',
  'starting',
  'disabled',
] as const

/** Milliseconds for which the figures of a health check count as current. One is made each minute. */
const healthHoldsMs = 5 * 60_000

/** A snapshot takes some milliseconds; the deadlines of a slow one add up to about four seconds. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createClusterMetrics({ registry, gauge, counter }: Meters): ClusterMetrics {
  const up = gauge(
    'cluster_up',
    'Whether the last look saw the cluster and what its sessions do: 1 or 0.',
    'cluster',
  )
  const seenAt = gauge('last_snapshot_timestamp_seconds', 'When the cluster was last read.', 'cluster')
  const duration = new Histogram({
    name: metricName('snapshot_duration_seconds'),
    help: 'How long a look at the cluster took that came back.',
    labelNames: ['cluster'] as const,
    buckets,
    registers: [registry],
  })
  const sessions = gauge(
    'sessions',
    'Client sessions by their state in pg_stat_activity.',
    'cluster',
    'state',
  )
  const waiting = gauge('sessions_waiting', 'Client sessions that wait for a lock.', 'cluster')
  const oldestWait = gauge(
    'oldest_wait_seconds',
    'The longest that a session has waited for a lock; absent while nobody knows.',
    'cluster',
  )
  const longestTransaction = gauge(
    'longest_transaction_seconds',
    'Age of the oldest open transaction of a client session.',
    'cluster',
  )
  const used = gauge('connections_used', 'Connections that count against max_connections.', 'cluster')
  const max = gauge('connections_max', 'The setting max_connections of the server.', 'cluster')
  const reserved = gauge(
    'connections_reserved',
    'How many of them are kept back from ordinary roles.',
    'cluster',
  )
  const oldestPrepared = gauge(
    'oldest_prepared_transaction_seconds',
    'Age of the oldest prepared transaction; 0 without any.',
    'cluster',
  )
  const horizon = gauge(
    'vacuum_horizon_transactions',
    'How many transactions have begun since the oldest one that still keeps dead rows of tables from vacuum.',
    'cluster',
  )
  const wraparound = gauge(
    'wraparound_ratio',
    'How far the worst database is on its way to wraparound of transaction ids or multixacts, from 0 to 1.',
    'cluster',
  )
  const retained = gauge(
    'replication_slot_retained_wal_bytes',
    'WAL that the replication slot keeps that keeps most; 0 without any.',
    'cluster',
  )
  const deadlocks = counter(
    'deadlocks_total',
    'Deadlocks in all databases, as the server counts them in pg_stat_database.',
    'cluster',
  )
  // A look that ends after its lease has gone is not reported: the next replica does it.
  let reported: ReadonlySet<string> = new Set()

  const slow = [oldestPrepared, horizon, wraparound, retained]
  const tellHealth = (cluster: string, { prepared, vacuumHolders, databases, slots }: Health) => {
    oldestPrepared.set({ cluster }, prepared[0]?.preparedSeconds ?? 0)
    horizon.set({ cluster }, vacuumHolders.find(({ catalogsOnly }) => !catalogsOnly)?.age ?? 0)
    wraparound.set({ cluster }, Math.max(0, ...databases.map(wraparoundRatio)))
    retained.set({ cluster }, slots[0]?.retainedBytes ?? 0)
    // The server's own count: where it begins again, this does.
    deadlocks.remove({ cluster })
    deadlocks.inc(
      { cluster },
      databases.reduce((sum, database) => sum + database.deadlocks, 0),
    )
  }
  const forgetHealth = (cluster: string) => {
    for (const gauge of slow) gauge.remove({ cluster })
  }
  const forget = (cluster: string) => {
    for (const gauge of [waiting, oldestWait, longestTransaction]) gauge.remove({ cluster })
    forgetHealth(cluster)
    for (const state of [...states, 'unknown']) sessions.remove({ cluster, state })
  }
  const forgetAll = (cluster: string) => {
    forget(cluster)
    for (const gauge of [up, seenAt, used, max, reserved]) gauge.remove({ cluster })
    duration.remove({ cluster })
    deadlocks.remove({ cluster })
  }

  return {
    observeSnapshot({ snapshot, ...picture }, seconds) {
      const { cluster, server, takenAt } = snapshot
      if (!reported.has(cluster)) return
      duration.observe({ cluster }, seconds)
      seenAt.set({ cluster }, takenAt / 1000)
      used.set({ cluster }, connectionsUsed(snapshot))
      max.set({ cluster }, server.maxConnections)
      reserved.set({ cluster }, server.reservedConnections)
      up.set({ cluster }, server.seesOthers ? 1 : 0)
      if (!server.seesOthers) return forget(cluster)
      const clients = snapshot.sessions.filter(isClient)
      const counts = Map.groupBy(clients, ({ state }) => states.find((known) => known === state) ?? 'unknown')
      for (const state of [...states, 'unknown'] as const)
        sessions.set({ cluster, state }, counts.get(state)?.length ?? 0)
      waiting.set({ cluster }, clients.filter(waitsForLock).length)
      longestTransaction.set({ cluster }, longestTransactionSeconds(snapshot))
      const wait = oldestWaitSeconds({ snapshot, ...picture })
      if (wait === null) oldestWait.remove({ cluster })
      else oldestWait.set({ cluster }, wait)
      if (snapshot.health && takenAt - snapshot.health.takenAt <= healthHoldsMs)
        tellHealth(cluster, snapshot.health)
      else forgetHealth(cluster)
    },
    clusterUnseen(cluster) {
      if (!reported.has(cluster)) return
      forget(cluster)
      up.set({ cluster }, 0)
      for (const gauge of [used, max, reserved]) gauge.remove({ cluster })
    },
    reportOnly(clusters) {
      for (const cluster of reported) if (!clusters.has(cluster)) forgetAll(cluster)
      // What has not happened yet is 0, so that a rate sees the first time.
      for (const cluster of clusters) if (!reported.has(cluster)) up.set({ cluster }, 0)
      reported = clusters
    },
  }
}
