import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Outcome } from '../domain/approvals/outcome.ts'
import { clusterOfLease } from '../domain/fleet/share.ts'
import { type Figures, responseResults, responseSteps } from '../domain/incidents/figures.ts'
import {
  connectionsUsed,
  type FindingKind,
  longestTransactionSeconds,
  oldestWaitSeconds,
} from '../domain/incidents/finding.ts'
import { kindNames } from '../domain/incidents/severity.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Action } from '../domain/session/action.ts'
import { type Health, wraparoundRatio } from '../domain/session/health.ts'
import { isClient, waitsForLock } from '../domain/session/session.ts'
import { knownSlackCodes, slackCodeClass } from '../notify/slackError.ts'

/** Metrics of the service for Prometheus. The recorders never throw and cost next to nothing. */
export type Metrics = {
  /** A cluster was read. Without pg_monitor it counts as not seen: what is seen then would read as calm. */
  observeSnapshot(picture: Picture, seconds: number): void
  /** A cluster could not be read: what was last seen of it is not reported any longer. */
  clusterUnseen(cluster: string): void
  /** Reports what this replica leads and how many live. A cluster that it does not lead is another one's to report. */
  tellLeases(leadership: Leadership): void
  /** Counts a lease that was taken from a replica that was gone. */
  countTakeover(): void
  /** An approved action has ended. */
  countAction(action: Action, result: Outcome['kind']): void
  /** A call to Slack failed; `code` is that of SlackError. */
  countSlackError(code: string): void
  /** An attempt to bring something to a receiver of webhooks has ended. */
  countWebhook(receiver: string, result: WebhookResult): void
  /** The text that Prometheus scrapes. Throws when the store cannot be read: a scrape that fails is seen. */
  expose(): Promise<Exposition>
  /** Every name that there is, for tests of the dashboards. */
  names(): string[]
}

/** Leases as one replica sees them. A single process has them all. */
export type Leadership = {
  /** Live replicas, this one included. */
  readonly replicas: number
  /** Every lease that there is, by its name; `takenAt`, in milliseconds since the epoch, is null where this replica has it not. */
  readonly leases: readonly { readonly name: string; readonly takenAt: number | null }[]
}

export type WebhookResult = (typeof webhookResults)[number]

export type Exposition = { readonly contentType: string; readonly body: string }

