import { z } from 'zod'
import type { JournalEvent } from '../../domain/approvals/journal.ts'
import { type Proposal, requestersOf } from '../../domain/approvals/proposal.ts'
import { subjectOf } from '../../domain/incidents/finding.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import { severityOf, victimsOf } from '../../domain/incidents/severity.ts'
import type { IncidentNews } from '../../domain/incidents/webhook.ts'
import type { Session } from '../../domain/session/session.ts'
import { headlineOf } from '../card/headline.ts'
import { outcomeSentence } from '../card/outcome.ts'
import { clean, truncate } from '../kit.ts'
import { onOneLine } from '../words.ts'

/**
 * The document of a webhook, version 1 (docs/webhooks.md). What it has is promised to those who read it: a field may be
 * added, none may change or go.
 */

const text = z.string()
const time = z.iso.datetime()
const count = z.int().min(0)

const session = z.object({
  pid: z.int(),
  backendStart: text.describe("pg_stat_activity's own text, with microseconds"),
  user: text.nullable(),
  database: text.nullable(),
  applicationName: text,
  state: text.nullable(),
  statement: text.nullable().describe('without its constants; null where it is hidden or not known'),
  tags: z
    .record(text, text)
    .optional()
    .describe(
      'what its application says of itself in a comment of the statement; absent where there is none',
    ),
})

const incident = z.object({
  id: text,
  kind: text.describe('blocking, longQuery, …'),
  severity: z.enum(['critical', 'warning', 'notice']),
  summary: text.describe('the headline of its card'),
  victims: count.describe('sessions that suffer now'),
  session: session.nullable(),
  beganAt: time.describe('begin of the trouble, as the server reports it'),
  openedAt: time.describe('when it was first seen'),
  resolvedAt: time.nullable(),
  resolution: text.nullable().describe('why it is over'),
  acknowledgedBy: text.nullable().describe('a Slack user id'),
  silenced: z.boolean().describe('snoozed, or in a quiet period'),
})

const proposal = z.object({
  id: text,
  action: z.enum(['cancel', 'terminate']),
  summary: text,
  session,
  reason: text,
  requestedBy: z.array(text),
  approvedBy: z.array(text),
  state: z.enum(['open', 'claimed', 'done', 'denied', 'expired', 'withdrawn']),
  expiresAt: time,
  outcome: z
    .object({
      kind: z.enum(['effective', 'still', 'changed', 'refused', 'unreachable', 'notSent', 'unknown']),
      sentence: text,
    })
    .nullable(),
})

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
  incident: incident.nullable(),
  proposal: proposal.nullable(),
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
export type NoticeFacts = {
  readonly id: string
  readonly now: number
  readonly channel: string
  readonly silenced: boolean
  /** Gives a statement the form in which it may leave. */
  readonly maskText: (statement: string | null) => string | null
}

export const incidentNotice = (
  event: IncidentNews,
  incident: Incident,
  about: NoticeFacts,
): WebhookDocument => ({
  ...documentOf(event, incident.cluster, incident.cardId, about),
  by: event === 'acknowledged' ? (incident.acknowledgedBy ?? 'pg-marshal') : 'pg-marshal',
  incident: incidentPart(incident, about),
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
      incident: incident && incidentPart(incident, about),
      proposal: proposalPart(proposal, about),
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

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()

/** The headline without its sign. */
const withoutSign = (headline: string): string => headline.slice(headline.indexOf(' ') + 1)

function incidentPart(incident: Incident, about: NoticeFacts): WebhookDocument['incident'] {
  const { id, cluster, finding, beganAt, openedAt, resolvedAt, resolution, acknowledgedBy } = incident
  const subject = subjectOf(finding)
  return {
    id,
    kind: finding.kind,
    severity: severityOf(finding),
    summary: withoutSign(headlineOf({ cluster, incident, proposals: [] })),
    victims: victimsOf(finding),
    session: subject && sessionPart(subject, about),
    beganAt: iso(Math.round(beganAt)),
    openedAt: iso(openedAt),
    resolvedAt: resolvedAt === null ? null : iso(resolvedAt),
    resolution,
    acknowledgedBy,
    silenced: about.silenced,
  }
}

function proposalPart(proposal: Proposal, about: NoticeFacts): WebhookDocument['proposal'] {
  const { id, action, key, reason, approvals, state, expiresAt, outcome } = proposal
  return {
    id,
    action,
    summary: withoutSign(headlineOf({ cluster: key.cluster, incident: null, proposals: [proposal] })),
    session: sessionPart(proposal.session, about),
    reason,
    requestedBy: requestersOf(proposal),
    approvedBy: approvals.map(({ userId }) => userId),
    state,
    expiresAt: iso(expiresAt),
    outcome: outcome && { kind: outcome.kind, sentence: outcomeSentence(proposal) },
  }
}

const sessionPart = (
  { pid, backendStart, usename, datname, applicationName, state, query, tags }: Session,
  { maskText }: NoticeFacts,
): z.infer<typeof session> => {
  const statement = maskText(query)
  return {
    pid,
    backendStart,
    user: usename && name(usename),
    database: datname && name(datname),
    applicationName: name(applicationName ?? ''),
    state,
    statement,
    // They are a part of it: where it does not leave, they do not.
    ...(statement !== null && tags && { tags }),
  }
}

const name = (untrusted: string): string => truncate(onOneLine(clean(untrusted)), 63)
