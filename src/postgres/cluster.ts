import { type SetValue, settingNames } from '../domain/advice/settings.ts'
import type { Guard } from '../domain/approvals/approvedState.ts'
import { followRowWaits, type RowWaits, recallRowWaits } from '../domain/locks/rowWaits.ts'
import type { Health } from '../domain/session/health.ts'
import { followWaits, type WaitsSeen } from '../domain/session/heldUp.ts'
import { leavesOf } from '../domain/session/leftover.ts'
import { loggingInOf, loginsUnseenMs } from '../domain/session/loggingIn.ts'
import { tellingRoles } from '../domain/session/platform.ts'
import type { Session } from '../domain/session/session.ts'
import type { LockGroup, Snapshot } from '../domain/session/snapshot.ts'
import { newerWords } from '../domain/session/versions.ts'
import type { RelationName } from '../domain/text/identifier.ts'
import type { Log } from '../log.ts'
import {
  type ActivityRead,
  type ActivityRow,
  activityFrom,
  areNamed,
  type SaidBefore,
  sessionFrom,
} from './activityRows.ts'
import { badRows, checked } from './checked.ts'
import { createConnection } from './connection.ts'
import { ClusterError, clusterErrorWith } from './errors.ts'
import { createHealthReader } from './healthReader.ts'
import { createLockReader, type RelationLocks } from './lockReader.ts'
import { type MissingPrivilege, missingPrivilegesOf } from './missingPrivileges.ts'
import { createRecordedTexts } from './recordedTexts.ts'
import {
  type CatalogNames,
  type Facts,
  factsFrom,
  namesFrom,
  platformFrom,
  serverFrom,
  settingRows,
  signalRows,
  signalTimeRows,
  textRows,
} from './rows.ts'
import { signalStatement } from './signalStatement.ts'
import { createStatementStats, type StatementStatsReader } from './statementStats.ts'
import { planOf, type Statement, statements } from './statements.ts'

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
   * The same sessions with their (masked) statements filled in, in one query, each cut at `maxLength` bytes. A session that runs another statement by
   * now, or is another one, keeps null. Throws ClusterError.
   */
  withText(sessions: readonly Session[], maxLength?: number): Promise<Session[]>
  /** Reads sessions again by pid, on the connection that never touches the lock manager. Throws ClusterError. */
  look(pids: readonly number[]): Promise<Session[]>
  /** Every lock that one session holds or waits for. Throws ClusterError. */
  locksOf(pid: number): Promise<LockGroup[]>
  /** Everybody who holds or waits for a lock on a relation of `database`, by name. Throws ClusterError. */
  locksOn(name: RelationName): Promise<RelationLocks & { readonly database: string }>
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

export type ClusterOptions = {
  readonly name: string
  readonly url: string
  /** A file that holds the password; read at each connect. */
  readonly passwordFile?: string | null
  readonly log: Log
  /** Applied to every statement text before it leaves here. */
  readonly maskText: (text: string) => string | null
  /** Masks the statements of all sessions for the record (see `Snapshot.texts`); without it they are not read. */
  readonly recordText?: ((text: string) => string | null) | null
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds: for a new connection, for a look at the activity or a signal, and for the lock table. */
  readonly deadlines?: { readonly connect?: number; readonly activity?: number; readonly locks?: number }
}

/** Bytes of a statement that the record keeps: as many as an answer on the terminal shows. */
const longestRecorded = 2_000

/** Time for which names of databases and roles, and our own grants, are believed. */
const factsLastMs = 60_000

/**
 * Two connections. One reads the activity and sends signals; it takes no lock that could wait, so it always answers.
 * The other reads the lock table and shared catalogs and may stall while the server sorts out a pile of waiters.
 */
