import type { Action } from '../session/action.ts'
import { isIdleInTransaction, type Session, type SessionKey } from '../session/session.ts'
import { isPerson } from './actor.ts'
import type { Bulk } from './members.ts'
import type { Outcome, Victim } from './outcome.ts'

/**
 * Cancel or terminate this session, or all of a list, because… It is what an approve button stands for. Only transitions.ts
 * and bulkTransitions.ts change one.
 */
export type Proposal = { readonly [S in ProposalState]: ProposalIn<S> }[ProposalState]

/** A proposal that is known to be in a state. */
export type ProposalIn<S extends ProposalState> = ProposalFields & { readonly state: S }

export type OpenProposal = ProposalIn<'open'>

export type ProposalFields = {
  /** Opaque and unguessable: it is the value of the button. */
  readonly id: string
  /** The card that it stands on: an incident's id, or the id of the first proposal that was made by hand there. */
  readonly cardId: string
  readonly action: Action
  readonly key: SessionKey
  /** The session as it was when this was proposed. It must still be so when the signal is sent. */
  readonly session: Session
  /** Sessions that waited behind it then. */
  readonly victims: readonly Victim[]
  readonly reason: string
  /**
   * The one in whose place it was proposed by itself: the cancel without effect for a terminate, or an action of unknown
   * outcome; null for all others.
   */
  readonly insteadOf: string | null
  /** True when a pooler was seen in front of the session: then its next transaction may be another client's. */
  readonly pooled: boolean
  /** The last denial of an action on this session: it stands on what is proposed for it later. Null where there was none. */
  readonly denial: Denial | null
  /** The user or program (see actor.ts) that asked for it, or brought it back after a denial; null when the watcher proposed it. */
  readonly requestedBy: string | null
  /** People who asked for the same while it was open, each once, with why. */
  readonly joined?: readonly Joined[] | undefined
  /** Time when somebody asked the approvers in the thread for it, for the last time. */
  readonly askedAt?: number | undefined
  /** The list that it is for; absent where it is for one session. `key` and `session` are those of the first then. */
  readonly bulk?: Bulk | undefined
  /** True since it was decided and its session was seen gone or changed: then there is nothing to offer again. */
  readonly isPast?: boolean | undefined
  /** Counts the changes: a change is made only by the one who has seen the last (compare-and-swap). */
  readonly revision: number
  readonly approvals: readonly Approval[]
  /** Person who acted alone, and why; null when the ordinary approvals were given. */
  readonly brokeGlass: { readonly userId: string; readonly reason: string } | null
  /** Person who ended it, and how; null while it is open. */
  readonly decidedBy: string | null
  readonly decision: string | null
  readonly outcome: Outcome | null
  /** Time from the signal until its application began the same again (see retry.ts); null when it did not. */
  readonly retriedAfterMs: number | null
  readonly createdAt: number
  /** Time of the last approval, right before the signal; null before that. */
  readonly claimedAt: number | null
  /** Id of the process that claimed it; absent where a version before 0.2 did. */
  readonly claimedBy?: string | undefined
  /** Time by the clock of the watched server after which no signal goes out any more; absent: none may have gone out. */
  readonly signalBefore?: string | undefined
  readonly expiresAt: number
}

/**
 * `open`: waits for approvals. `claimed`: approved, and one process carries it out. `done`: carried out, see `outcome`.
 * `denied`, `expired`: by a person, by time. `withdrawn`: there is nothing left to do, or not in this state.
 */
export type ProposalState = 'open' | 'claimed' | 'done' | 'denied' | 'expired' | 'withdrawn'

/** Person who denied it, and why (empty when no reason was given). */
export type Denial = { readonly userId: string; readonly reason: string }

export type Approval = { readonly userId: string; readonly at: number }

/** Person who asked for it as well, and why (empty when no reason was given). */
export type Joined = { readonly userId: string; readonly reason: string }

/** A new proposal, open for `expireAfterMs`. */
export const openProposal = (
  made: Pick<
    Proposal,
    'id' | 'cardId' | 'action' | 'key' | 'session' | 'victims' | 'reason' | 'requestedBy'
  > &
    Partial<Pick<Proposal, 'insteadOf' | 'pooled' | 'denial' | 'joined' | 'bulk'>>,
  now: number,
  expireAfterMs: number,
): OpenProposal => ({
  insteadOf: null,
  pooled: false,
  denial: null,
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

/** Decides whether anything is said at all. */
export const isReason = (reason: string): boolean => /[\p{L}\p{N}]/u.test(reason)

/** Decides whether a person asks for it. A program calls nobody: it would do so all night. */
export const isByHand = (proposal: Proposal): boolean => requestersOf(proposal).some(isPerson)

/** Lists everybody who asked for it, each with why: people, and programs by their tokens. */
export const askersOf = ({ requestedBy, reason, joined = [] }: Proposal): Joined[] => [
  ...(requestedBy === null ? [] : [{ userId: requestedBy, reason }]),
  ...joined,
]

export const requestersOf = (proposal: Proposal): string[] => askersOf(proposal).map(({ userId }) => userId)

/**
 * Decides whether a fresh look may be offered: there may be something left to do, no open proposal asks for it, and its
 * session was not seen gone or changed since.
 */
export const mayBeOfferedAgain = ({ state, outcome, isPast, bulk }: Proposal): boolean =>
  !isPast &&
  // Another list is another request.
  bulk === undefined &&
  (state === 'expired' ||
    state === 'denied' ||
    state === 'withdrawn' ||
    (state === 'done' &&
      outcome !== null &&
      ['changed', 'refused', 'unreachable', 'notSent', 'unknown'].includes(outcome.kind)))

/**
 * Finds the proposal that may still end this session, among those for its pid, oldest first: it waits for approvals, or is
 * carried out.
 */
export const standingFor = (
  proposals: readonly Proposal[],
  { cluster, backendStart }: SessionKey,
): OpenProposal | ProposalIn<'claimed'> | null =>
  proposals.findLast(
    (one): one is OpenProposal | ProposalIn<'claimed'> =>
      (one.state === 'open' || one.state === 'claimed') &&
      one.key.cluster === cluster &&
      one.key.backendStart === backendStart,
  ) ?? null

/**
 * Finds the last denial of an action on a session, among the proposals for its pid, oldest first. Another session under the
 * pid is none of its business.
 */
export function lastDenial(
  earlier: readonly Proposal[],
  { cluster, backendStart }: SessionKey,
): Denial | null {
  const denied = earlier.findLast(
    ({ key, state }) => state === 'denied' && key.cluster === cluster && key.backendStart === backendStart,
  )
  return denied?.decidedBy ? { userId: denied.decidedBy, reason: denied.decision ?? '' } : null
}

/** A session that was busy a moment ago and will be again is none to terminate for being idle in its transaction. */
const settledAfterSeconds = 2

export const isSettled = (session: Session): boolean =>
  !isIdleInTransaction(session) || (session.stateSeconds ?? 0) >= settledAfterSeconds
