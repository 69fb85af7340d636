import type { Outcome } from '../domain/approvals/outcome.ts'
import { clusterOfLease } from '../domain/fleet/share.ts'
import type { Action } from '../domain/session/action.ts'
import { knownSlackCodes, slackCodeClass } from '../notify/slackError.ts'
import { type ClusterMetrics, createClusterMetrics } from './clusterMetrics.ts'
import { createMeters, secondsSince } from './meters.ts'
import { createRememberedMetrics, type Remembered } from './rememberedMetrics.ts'

/** Metrics of the service for Prometheus. The recorders never throw and cost next to nothing. */
export type Metrics = Omit<ClusterMetrics, 'reportOnly'> & {
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

export function createMetrics(deps: {
  readonly version: string
  /** Returns the names of all clusters that are watched now. */
  readonly clusters: () => readonly string[]
  readonly remembered: Remembered
  /** Milliseconds since the epoch. */
  readonly now: () => number
}): Metrics {
  const { version, clusters, remembered, now } = deps
  const meters = createMeters()
  const { registry, gauge, counter } = meters

  gauge('build_info', 'Always 1; the versions that run.', 'version', 'node_version').set(
    { version, node_version: process.versions.node },
    1,
  )
  const { reportOnly, ...ofClusters } = createClusterMetrics(meters)
  const ofStore = createRememberedMetrics({ meters, clusters, remembered, now })
  const actionsTotal = counter('actions_total', 'Approved actions by what came of them.', 'action', 'result')
  const slackErrors = counter('slack_errors_total', 'Failed calls to Slack by error code.', 'code')
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

  replicas.set(1)
  reportOnly(new Set(clusters()))
  // What has not happened yet is 0, so that a rate sees the first time.
  for (const action of actions) for (const result of results) actionsTotal.inc({ action, result }, 0)
  for (const code of [...knownSlackCodes, 'other']) slackErrors.inc({ code }, 0)

  return {
    ...ofClusters,
    tellLeases({ replicas: alive, leases: now }) {
      reportOnly(
        new Set(now.flatMap(({ name, takenAt }) => (takenAt === null ? [] : (clusterOfLease(name) ?? [])))),
      )
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
      const receivers = await ofStore.update()
      for (const receiver of receivers)
        for (const result of webhookResults) webhookAttempts.inc({ receiver, result }, 0)
      leads.reset()
      leaseAge.reset()
      for (const { name: lease, takenAt } of leases) {
        leads.set({ lease }, takenAt === null ? 0 : 1)
        if (takenAt !== null) leaseAge.set({ lease }, secondsSince(takenAt, now()))
      }
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
