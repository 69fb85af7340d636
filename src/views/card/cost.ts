import { againWords, type Retries } from '../../domain/approvals/retry.ts'
import type { WorkLost } from '../../domain/locks/workLost.ts'
import type { Action } from '../../domain/session/action.ts'
import type { Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { count } from '../words.ts'

/** What it has done so far. */
export function workOf(session: Session, lost: WorkLost): string {
  if (session.xactSeconds === null) return 'No transaction is open.'
  const { backendXid } = session
  const known: Partial<Record<WorkLost, string>> = {
    request: 'it has done nothing yet but wait',
    blockedReader: 'it has changed no table yet',
    halfDone: 'earlier ones of its command have committed',
    vacuum: 'what it has cleaned up stays',
  }
  const written =
    known[lost] ??
    (backendXid === null
      ? 'it has written nothing'
      : `it has written or locked rows (transaction id ${backendXid})`)
  return `Its transaction is open for ${formatDuration(session.xactSeconds)}; ${written}.`
}

/** What an action costs: the rollback, what the client sees, and whether it will have been for nothing. */
export const costOf = (action: Action, session: Session, lost: WorkLost, retries: Retries | null): string =>
  [rollbackOf(session, lost), clientSees(action, session), retryOf(retries)].filter(Boolean).join(' ')

/**
 * A rollback writes one record and marks the transaction as aborted (RecordTransactionAbort in xact.c); nothing is undone
 * row by row. The dead rows stay until vacuum comes: https://www.postgresql.org/docs/current/routine-vacuuming.html
 */
function rollbackOf({ xactSeconds, backendXid }: Session, lost: WorkLost): string {
  if (xactSeconds === null) return 'Nothing is to be rolled back.'
  if (lost === 'blockedReader') return 'The rollback takes no time: no table was changed.'
  // https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY, and of ALTER TABLE
  if (lost === 'halfDone')
    return 'What it has committed stays, half done: an invalid index, to be dropped by hand, or a partition whose detaching is to be finished (DETACH PARTITION … FINALIZE).'
  if (lost === 'vacuum')
    return 'Nothing is rolled back: what it has cleaned up stays, and the next VACUUM begins anew with what is left.'
  if (backendXid === null || lost === 'request') return 'The rollback takes no time: nothing was written.'
  return 'The rollback takes a moment only, however much was written; vacuum clears the dead rows away later.'
}

/** The error that its client gets, with its code: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const clientSees = (action: Action, { state, xactSeconds }: Session): string =>
  action === 'cancel'
    ? 'Its client gets error 57014 (query_canceled) and keeps its connection.'
    : state === 'active'
      ? 'Its client gets error 57P01 (admin_shutdown) and has to connect again.'
      : `Its client gets error 57P01 (admin_shutdown) at its next statement and has to connect again${xactSeconds === null ? '' : ' and to begin its transaction anew'}.`

function retryOf(retries: Retries | null): string {
  if (!retries) return ''
  if (retries.again > 0) return `It is likely to be tried again: ${againWords(retries)}.`
  return `Its application did not try again at once when it was ended before (${count(retries.ended, 'time')}).`
}
