import type { PreparedTransaction, Session } from './session.ts'

/**
 * Result of a health check: what no current session shows, and what grows over hours until it stops the server. Ages of
 * transaction ids are counted in transactions.
 */
export type Health = {
  /** Milliseconds since the epoch, by our clock. */
  readonly takenAt: number
  /** Oldest first. */
  readonly prepared: readonly PreparedTransaction[]
  /**
   * Holders that keep vacuum from removing dead rows: first of tables, then of catalogs alone; the oldest few, oldest
   * first.
   */
  readonly vacuumHolders: readonly VacuumHolder[]
  /** Every database, the one nearest to wraparound first. */
  readonly databases: readonly DatabaseHealth[]
  /** From this age on autovacuum freezes, even where it is switched off (autovacuum_freeze_max_age). */
  readonly freezeMaxAge: number
  /** Those that hold back most WAL first. */
  readonly slots: readonly ReplicationSlot[]
  /** Databases in which there were deadlocks lately, see `risen`. */
  readonly deadlocks: readonly DeadlockRise[]
  readonly deadlockTimeoutSeconds: number
  readonly serverLog: ServerLog
  /** Waits for locks since the statistics began; left out where the server does not count them (before 19). */
  readonly lockWaits?: LockWaits
}

/** Counters of pg_stat_lock: https://www.postgresql.org/docs/19/monitoring-stats.html#MONITORING-PG-STAT-LOCK-VIEW */
export type LockWaits = {
  /** Begin of the statistics, milliseconds since the epoch; null where the server does not say. */
  readonly since: number | null
  /** By the type of what is locked, the longest waits first. */
  readonly kinds: readonly LockWaitsOf[]
}

export type LockWaitsOf = {
  readonly locktype: string
  /** Number of locks that were got after a wait of more than deadlock_timeout; shorter waits and those in vain do not count. */
  readonly waits: number
  /** Time of these waits. */
  readonly seconds: number
  /** Number of locks for which no place was left on the fast path (max_locks_per_transaction). */
  readonly fastPathExceeded: number
}

/**
 * Holder of a transaction id or snapshot so old that newer dead rows must stay. A `session` and a `prepared`
 * transaction hold vacuum back in their own database and in shared catalogs, a `standby` and a `slot` in all (see
 * ComputeXidHorizons in procarray.c).
 */
export type VacuumHolder = {
  readonly kind: 'session' | 'prepared' | 'slot' | 'standby'
  /** The gid, the name of the slot, or the application name. */
  readonly name: string
  readonly database: string | null
  /** Null but for a session and a standby's walsender. */
  readonly pid: number | null
  readonly backendStart: string | null
  readonly xactStart: string | null
  /** In transactions. */
  readonly age: number
  /** A logical slot: rows of tables are vacuumed, only those of the catalogs stay. */
  readonly catalogsOnly: boolean
  /** The temporary slot of a REPACK (CONCURRENTLY), which goes with it. */
  readonly isRepack?: boolean
}

export type DatabaseHealth = {
  readonly name: string
  /** age(datfrozenxid) and mxid_age(datminmxid). */
  readonly xidAge: number
  readonly multixactAge: number
  /** Since the statistics began again. */
  readonly deadlocks: number
  /** Transactions that were committed since then. */
  readonly commits: number
}

export type ReplicationSlot = {
  readonly name: string
  readonly slotType: string
  readonly database: string | null
  readonly active: boolean
  /** `reserved`, `extended`, `unreserved` or `lost`; null where it reserves nothing. */
  readonly walStatus: string | null
  /** Bytes of WAL that are kept for it. */
  readonly retainedBytes: number
  /** Bytes that may be written before it is lost; null where max_slot_wal_keep_size sets no limit. */
  readonly safeBytes: number | null
  /** Seconds since its consumer left; null where it is active, and before 17. */
  readonly inactiveSeconds: number | null
  /** Reason why it was given up (17 and newer). */
  readonly invalidationReason: string | null
  /** The temporary slot of a REPACK (CONCURRENTLY), which goes with it. */
  readonly isRepack?: boolean
}

/** Deadlocks that the server has broken in one database, one after the other without five quiet minutes between. */
export type DeadlockRise = {
  readonly database: string
  readonly count: number
  /** Between these two looks: milliseconds since the epoch. */
  readonly since: number
  readonly lastAt: number
  /** A cycle that was seen in the lock table meanwhile; empty when none was, for most last no longer than a second. */
  readonly participants: readonly Session[]
  /** Reports of the last deadlocks in the server's own log. */
  readonly reports: readonly DeadlockReport[]
}

/** One entry of the server's log with SQLSTATE 40P01. */
export type DeadlockReport = {
  /** As the log has it, in its own time zone. */
  readonly at: string
  readonly database: string
  readonly user: string
  readonly applicationName: string
  /** Pid of the session whose statement the server ended. */
  readonly pid: number
  /** All who waited for each other; empty when the entry does not say. */
  readonly pids: readonly number[]
  /** The statement that was ended, masked. */
  readonly statement: string | null
}

/**
 * Access to the server's log. `readable`: as jsonlog or csvlog. `notGranted`: the role may not execute
 * pg_read_binary_file. `noFormat`: it is plain text alone, which cannot be parsed with certainty. `notCollected`:
 * logging_collector is off, so the server does not know where it goes.
 */
export type ServerLog = 'readable' | 'notGranted' | 'noFormat' | 'notCollected'

/** Transaction ids go round at 2^31; the server stops to give them out three million before (varsup.c). */
const wraparoundAt = 2 ** 31

/** Returns how far a database is on its way to wraparound, from 0 to 1; the worse of transaction ids and multixacts. */
export const wraparoundRatio = ({ xidAge, multixactAge }: DatabaseHealth): number =>
  Math.max(xidAge, multixactAge) / wraparoundAt

/** After this long without a deadlock it is over. */
export const quietAfterMs = 5 * 60_000

/**
 * Adds the deadlocks since the last look to those that came just before them. The server's counter has no times, so a
 * rise is as old as the two looks that enclose it.
 */
export function risen(
  before: Pick<Health, 'takenAt' | 'databases' | 'deadlocks'> | null,
  databases: readonly DatabaseHealth[],
  now: number,
): DeadlockRise[] {
  if (!before) return []
  const counted = new Map(before.databases.map((database) => [database.name, database]))
  const known = new Map(before.deadlocks.map((rise) => [rise.database, rise]))
  return databases.flatMap(({ name, deadlocks, commits }) => {
    const was = counted.get(name)
    // Counters that began again have counted what came since. The time of the reset does not show it: it also moves when
    // those of one table were reset (pgstat_reset in pgstat.c), and these stay.
    const base = was && was.commits <= commits && was.deadlocks <= deadlocks ? was.deadlocks : 0
    const rise = known.get(name)
    const isOld = rise && now - rise.lastAt >= quietAfterMs
    const goesOn = rise && !isOld ? rise : null
    const more = deadlocks - base
    if (more === 0) return goesOn ?? []
    return {
      database: name,
      count: (goesOn?.count ?? 0) + more,
      since: goesOn?.since ?? before.takenAt,
      lastAt: now,
      participants: goesOn?.participants ?? [],
      reports: goesOn?.reports ?? [],
    }
  })
}
