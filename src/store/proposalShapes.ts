import { z } from 'zod'
import type { RefusalCode } from '../domain/approvals/access.ts'
import type { CallReason, JournalEvent, Listed } from '../domain/approvals/journal.ts'
import type { Bulk, BulkCounts, BulkMember, LeftOut } from '../domain/approvals/members.ts'
import type { Outcome, Victim } from '../domain/approvals/outcome.ts'
import type { Approval, Denial, Joined, Proposal, ProposalFields } from '../domain/approvals/proposal.ts'
import { actionShape, sessionKeyShape, sessionShape } from './sessionShapes.ts'
import { anyText, type Fields, flag, listOf, number, object, oneOf, orNull, union } from './shapes.ts'

const outcome = union<Outcome, 'kind'>('kind', {
  effective: {
    afterMs: number,
    victims: number,
    movedOn: number,
    expected: number.optional(),
    heldBy: z.array(number).optional(),
  },
  still: {
    afterMs: number,
    state: orNull(anyText),
    waitEventType: orNull(anyText),
    waitEvent: orNull(anyText),
    why: anyText.optional(),
  },
  changed: { what: anyText },
  refused: { why: anyText },
  unreachable: { why: anyText },
  notSent: { why: anyText },
  unknown: { now: anyText },
})

const denial = object<Denial>({ userId: anyText, reason: anyText })

const victims = listOf(object<Victim>({ pid: number, backendStart: anyText, queryStart: orNull(anyText) }))

const bulk = object<Bulk>({
  members: listOf(
    object<BulkMember>({
      session: sessionShape,
      victims,
      pooled: flag,
      signalBefore: anyText.optional(),
      begunAt: number.optional(),
      outcome: outcome.optional(),
      retriedAfterMs: number.optional(),
    }),
  ),
  leftOut: listOf(object<LeftOut>({ why: anyText, pids: z.array(number) })),
  chosenBy: anyText,
  sweep: anyText.optional(),
})

const proposalFields: Fields<ProposalFields> = {
  id: anyText,
  cardId: anyText,
  action: actionShape,
  key: sessionKeyShape,
  session: sessionShape,
  victims,
  reason: anyText,
  insteadOf: orNull(anyText),
  pooled: flag,
  denial: orNull(denial),
  requestedBy: orNull(anyText),
  joined: listOf(object<Joined>({ userId: anyText, reason: anyText })).optional(),
  askedAt: number.optional(),
  bulk: bulk.optional(),
  isPast: flag.optional(),
  revision: number,
  approvals: listOf(object<Approval>({ userId: anyText, at: number })),
  brokeGlass: orNull(denial),
  decidedBy: orNull(anyText),
  decision: orNull(anyText),
  outcome: orNull(outcome),
  retriedAfterMs: orNull(number),
  createdAt: number,
  claimedAt: orNull(number),
  claimedBy: anyText.optional(),
  signalBefore: anyText.optional(),
  expiresAt: number,
}
export const proposalShape = union<Proposal, 'state'>('state', {
  open: proposalFields,
  claimed: proposalFields,
  done: proposalFields,
  denied: proposalFields,
  expired: proposalFields,
  withdrawn: proposalFields,
})

const actor = anyText
const names = listOf(anyText)
const ofProposal = { actor, proposalId: anyText }
const onSession = { ...ofProposal, action: actionShape, session: sessionKeyShape }
const onHost = { actor, by: anyText, cluster: anyText, action: actionShape, pid: number }
const members = listOf(object<Listed>({ pid: number, backendStart: anyText })).optional()
const many = number.optional()
const ofIncident = { actor, what: anyText, incidentId: anyText.optional() }
const ofSight = { actor, cluster: anyText, since: orNull(number), reason: anyText }

export const eventShape = union<JournalEvent, 'kind'>('kind', {
  requested: {
    ...onSession,
    statement: orNull(anyText),
    members,
    reason: anyText,
    asked: listOf(anyText).optional(),
    requestId: anyText.optional(),
  },
  offered: { ...onSession, statement: orNull(anyText), members },
  bulkDone: {
    ...onSession,
    counts: object<BulkCounts>({
      effective: many,
      still: many,
      changed: many,
      refused: many,
      unreachable: many,
      notSent: many,
      unknown: many,
    }),
  },
  approved: { ...ofProposal, have: number, needed: number },
  refused: {
    actor,
    entry: anyText,
    proposalId: orNull(anyText),
    // Only counted and shown: one that is not given any more may stand.
    code: z.custom<RefusalCode>((code) => typeof code === 'string'),
    reason: anyText,
    more: number.optional(),
    requestId: anyText.optional(),
  },
  codeAccepted: ofProposal,
  codesLocked: { ...ofProposal, cluster: anyText, wrong: number, until: number },
  enrolled: { actor, userId: anyText, by: anyText },
  unenrolled: { actor, userId: anyText, by: anyText },
  hostIntended: { ...onHost, startTicks: anyText, title: anyText },
  hostOutcome: { ...onHost, sent: flag, what: anyText },
  brokeGlass: { ...onSession, members, reason: anyText },
  denied: { ...ofProposal, reason: anyText },
  expired: ofProposal,
  withdrawn: { ...ofProposal, reason: anyText },
  intended: {
    ...onSession,
    statement: orNull(anyText),
    approvedBy: listOf(anyText),
  },
  outcome: { ...onSession, sql: orNull(anyText), returned: orNull(flag), outcome },
  retried: { ...ofProposal, pid: number, afterMs: number },
  incidentOpened: ofIncident,
  incidentChanged: ofIncident,
  incidentReopened: ofIncident,
  incidentResolved: ofIncident,
  lacking: { actor, cluster: anyText, what: anyText, remedy: anyText },
  acknowledged: { actor, from: anyText.optional(), to: anyText.optional() },
  handedBack: { actor },
  undelivered: { actor, receiver: anyText, what: anyText, reason: anyText },
  called: {
    actor,
    why: oneOf<CallReason>({ card: 1, worse: 1, request: 1, remind: 1, escalate: 1, expiring: 1 }),
    people: listOf(anyText),
  },
  configured: {
    ...{ actor, replica: orNull(anyText) },
    ...{ added: names, changed: names, removed: names, settings: names, restart: names },
  },
  misconfigured: { actor, replica: orNull(anyText), problems: names },
  silenced: { actor, cluster: anyText, what: anyText, until: number, reason: anyText },
  silenceEnded: {
    actor,
    cluster: anyText,
    what: anyText,
    opened: number,
    resolved: number,
    open: number,
    left: listOf(object<{ readonly what: string; readonly until: number }>({ what: anyText, until: number })),
  },
  caughtUp: { actor, changes: number, last: anyText },
  blind: ofSight,
  seesAgain: ofSight,
})
