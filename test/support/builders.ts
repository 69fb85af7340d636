/**
 * Sessions, locks and snapshots for tests, with sensible defaults: a web application at work in `orders`. Ages are given
 * in seconds; the server's timestamps follow from them.
 */
import type { Incident } from '../../src/domain/incidents/incident.ts'
import type { Forest } from '../../src/domain/locks/blocking.ts'
import { type Picture, pictureOf } from '../../src/domain/locks/picture.ts'
import type {
  DatabaseHealth,
  Health,
  ReplicationSlot,
  VacuumHolder,
} from '../../src/domain/session/health.ts'
import type { Thresholds } from '../../src/domain/session/policy.ts'
import type { PreparedTransaction, Session } from '../../src/domain/session/session.ts'
import type {
  LockGroup,
  Locks,
  LockTable,
  LockTarget,
  Server,
  Snapshot,
} from '../../src/domain/session/snapshot.ts'

/** Time of every picture, by our clock and by the server's: 2026-03-01 03:00:00 UTC. */
export const takenAt = Date.UTC(2026, 2, 1, 3, 0, 0)

/** A time of the server as it tells it: text, with microseconds. */
export const serverTime = (secondsAgo: number): string =>
  `${new Date(takenAt - secondsAgo * 1000).toISOString().slice(0, -1).replace('T', ' ')}000+00`

const timeOf = (secondsAgo: number | null): string | null =>
  secondsAgo === null ? null : serverTime(secondsAgo)

/** An active session of `web`, one second into its statement. */
export function session(pid: number, over: Partial<Session> = {}): Session {
  const state = over.state === undefined ? 'active' : over.state
  const inTransaction = state === 'active' || (state?.startsWith('idle in transaction') ?? false)
  const stateSeconds = over.stateSeconds === undefined ? 1 : over.stateSeconds
  const querySeconds = over.querySeconds === undefined ? stateSeconds : over.querySeconds
  const xactSeconds =
    over.xactSeconds === undefined ? (inTransaction ? querySeconds : null) : over.xactSeconds
  const backendSeconds = over.backendSeconds ?? 3600
  return {
    pid,
    leaderPid: null,
    backendType: 'client backend',
    backendStart: serverTime(backendSeconds),
    datname: 'orders',
    usename: 'shop',
    isSuperuser: false,
    applicationName: 'web',
    clientAddr: '10.0.0.7',
    state,
    waitEventType: null,
    waitEvent: null,
    xactStart: timeOf(xactSeconds),
    queryStart: timeOf(querySeconds),
    stateChange: timeOf(stateSeconds),
    backendXid: null,
    backendXmin: null,
    queryId: null,
    xactSeconds,
    querySeconds,
    stateSeconds,
    backendSeconds,
    query: null,
    ...over,
  }
}

export const idle = (pid: number, seconds: number, over: Partial<Session> = {}): Session =>
  session(pid, {
    state: 'idle',
    stateSeconds: seconds,
    waitEventType: 'Client',
    waitEvent: 'ClientRead',
    ...over,
  })

export const idleInTransaction = (pid: number, seconds: number, over: Partial<Session> = {}): Session =>
  session(pid, {
    state: 'idle in transaction',
    stateSeconds: seconds,
    waitEventType: 'Client',
    waitEvent: 'ClientRead',
    ...over,
  })

/** An active session whose statement has waited for a lock ever since it began. */
export const waiting = (pid: number, seconds: number, over: Partial<Session> = {}): Session =>
  session(pid, {
    stateSeconds: seconds,
    waitEventType: 'Lock',
    waitEvent: 'transactionid',
    ...over,
  })

/** A process of the server, which has no client, user or state. */
export const serverProcess = (pid: number, backendType: string, over: Partial<Session> = {}): Session =>
  session(pid, {
    backendType,
    datname: null,
    usename: null,
    applicationName: '',
    clientAddr: null,
    state: null,
    stateSeconds: null,
    ...over,
  })

export const target = (over: Partial<LockTarget> & Pick<LockTarget, 'locktype'>): LockTarget => ({
  database: 5,
  relation: null,
  relationName: null,
  page: null,
  tuple: null,
  virtualxid: null,
  transactionid: null,
  classid: null,
  objid: null,
  objsubid: null,
  ...over,
})

export const relation = (relationName: string | null, oid = 16_384): LockTarget =>
  target({ locktype: 'relation', relation: oid, relationName })

export const transaction = (xid: string): LockTarget =>
  target({ locktype: 'transactionid', database: null, transactionid: xid })

export const tuple = (relationName: string | null, number = 1, oid = 16_384): LockTarget =>
  target({ locktype: 'tuple', relation: oid, relationName, page: 0, tuple: number })

/** A lock on one bigint key. */
export const advisory = (key: number): LockTarget =>
  target({ locktype: 'advisory', classid: 0, objid: key, objsubid: 1 })

/** Builds locks that these sessions hold. A negative number is a prepared transaction, by its transaction id. */
export const held = (at: LockTarget, mode: string, ...pids: number[]): LockGroup => ({
  target: at,
  mode,
  granted: true,
  pids,
  waitStarts: [],
})

/** Builds waits for it, with their seconds (null: the server has not said yet). */
export const wanted = (at: LockTarget, mode: string, ...waits: [number, number | null][]): LockGroup => ({
  target: at,
  mode,
  granted: false,
  pids: waits.map(([pid]) => pid),
  waitStarts: waits.map(([, seconds]) => (seconds === null ? null : takenAt / 1000 - seconds)),
})

/**
 * Builds what PostgreSQL shows when sessions queue for one row. The first waits for the transaction that changed it and
 * holds the row's own lock meanwhile; the others wait for the first.
 */
