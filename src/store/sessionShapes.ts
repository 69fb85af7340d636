import type { Action } from '../domain/session/action.ts'
import type { DeadlockReport, ReplicationSlot, VacuumHolder } from '../domain/session/health.ts'
import type {
  PoolerClient,
  PoolerConnection,
  PreparedTransaction,
  Session,
  SessionKey,
} from '../domain/session/session.ts'
import type { LockTarget } from '../domain/session/snapshot.ts'
import { anyText, flag, listOf, number, object, oneOf, orNull, textByKey } from './shapes.ts'

/** Shapes of what was seen on a server, as incidents, proposals and events keep it. */

export const actionShape = oneOf<Action>({ cancel: 1, terminate: 1 })
export const sessionKeyShape = object<SessionKey>({
  cluster: anyText,
  pid: number,
  backendStart: anyText,
})

export const sessionShape = object<Session>({
  pid: number,
  leaderPid: orNull(number),
  backendType: anyText,
  backendStart: anyText,
  datname: orNull(anyText),
  usename: orNull(anyText),
  isSuperuser: flag,
  applicationName: anyText,
  clientAddr: orNull(anyText),
  state: orNull(anyText),
  waitEventType: orNull(anyText),
  waitEvent: orNull(anyText),
  sameWaitSeconds: number.optional(),
  xactStart: orNull(anyText),
  queryStart: orNull(anyText),
  stateChange: orNull(anyText),
  backendXid: orNull(anyText),
  backendXmin: orNull(anyText),
  queryId: orNull(anyText),
  xactSeconds: orNull(number),
  querySeconds: orNull(number),
  stateSeconds: orNull(number),
  backendSeconds: number,
  query: orNull(anyText),
  leaves: anyText.optional(),
  tags: textByKey.optional(),
  tagLinks: textByKey.optional(),
  pooler: object<PoolerConnection>({
    database: anyText,
    user: anyText,
    mode: orNull(anyText),
    client: orNull(object<PoolerClient>({ address: anyText, user: anyText, applicationName: anyText })),
  }).optional(),
})

export const preparedShape = object<PreparedTransaction>({
  xid: anyText,
  gid: anyText,
  gidInDoubt: flag.optional(),
  owner: anyText,
  database: anyText,
  prepared: anyText,
  preparedSeconds: number,
})

export const lockTargetShape = object<LockTarget>({
  locktype: anyText,
  database: orNull(number),
  relation: orNull(number),
  relationName: orNull(anyText),
  page: orNull(number),
  tuple: orNull(number),
  virtualxid: orNull(anyText),
  transactionid: orNull(anyText),
  classid: orNull(number),
  objid: orNull(number),
  objsubid: orNull(number),
})

export const vacuumHolderShape = object<VacuumHolder>({
  kind: oneOf({ session: 1, prepared: 1, slot: 1, standby: 1 }),
  name: anyText,
  database: orNull(anyText),
  pid: orNull(number),
  backendStart: orNull(anyText),
  xactStart: orNull(anyText),
  age: number,
  catalogsOnly: flag,
  isRepack: flag.optional(),
})

export const slotShape = object<ReplicationSlot>({
  name: anyText,
  slotType: anyText,
  database: orNull(anyText),
  active: flag,
  walStatus: orNull(anyText),
  retainedBytes: number,
  safeBytes: orNull(number),
  inactiveSeconds: orNull(number),
  invalidationReason: orNull(anyText),
  isRepack: flag.optional(),
})

export const deadlockReportShape = object<DeadlockReport>({
  at: anyText,
  database: anyText,
  user: anyText,
  applicationName: anyText,
  pid: number,
  pids: listOf(number),
  statement: orNull(anyText),
})
