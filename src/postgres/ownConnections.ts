import type { ActivityRow } from './activityRows.ts'
import { clusterErrorWith } from './errors.ts'
import type { TwoConnections } from './twoConnections.ts'

/** Our connections among the processes that a server shows, and whether they still are what they should be. */
export type OwnConnections = {
  /** Takes in a look at all processes. `locksPid`: the backend of the other connection before it began. */
  saw(rows: readonly ActivityRow[], locksPid: number | null): void
  /** Counts ours at the last look, those of other replicas and of commands among them. */
  count(): number
  has(pid: number): boolean
}

/** @param isLate whether an answer about the locks is late */
export function createOwnConnections({
  activity,
  locks,
  isLate,
}: TwoConnections & { readonly isLate: () => boolean }): OwnConnections {
  let own: ReadonlySet<number> = new Set()

  /**
   * A late read may take its time, but only as long as somebody works on it: if the server says that our backend is
   * gone or idle, twice in a row, the answer was lost on the way.
   */
  let idleLooks = 0
  const freeLocksConnection = (rows: readonly ActivityRow[]) => {
    const pid = locks.pid()
    const isAtWork = () => rows.find((row) => row.pid === pid)?.state === 'active'
    idleLooks = isLate() && pid !== null && !isAtWork() ? idleLooks + 1 : 0
    if (idleLooks >= 2) locks.drop(clusterErrorWith('DEADLINE'))
  }

  /**
   * After a failover the address leads to another server, and this connection may still be to the old one: its locks are
   * not those of these sessions. Through a pooler our pids are not the server's, and say nothing about it.
   */
  const dropStrayLocks = (rows: readonly ActivityRow[]) => {
    const [activityPid, locksPid] = [activity.pid(), locks.pid()]
    if (locksPid === null) return
    const own = rows.find(({ pid }) => pid === activityPid)
    const other = rows.find(({ pid }) => pid === locksPid)
    if (own !== undefined && other?.application_name !== own.application_name)
      locks.drop(clusterErrorWith('CONNECTION_LOST'))
  }

  /** Finds ours, and those of other replicas and of commands: the same role under the same name. Idle as they are, they are nobody's trouble. */
  const ownAmong = (rows: readonly ActivityRow[]): ReadonlySet<number> => {
    const activityPid = activity.pid()
    const mine = [activityPid, locks.pid()].filter((pid) => pid !== null)
    const first = rows.find(({ pid }) => pid === activityPid)
    const alike = rows.filter(
      (row) =>
        first !== undefined &&
        row.backend_type === 'client backend' &&
        row.usesysid === first.usesysid &&
        row.application_name === first.application_name,
    )
    return new Set([...mine, ...alike.map(({ pid }) => pid)])
  }

  return {
    saw(rows, locksPid) {
      freeLocksConnection(rows)
      if (locksPid === locks.pid()) dropStrayLocks(rows)
      own = ownAmong(rows)
    },
    count: () => own.size,
    has: (pid) => own.has(pid),
  }
}
