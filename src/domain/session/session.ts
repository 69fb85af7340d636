import type { Tags } from '../text/tags.ts'

/**
 * Names are PostgreSQL's own (pg_stat_activity), camelCased. Times of the server are kept as text: `backend_start` has
 * microseconds, which a JavaScript `Date` would lose, and then a guard on it matches nothing. Ages are seconds, by the
 * server's clock.
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
  /** Leader of a worker, see isGroupMember; null for everyone else. */
  readonly leaderPid: number | null
  readonly backendType: string
  readonly backendStart: string
  readonly datname: string | null
  readonly usename: string | null
  /** True when the session's user is a superuser: pg_signal_backend cannot touch it. */
  readonly isSuperuser: boolean
  readonly applicationName: string
  /** Null for a Unix socket and for processes without a client. */
  readonly clientAddr: string | null
  /** `active`, `idle`, `idle in transaction`, …; null without pg_monitor and for processes without a client. */
  readonly state: string | null
  readonly waitEventType: string | null
  readonly waitEvent: string | null
  /** For how long every look has found it in this wait, in the same statement: the server does not say. See heldUp.ts. */
  readonly sameWaitSeconds?: number
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
  /** Things that its statement leaves behind (see leftover.ts), when they are known and the text is hidden. */
  readonly leaves?: string
  /** Words of its application in a comment of the statement, by key (see tags.ts): do not trust them. Absent where there are none. */
  readonly tags?: Tags
  /** Addresses of some of them, as the configuration makes them. */
  readonly tagLinks?: Readonly<Record<string, string>>
  /** PgBouncer's connection that the session is, where its admin console shows it. */
  readonly pooler?: PoolerConnection
}

/** Connection of a pool to the server. */
export type PoolerConnection = {
  /** Names of the pool: what its clients ask for, and whom it logs in as. */
  readonly database: string
  readonly user: string
  /** `session`, `transaction` or `statement`; null where it is not known. */
  readonly mode: string | null
  /** The client that it serves; null where it serves none, or where it cannot be known whom. */
  readonly client: PoolerClient | null
}

export type PoolerClient = {
  /** `10.0.3.4:51234`, `[2001:db8::7]:51234`, or `unix (pid 4312)` on the machine of the pooler. */
  readonly address: string
  readonly user: string
  readonly applicationName: string
}

/** Client session of which nothing is known yet. */
export const unknownSession = {
  leaderPid: null,
  backendType: 'client backend',
  datname: null,
  usename: null,
  isSuperuser: false,
  applicationName: '',
  clientAddr: null,
  waitEventType: null,
  waitEvent: null,
  xactStart: null,
  queryStart: null,
  stateChange: null,
  backendXid: null,
  backendXmin: null,
  queryId: null,
  xactSeconds: null,
  querySeconds: null,
  stateSeconds: null,
  query: null,
} as const satisfies Partial<Session>

/** A transaction prepared for two-phase commit: it holds locks and has no backend. */
export type PreparedTransaction = {
  readonly xid: string
  readonly gid: string
  /** True when the encoding keeps `gid` from being shown as it is; left out otherwise. */
  readonly gidInDoubt?: boolean
  readonly owner: string
  readonly database: string
  readonly prepared: string
  readonly preparedSeconds: number
}

export const isClient = (session: Session): boolean => session.backendType === 'client backend'

export const isAutovacuum = (session: Session): boolean => session.backendType === 'autovacuum worker'

/**
 * Decides whether it is one party with its leader for the lock manager. A logical replication worker has a leader too, but is no
 * member of its lock group. That of a REPACK (CONCURRENTLY), from 19 on, is (RepackWorkerMain in repack_worker.c).
 */
export const isGroupMember = ({ leaderPid, backendType }: Session): boolean =>
  leaderPid !== null && (backendType === 'parallel worker' || backendType === 'REPACK decoding worker')

export const isIdleInTransaction = (session: Session): boolean =>
  session.state?.startsWith('idle in transaction') ?? false

export const sessionsByPid = (sessions: readonly Session[]): Map<number, Session> =>
  new Map(sessions.map((session) => [session.pid, session]))

export const sessionKeyOf = (cluster: string, session: Session): SessionKey => ({
  cluster,
  pid: session.pid,
  backendStart: session.backendStart,
})

/**
 * Decides whether its transaction began before the running statement. Within a millisecond nobody can know: in the
 * extended protocol each message has its own time, 2 to 400 µs apart (measured).
 */
export const beganEarlier = ({ xactSeconds, querySeconds }: Session): boolean =>
  (xactSeconds ?? Number.POSITIVE_INFINITY) - (querySeconds ?? 0) > 0.001

/**
 * Decides whether its statement waits for the client, to take the result (ClientWrite) or to send data, as for COPY
 * FROM STDIN (ClientRead). There a backend reacts to a termination, and ignores a cancel: ProcessClientReadInterrupt
 * and ProcessClientWriteInterrupt in postgres.c.
 */
export const waitsForClient = ({ state, waitEventType, waitEvent }: Session): boolean =>
  state === 'active' &&
  waitEventType === 'Client' &&
  (waitEvent === 'ClientWrite' || waitEvent === 'ClientRead')

/**
 * Decides whether it waits until nobody else looks at a page: a type of its own up to 18, one event of `Buffer` from 19 on. The
 * others of `Buffer` are short locks, and were of LWLock before.
 */
export const waitsForPin = ({ waitEventType, waitEvent }: Session): boolean =>
  waitEventType === 'BufferPin' || (waitEventType === 'Buffer' && waitEvent === 'BufferCleanup')

/**
 * Decides whether its transaction has failed, outside of any savepoint. It only needs the client's ROLLBACK then. It
 * has released all its locks except those of the session, and is not in the way of vacuum (AbortTransaction in xact.c).
 */
export const hasFailed = ({ state, xactStart }: Session): boolean =>
  state === 'idle in transaction (aborted)' && xactStart === null

/** Seconds. What is over sooner, nobody can read of, think about and press a button on. */
export const briefSeconds = 10

/**
 * Decides whether the server hides what the session does: `track_activities` is off for it, or the columns are hidden.
 * Then nothing distinguishes one statement or transaction of it from the next.
 */
export const isUntold = ({ state }: Session): boolean => state === null || state === 'disabled'

/** Decides whether its transaction goes on from one brief statement to the next. */
export const isChatty = (session: Session): boolean =>
  session.state === 'active' &&
  beganEarlier(session) &&
  (session.xactSeconds ?? 0) >= briefSeconds &&
  (session.querySeconds ?? 0) < briefSeconds

/**
 * Decides whether it waits for a lock, for a safe snapshot (others keep that back too), or in a lock storm for the lock
 * manager.
 */
export const waitsForLock = (session: Session): boolean =>
  session.waitEventType === 'Lock' ||
  session.waitEvent === 'SafeSnapshot' ||
  (session.waitEventType === 'LWLock' && session.waitEvent === 'LockManager')
