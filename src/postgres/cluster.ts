import { type SetValue, settingNames } from '../domain/advice/settings.ts'
import type { Guard } from '../domain/approvals/approvedState.ts'
import { followRowWaits, type RowWaits, recallRowWaits } from '../domain/locks/rowWaits.ts'
import type { Health } from '../domain/session/health.ts'
import { followWaits, type WaitsSeen } from '../domain/session/heldUp.ts'
import { leavesOf } from '../domain/session/leftover.ts'
import { loggingInOf, loginsUnseenMs } from '../domain/session/loggingIn.ts'
import type { RewriteProgress } from '../domain/session/rewrite.ts'
import type { Session } from '../domain/session/session.ts'
import type { LockGroup, Snapshot } from '../domain/session/snapshot.ts'
import type { RelationName } from '../domain/text/identifier.ts'
import type { TagsRead } from '../domain/text/tags.ts'
import type { Log } from '../log.ts'
import { createActivityReader } from './activityReader.ts'
import { portsIn, sessionFrom } from './activityRows.ts'
import type { BouncerReader } from './bouncerReader.ts'
import { checked } from './checked.ts'
import { ClusterError, clusterErrorWith } from './errors.ts'
import { createHealthReader } from './healthReader.ts'
import { createLockReader, type RelationLocks } from './lockReader.ts'
import { type MissingPrivilege, missingPrivilegesOf } from './missingPrivileges.ts'
import { createOwnConnections } from './ownConnections.ts'
import { readRewriteProgress } from './rewriteProgress.ts'
import {
  decoded,
  type Facts,
  platformFrom,
  serverFrom,
  settingRows,
  signalRows,
  signalTimeRows,
  textRows,
} from './rows.ts'
import { createServerFacts } from './serverFacts.ts'
import { signalStatement } from './signalStatement.ts'
import { createStatementStats, type StatementStatsReader } from './statementStats.ts'
import { statements } from './statements.ts'
import { createTwoConnections, type Deadlines } from './twoConnections.ts'
import { createWaitEvents } from './waitEvents.ts'

export { attempt, ClusterError, type Unreadable, unreadable } from './errors.ts'
export type { RelationLocks } from './lockReader.ts'
export type { MissingPrivilege } from './missingPrivileges.ts'
export type { StatementStatsRead } from './statementStats.ts'

/**
 * `sent`: what pg_cancel_backend or pg_terminate_backend returned. `changed`: the guard matched nothing, and nothing
 * was sent. `late`: its time had passed, and nothing was sent. `sql` is the statement with its values, for the journal.
 */
export type SignalResult =
  | { readonly kind: 'sent'; readonly returned: boolean; readonly sql: string }
  | { readonly kind: 'changed'; readonly sql: string }
  | { readonly kind: 'late'; readonly sql: string }

export type Cluster = {
  readonly name: string
  /** Opens both connections. Never throws: `failure()` says what is wrong, and it keeps trying. */
  start(): Promise<void>
  /** The reason why the cluster cannot be seen at the moment; null when it can. */
  failure(): ClusterError | null
  /** One look at the server in three tiers; callers at the same time share one. Throws ClusterError. */
  snapshot(): Promise<Snapshot>
  /** Takes up since when sessions wait that an earlier process saw, from its last look. */
  recall(last: Snapshot): void
  /**
   * Makes a health check, for about once a minute; snapshots carry the last one. It reads shared catalogs, so not while the lock
   * manager is jammed. Throws ClusterError.
   */
  health(): Promise<Health>
  /**
   * The same sessions with their (masked) statements filled in, in one query, each cut at `maxLength` bytes, and with its tags. A
   * session that runs another statement by now, or is another one, keeps null. Throws ClusterError.
   */
  withText(sessions: readonly Session[], maxLength?: number): Promise<Session[]>
  /** Reads sessions again by pid, on the connection that never touches the lock manager. Throws ClusterError. */
  look(pids: readonly number[]): Promise<Session[]>
  /** Every lock that one session holds or waits for. Throws ClusterError. */
  locksOf(pid: number): Promise<LockGroup[]>
  /** Everybody who holds or waits for a lock on a relation of `database`, by name. Throws ClusterError. */
  locksOn(name: RelationName): Promise<RelationLocks & { readonly database: string }>
  /** Explains what a session waits for, in the words of the server; null where it does not wait, or nothing is said. Never throws. */
  explainWait(session: Session): Promise<string | null>
  /** Reads how far a session is that rewrites a table; null where nothing is said. Never throws. */
  rewriteProgress(pid: number): Promise<RewriteProgress | null>
  /** Reader of pg_stat_statements. */
  readonly statementStats: StatementStatsReader
  /**
   * Sends the signal in one guarded statement. Throws ClusterError: 42501 when the server refuses. After any other
   * code (DEADLINE, CONNECTION_LOST, 57P01, …) it is not known whether the signal was sent.
   */
  signal(guard: Guard): Promise<SignalResult>
  /** Reads until when a signal may go out that is decided now, by the clock of the server. Throws ClusterError. */
  signalBefore(): Promise<string>
  /** Decides whether a time has passed by the clock of the server. Throws ClusterError. */
  isPast(time: string): Promise<boolean>
  /** Returns true for one of our own connections, which no snapshot shows. */
  isOwn(pid: number): boolean
  /** Reads the settings that prevent trouble, as they are made for each role and database. Throws ClusterError. */
  settings(): Promise<SetValue[]>
  /** Lists the privileges that the bot's role lacks here. Throws ClusterError. */
  missingPrivileges(): Promise<MissingPrivilege[]>
  close(): Promise<void>
}

