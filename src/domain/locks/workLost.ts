import { isBeforeItsFirstStep, leftoverOf } from '../session/leftover.ts'
import { beganEarlier, isIdleInTransaction, type Session } from '../session/session.ts'
import type { LockTable } from '../session/snapshot.ts'
import type { Wait } from './blocking.ts'

/**
 * Cost of a session's end, from the least: a waiting request that has done nothing yet; one that has worked before, or
 * in its transaction, and has changed no table; a session without a transaction; an idle transaction that has written
 * nothing; a statement that reads; a VACUUM, which cleans up without a transaction id; an idle transaction that has
 * written; a command that does many things one after the other, each for good; one that would be left half done; one
 * that works and has written.
 */
export const worksLost = [
  'request',
  'blockedReader',
  'idle',
  'idleReader',
  'activeReader',
  'vacuum',
  'idleWriter',
  'steps',
  'halfDone',
  'activeWriter',
] as const
export type WorkLost = (typeof worksLost)[number]

/** Sessions that have written, by the lock table. */
export type Writers = {
  /** Somebody waits for their transactions: they have changed rows, or locked them. */
  readonly certain: ReadonlySet<number>
  /** They have changed no table: see LockTable. */
  readonly unchanged: ReadonlySet<number>
}

export const writersIn = ({ groups, unchanged }: LockTable): Writers => ({
  certain: new Set(
    groups
      .filter(({ target, granted }) => granted && target.locktype === 'transactionid')
      .flatMap(({ pids }) => pids),
  ),
  unchanged,
})

/**
 * Estimates what is lost with a session. A transaction with an id has not always written: a request for the row of
 * somebody else (heap_update), and for an AccessExclusiveLock on a table (LogAccessExclusiveLockPrepare in standby.c),
 * take one before they wait. So a statement that began with its transaction and has waited ever since has done nothing.
 * An exception is a transaction that somebody waits for: a quick first statement looks the same.
 */
export function workLost(session: Session, wait: Wait | undefined, writers?: Writers): WorkLost {
  const { pid, xactStart, querySeconds, backendXid } = session
  if (xactStart === null && session.state === 'idle') return 'idle'
  if (isIdleInTransaction(session))
    return backendXid === null || writers?.unchanged.has(pid) ? 'idleReader' : 'idleWriter'
  const worked = (querySeconds ?? Number.POSITIVE_INFINITY) - (wait?.seconds ?? 0)
  const isAtWork = !wait || worked > 0.1
  const left = leftoverOf(session)
  if (left?.kind === 'halfDone' && !isBeforeItsFirstStep(session, wait ?? null)) return 'halfDone'
  if (isAtWork && (left?.kind === 'steps' || left?.kind === 'vacuum')) return left.kind
  if (!wait) return backendXid === null ? 'activeReader' : 'activeWriter'
  if (backendXid === null) return worked > 0.1 ? 'blockedReader' : 'request'
  if (worked > 0.1 || writers?.certain.has(pid)) return 'activeWriter'
  if (!beganEarlier(session)) return 'request'
  return writers?.unchanged.has(pid) ? 'blockedReader' : 'activeWriter'
}
