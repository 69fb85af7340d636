import { z } from 'zod'
import { type Proposal, requestersOf } from '../domain/approvals/proposal.ts'
import { subjectOf } from '../domain/incidents/finding.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { severityOf, victimsOf } from '../domain/incidents/severity.ts'
import type { Session } from '../domain/session/session.ts'
import { headlineOf } from './card/headline.ts'
import { outcomeSentence } from './card/outcome.ts'
import { clean, truncate } from './kit.ts'
import { onOneLine } from './words.ts'

/**
 * Incidents and proposals as programs read them, in webhooks and over HTTP. What is here is promised: a field may be added,
 * none may change or go.
 */

const text = z.string()
const time = z.iso.datetime()
const count = z.int().min(0)

const sessionPart = z.object({
  pid: z.int(),
  backendStart: text.describe(
    "pg_stat_activity's own text, with microseconds; where the operating system showed the session, what tells its process from others: boot … postmaster … process …",
  ),
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

export const incidentPart = z.object({
  id: text,
  kind: text.describe('blocking, longQuery, …'),
  severity: z.enum(['critical', 'warning', 'notice']),
  summary: text.describe('the headline of its card'),
  victims: count.describe('sessions that suffer now'),
  session: sessionPart.nullable(),
  beganAt: time.describe('begin of the trouble, as the server reports it'),
  openedAt: time.describe('when it was first seen'),
  resolvedAt: time.nullable(),
  resolution: text.nullable().describe('why it is over'),
  acknowledgedBy: text.nullable().describe('a Slack user id'),
  silenced: z.boolean().describe('snoozed, or in a quiet period'),
})

export const proposalPart = z.object({
  id: text,
  action: z.enum(['cancel', 'terminate']),
  summary: text,
  session: sessionPart,
  reason: text,
  requestedBy: z.array(text).describe('Slack user ids, and token:NAME for programs'),
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

/** Facts of such a part that it does not hold itself. */
export type PartFacts = {
  readonly silenced: boolean
  /** Gives a statement the form in which it may leave. */
  readonly maskText: (statement: string | null) => string | null
}

export const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()

/** The headline without its sign. */
const withoutSign = (headline: string): string => headline.slice(headline.indexOf(' ') + 1)

/** Writes an incident down for a program. */
export function incidentPartOf(incident: Incident, about: PartFacts): z.infer<typeof incidentPart> {
  const { id, cluster, finding, beganAt, openedAt, resolvedAt, resolution, acknowledgedBy } = incident
  const subject = subjectOf(finding)
  return {
    id,
    kind: finding.kind,
    severity: severityOf(finding),
    summary: withoutSign(headlineOf({ cluster, incident, proposals: [] })),
    victims: victimsOf(finding),
    session: subject && sessionPartOf(subject, about),
    beganAt: iso(Math.round(beganAt)),
    openedAt: iso(openedAt),
    resolvedAt: resolvedAt === null ? null : iso(resolvedAt),
    resolution,
    acknowledgedBy,
    silenced: about.silenced,
  }
}

/** Writes a proposal down for a program. */
export function proposalPartOf(proposal: Proposal, about: PartFacts): z.infer<typeof proposalPart> {
  const { id, action, key, reason, approvals, state, expiresAt, outcome } = proposal
  return {
    id,
    action,
    summary: withoutSign(headlineOf({ cluster: key.cluster, incident: null, proposals: [proposal] })),
    session: sessionPartOf(proposal.session, about),
    reason,
    requestedBy: requestersOf(proposal),
    approvedBy: approvals.map(({ userId }) => userId),
    state,
    expiresAt: iso(expiresAt),
    outcome: outcome && { kind: outcome.kind, sentence: outcomeSentence(proposal) },
  }
}

const sessionPartOf = (
  { pid, backendStart, usename, datname, applicationName, state, query, tags }: Session,
  { maskText }: PartFacts,
): z.infer<typeof sessionPart> => {
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
