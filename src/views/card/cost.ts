import { againWords, type Retries } from '../../domain/approvals/retry.ts'
import { isFromHost } from '../../domain/host/identity.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import { type WorkLost, workLost } from '../../domain/locks/workLost.ts'
import type { Action } from '../../domain/session/action.ts'
import { leftoverOf, leftoverWords, undoneWords } from '../../domain/session/leftover.ts'
import { rewriteOf } from '../../domain/session/rewrite.ts'
import { hasFailed, isAutovacuum, type Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { count } from '../words.ts'

/** Says what is lost with a session. Whether a waiting session has done work before, the recommendation knows. */
export function lostWith(session: Session, incident: Incident | null): WorkLost {
  const target = incident?.recommendation?.target
  return target?.session.pid === session.pid ? target.workLost : workLost(session, undefined)
}

/** Describes the work that the session has done so far. */
export function workOf(session: Session, lost: WorkLost): string {
  if (isFromHost(session)) return 'What its transaction has done is not to be seen from the operating system.'
  const { backendXid } = session
  if (hasFailed(session)) return 'Its transaction has failed: nothing of it is left to be lost.'
  if (session.xactSeconds === null && lost !== 'halfDone') return 'No transaction is open.'
  const known: Partial<Record<WorkLost, string>> = {
    request: 'it has done nothing yet but wait',
    blockedReader: 'it has changed no table yet',
    halfDone: 'ended now, it is left half done',
    vacuum: 'what it has finished stays',
    steps: 'what it has finished stays',
    idleReader: backendXid === null ? 'it has written nothing' : 'it has locked rows, and changed no table',
  }
  const written =
    known[lost] ??
    (backendXid === null
      ? 'it has written nothing'
      : `it has written or locked rows (transaction id ${backendXid})`)
  return `Its transaction is open for ${formatDuration(session.xactSeconds ?? 0)}; ${written}.`
}

/** Says what an approval does to the session, in one sentence. */
export function consequenceOf(action: Action, session: Session, lost: WorkLost): string {
  if (isFromHost(session))
    return action === 'cancel'
      ? 'Its statement ends with an error, the connection stays.'
      : 'Its connection is closed, and the transaction that it may have is rolled back.'
  const undone = (lost === 'request' ? null : undoneWords(session)) ?? 'its transaction is rolled back'
  if (isAutovacuum(session))
    return `Its work on this table ends with an error, ${undone}, and it comes back for it.`
  if (action === 'cancel') return `Its statement ends with an error, ${undone}, the connection stays.`
  return session.xactSeconds === null && lost !== 'halfDone'
    ? 'Its connection is closed.'
    : `Its connection is closed and ${undone}.`
}

/** Describes the cost of an action: the rollback, what the client sees, and work that is repeated for nothing. */
export const costOf = (action: Action, session: Session, lost: WorkLost, retries: Retries | null): string =>
  [rollbackOf(session, lost), clientSees(action, session), retryOf(retries)].filter(Boolean).join(' ')

/**
 * A rollback writes one record and marks the transaction as aborted (RecordTransactionAbort in xact.c); nothing is undone
 * row by row. The dead rows stay until vacuum comes: https://www.postgresql.org/docs/current/routine-vacuuming.html
 */
function rollbackOf(session: Session, lost: WorkLost): string {
  if (isFromHost(session)) return 'What is to be rolled back is not to be seen.'
  const left = leftoverOf(session)
  if (lost === 'halfDone' || lost === 'vacuum' || lost === 'steps')
    return left ? leftoverWords(left) : 'What it has committed stays.'
  if (session.xactSeconds === null) return 'Nothing is to be rolled back.'
  if (lost === 'blockedReader') return 'The rollback takes no time: no table was changed.'
  if (lost === 'request') return 'The rollback takes no time: nothing was written.'
  const rewrite = rewriteOf(session)
  if (rewrite && session.backendXid !== null)
    return `The rollback takes a moment only: the new copy of the table is removed${rewrite.isConcurrent ? ', and its worker and replication slot (repack_…) go with it' : ''}. Run again, it begins from the start.`
  const rollback =
    session.backendXid === null || lost === 'idleReader'
      ? 'The rollback takes no time: nothing was written.'
      : 'The rollback takes a moment only, however much was written; vacuum clears the dead rows away later.'
  return left ? `${rollback} ${leftoverWords(left)}` : rollback
}

/** The error that its client gets, with its code: https://www.postgresql.org/docs/current/errcodes-appendix.html */
function clientSees(action: Action, session: Session): string {
  const { state, xactSeconds } = session
  if (isAutovacuum(session)) return 'It has no client; the log of the server has its error.'
  if (action === 'cancel') return 'Its client gets error 57014 (query_canceled) and keeps its connection.'
  const when = state === 'active' ? '' : ' at its next statement'
  const again = state === 'active' || xactSeconds === null ? '' : ' and to begin its transaction again'
  return `Its client gets error 57P01 (admin_shutdown)${when} and has to connect again${again}. Temporary tables of the session are lost, if it has any.`
}

function retryOf(retries: Retries | null): string {
  if (!retries) return ''
  if (retries.again > 0) return `It is likely to be tried again: ${againWords(retries)}.`
  return `Its application did not try again at once when it was ended before (${count(retries.ended, 'time')}).`
}
