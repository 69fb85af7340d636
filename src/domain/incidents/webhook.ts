import { createHash } from 'node:crypto'
import type { Incident } from './incident.ts'
import { isAtLeast, type Severity, severityOf } from './severity.ts'

/** A receiver outside of Slack. Its url and keys are secrets: never log them, never show them. */
export type Webhook = { readonly url: string; readonly from: Exclude<Severity, 'notice'> } & (
  | { readonly kind: 'pagerduty'; readonly routingKey: string }
  | { readonly kind: 'json'; readonly secret: string }
)

/**
 * Makes the name under which the store knows a receiver. What waits for it goes out after its `secret` was changed as well,
 * signed with the new one.
 */
export function webhookId(webhook: Webhook): string {
  const place = [webhook.kind, webhook.url, webhook.kind === 'pagerduty' ? webhook.routingKey : '']
  return createHash('sha256').update(JSON.stringify(place)).digest('hex').slice(0, 16)
}

/** Names a receiver for people: of its address only the origin, for the rest may be a secret. */
export const webhookName = ({ kind, url }: Pick<Webhook, 'kind' | 'url'>): string =>
  `${kind} ${new URL(url).origin}`

/** Finds the receivers of all clusters, by their ids. */
export const receiversIn = (
  clusters: Iterable<{ readonly notify: { readonly webhooks: readonly Webhook[] } }>,
): Map<string, Webhook> =>
  new Map(
    [...clusters].flatMap(({ notify }) => notify.webhooks).map((webhook) => [webhookId(webhook), webhook]),
  )

/** Knowledge of a receiver about an incident that is not over. */
export type Told = {
  /** The worst that it heard of. */
  readonly severity: Severity
  readonly acknowledgedBy: string | null
}

export type IncidentNews = 'opened' | 'gotWorse' | 'acknowledged' | 'resolved'

/**
 * Compares an incident with what a receiver has heard of it: so it hears of each change once, whatever happens in between.
 * @param told null where it has heard nothing of it, or that it is over
 * @param from an incident that never was so bad is not for it
 * @param isQuiet nobody is to be called for it now; what is still true is news when the quiet has ended
 */
export function incidentNews(
  told: Told | null,
  { finding, acknowledgedBy, resolvedAt }: Pick<Incident, 'finding' | 'acknowledgedBy' | 'resolvedAt'>,
  { from, isQuiet }: { readonly from: Severity; readonly isQuiet: boolean },
): { readonly news: readonly IncidentNews[]; readonly told: Told | null } {
  if (resolvedAt !== null) return { news: told ? ['resolved'] : [], told: null }
  const severity = severityOf(finding)
  if (!told) {
    const isForIt = isAtLeast(severity, from) && !isQuiet
    return isForIt ? { news: ['opened'], told: { severity, acknowledgedBy } } : { news: [], told: null }
  }
  const gotWorse = !isAtLeast(told.severity, severity) && !isQuiet
  const isTaken = acknowledgedBy !== null && acknowledgedBy !== told.acknowledgedBy
  return {
    news: [...(isTaken ? (['acknowledged'] as const) : []), ...(gotWorse ? (['gotWorse'] as const) : [])],
    told: { severity: gotWorse ? severity : told.severity, acknowledgedBy },
  }
}
