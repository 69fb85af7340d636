/** Result of one look at a server: its sessions, its locks, its health. */

import type { Health } from './health.ts'
import type { BouncerPool } from './pgbouncer.ts'
import type { Platform } from './platform.ts'
import type { PreparedTransaction, Session } from './session.ts'

/** Target of a lock. Numbers are oids; `relationName` is known for the database that we are connected to. */
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

/** One of several transactions that hold a row at the same time (a member of a multixact). */
export type RowHolder = {
  readonly xid: string
  /** The server's word for how it holds the row: `keysh`, `sh`, `fornokeyupd`, `forupd`, `nokeyupd`, `upd`. */
  readonly mode: string
  /** Minus the transaction id of a prepared transaction; null: a savepoint that was released, nobody shows whose. */
  readonly pid: number | null
}

/** Those who hold rows together, by what is known of multixacts. Which rows, nobody may see. */
export type SharedRows = {
  /** All that transactions with this id or a later one share is in `rows`. */
  readonly since: number
  readonly rows: readonly (readonly RowHolder[])[]
  /** Transactions that hold a row of which an UPDATE has made another version meanwhile. */
  readonly moved: ReadonlySet<string>
}

/** The contended part of the lock table (and the row locks of waiters, which name their relation). */
export type LockTable = {
  /** Epoch seconds by the server's clock, for ages from `waitStarts`. */
  readonly readAt: number
  readonly groups: readonly LockGroup[]
  /**
   * Locks on relations that nobody waits for: who may hold a row that somebody waits for, or may be next in the way of a
   * command that waits for one transaction after the other.
   */
  readonly near: readonly LockGroup[]
  /** Known where somebody waits for a transaction, and the server says it. */
  readonly sharedRows: SharedRows | null
  readonly prepared: readonly PreparedTransaction[]
  /**
   * Since when somebody waits for a row, by pid, as far back as looks have seen it wait, in epoch seconds by the server's clock:
   * for those of whom `waitStarts` says less, because the row went to somebody else meanwhile. See locks/rowWaits.ts.
   */
  readonly waitingSince?: ReadonlyMap<number, number>
  /** Answers of pg_blocking_pids about the members of a cycle, when the table does not show the queue. */
  readonly confirmedBlockers: ReadonlyMap<number, readonly number[]>
  /**
   * Sessions with a transaction id that have changed no table, by their locks. Known for waiters for a strong lock on a
   * table whose transactions began earlier, and for blockers that are idle in their transactions, as after `SELECT …
   * FOR UPDATE`.
   */
  readonly unchanged: ReadonlySet<number>
}

/**
 * Knowledge of the locks. `none`: nobody waits, so the table was not read. `read`: just read. `jammed`: sessions pile
 * on one lock and the lock manager is busy with their deadlock checks (reading pg_locks would stall with them), or the
 * read did not come back in time. `last` is the last table that was read, if any.
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

/** Facts about the server, and what it lets us see. */
export type Server = {
  /** `server_version_num`, for example 180004. */
  readonly versionNum: number
  /** A standby: it writes nothing, and what it replays goes before its sessions. */
  readonly inRecovery: boolean
  /** max_standby_streaming_delay: how late replay may be before the server cancels what it waits for; null: never. */
  readonly standbyDelaySeconds: number | null
  /** Provider that runs the server, by its roles. */
  readonly platform: Platform
  readonly maxConnections: number
  /** Number of them that an ordinary role never gets: superuser_reserved_connections and reserved_connections. */
  readonly reservedConnections: number
  /** False without pg_monitor (or pg_read_all_stats): others' state reads as NULL, so a calm picture means nothing. */
  readonly seesOthers: boolean
  /** True when the bot's own role is a superuser: then it may signal superusers' sessions too. */
  readonly isSuperuser: boolean
  /** True where the bot may cancel autovacuum workers: a superuser, or (18 and newer) a member of pg_signal_autovacuum_worker. */
  readonly maySignalAutovacuum: boolean
}

export type Snapshot = {
  readonly cluster: string
  /** Milliseconds since the epoch, by our clock, when the activity was read. */
  readonly takenAt: number
  readonly server: Server
  /** Every process of pg_stat_activity but our own connections. */
  readonly sessions: readonly Session[]
  /** Statements by pid, masked, for the record; absent where none is kept. A view asks for what it shows (see withText). */
  readonly texts?: ReadonlyMap<number, string>
  /** Number of our own connections, two for each replica; they count against max_connections. */
  readonly ownConnections: number
  readonly locks: Locks
  /** As of the last health check, with its own age; null until there was one. */
  readonly health: Health | null
  /** Absent where no admin console of PgBouncer is configured. */
  readonly pooler?: PoolerLook
}

/**
 * Look at PgBouncer's admin console: how many pools there are, and those whose clients wait, the longest first. A console
 * that is slow may have said it some seconds before the look.
 */
export type PoolerLook =
  | { readonly pools: number; readonly waiting: readonly BouncerPool[]; readonly secondsOld: number }
  /** Nothing: one sentence on why. */
  | { readonly unread: string }
