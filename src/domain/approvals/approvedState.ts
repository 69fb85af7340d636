import type { Action } from '../session/action.ts'
import { isUntold, type Session, type SessionKey } from '../session/session.ts'
import type { Proposal } from './proposal.ts'

/**
 * The check that a session still is what was approved. It is decided here from a look. The server checks it once more
 * in the statement that sends the signal (cancel.sql, terminate.sql), by a guard made from the same facts.
 */

type Approved = Pick<Proposal, 'action' | 'session' | 'victims' | 'requestedBy'> & {
  /** True for one of a list: nobody looked at it alone, so it must not have done anything since. */
  readonly asListed?: boolean | undefined
}

/** Facts that must still be true of a session for the server to send the signal. Times are text: see SessionKey. */
export type Guard = CancelGuard | TerminateGuard

/** Facts of both kinds. */
type CommonGuard = {
  readonly key: SessionKey
  /** Time by the clock of the server after which it sends nothing; null: it never does. */
  readonly signalBefore: string | null
}

export type CancelGuard = CommonGuard & {
  readonly action: 'cancel'
  /** The statement that was approved; else the next one would die. Null matches nothing. */
  readonly queryStart: string | null
  /**
   * Time when it was reported as running; null matches nothing. A fast-path call keeps the `query_start` of what ran
   * before it.
   */
  readonly stateChange: string | null
  /** Its id, where it had one: statements of one message begin at the same time. */
  readonly queryId: string | null
}

export type TerminateGuard = CommonGuard & {
  readonly action: 'terminate'
  /** Begin of the approved transaction. Null: none was seen, and none may be there now. */
  readonly xactStart: string | null
  /** Its id, where it had one: transactions of one message begin at the same time. */
  readonly backendXid: string | null
  /** The state that it must be in; null: any, since its transaction says enough. */
  readonly state: string | null
  /** Since when it must be in that state; null: since any time. */
  readonly stateChange: string | null
}

export function guardOf(approved: Approved & Pick<Proposal, 'key' | 'signalBefore'>): Guard {
  const { key, session, signalBefore = null } = approved
  const common = { key, signalBefore }
  const { queryStart, queryId, xactStart, backendXid, state, stateChange } = session
  if (approved.action === 'cancel') return { action: 'cancel', ...common, queryStart, stateChange, queryId }
  return hasVisibleTransaction(session) && !approved.asListed
    ? { action: 'terminate', ...common, xactStart, backendXid, state: null, stateChange: null }
    : { action: 'terminate', ...common, xactStart, backendXid, state, stateChange: unchangedSince(approved) }
}

/**
 * `xact_start` is NULL outside a transaction, but also in one that is aborted outside a savepoint, and while a statement
 * begins or ends (measured on 14 to 18).
 */
const hasVisibleTransaction = ({ xactStart }: Session): boolean => xactStart !== null

/**
 * Lists what differs now from what was approved, one phrase each; empty for the same session in the same state. For a
 * cancel the statement counts, for a terminate the transaction. A session that showed no transaction must be in the
 * same state, still without one. It must not have run anything since, except when it was idle and is not ended for
 * being idle. One of a list must not have done anything at all since it was listed.
 */
export function differences(approved: Approved, now: Session): string[] {
  const different = ordinaryDifferences(approved, now)
  const { state, stateChange } = approved.session
  const isAsListed = !approved.asListed || (now.state === state && now.stateChange === stateChange)
  return different.length > 0 || isAsListed ? different : ['it was used meanwhile']
}

function ordinaryDifferences(approved: Approved, now: Session): string[] {
  const then = approved.session
  if (then.backendStart !== now.backendStart) return ['the pid belongs to another session']
  if (isUntold(now)) return ['the server does not show what it does']
  if (approved.action === 'cancel') {
    if (now.state !== then.state) return [`it is ${now.state} now, its statement ended`]
    const isSame = then.queryStart === now.queryStart && then.stateChange === now.stateChange
    return isSame && !isOther(then.queryId, now.queryId) ? [] : ['it runs another statement']
  }
  if (hasVisibleTransaction(then))
    return now.xactStart === then.xactStart && (then.backendXid ?? now.backendXid) === now.backendXid
      ? []
      : ['its transaction ended']
  if (hasVisibleTransaction(now) || now.state !== then.state)
    return [then.state === 'idle' ? 'it is in use again' : 'its transaction ended']
  const since = unchangedSince(approved)
  if (since === null || since === now.stateChange) return []
  return [
    then.state === 'idle'
      ? 'it was used meanwhile'
      : 'it ran something since, so its transaction may be another',
  ]
}

/**
 * Since when a session that shows no transaction must be as it was; null: what it did meanwhile does not matter. Each
 * statement sets `state_change` again, also one that fails because its transaction is aborted. An idle session that was in
 * nobody's way is ended for not being used; one that others wait for, for what it holds; one that was requested by hand,
 * for whatever the reason says.
 */
const unchangedSince = ({ session, victims, requestedBy, asListed }: Approved): string | null =>
  !asListed && session.state === 'idle' && (victims.length > 0 || requestedBy !== null)
    ? null
    : session.stateChange

/**
 * The statements of one message begin at the same time and differ by their ids. A statement that has just begun has none
 * yet: it gets its id when it has been parsed (pgstat_report_query_id).
 */
const isOther = (then: string | null, now: string | null): boolean =>
  then !== null && now !== null && then !== now

/**
 * Returns true when the session still is what was approved. A cancel needs the same statement, a terminate only the
 * session.
 */
export const stillThere = (approved: Approved, now: Session | undefined): boolean =>
  now !== undefined &&
  now.backendStart === approved.session.backendStart &&
  (approved.action === 'terminate' || differences(approved, now).length === 0)

/** Returns true when the last proposal still fits, decided or not: then nothing new is proposed. */
export const stands = (latest: Proposal, action: Action, now: Session): boolean =>
  latest.key.pid === now.pid &&
  (latest.action === action || latest.insteadOf !== null) &&
  differences(latest, now).length === 0
