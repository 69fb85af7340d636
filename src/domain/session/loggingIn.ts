import { type PreparedTransaction, type Session, unknownSession } from './session.ts'
import type { LockTable, Server } from './snapshot.ts'
import { has } from './versions.ts'

/**
 * A session that logs in may wait for a lock, on a catalog or on its database, and takes a slot meanwhile. From 18 on it is
 * in the activity, as `starting` and without names. Before, the lock table alone knows of it.
 */
export const isLoggingIn = (session: Session): boolean => session.state === 'starting'

/** A transaction is over sooner than this where all is well. */
const briefSeconds = 1

/**
 * Decides whether this session may keep others from logging in, though nobody is seen to wait. A holder of such a lock
 * has a transaction id (one that others must not see, or a lock that a standby must take too), or waits until each
 * process has closed its files, as DROP DATABASE does.
 */
export const mayHoldLogins = ({ backendXid, xactSeconds, waitEvent }: Session): boolean =>
  (backendXid !== null && (xactSeconds ?? 0) >= briefSeconds) || waitEvent === 'ProcSignalBarrier'

/** Decides the same for a transaction that no session has any more: it keeps its locks until somebody finishes it. */
export const mayHoldLoginsPrepared = ({
  preparedSeconds,
}: Pick<PreparedTransaction, 'preparedSeconds'>): boolean => preparedSeconds >= briefSeconds

/**
 * Says for how many milliseconds logins may wait unseen where nobody is seen who may hold them; null where the activity shows
 * them. A standby holds the locks of the primary's transactions, and nothing but its lock table shows that it does.
 */
export const loginsUnseenMs = ({
  versionNum,
  inRecovery,
}: Pick<Server, 'versionNum' | 'inRecovery'>): number | null =>
  has(versionNum, 'starting') ? null : inRecovery ? 10_000 : 60_000

/**
 * Lists who waits in the lock table and is not in the activity, though its wait began before that was read.
 * @param known pids of all that was in the activity, our own too
 * @param gapSeconds how much later the lock table was read, at most
 */
export function loggingInOf(table: LockTable, known: ReadonlySet<number>, gapSeconds: number): Session[] {
  return table.groups.flatMap(({ granted, target, pids, waitStarts }) =>
    granted
      ? []
      : pids.flatMap((pid, index) => {
          const start = waitStarts[index] ?? null
          // One that came meanwhile is in the next look at the activity.
          if (pid <= 0 || known.has(pid) || start === null || table.readAt - start <= gapSeconds) return []
          return [loggingIn(pid, target.locktype, table.readAt - start)]
        }),
  )
}

/** As 18 shows it. Without `backendStart` it is nobody whom a guard could match. */
const loggingIn = (pid: number, waitEvent: string, backendSeconds: number): Session => ({
  ...unknownSession,
  pid,
  // A worker of autovacuum that starts looks the same; there are a few at most.
  backendStart: '',
  state: 'starting',
  waitEventType: 'Lock',
  waitEvent,
  backendSeconds,
})
