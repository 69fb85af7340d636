import type { Approvals } from '../session/policy.ts'
import { type Refusal, refusalOf } from './access.ts'
import { bot, earlierApproval, type JournalEvent } from './journal.ts'
import type { Outcome } from './outcome.ts'
import {
  type Approval,
  isReason,
  type OpenProposal,
  type Proposal,
  type ProposalIn,
  requestersOf,
} from './proposal.ts'

/**
 * Every way in which a proposal changes, and nothing else changes one (docs/architecture.md draws them). What a state does
 * not allow does not compile; what a person may not do is a refusal.
 */

/** Next state of a proposal, with the events for the journal. The store counts the revision. */
export type Step<P extends Proposal> = { readonly next: P; readonly events: readonly JournalEvent[] }

/** Outcome of an action, with the statement that was sent and what it returned. */
export type Execution = {
  readonly outcome: Outcome
  readonly sql: string | null
  readonly returned: boolean | null
}

/** Person or program that asks; for a program with its request, as the log names it. */
export type Requester = { readonly actor: string; readonly requestId?: string | undefined }

/** Opens what somebody requested. */
export const request = (open: OpenProposal, by: Requester): Step<OpenProposal> => ({
  next: open,
  events: [{ kind: 'requested', ...by, ...aboutSession(open), ...listed(open), reason: open.reason }],
})

/** Adds somebody who asks for the same; null for who asked for it or approved it already. */
export const join = (open: OpenProposal, by: Requester, reason: string): Step<OpenProposal> | null =>
  requestersOf(open).includes(by.actor) || isAmong(open.approvals, by.actor)
    ? null
    : {
        next: { ...open, joined: [...(open.joined ?? []), { userId: by.actor, reason }] },
        events: [{ kind: 'requested', ...by, ...aboutSession(open), reason }],
      }

/** Time for which the approvers are not asked a second time in the thread of one card. */
const askAgainAfterMs = 5 * 60_000

/**
 * Notes that somebody asks the approvers for it, once in five minutes for each card.
 * @param onCard every proposal of the card
 * @returns the time of the last time that somebody asked, where that is not long ago
 */
export function askApprovers(
  open: OpenProposal,
  onCard: readonly Proposal[],
  { userId, approvers }: { readonly userId: string; readonly approvers: readonly string[] },
  now: number,
): Step<OpenProposal> | { readonly askedAt: number } {
  const askedAt = Math.max(...onCard.map((one) => one.askedAt ?? Number.NEGATIVE_INFINITY))
  // What seems to be asked later was asked before the clock was set back.
  if (askedAt <= now && now - askedAt < askAgainAfterMs) return { askedAt }
  return {
    next: { ...open, askedAt: now },
    events: [{ kind: 'requested', actor: userId, ...aboutSession(open), reason: '', asked: approvers }],
  }
}

/** Opens it without a request for this action. */
export const offer = (open: OpenProposal, actor: string): Step<OpenProposal> => ({
  next: open,
  events: [{ kind: 'offered', actor, ...aboutSession(open), ...listed(open) }],
})

/** The frozen list, where it is for one. */
const listed = ({ bulk }: Proposal) =>
  bulk && { members: bulk.members.map(({ session: { pid, backendStart } }) => ({ pid, backendStart })) }

const aboutSession = ({ id, action, key, session }: Proposal) => ({
  proposalId: id,
  action,
  session: key,
  statement: session.query,
})

/** Counts one more approver; with enough different people it is the claim, and the intent stands in the journal. */
export function approve(
  open: OpenProposal,
  userId: string,
  policy: Approvals,
  now: number,
): Step<OpenProposal> | Step<ProposalIn<'claimed'>> | Refusal {
  const requesters = requestersOf(open)
  if (requesters.includes(userId) && !policy.requesterMayApprove)
    return refusalOf(
      'requester',
      'you asked for it, so somebody else has to approve it',
      'who asks for it does not approve it',
    )
  if (isAmong(open.approvals, userId))
    return refusalOf(
      'alreadyApproved',
      'you approved it already; somebody else has to as well',
      'one person approves once, and somebody else has to as well',
    )
  const counting = open.approvals.filter(
    (approval) => policy.requesterMayApprove || !requesters.includes(approval.userId),
  )
  const approvals = [...counting, { userId, at: now }]
  const have = approvals.length
  const needed = policy.people[open.action]
  const approved = { kind: 'approved', actor: userId, proposalId: open.id, have } as const
  return have < needed
    ? { next: { ...open, approvals }, events: [{ ...approved, needed }] }
    : claim(open, { approvals, brokeGlass: null }, { ...approved, needed: have }, now)
}

