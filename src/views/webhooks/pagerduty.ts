import { truncate } from '../kit.ts'
import type { WebhookDocument, WebhookEvent } from './document.ts'

/** An event of PagerDuty's Events API v2: https://developer.pagerduty.com/docs/events-api-v2-overview */
export type PagerEvent = {
  readonly routing_key: string
  readonly event_action: 'trigger' | 'acknowledge' | 'resolve'
  readonly dedup_key: string
  readonly [more: string]: unknown
}

const actions: Partial<Record<WebhookEvent, PagerEvent['event_action']>> = {
  opened: 'trigger',
  gotWorse: 'trigger',
  acknowledged: 'acknowledge',
  resolved: 'resolve',
}

const severities = { critical: 'critical', warning: 'warning', notice: 'info' } as const

/** The API takes no longer summary. */
const longestSummary = 1024

/**
 * Writes a document as an event for a pager; null for what calls nobody.
 * @param link where to read on: the card, or its channel
 */
export function pagerEvent(
  { event, at, cluster, incident }: WebhookDocument,
  { routingKey, link }: { readonly routingKey: string; readonly link: string },
): PagerEvent | null {
  const action = actions[event]
  if (!action || !incident) return null
  const { id, kind, severity, summary, victims, session, beganAt, openedAt } = incident
  const about = { routing_key: routingKey, event_action: action, dedup_key: `pg-marshal:${id}` }
  if (action !== 'trigger') return about
  return {
    ...about,
    client: 'pg-marshal',
    client_url: link,
    links: [{ href: link, text: 'Open in Slack' }],
    payload: {
      summary: truncate(summary, longestSummary),
      source: cluster,
      severity: severities[severity],
      timestamp: at,
      component: 'postgresql',
      group: cluster,
      class: kind,
      custom_details: { beganAt, openedAt, victims, session },
    },
  }
}
