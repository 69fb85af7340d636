import type { Action } from './action.ts'
import { leftoverOf, undoneWords } from './leftover.ts'
import { isLoggingIn } from './loggingIn.ts'
import { providersOwn } from './platform.ts'
import { type Protected, protectedBy } from './policy.ts'
import {
  hasFailed,
  isAutovacuum,
  isClient,
  isIdleInTransaction,
  type Session,
  waitsForClient,
} from './session.ts'
import type { Server } from './snapshot.ts'
import { has } from './versions.ts'

/** Action that a session allows, or why none. Both sentences are for the card. */
export type Fit =
  | {
      readonly action: Action
      readonly why: string
      readonly otherwise: string
      /** True where a stronger action is not possible either. */
      readonly isOnly?: true
    }
  | { readonly action: null; readonly why: string }

/** Finds the mildest action that has an effect on this session. */
export function fittingAction(
  session: Session,
  server: Server,
  protectedSessions: readonly Protected[],
): Fit {
  const why = untouchable(session, server, protectedSessions)
  if (why) return { action: null, why }
  if (isAutovacuum(session))
    return {
      action: 'cancel',
      why: `Cancel ends its work on this table; ${leftoverOf(session)?.stays ?? 'what it has done stays'}, and it goes on with the next one. It comes back for this one (at once, when it prevents transaction-id wraparound): what waits for its lock goes first.`,
      otherwise: 'Terminate does no more for who waits, so it is not offered.',
      isOnly: true,
    }
  const { inRecovery } = server
  const undone = undoneWords(session)
  if (session.state === 'active' || session.state === 'fastpath function call')
    return waitsForClient(session)
      ? {
          action: 'terminate',
          why: inRecovery
            ? 'Terminate ends the session; a standby writes nothing, so its answer alone is lost.'
            : undone === null
              ? 'Terminate ends the session and rolls its transaction back.'
              : `Terminate ends the session; ${undone}.`,
          otherwise: `Cancel cannot help: it waits for its client to ${session.waitEvent === 'ClientWrite' ? 'take the result (ClientWrite)' : 'send data (ClientRead)'}.`,
        }
      : {
          action: 'cancel',
          why: inRecovery
            ? 'Cancel ends its statement with an error; a standby writes nothing, so its answer alone is lost. The connection stays.'
            : undone === null
              ? 'Cancel ends its statement with an error and rolls its transaction back; the connection stays.'
              : `Cancel ends its statement with an error; ${undone}. The connection stays.`,
          otherwise: 'Terminate would close the connection as well.',
        }
  if (hasFailed(session))
    return {
      action: 'terminate',
      why: 'Terminate closes the connection; its transaction has failed already, so no work is lost by that.',
      otherwise: 'Cancel has no effect on it: no statement is running.',
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
    why: 'Terminate closes the connection and releases its session-level advisory locks. No transaction is open; temporary tables of the session are lost, if it has any.',
    otherwise: 'Cancel has no effect on it: no statement is running.',
  }
}

/**
 * Makes of a server what the bot takes it for when nobody has asked: an autovacuum worker gives way by itself, or comes back at
 * once, so its cancel is for a person to think of.
 */
export const unasked = (server: Server): Server => ({ ...server, maySignalAutovacuum: false })

/** Says why this requested action is not possible or has no effect; null when it may be proposed. */
export function objection(
  action: Action,
  session: Session,
  server: Server,
  protectedSessions: readonly Protected[],
): string | null {
  return objectionIn(action, fittingAction(session, server, protectedSessions))
}

/** Says why an action is not possible or has no effect, where this one fits; null when it may be proposed. */
export function objectionIn(action: Action, fit: Fit): string | null {
  if (fit.action === null) return fit.why
  return action !== fit.action && (action === 'cancel' || fit.isOnly) ? fit.otherwise : null
}

/** Waits at the end of a transaction on the primary for a standby that does not replay, by wait event. */
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
    case 'REPACK decoding worker':
      return 'It reads for a REPACK (CONCURRENTLY) what others change meanwhile: act on its leader.'
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

const namelessYet =
  'It is logging in: the server knows no user for it yet, so only a superuser could end it. It goes on when what it waits for is free.'

const unseen = 'Its state cannot be seen: the bot lacks pg_monitor.'

function untouchable(
  session: Session,
  server: Server,
  protectedSessions: readonly Protected[],
): string | null {
  if (session.state === null && session.backendType === '') return unseen
  const mayCancel = isAutovacuum(session) && session.state === 'active' && server.maySignalAutovacuum
  if (!isClient(session) && !mayCancel) return backendReason(session, server)
  if (isLoggingIn(session)) return namelessYet
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