/** Asked at each scrape. */
export type Remembered = {
  readonly openIncidents: () => Promise<readonly { readonly cluster: string; readonly kind: FindingKind }[]>
  /** Milliseconds since the epoch; null: nothing of the kind waits. */
  readonly backlog: () => Promise<{
    readonly count: number
    /** Since when a message waits that was never posted. */
    readonly oldestAt: number | null
    /** Since when a message that stands in Slack is not as it should be. */
    readonly oldestEditAt: number | null
  }>
  /** Figures of the last 30 days. */
  readonly figures: () => Promise<Figures>
  /** One for each receiver of webhooks, by its name. */
  readonly webhooks?: () => Promise<
    readonly { readonly receiver: string; readonly count: number; readonly oldestAt: number | null }[]
  >
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

const actions: readonly Action[] = ['cancel', 'terminate']
const results: readonly Outcome['kind'][] = [
  'effective',
  'still',
  'changed',
  'refused',
  'unreachable',
  'notSent',
  'unknown',
]

const webhookResults = ['taken', 'again', 'givenUp'] as const

/** Milliseconds for which the figures of a health check count as current. One is made each minute. */
const healthHoldsMs = 5 * 60_000

/** A snapshot takes some milliseconds; the deadlines of a slow one add up to about four seconds. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createMetrics(deps: {
  readonly version: string
  /** Returns the names of all clusters that are watched now. */
  readonly clusters: () => readonly string[]
  readonly remembered: Remembered
  /** Milliseconds since the epoch. */
  readonly now: () => number
}): Metrics {
  const { version, clusters, remembered, now } = deps
  const registry = new Registry()
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge({ name: `pg_marshal_${name}`, help, labelNames, registers: [registry] })
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name: `pg_marshal_${name}`, help, labelNames, registers: [registry] })

  gauge('build_info', 'Always 1; the versions that run.', 'version', 'node_version').set(
    { version, node_version: process.versions.node },
    1,
  )
  const up = gauge(
    'cluster_up',
    'Whether the last look saw the cluster and what its sessions do: 1 or 0.',
    'cluster',
  )
  const seenAt = gauge('last_snapshot_timestamp_seconds', 'When the cluster was last read.', 'cluster')
  const duration = new Histogram({
    name: 'pg_marshal_snapshot_duration_seconds',
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
  const incidents = gauge('incidents_open', 'Incidents that are not over.', 'cluster', 'kind')
  const outboxMessages = gauge('outbox_messages', 'Messages that are not in Slack as they should be.')
  const outboxAge = gauge(
    'outbox_oldest_age_seconds',
    'Age of the oldest message that was never posted; 0 without any.',
  )
  const outboxEditAge = gauge(
    'outbox_oldest_edit_age_seconds',
    'For how long a message in Slack has not been as it should be; 0 without any.',
  )
  const actionsTotal = counter('actions_total', 'Approved actions by what came of them.', 'action', 'result')
  const slackErrors = counter('slack_errors_total', 'Failed calls to Slack by error code.', 'code')

  const response = gauge(
    'response_seconds',
    'How long the steps from trouble to its end took in the last 30 days; absent for one that was not taken.',
    'step',
    'quantile',
  )
  const responses = gauge('responses', 'What was seen, asked and decided in the last 30 days.', 'result')
  const webhookBacklog = gauge('webhook_deliveries', 'What a receiver has not taken yet.', 'receiver')
  const webhookAge = gauge(
    'webhook_oldest_age_seconds',
    'Age of the oldest that a receiver has not taken yet; 0 without any.',
    'receiver',
  )
  const webhookAttempts = counter(
    'webhook_attempts_total',
    'Attempts to bring something to a receiver, by what came of them.',
    'receiver',
    'result',
  )
  const leads = gauge('leads', 'Whether this replica leads the lease: 1 or 0.', 'lease')
  const leaseAge = gauge('lease_age_seconds', 'For how long this replica has led the lease.', 'lease')
  const takeovers = counter('lease_takeovers_total', 'Leases taken from a replica that was gone.')
  const replicas = gauge('replicas', 'Live replicas on the store as this one sees them, itself included.')
  let leases: Leadership['leases'] = []
  // A look that ends after its lease has gone is not reported: the next replica does it.
  let reported: ReadonlySet<string> = new Set(clusters())

  replicas.set(1)
  // What has not happened yet is 0, so that a rate sees the first time.
  for (const cluster of clusters()) up.set({ cluster }, 0)
  for (const action of actions) for (const result of results) actionsTotal.inc({ action, result }, 0)
  for (const code of [...knownSlackCodes, 'other']) slackErrors.inc({ code }, 0)

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
  const forget = (cluster: string) => {
    for (const gauge of [waiting, oldestWait, longestTransaction, ...slow]) gauge.remove({ cluster })
    for (const state of [...states, 'unknown']) sessions.remove({ cluster, state })
  }

  const forgetAll = (cluster: string) => {
    forget(cluster)
    for (const gauge of [up, seenAt, used, max, reserved]) gauge.remove({ cluster })
    duration.remove({ cluster })
    deadlocks.remove({ cluster })
  }

  const age = (since: number | null) => (since === null ? 0 : Math.max(0, (now() - since) / 1000))

  return {
    observeSnapshot({ snapshot, ...picture }, seconds) {
      const { cluster, server, takenAt } = snapshot
      if (!reported.has(cluster)) return
      forget(cluster)
      duration.observe({ cluster }, seconds)
      seenAt.set({ cluster }, takenAt / 1000)
      used.set({ cluster }, connectionsUsed(snapshot))
      max.set({ cluster }, server.maxConnections)
      reserved.set({ cluster }, server.reservedConnections)
      up.set({ cluster }, server.seesOthers ? 1 : 0)
      if (!server.seesOthers) return
      const clients = snapshot.sessions.filter(isClient)
      const counts = Map.groupBy(clients, ({ state }) => states.find((known) => known === state) ?? 'unknown')
      for (const state of [...states, 'unknown'] as const)
        sessions.set({ cluster, state }, counts.get(state)?.length ?? 0)
      waiting.set({ cluster }, clients.filter(waitsForLock).length)
      longestTransaction.set({ cluster }, longestTransactionSeconds(snapshot))
      const wait = oldestWaitSeconds({ snapshot, ...picture })
      if (wait !== null) oldestWait.set({ cluster }, wait)
      if (snapshot.health && takenAt - snapshot.health.takenAt <= healthHoldsMs)
        tellHealth(cluster, snapshot.health)
    },
    clusterUnseen(cluster) {
      if (!reported.has(cluster)) return
      forget(cluster)
      up.set({ cluster }, 0)
      for (const gauge of [used, max, reserved]) gauge.remove({ cluster })
    },
    tellLeases({ replicas: alive, leases: now }) {
      const ours = new Set(
        now.flatMap(({ name, takenAt }) => (takenAt === null ? [] : (clusterOfLease(name) ?? []))),
      )
      for (const cluster of reported) if (!ours.has(cluster)) forgetAll(cluster)
      for (const cluster of ours) if (!reported.has(cluster)) up.set({ cluster }, 0)
      reported = ours
      leases = now
      replicas.set(alive)
    },
    countTakeover() {
      takeovers.inc()
    },
    countAction(action, result) {
      actionsTotal.inc({ action, result })
    },
    countSlackError(code) {
      slackErrors.inc({ code: slackCodeOf(code) })
    },
    countWebhook(receiver, result) {
      webhookAttempts.inc({ receiver, result })
    },
    async expose() {
      const [open, { count, oldestAt, oldestEditAt }, figures, receivers = []] = await Promise.all([
        remembered.openIncidents(),
        remembered.backlog(),
        remembered.figures(),
        remembered.webhooks?.(),
      ])
      const waiting = Map.groupBy(receivers, ({ receiver }) => receiver)
      for (const [receiver, same] of waiting) {
        webhookBacklog.set(
          { receiver },
          same.reduce((sum, one) => sum + one.count, 0),
        )
        webhookAge.set({ receiver }, Math.max(...same.map((one) => age(one.oldestAt))))
        for (const result of webhookResults) webhookAttempts.inc({ receiver, result }, 0)
      }
      const counts = Map.groupBy(open, ({ cluster, kind }) => `${cluster} ${kind}`)
      incidents.reset()
      for (const cluster of clusters())
        for (const kind of Object.keys(kindNames))
          incidents.set({ cluster, kind }, counts.get(`${cluster} ${kind}`)?.length ?? 0)
      leads.reset()
      leaseAge.reset()
      for (const { name: lease, takenAt } of leases) {
        leads.set({ lease }, takenAt === null ? 0 : 1)
        if (takenAt !== null) leaseAge.set({ lease }, age(takenAt))
      }
      outboxMessages.set(count)
      outboxAge.set(age(oldestAt))
      outboxEditAge.set(age(oldestEditAt))
      response.reset()
      for (const step of responseSteps) {
        const spread = figures.steps[step]
        if (spread === null) continue
        response.set({ step, quantile: '0.5' }, spread.p50 / 1000)
        response.set({ step, quantile: '0.95' }, spread.p95 / 1000)
      }
      for (const result of responseResults) responses.set({ result }, figures.counts[result])
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
  }
}

/** One of those that are counted one by one, and no other: a label must not grow with what Slack invents. */
function slackCodeOf(code: string): string {
  const known = slackCodeClass(code)
  return knownSlackCodes.includes(known) ? known : 'other'
}
