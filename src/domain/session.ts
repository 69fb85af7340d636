import type { Health } from './health.ts'
import type { Platform } from './platform.ts'

/**
 * What one look at a server shows. Names are PostgreSQL's own (pg_stat_activity, pg_locks), camelCased.
 * Times of the server are kept as text: `backend_start` has microseconds, which a JavaScript `Date` would lose,
 * and then a guard on it matches nothing. Ages are seconds, told by the server's clock.
 */

/** The identity of a session: a pid alone is reused, a pid with its `backend_start` is not. */
export type SessionKey = {
  readonly cluster: string
  readonly pid: number
  readonly backendStart: string
}

/** One row of pg_stat_activity. */
export type Session = {
  readonly pid: number
  /** The leader of a parallel worker's lock group; null for everyone else. */
  readonly leaderPid: number | null
  readonly backendType: string
  readonly backendStart: string
  readonly datname: string | null
  readonly usename: string | null
  /** Of the session's user: pg_signal_backend cannot touch superusers. */
  readonly isSuperuser: boolean
  readonly applicationName: string
  /** Null for a Unix socket and for processes without a client. */
  readonly clientAddr: string | null
  /** `active`, `idle`, `idle in transaction`, …; null without pg_monitor and for processes without a client. */
  readonly state: string | null
  readonly waitEventType: string | null
  readonly waitEvent: string | null
  readonly xactStart: string | null
  readonly queryStart: string | null
  readonly stateChange: string | null
  readonly backendXid: string | null
  readonly backendXmin: string | null
  readonly queryId: string | null
  /** Seconds since xact_start, query_start, state_change and backend_start, by the server's clock. */
  readonly xactSeconds: number | null
  readonly querySeconds: number | null
  readonly stateSeconds: number | null
  readonly backendSeconds: number
  /** The statement, already masked as `queryText` says; null where it was not fetched or may not be seen. */
  readonly query: string | null
}

/** A transaction prepared for two-phase commit: it holds locks and has no backend. */
export type PreparedTransaction = {
  readonly xid: string
  readonly gid: string
  readonly owner: string
  readonly database: string
  readonly prepared: string
  readonly preparedSeconds: number
}

/** What is locked. Numbers are oids; `relationName` is known for the database that we are connected to. */
export type LockTarget = {
  readonly locktype: string
  readonly database: number | null
  readonly relation: number | null
  readonly relationName: string | null
  readonly page: number | null
  readonly tuple: number | null
  readonly virtualxid: string | null
  readonly transactionid: string | null
  readonly classid: number | null
  readonly objid: number | null
  readonly objsubid: number | null
}

/**
 * The holders or the waiters of one mode on one target, as the server groups them. A negative entry of `pids`
 * is minus the transaction id of a prepared transaction. `waitStarts` are epoch seconds by the server's clock,
 * parallel to `pids`, null where the server had not set it yet; empty for holders.
 */
export type LockGroup = {
  readonly target: LockTarget
  readonly mode: string
  readonly granted: boolean
  readonly pids: readonly number[]
  readonly waitStarts: readonly (number | null)[]
}

/** The contended part of the lock table (and the row locks of waiters, which name their relation). */
export type LockTable = {
  /** Epoch seconds by the server's clock, to tell ages from `waitStarts`. */
  readonly readAt: number
  readonly groups: readonly LockGroup[]
  readonly prepared: readonly PreparedTransaction[]
  /** What pg_blocking_pids says of the members of a cycle, where the queue cannot be told from the table. */
  readonly asked: ReadonlyMap<number, readonly number[]>
  /** Waiters for a strong lock on a table whose transactions began earlier, and have changed no table as far as locks tell. */
  readonly unchanged: ReadonlySet<number>
}

/**
 * What is known of the locks. `none`: nobody waits, so the table was not read. `read`: just read. `jammed`: sessions
 * pile on one lock and the lock manager is busy with their deadlock checks (reading pg_locks would stall with
 * them), or the read did not come back in time; `last` is the last table that was read, if any.
 */
export type Locks =
  | { readonly kind: 'none' }
  | { readonly kind: 'read'; readonly table: LockTable }
  | {
      readonly kind: 'jammed'
      readonly why: string
      readonly last: LockTable | null
      readonly lastTakenAt: number | null
    }

/** What the server is and what it lets us see. */
export type Server = {
  /** `server_version_num`, for example 180004. */
  readonly versionNum: number
  /** A standby: it writes nothing, and what it replays goes before its sessions. */
  readonly inRecovery: boolean
  /** max_standby_streaming_delay: how late replay may be before the server cancels what it waits for; null: never. */
  readonly standbyDelaySeconds: number | null
  /** Who runs the server; told by its roles. */
  readonly platform: Platform
  readonly maxConnections: number
  /** How many of them an ordinary role never gets: superuser_reserved_connections and reserved_connections. */
  readonly reservedConnections: number
  /** False without pg_monitor (or pg_read_all_stats): others' state reads as NULL, so a calm picture means nothing. */
  readonly seesOthers: boolean
  /** Whether the bot's own role is a superuser: then it may signal superusers' sessions too. */
  readonly isSuperuser: boolean
}

export type Snapshot = {
  readonly cluster: string
  /** Milliseconds since the epoch, by our clock, when the activity was read. */
  readonly takenAt: number
  readonly server: Server
  /** Every process of pg_stat_activity but our own connections. */
  readonly sessions: readonly Session[]
  /** How many connections we hold ourselves (two at most); they count against max_connections. */
  readonly ownConnections: number
  readonly locks: Locks
  /** As of the last slow look, with its own age; null until there was one. */
  readonly health: Health | null
}

export const isClient = (session: Session): boolean => session.backendType === 'client backend'

export const isIdleInTransaction = (session: Session): boolean =>
  session.state?.startsWith('idle in transaction') ?? false

export const keyOf = (cluster: string, session: Session): SessionKey => ({
  cluster,
  pid: session.pid,
  backendStart: session.backendStart,
})

/**
 * Whether its transaction began before the statement that runs. Within a millisecond nobody can tell: in the extended
 * protocol each message has its own time, 2 to 400 µs apart (measured).
 */
export const beganEarlier = ({ xactSeconds, querySeconds }: Session): boolean =>
  (xactSeconds ?? Number.POSITIVE_INFINITY) - (querySeconds ?? 0) > 0.001

/**
 * Whether its statement waits for the client, to take the result (ClientWrite) or to send data, as for COPY FROM STDIN
 * (ClientRead). There a backend heeds a termination, and no cancel: ProcessClientReadInterrupt and
 * ProcessClientWriteInterrupt in postgres.c.
 */
export const waitsForClient = ({ state, waitEventType, waitEvent }: Session): boolean =>
  state === 'active' &&
  waitEventType === 'Client' &&
  (waitEvent === 'ClientWrite' || waitEvent === 'ClientRead')

/** Seconds. What is over sooner, nobody can read of, think about and press a button on. */
export const brief = 10

/** Whether its transaction goes on from one brief statement to the next. */
export const isChatty = (session: Session): boolean =>
  session.state === 'active' &&
  beganEarlier(session) &&
  (session.xactSeconds ?? 0) >= brief &&
  (session.querySeconds ?? 0) < brief

/** That it waits for a lock, or for a safe snapshot, which others keep from it too, or in a lock storm for the lock manager. */
export const waitsForLock = (session: Session): boolean =>
  session.waitEventType === 'Lock' ||
  session.waitEvent === 'SafeSnapshot' ||
  (session.waitEventType === 'LWLock' && session.waitEvent === 'LockManager')
