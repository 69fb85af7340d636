import { z } from 'zod'
import type { JournalEvent } from '../../domain/approvals/journal.ts'
import { type Proposal, requestersOf } from '../../domain/approvals/proposal.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import type { IncidentNews } from '../../domain/incidents/webhook.ts'
import {
  incidentPart,
  incidentPartOf,
  iso,
  type PartFacts,
  proposalPart,
  proposalPartOf,
} from '../documentParts.ts'

/**
 * The document of a webhook, version 1 (docs/webhooks.md). What it has is promised to those who read it: a field may be
 * added, none may change or go.
 */

const text = z.string()
const time = z.iso.datetime()
const count = z.int().min(0)

const decision = z.object({
  kind: z.enum(['approved', 'brokeGlass', 'denied', 'expired', 'withdrawn']),
  reason: text.nullable(),
  have: count.nullable().describe('approvals so far'),
  needed: count.nullable().describe('the signal goes out when `have` is `needed`'),
})

export const documentSchema = z.object({
  version: z.literal(1),
  id: text.describe('the same at each attempt: who has seen it may leave it'),
  event: z.enum(['opened', 'gotWorse', 'acknowledged', 'requested', 'decided', 'outcome', 'resolved']),
  at: time,
  cluster: text,
  by: text.describe('a Slack user id, or pg-marshal'),
  card: z.object({
    id: text,
    channel: text,
    permalink: text.nullable().describe('null while the card does not stand in Slack'),
  }),
  incident: incidentPart.nullable(),
  proposal: proposalPart.nullable(),
  decision: decision.nullable(),
})

export type WebhookDocument = z.infer<typeof documentSchema>
export type WebhookEvent = WebhookDocument['event']

/** Reads a document as the store keeps it; null where it is none. */
export function readDocument(json: string): WebhookDocument | null {
  try {
    return documentSchema.parse(JSON.parse(json))
  } catch {
    return null
  }
}

/** Facts of every document. The address of a card is known only when it is sent. */
export type NoticeFacts = PartFacts & {
  readonly id: string
  readonly now: number
  readonly channel: string
}

export const incidentNotice = (
  event: IncidentNews,
  incident: Incident,
  about: NoticeFacts,
): WebhookDocument => ({
  ...documentOf(event, incident.cluster, incident.cardId, about),
  by: event === 'acknowledged' ? (incident.acknowledgedBy ?? 'pg-marshal') : 'pg-marshal',
  incident: incidentPartOf(incident, about),
  proposal: null,
  decision: null,
})

/** Writes what happened to a proposal; null where that is nothing for others. */
export function proposalNotice(
  event: JournalEvent,
  proposal: Proposal,
  incident: Incident | null,
  about: NoticeFacts,
): WebhookDocument | null {
  const said = eventOf(event, proposal)
  return (
    said && {
      ...documentOf(said.event, proposal.key.cluster, proposal.cardId, about),
      by: event.actor,
      incident: incident && incidentPartOf(incident, about),
      proposal: proposalPartOf(proposal, about),
      decision: said.decision,
    }
  )
}

type Said = { readonly event: WebhookEvent; readonly decision: WebhookDocument['decision'] }

function eventOf(event: JournalEvent, proposal: Proposal): Said | null {
  const decided = (
    kind: NonNullable<WebhookDocument['decision']>['kind'],
    rest: { reason?: string; have?: number; needed?: number } = {},
  ): Said => ({
    event: 'decided',
    decision: { kind, reason: rest.reason || null, have: rest.have ?? null, needed: rest.needed ?? null },
  })
  switch (event.kind) {
    case 'requested':
      // Who asks the approvers once more requests nothing new.
      return event.asked ? null : { event: 'requested', decision: null }
    case 'approved':
      return decided('approved', event)
    case 'brokeGlass':
    case 'denied':
      return decided(event.kind, event)
    case 'expired':
      return decided('expired')
    // What the watcher offers and takes back by itself nobody decided.
    case 'withdrawn':
      return requestersOf(proposal).length + proposal.approvals.length > 0
        ? decided('withdrawn', event)
        : null
    case 'outcome':
      return { event: 'outcome', decision: null }
    default:
      return null
  }
}

const documentOf = (
  event: WebhookEvent,
  cluster: string,
  cardId: string,
  { id, now, channel }: NoticeFacts,
) => ({
  version: 1 as const,
  id,
  event,
  at: iso(now),
  cluster,
  card: { id: cardId, channel, permalink: null },
})