/** Claims it for one named person who acts alone, and says why. */
export function breakGlass(
  open: OpenProposal,
  userId: string,
  reason: string,
  now: number,
): Step<ProposalIn<'claimed'>> | Refusal {
  if (!isReason(reason)) return refusalOf('noReason', 'breaking the glass takes a reason')
  const approvals = isAmong(open.approvals, userId)
    ? open.approvals
    : [...open.approvals, { userId, at: now }]
  const { id: proposalId, action, key: session } = open
  const about = { actor: userId, proposalId, action, session, ...listed(open) }
  const event = { kind: 'brokeGlass', ...about, reason } as const
  return claim(open, { approvals, brokeGlass: { userId, reason } }, event, now)
}

/** Claims the proposal: of any number of presses, one makes this change and carries it out. */
const claim = (
  open: OpenProposal,
  by: Pick<Proposal, 'approvals' | 'brokeGlass'>,
  event: JournalEvent,
  now: number,
): Step<ProposalIn<'claimed'>> => ({
  next: { ...open, ...by, state: 'claimed', decidedBy: event.actor, claimedAt: now },
  events: [
    event,
    // Each of a list has an intent of its own, right before its signal.
    ...(open.bulk
      ? []
      : [
          {
            kind: 'intended' as const,
            actor: bot,
            ...aboutSession(open),
            approvedBy: by.approvals.map(({ userId }) => userId),
          },
        ]),
  ],
})

/**
 * Begins the signal: from now on it may have gone out. Where another process has ended the claim meanwhile, this step finds
 * nothing to change, and no signal goes out.
 * @param before time by the clock of the watched server after which none goes out any more
 */
export const beginSignal = (claimed: ProposalIn<'claimed'>, before: string): Step<ProposalIn<'claimed'>> => ({
  next: { ...claimed, signalBefore: before },
  events: [],
})

/** Takes off the approvals of people who may not approve any more. */
export const takeOff = (open: OpenProposal, userIds: readonly string[]): Step<OpenProposal> => ({
  next: { ...open, approvals: open.approvals.filter(({ userId }) => !userIds.includes(userId)) },
  events: userIds.map((userId) => ({
    kind: 'refused',
    actor: userId,
    entry: earlierApproval,
    proposalId: open.id,
    code: 'notAllowed',
    reason: 'they may not approve any more, so their earlier approval does not count',
  })),
})

/** Ends it by a person's no; the reason may be empty. */
export const deny = (open: OpenProposal, userId: string, reason: string): Step<ProposalIn<'denied'>> => ({
  next: { ...open, state: 'denied', decidedBy: userId, decision: reason || null },
  events: [{ kind: 'denied', actor: userId, proposalId: open.id, reason }],
})

/** Ends it because nobody decided in time. */
export const expire = (open: OpenProposal): Step<ProposalIn<'expired'>> => ({
  next: { ...open, state: 'expired' },
  events: [{ kind: 'expired', actor: bot, proposalId: open.id }],
})

/** Takes it back: there is nothing left to do, or not in this state. */
export const withdraw = (open: OpenProposal, reason: string): Step<ProposalIn<'withdrawn'>> => ({
  next: { ...open, state: 'withdrawn', decision: reason },
  events: [{ kind: 'withdrawn', actor: bot, proposalId: open.id, reason }],
})

/** Ends it with what came of it. */
export const finish = (claimed: ProposalIn<'claimed'>, execution: Execution): Step<ProposalIn<'done'>> => ({
  next: { ...claimed, state: 'done', outcome: execution.outcome },
  events: [
    {
      kind: 'outcome',
      actor: bot,
      proposalId: claimed.id,
      action: claimed.action,
      session: claimed.key,
      ...execution,
    },
  ],
})

/** Notes that its application began the same again, in this session and so long after the signal. */
export const noteRetry = (
  done: ProposalIn<'done'>,
  pid: number,
  afterMs: number,
): Step<ProposalIn<'done'>> => ({
  next: { ...done, retriedAfterMs: afterMs },
  events: [{ kind: 'retried', actor: bot, proposalId: done.id, pid, afterMs }],
})

/** Notes whether its session was seen gone or changed since it was decided. */
export const notePast = <P extends Proposal>(decided: P, isPast: boolean): Step<P> => ({
  next: { ...decided, isPast },
  events: [],
})

const isAmong = (approvals: readonly Approval[], userId: string): boolean =>
  approvals.some((approval) => approval.userId === userId)
