import type { Action } from '../session/action.ts'
import { isIdleInTransaction, type Session, type SessionKey } from '../session/session.ts'
import type { Outcome, Victim } from './outcome.ts'

/** Cancel or terminate this session, because… It is what an approve button stands for. */
export type Proposal = {
  /** Opaque and unguessable: it is the value of the button. */
  readonly id: string
  /** The card that it stands on: an incident's id, or the id of the first proposal that was made by hand there. */
  readonly cardId: string
  readonly action: Action
  readonly key: SessionKey
  /** The session as it was when this was proposed. It must still be so when the signal is sent. */
  readonly session: Session
  /** Who waited behind it then. */
  readonly victims: readonly Victim[]
  readonly reason: string
  /** The cancel without effect in whose place this terminate was proposed; null for all others. */
  readonly insteadOf: string | null
  /** The user who asked for it by hand; null when the watcher proposed it. */
  readonly requestedBy: string | null
  readonly state: ProposalState
  /** Counts the changes: a change is made only by the one who has seen the last (compare-and-swap). */
  readonly revision: number
  readonly approvals: readonly Approval[]
  /** Who acted alone, and why; null where the ordinary approvals were given. */
  readonly brokeGlass: { readonly userId: string; readonly reason: string } | null
  /** Who ended it, and how, once it is not open any more. */
  readonly decidedBy: string | null
  readonly decision: string | null
  readonly outcome: Outcome | null
  /** How long after the signal its application began the same again (see retry.ts); null where it did not. */
  readonly retriedAfterMs: number | null
  readonly createdAt: number
  /** When the last approval came, right before the signal; null while it has not. */
  readonly claimedAt: number | null
  readonly expiresAt: number
}

/**
 * `open`: waits for approvals. `claimed`: approved, and one process carries it out. `done`: carried out, see `outcome`.
 * `denied`, `expired`: by a person, by time. `withdrawn`: there is nothing left to do, or not in this state.
 */
export type ProposalState = 'open' | 'claimed' | 'done' | 'denied' | 'expired' | 'withdrawn'

export type Approval = { readonly userId: string; readonly at: number }

/** A new proposal, open for `expireAfterMs`. */
export const openProposal = (
  made: Pick<
    Proposal,
    'id' | 'cardId' | 'action' | 'key' | 'session' | 'victims' | 'reason' | 'requestedBy'
  > &
    Partial<Pick<Proposal, 'insteadOf'>>,
  now: number,
  expireAfterMs: number,
): Proposal => ({
  insteadOf: null,
  ...made,
  state: 'open',
  revision: 1,
  approvals: [],
  brokeGlass: null,
  decidedBy: null,
  decision: null,
  outcome: null,
  retriedAfterMs: null,
  createdAt: now,
  claimedAt: null,
  expiresAt: now + expireAfterMs,
})

/** Those of `pids` that wait now, as they wait. */
export const victimsAmong = (pids: readonly number[], sessions: readonly Session[]): Victim[] => {
  const behind = new Set(pids)
  return sessions
    .filter(({ pid }) => behind.has(pid))
    .map(({ pid, backendStart, queryStart }) => ({ pid, backendStart, queryStart }))
}

type Approved = Pick<Proposal, 'action' | 'session' | 'victims' | 'requestedBy'>

/**
 * What is different now from what was approved, one phrase each; empty when it is the same session in the same state.
 * For a cancel that is the statement, for a terminate the transaction. An idle session without a transaction
 * must have none now, and one that is ended for not being used must not have been used since.
 */
export function differences(proposal: Approved, now: Session): string[] {
  const then = proposal.session
  if (then.backendStart !== now.backendStart) return ['the pid belongs to another session']
  if (proposal.action === 'cancel') {
    if (then.queryStart !== now.queryStart || isOther(then.queryId, now.queryId))
      return ['it runs another statement']
    return now.state === then.state ? [] : [`it is ${now.state} now, its statement ended`]
  }
  if (then.xactStart !== now.xactStart)
    return [then.xactStart === null ? 'it is in use again' : 'its transaction ended']
  const since = unusedSince(proposal)
  return since !== null && since !== now.stateChange ? ['it was used meanwhile'] : []
}

/**
 * Since when the session of a terminate has been idle, where that is why it is ended; else null. A session that was in
 * nobody's way is ended for not being used; one that others wait for, for what it holds; one that was asked for by hand,
 * for whatever the reason says.
 */
export const unusedSince = ({ session, victims, requestedBy }: Approved): string | null =>
  session.state === 'idle' && victims.length === 0 && requestedBy === null ? session.stateChange : null

/**
 * The statements of one message begin at the same time and differ by their ids. A statement that has just begun has none
 * yet: it gets its id when it has been parsed (pgstat_report_query_id).
 */
const isOther = (then: string | null, now: string | null): boolean =>
  then !== null && now !== null && then !== now

/** Whether the session still is what was approved: for a cancel the statement runs, for a terminate it is there at all. */
export const stillThere = (approved: Approved, now: Session | undefined): boolean =>
  now !== undefined &&
  now.backendStart === approved.session.backendStart &&
  (approved.action === 'terminate' || differences(approved, now).length === 0)

/** Whether there may be something left to do that nobody is asked for any more: then a fresh look can be asked for. */
export const mayBeOfferedAgain = ({ state, outcome }: Proposal): boolean =>
  state === 'expired' ||
  state === 'denied' ||
  state === 'withdrawn' ||
  (state === 'done' &&
    outcome !== null &&
    ['changed', 'refused', 'unreachable', 'unknown'].includes(outcome.kind))

/** Whether what was proposed last still is what fits, decided or not: then nothing new is to be proposed. */
export const stands = (latest: Proposal, action: Action, now: Session): boolean =>
  latest.key.pid === now.pid &&
  (latest.action === action || latest.insteadOf !== null) &&
  differences(latest, now).length === 0

/** A session that was busy a moment ago and will be again is none to terminate for being idle in its transaction. */
const settledAfterSeconds = 2

export const isSettled = (session: Session): boolean =>
  !isIdleInTransaction(session) || (session.stateSeconds ?? 0) >= settledAfterSeconds