/**
 * Bytes of a statement in which its tags are looked for: they mostly stand at its end, which track_activity_query_size cuts off
 * earlier by default.
 */
const longestTagged = 16_384

export type ClusterOptions = {
  readonly name: string
  readonly url: string
  /** A file that holds the password; read at each connect. */
  readonly passwordFile?: string | null
  /** Reader of the PgBouncer before the server; it is closed with the cluster. */
  readonly bouncer?: BouncerReader | null
  readonly log: Log
  /** Applied to every statement text before it leaves here. */
  readonly maskText: (text: string) => string | null
  /** Reads the tags of a statement as it is, before it is masked; null where none may be read. */
  readonly readTags?: ((text: string) => TagsRead | null) | null
  /** Masks the statements of all sessions for the record (see `Snapshot.texts`); without it they are not read. */
  readonly recordText?: ((text: string) => string | null) | null
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly deadlines?: Partial<Deadlines>
}

/** One server: what its sessions do, who waits for whom, and the signals to them. */
export function createCluster(options: ClusterOptions): Cluster {
  const {
    name,
    url,
    passwordFile = null,
    bouncer = null,
    readTags = null,
    recordText = null,
    maskText,
    now,
  } = options
  const log = options.log.child({ cluster: name })
  const deadlines = { connect: 5_000, activity: 3_000, locks: 1_000, ...options.deadlines }
  const facts = createServerFacts({ log, now })
  const connections = createTwoConnections({
    ...{ url, passwordFile, log, deadlines },
    prepare: (query) => {
      activityReader.forget()
      return facts.learn(query)
    },
  })
  const { activity, locks } = connections
  const statementStats = createStatementStats({
    connection: locks,
    maskText,
    platform: () => {
      const latest = facts.latest()
      return latest ? platformFrom(latest) : 'own'
    },
  })
  const explainWait = createWaitEvents({ connection: locks, facts })
  const lockReader = createLockReader({ connection: locks, deadlineMs: deadlines.locks, now })
  const healthReader = createHealthReader({
    connection: locks,
    hasLockWaits: () => known().functions.includes('pg_stat_get_lock'),
    cycleSince: lockReader.cycleSince,
    maskText,
    now,
  })

  const activityReader = createActivityReader({ ...connections, facts, recordText, log })
  const own = createOwnConnections({ ...connections, isLate: lockReader.isLate })
  const known = (): Facts => {
    const latest = facts.latest()
    if (latest === null) throw activity.failure() ?? clusterErrorWith('CONNECTING')
    return latest
  }

  /** The fault of the last look at the lock table: the activity connection is sound then, and yet nothing is known. */
  let oddLocks: ClusterError | null = null
  const readLocks: typeof lockReader.read = async (...asked) => {
    try {
      const read = await lockReader.read(...asked)
      oddLocks = null
      return read
    } catch (error) {
      if (error instanceof ClusterError) oddLocks = error
      throw error
    }
  }

  let waitsSeen: WaitsSeen = new Map()
  let rowWaits: RowWaits = new Map()
  const take = async (): Promise<Snapshot> => {
    // Before the sessions: what they still do then, they did when it was read.
    await bouncer?.begin()
    const locksPid = locks.pid()
    const { rows, at, texts } = await activityReader.all()
    const takenAt = now()
    const latest = known()
    own.saw(rows, locksPid)
    // Without the privilege even the kind of a process is NULL: so a revoked grant shows at once.
    const seesOthers = latest.sees_others && rows.every((row) => row.backend_type !== null)
    if (!seesOthers || facts.areOld()) void activityReader.learnAgain(rows)

    const others = rows.filter((row) => !own.has(row.pid)).map((row) => sessionFrom(row, at, facts.names()))
    const pooled = bouncer?.follow(others, portsIn(rows))
    const { sessions, seen } = followWaits(waitsSeen, others, takenAt)
    waitsSeen = seen
    const server = serverFrom(latest, seesOthers)
    const unseenMs = loginsUnseenMs(server)
    const lockTable = await readLocks(sessions, latest.datid, unseenMs)
    const followed = followRowWaits(rowWaits, { sessions, locks: lockTable, takenAt })
    rowWaits = followed.seen
    const unseen =
      lockTable.kind === 'read' && unseenMs !== null
        ? loggingInOf(lockTable.table, new Set(rows.map(({ pid }) => pid)), (now() - takenAt) / 1000)
        : []
    const all = [...sessions, ...unseen]
    const followedPools = await pooled
    return {
      cluster: name,
      takenAt,
      server,
      sessions: followedPools?.named(all) ?? all,
      ...(texts && { texts }),
      ownConnections: own.count(),
      locks: followed.locks,
      health: healthReader.last(),
      ...(followedPools && { pooler: followedPools.pooler }),
    }
  }

  const signalTime = async (time: string | null) => {
    const [row] = checked(signalTimeRows, await activity.query(statements.signalTime, [time]))
    return row
  }

  let flight: Promise<Snapshot> | null = null
  return {
    name,
    start: async () => {
      const begun = bouncer?.begin()
      await activity.start()
      await locks.start()
      await begun
    },
    failure: () => activity.failure() ?? oddLocks,
    snapshot: () => {
      flight ??= take().finally(() => {
        flight = null
      })
      return flight
    },
    recall: (last) => {
      rowWaits = recallRowWaits(rowWaits, last)
    },
    health: healthReader.read,
    isOwn: (pid) => pid === activity.pid() || pid === locks.pid() || own.has(pid),
    look: activityReader.sessions,
    withText: async (sessions, maxLength = 2_000) => {
      if (sessions.length === 0) return []
      const pids = sessions.map((session) => session.pid)
      const mostRead = readTags ? Math.max(maxLength, longestTagged) : maxLength
      const rows = checked(textRows, await activity.query(statements.text, [pids, maxLength, mostRead]))
      const byPid = new Map(rows.map((row) => [row.pid, row]))
      return sessions.map((session) => {
        const row = byPid.get(session.pid)
        const isSame = row?.backend_start === session.backendStart && row.query_start === session.queryStart
        const bytes = isSame && session.state !== null && row.query?.length ? row.query : null
        if (bytes === null) return { ...session, query: null }
        const known = decoded(bytes.subarray(0, maxLength))
        const query = maskText(known)
        return { ...session, query, ...(query === null && leavesOf(known)), ...readTags?.(decoded(bytes)) }
      })
    },
    locksOf: async (pid) => lockReader.locksOf(pid, known().datid),
    locksOn: async (name) => {
      const { datid } = known()
      const database = facts.names().databases.get(datid) ?? 'its own database'
      return { ...(await lockReader.locksOn(name, datid)), database }
    },
    explainWait,
    rewriteProgress: (pid) => readRewriteProgress(locks, pid),
    statementStats,
    signal: async (guard) => {
      const { action, key } = guard
      const { values, sql } = signalStatement(guard)
      // Without an identity nothing can match; an empty text would not even be a time.
      if (key.backendStart === '') return { kind: 'changed', sql }
      const [row] = checked(signalRows, await activity.query(statements[action], values))
      const result: SignalResult = row
        ? { kind: 'sent', returned: row.returned, sql }
        : { kind: (await signalTime(guard.signalBefore)).past ? 'late' : 'changed', sql }
      log.info({ action, pid: key.pid, backendStart: key.backendStart, result: result.kind }, 'signal')
      return result
    },
    signalBefore: async () => (await signalTime(null)).before,
    isPast: async (time) => (await signalTime(time)).past,
    settings: async () => checked(settingRows, await locks.query(statements.roleSettings, [settingNames])),
    missingPrivileges: async () => missingPrivilegesOf(await facts.learn(locks.query)),
    close: async () => {
      bouncer?.close()
      await Promise.all([activity.close(), locks.close()])
    },
  }
}