export function rowQueue(
  holder: number,
  waits: readonly [number, number | null][],
  relationName = 'public.orders',
  row = 1,
): LockGroup[] {
  const [first, ...rest] = waits
  if (!first) return []
  const xid = transaction(holder < 0 ? String(-holder) : String(700_000 + holder))
  const at = tuple(relationName, row)
  return [
    held(xid, 'ExclusiveLock', holder),
    wanted(xid, 'ShareLock', first),
    held(at, 'ExclusiveLock', first[0]),
    ...(rest.length > 0 ? [wanted(at, 'ExclusiveLock', ...rest)] : []),
  ]
}

export const prepared = (xid: number, over: Partial<PreparedTransaction> = {}): PreparedTransaction => ({
  xid: String(xid),
  gid: 'payment-77',
  owner: 'shop',
  database: 'orders',
  prepared: serverTime(10_800),
  preparedSeconds: 10_800,
  ...over,
})

export const lockTable = (groups: readonly LockGroup[], over: Partial<LockTable> = {}): LockTable => ({
  readAt: takenAt / 1000,
  groups,
  prepared: [],
  confirmedBlockers: new Map(),
  near: [],
  sharedRows: null,
  unchanged: new Set(),
  ...over,
})

export const locksRead = (groups: readonly LockGroup[], over: Partial<LockTable> = {}): Locks => ({
  kind: 'read',
  table: lockTable(groups, over),
})

export const server = (over: Partial<Server> = {}): Server => ({
  versionNum: 180_004,
  inRecovery: false,
  standbyDelaySeconds: 30,
  platform: 'own',
  maxConnections: 100,
  reservedConnections: 3,
  seesOthers: true,
  isSuperuser: false,
  maySignalAutovacuum: false,
  ...over,
})

export const database = (name: string, over: Partial<DatabaseHealth> = {}): DatabaseHealth => ({
  name,
  xidAge: 1_500_000,
  multixactAge: 100,
  deadlocks: 0,
  commits: 100,
  ...over,
})

export const slot = (name: string, over: Partial<ReplicationSlot> = {}): ReplicationSlot => ({
  name,
  slotType: 'physical',
  database: null,
  active: true,
  walStatus: 'reserved',
  retainedBytes: 16 * 2 ** 20,
  safeBytes: null,
  inactiveSeconds: null,
  invalidationReason: null,
  ...over,
})

/** Somebody who holds vacuum back. */
export const holder = (kind: VacuumHolder['kind'], age: number, over: Partial<VacuumHolder> = {}) =>
  ({
    kind,
    name: 'standby_2',
    database: null,
    pid: null,
    backendStart: null,
    xactStart: null,
    age,
    catalogsOnly: false,
    ...over,
  }) satisfies VacuumHolder

/** This session as one who holds vacuum back. */
export const holding = (
  { pid, backendStart, xactStart, applicationName, datname }: Session,
  age: number,
): VacuumHolder =>
  holder('session', age, { name: applicationName, database: datname, pid, backendStart, xactStart })

/** Health check of a healthy server, 20 seconds before the picture. */
export const health = (over: Partial<Health> = {}): Health => ({
  takenAt: takenAt - 20_000,
  prepared: [],
  vacuumHolders: [],
  databases: [database('orders')],
  freezeMaxAge: 200_000_000,
  slots: [],
  deadlocks: [],
  deadlockTimeoutSeconds: 1,
  serverLog: 'readable',
  ...over,
})

export const snapshot = (sessions: readonly Session[], over: Partial<Snapshot> = {}): Snapshot => ({
  cluster: 'orders',
  takenAt,
  server: server(),
  sessions,
  ownConnections: 2,
  locks: { kind: 'none' },
  health: null,
  ...over,
})

/** A picture of these sessions and locks; the forest is built from them unless one is given. */
export function picture(
  sessions: readonly Session[],
  locks: Locks | readonly LockGroup[] = { kind: 'none' },
  over: Partial<Snapshot> & { readonly forest?: Forest } = {},
): Picture {
  const { forest, ...rest } = over
  const known: Locks = 'kind' in locks ? locks : locksRead(locks)
  const shot = snapshot(sessions, { locks: known, ...rest })
  return forest ? { snapshot: shot, forest, forestTakenAt: shot.takenAt } : pictureOf(shot)
}

/** The thresholds that hold when the configuration says nothing. */
export const thresholds: Thresholds = {
  blockedForSeconds: 30,
  queryLongerThanSeconds: 3_600,
  idleInTransactionLongerThanSeconds: 300,
  idleLongerThanSeconds: 1_800,
  connectionsAbovePercent: 85,
  poolWaitsForSeconds: 30,
  preparedLongerThanSeconds: 900,
  vacuumHeldBackBy: 10_000_000,
  wraparoundAbovePercent: 50,
  slotRetainsBytes: 10 * 2 ** 30,
  rules: [],
}

/** An open incident with a card of its own, seen for the first time just now: connections run out, unless it is another. */
export const incident = (over: Partial<Incident> = {}): Incident => {
  const { id = '3f2a9c1b-0000-4000-8000-000000000001', openedAt = takenAt } = over
  return {
    id,
    cardId: id,
    digestId: null,
    cluster: 'orders',
    key: 'key',
    finding: { kind: 'connections', used: 9, max: 10, reserved: 0, holders: [] },
    recommendation: null,
    placedAt: openedAt,
    headSince: openedAt,
    openedAt,
    beganAt: openedAt,
    changedAt: openedAt,
    resolvedAt: null,
    resolution: null,
    acknowledgedBy: null,
    mostVictims: 0,
    ...over,
  }
}
