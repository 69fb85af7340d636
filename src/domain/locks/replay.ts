import { isClient, type Session, waitsForPin } from '../session/session.ts'
import type { Server } from '../session/snapshot.ts'
import { formatDuration } from '../text/duration.ts'
import type { Picture } from './picture.ts'

/**
 * The replay of a standby waits for sessions there: see "Handling Query Conflicts" in the manual. `lock`: the primary took
 * an AccessExclusiveLock that they stand before. `snapshot`: the primary removed rows that they may still see. `pin`: they
 * look at a page that is to be cleaned up. `tablespace`: they have temporary files in one that was dropped.
 */
export type ReplayWait = {
  /** Pid of the startup process, which replays. */
  readonly pid: number
  readonly kind: 'lock' | 'snapshot' | 'pin' | 'tablespace'
  /** Wait event of the startup process. */
  readonly waitEvent: string
  /** Sessions that hold it back, as far as anybody can know. */
  readonly holders: readonly Session[]
  /**
   * True when these sessions surely hold it back. A snapshot conflict is with one database, and the catalogs do not
   * show which one: the oldest snapshot of each is suspected.
   */
  readonly sure: boolean
}

const byWaitEvent: Readonly<Record<string, ReplayWait['kind']>> = {
  RecoveryConflictSnapshot: 'snapshot',
  RecoveryConflictTablespace: 'tablespace',
}

const kindOf = (startup: Session): ReplayWait['kind'] | null =>
  startup.waitEventType === 'Lock'
    ? 'lock'
    : waitsForPin(startup)
      ? 'pin'
      : (byWaitEvent[startup.waitEvent ?? ''] ?? null)

/** Null where replay goes on, or there is none. */
export function replayWait({ snapshot, forest }: Picture): ReplayWait | null {
  const startup = snapshot.server.inRecovery
    ? snapshot.sessions.find(({ backendType }) => backendType === 'startup')
    : undefined
  if (startup === undefined) return null
  const kind = kindOf(startup)
  if (kind === null) return null
  const found = { pid: startup.pid, kind, waitEvent: startup.waitEvent ?? '' }
  if (kind === 'lock') {
    const blockers = new Set(forest.blockedBy(startup.pid))
    return { ...found, holders: snapshot.sessions.filter(({ pid }) => blockers.has(pid)), sure: true }
  }
  if (kind === 'snapshot') return { ...found, holders: oldestSnapshots(snapshot.sessions), sure: false }
  return { ...found, holders: [], sure: false }
}

/** The sessions with the oldest snapshot of each database. */
function oldestSnapshots(sessions: readonly Session[]): Session[] {
  const readers = sessions.filter((session) => isClient(session) && session.backendXmin !== null)
  return [...Map.groupBy(readers, ({ datname }) => datname).values()].flatMap((ofOne) => {
    const oldest = ofOne.reduce((one, other) => (isOlder(other, one) ? other : one))
    return ofOne.filter(({ backendXmin }) => backendXmin === oldest.backendXmin)
  })
}

/** Transaction ids go round: the older one is at most 2^31 behind (TransactionIdPrecedes in transam.c). */
const isOlder = (one: Session, other: Session): boolean =>
  ((Number(one.backendXmin) - Number(other.backendXmin)) | 0) < 0

/**
 * Says what the server will do about it:
 * https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-MAX-STANDBY-STREAMING-DELAY
 */
export const replayPatience = ({ standbyDelaySeconds: delay }: Server): string =>
  delay === null
    ? 'The server waits for them for ever (max_standby_streaming_delay is -1).'
    : `The server cancels them when replay is ${formatDuration(delay)} late (max_standby_streaming_delay).`
