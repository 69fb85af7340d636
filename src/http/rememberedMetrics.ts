import { type Figures, responseResults, responseSteps } from '../domain/incidents/figures.ts'
import type { FindingKind } from '../domain/incidents/finding.ts'
import { kindNames } from '../domain/incidents/severity.ts'
import { type Meters, secondsSince } from './meters.ts'

/** Memory of the store, asked for at each scrape. */
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
  /** Looks in the record; absent where none is kept. `extent`: of all clusters, at one replica alone. */
  readonly history?: () => {
    readonly written: number
    readonly lost: number
    /** `oldestAt`: milliseconds since the epoch. */
    readonly extent: { readonly bytes: number; readonly oldestAt: number | null } | null
  }
  /** One for each receiver of webhooks, by its name. */
  readonly webhooks?: () => Promise<
    readonly { readonly receiver: string; readonly count: number; readonly oldestAt: number | null }[]
  >
}

export type RememberedMetrics = {
  /**
   * Reads the store. Throws when it cannot be read: a scrape that fails is seen.
   * @returns the receivers of webhooks that there are
   */
  update(): Promise<string[]>
}

export function createRememberedMetrics(deps: {
  readonly meters: Meters
  readonly clusters: () => readonly string[]
  readonly remembered: Remembered
  readonly now: () => number
}): RememberedMetrics {
  const { clusters, remembered, now } = deps
  const { gauge, counter } = deps.meters
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
  const historyLooks = counter(
    'history_looks_total',
    'Looks that were recorded (written), and that were lost since the store took none (lost).',
    'result',
  )
  const historyBytes = gauge('history_bytes', 'Room that the record of all looks takes.')
  const historyOldest = gauge(
    'history_oldest_timestamp_seconds',
    'When the oldest look was taken that is still kept.',
  )
  // Without labels they would begin with 0, which here is no figure.
  historyBytes.remove()
  historyOldest.remove()
  let counted = { written: 0, lost: 0 }
  const tellHistory = ({ written, lost, extent }: ReturnType<NonNullable<Remembered['history']>>) => {
    historyLooks.inc({ result: 'written' }, written - counted.written)
    historyLooks.inc({ result: 'lost' }, lost - counted.lost)
    counted = { written, lost }
    historyBytes.remove()
    historyOldest.remove()
    if (extent) historyBytes.set(extent.bytes)
    if (extent?.oldestAt) historyOldest.set(extent.oldestAt / 1000)
  }
  const age = (since: number | null) => secondsSince(since, now())

  return {
    async update() {
      const [open, { count, oldestAt, oldestEditAt }, figures, receivers = []] = await Promise.all([
        remembered.openIncidents(),
        remembered.backlog(),
        remembered.figures(),
        remembered.webhooks?.(),
      ])
      if (remembered.history) tellHistory(remembered.history())
      const counts = Map.groupBy(open, ({ cluster, kind }) => `${cluster} ${kind}`)
      incidents.reset()
      for (const cluster of clusters())
        for (const kind of Object.keys(kindNames))
          incidents.set({ cluster, kind }, counts.get(`${cluster} ${kind}`)?.length ?? 0)
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
      const waiting = Map.groupBy(receivers, ({ receiver }) => receiver)
      for (const [receiver, same] of waiting) {
        webhookBacklog.set(
          { receiver },
          same.reduce((sum, one) => sum + one.count, 0),
        )
        webhookAge.set({ receiver }, Math.max(...same.map((one) => age(one.oldestAt))))
      }
      return [...waiting.keys()]
    },
  }
}
