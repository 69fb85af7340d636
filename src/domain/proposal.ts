import type { Action } from './action.ts'
import type { Outcome, Victim } from './outcome.ts'
import { providersOwn } from './platform.ts'
import { type Protected, protectedBy } from './policy.ts'
import {
  isClient,
  isIdleInTransaction,
  type Server,
  type Session,
  type SessionKey,
  waitsForClient,
} from './session.ts'
import { has } from './versions.ts'

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

/** What may be done to a session, or why nothing. Both sentences are for the card. */
export type Fit =
  | { readonly action: Action; readonly why: string; readonly otherwise: string }
  | { readonly action: null; readonly why: string }

/** The gentlest action that has an effect on this session. */
export function fittingAction(
  session: Session,
  server: Server,
  protectedSessions: readonly Protected[],
): Fit {
  const why = untouchable(session, server, protectedSessions)
  if (why) return { action: null, why }
  const { inRecovery } = server
  if (session.state === 'active' || session.state === 'fastpath function call')
    return waitsForClient(session)
      ? {
          action: 'terminate',
          why: inRecovery
            ? 'Terminate ends the session; a standby writes nothing, so its answer alone is lost.'
            : 'Terminate ends the session and rolls its transaction back.',
          otherwise: `Cancel cannot help: it waits for its client to ${session.waitEvent === 'ClientWrite' ? 'take the result (ClientWrite)' : 'send data (ClientRead)'}.`,
        }
      : {
          action: 'cancel',
          why: inRecovery
            ? 'Cancel ends its statement with an error; a standby writes nothing, so its answer alone is lost. The connection stays.'
            : 'Cancel ends its statement with an error and rolls its transaction back; the connection stays.',
          otherwise: 'Terminate would close the connection as well.',
        }
  if (isIdleInTransaction(session))
    return {
      action: 'terminate',
      why: inRecovery
        ? 'Terminate closes the connection and ends its transaction, so its locks are released; a standby writes nothing, so no work is lost.'
        : 'Terminate closes the connection and rolls its transaction back, so its locks are released.',
      otherwise: 'Cancel has no effect on it: no statement is running.',
    }
  return {
    action: 'terminate',
    why: 'Terminate closes the connection and releases its session-level advisory locks; no transaction is open, so no work is lost.',
    otherwise: 'Cancel has no effect on it: no statement is running.',
  }
}

/** Why this action, asked for by hand, is not possible or has no effect; null when it may be proposed. */
export function objection(
  action: Action,
  session: Session,
  server: Server,
  protectedSessions: readonly Protected[],
): string | null {
  const fit = fittingAction(session, server, protectedSessions)
  if (fit.action === null) return fit.why
  return action === 'cancel' && fit.action === 'terminate' ? fit.otherwise : null
}

/** What the end of a transaction on the primary waits for on a standby that does not replay, by wait event. */
const replayed: Readonly<Record<string, string>> = {
  RecoveryPause: 'its end is replayed. Replay is paused: SELECT pg_wal_replay_resume(); lets it go on.',
  RecoveryApplyDelay: 'its end is replayed, which is late on purpose here (recovery_min_apply_delay).',
}

/** See the table of backend types in PostgreSQL's documentation of pg_stat_activity. */
function backendReason({ backendType, waitEvent }: Session, { versionNum }: Server): string {
  switch (backendType) {
    case 'autovacuum worker': {
      const who = has(versionNum, 'pg_signal_autovacuum_worker')
        ? 'a superuser or a member of pg_signal_autovacuum_worker'
        : 'a superuser'
      return `It is an autovacuum worker: ending it (${who} may) helps for a moment only, it comes back (at once, when it prevents transaction-id wraparound).`
    }
    case 'walsender':
      return 'It is a walsender: ending it breaks replication, which then starts over.'
    // One name up to 15, three since.
    case 'logical replication worker':
    case 'logical replication apply worker':
    case 'logical replication parallel worker':
    case 'logical replication tablesync worker':
      return 'It applies a subscription: its locks go when the transaction that it applies is done, and ended, it begins that one again. ALTER SUBSCRIPTION … DISABLE keeps it from the next.'
    case 'parallel worker':
      return 'It is a parallel worker: act on its leader.'
    case 'startup':
      return `It is the startup process, which replays what the primary did: a lock that it holds belongs to a transaction on the primary, and goes when ${replayed[waitEvent ?? ''] ?? 'that one ends there.'}`
    default:
      return `It is a server process (${backendType}), not a client.`
  }
}

/**
 * Its commit is written, and it keeps its locks until a standby has it too. A cancel or a termination ends that wait alone,
 * with a warning: nothing is rolled back, and a failover may lose what the client takes for safe (SyncRepWaitForLSN in
 * syncrep.c).
 */
const committed =
  'It has committed and waits for a synchronous standby (SyncRep), so ending it would roll nothing back and give up the promise that the standby has it. Bring the standby back, or take it out of synchronous_standby_names and reload; then it goes on.'

const unseen = 'Its state cannot be seen: the bot lacks pg_monitor.'

function untouchable(
  session: Session,
  server: Server,
  protectedSessions: readonly Protected[],
): string | null {
  if (session.state === null && session.backendType === '') return unseen
  if (!isClient(session)) return backendReason(session, server)
  const rule = protectedBy(session, protectedSessions)
  if (rule)
    return `It is protected by the configuration (${Object.entries(rule)
      .map(([key, value]) => `${key}: ${value}`)
      .join(', ')}).`
  const theirs = providersOwn(session, server.platform)
  if (theirs) return theirs
  if (session.isSuperuser && !server.isSuperuser)
    return 'It belongs to a superuser, whom pg_signal_backend may not signal: only a superuser can end it.'
  if (session.state === null) return unseen
  if (session.waitEvent === 'SyncRep') return committed
  if (session.state === 'disabled') return 'Its state cannot be seen: track_activities is off for it.'
  return null
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