export function createCluster(options: ClusterOptions): Cluster {
  const { name, url, passwordFile = null, maskText, now } = options
  const log = options.log.child({ cluster: name })
  const deadlines = { connect: 5_000, activity: 3_000, locks: 1_000, ...options.deadlines }

  let facts: Facts | null = null
  let factsAt = 0
  let names: CatalogNames = { databases: new Map(), roles: new Map() }
  const learn = async (query: (statement: Statement, values: readonly unknown[]) => Promise<unknown[]>) => {
    const latest = factsFrom(await query(statements.facts, [tellingRoles]))
    const newer = newerWords(latest.version_num)
    if (newer !== null && facts?.version_num !== latest.version_num) log.warn(newer)
    facts = latest
    names = namesFrom(await query(statements.names, []))
    factsAt = now()
    return facts
  }

  const activity = createConnection({
    url,
    passwordFile,
    log: log.child({ connection: 'activity' }),
    connectMs: deadlines.connect,
    deadlineMs: deadlines.activity,
    onDeadline: 'drop',
    // Without the activity nothing is seen; without the locks it is not seen who blocks whom.
    takeOver: (why) => locks.release(why),
    // The server gives up first, so that a slow answer does not cost the connection.
    settings: { statement_timeout: String(Math.ceil(deadlines.activity * 0.8)), lock_timeout: '100' },
    prepare: async (query) => {
      await learn(query)
      // What a statement looks up at its first use comes from shared catalogs, and in a storm that may take seconds.
      activityFrom(await query(statements.activity, [null, null, 0]))
      await query(statements.text, [[], 0])
      await query(statements.signalTime, [null])
      await query(statements.cancel, [0, null, null, null, null, null])
      await query(statements.terminate, [0, null, null, null, null, null, null])
    },
  })
  const locks = createConnection({
    url,
    passwordFile,
    log: log.child({ connection: 'locks' }),
    connectMs: deadlines.connect,
    deadlineMs: deadlines.locks,
    onDeadline: 'wait',
    settings: { statement_timeout: '5000', lock_timeout: '100' },
    // Without the other one nothing is seen: while slots are scarce, the one that a restart may get is for that, and where
    // that cannot be made, this one need not find out for itself.
    yieldTo: activity.failure,
    // When a catalog is what everybody waits for, its first use would wait too. The lock table itself is not for every new
    // connection: in a storm nothing interrupts that.
    prepare: async (query) => {
      await query(planOf(statements.locks), [])
      await query(planOf(statements.prepared), [])
      await query(statements.preparedBare, [])
    },
  })
  const statementStats = createStatementStats({
    connection: locks,
    maskText,
    platform: () => (facts ? platformFrom(facts) : 'own'),
  })
  const lockReader = createLockReader({ connection: locks, deadlineMs: deadlines.locks, now })
  const healthReader = createHealthReader({
    connection: locks,
    cycleSince: lockReader.cycleSince,
    maskText,
    now,
  })

  /** A server with rows that cannot be read cannot be seen: the connection counts as made again when they can be read. */
  const blindIfOdd = async <T>(read: () => Promise<T>): Promise<T> => {
    try {
      return await read()
    } catch (error) {
      if (error instanceof ClusterError && error.code === badRows) activity.drop(error)
      throw error
    }
  }

  /** Single flight; a failure leaves what was known. In a storm a shared catalog is not for the activity connection. */
  let learning: Promise<unknown> | null = null
  const learnAgain = (isCalm: boolean): Promise<unknown> => {
    learning ??= blindIfOdd(() => learn(isCalm ? activity.query : locks.query))
      .catch((error) => {
        // Nobody may be waiting for it. A failure of the connection is reported by the connection; this is a fault of ours.
        if (!(error instanceof ClusterError)) log.error({ fault: error?.name }, 'facts could not be read')
      })
      .finally(() => {
        learning = null
      })
    return learning
  }

  const recorded = createRecordedTexts(options.recordText ?? null)
  const saidBefore: SaidBefore = new Map()
  const readActivity = async (pids: readonly number[] | null): Promise<ActivityRead> => {
    const since = pids === null ? recorded.since() : null
    const read = await blindIfOdd(async () => {
      const rows = await activity.query(statements.activity, [pids, since, longestRecorded])
      return activityFrom(rows, pids === null ? saidBefore : undefined)
    })
    // A few rows do not show how the server is.
    if (!areNamed(read.rows, names)) await learnAgain(pids === null && isCalm(read.rows))
    return read
  }
  const isCalm = (rows: readonly ActivityRow[]) => rows.every((row) => row.wait_event !== 'LockManager')
  const known = (): Facts => {
    if (facts === null) throw activity.failure() ?? clusterErrorWith('CONNECTING')
    return facts
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

  /** Our connections at the last look. */
  let own: ReadonlySet<number> = new Set()
  /** Finds ours, and those of other replicas and of commands: the same role under the same name. Idle as they are, they are nobody's trouble. */
  const ownAmong = (rows: readonly ActivityRow[]): ReadonlySet<number> => {
    const mine = [activity.pid(), locks.pid()].filter((pid) => pid !== null)
    const first = rows.find(({ pid }) => pid === activity.pid())
    const alike = rows.filter(
      (row) =>
        first !== undefined &&
        row.backend_type === 'client backend' &&
        row.usesysid === first.usesysid &&
        row.application_name === first.application_name,
    )
    return new Set([...mine, ...alike.map(({ pid }) => pid)])
  }

  let waitsSeen: WaitsSeen = new Map()
  let rowWaits: RowWaits = new Map()
  const take = async (): Promise<Snapshot> => {
    const locksPid = locks.pid()
    const read = await readActivity(null)
    const { rows, at } = read
    const takenAt = now()
    const texts = recorded.take(read)
    const facts = known()
    freeLocksConnection(rows)
    if (locksPid === locks.pid()) dropStrayLocks(rows)
    // Without the privilege even the kind of a process is NULL: so a revoked grant shows at once.
    const seesOthers = facts.sees_others && rows.every((row) => row.backend_type !== null)
    if (!seesOthers || takenAt - factsAt > factsLastMs) void learnAgain(isCalm(rows))

    own = ownAmong(rows)
    const others = rows.filter((row) => !own.has(row.pid)).map((row) => sessionFrom(row, at, names))
    const { sessions, seen } = followWaits(waitsSeen, others, takenAt)
    waitsSeen = seen
    const server = serverFrom(facts, seesOthers)
    const unseenMs = loginsUnseenMs(server)
    const lockTable = await readLocks(sessions, facts.datid, unseenMs)
    const followed = followRowWaits(rowWaits, { sessions, locks: lockTable, takenAt })
    rowWaits = followed.seen
    const inActivity = new Set(rows.map(({ pid }) => pid))
    const unseen =
      lockTable.kind === 'read' && unseenMs !== null
        ? loggingInOf(lockTable.table, inActivity, (now() - takenAt) / 1000)
        : []
    return {
      cluster: name,
      takenAt,
      server,
      sessions: [...sessions, ...unseen],
      ...(texts && { texts }),
      ownConnections: own.size,
      locks: followed.locks,
      health: healthReader.last(),
    }
  }

  /**
   * A late read may take its time, but only as long as somebody works on it: if the server says that our backend is
   * gone or idle, twice in a row, the answer was lost on the way.
   */
  let idleLooks = 0
  const freeLocksConnection = (rows: readonly ActivityRow[]) => {
    const backend = rows.find((row) => row.pid === locks.pid())
    const lost = lockReader.isLate() && locks.pid() !== null && backend?.state !== 'active'
    idleLooks = lost ? idleLooks + 1 : 0
    if (idleLooks >= 2) locks.drop(clusterErrorWith('DEADLINE'))
  }

  /**
   * After a failover the address leads to another server, and this connection may still be to the old one: its locks are
   * not those of these sessions. Through a pooler our pids are not the server's, and say nothing about it.
   */
  const dropStrayLocks = (rows: readonly ActivityRow[]) => {
    const backendOf = (pid: number | null) => rows.find((row) => row.pid === pid)
    const own = backendOf(activity.pid())
    if (locks.pid() === null || own === undefined) return
    if (backendOf(locks.pid())?.application_name !== own.application_name)
      locks.drop(clusterErrorWith('CONNECTION_LOST'))
  }

  const signalTime = async (time: string | null) => {
    const [row] = checked(signalTimeRows, await activity.query(statements.signalTime, [time]))
    return row
  }

  let flight: Promise<Snapshot> | null = null
  return {
    name,
    start: async () => {
      await activity.start()
      await locks.start()
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
    look: async (pids) => {
      const { rows, at } = await readActivity(pids)
      return rows.map((row) => sessionFrom(row, at, names))
    },
    withText: async (sessions, maxLength = 2_000) => {
      if (sessions.length === 0) return []
      const pids = sessions.map((session) => session.pid)
      const rows = checked(textRows, await activity.query(statements.text, [pids, maxLength]))
      const byPid = new Map(rows.map((row) => [row.pid, row]))
      return sessions.map((session) => {
        const row = byPid.get(session.pid)
        const isSame = row?.backend_start === session.backendStart && row.query_start === session.queryStart
        const isVisible = session.state !== null && row?.query
        const known = isSame && isVisible ? (row.query ?? '') : null
        const query = known === null ? null : maskText(known)
        return { ...session, query, ...(known !== null && query === null ? leavesOf(known) : {}) }
      })
    },
    locksOf: async (pid) => lockReader.locksOf(pid, known().datid),
    locksOn: async (name) => {
      const { datid } = known()
      const database = names.databases.get(datid) ?? 'its own database'
      return { ...(await lockReader.locksOn(name, datid)), database }
    },
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
    missingPrivileges: async () => missingPrivilegesOf(await learn(locks.query)),
    close: async () => {
      await Promise.all([activity.close(), locks.close()])
    },
  }
}
