import type { Forest, Root } from '../locks/blocking.ts'
import { type LockCycle, lockCycleKey, lockCycles } from '../locks/cycle.ts'
import type { Picture } from '../locks/picture.ts'
import type { SessionThresholds, Thresholds } from '../session/policy.ts'
import { thresholdsAt } from '../session/rules.ts'
import {
  hasFailed,
  isClient,
  isIdleInTransaction,
  type Session,
  sessionsByPid,
  waitsForLock,
} from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import { type Holder, holdersOf } from './connectionHolders.ts'
import {
  type HealthFinding,
  healthAmount,
  healthFindingKey,
  healthFindings,
  type IsFound,
} from './healthFinding.ts'
import { type PoolWaits, poolWaits } from './poolWaits.ts'
import type { Unreachable } from './unreachable.ts'

/** One thing that is wrong in one snapshot, or that there is none. Plain data: an incident keeps its last finding in the store. */
export type Finding =
  | { readonly kind: 'blocking'; readonly root: Root; readonly session: Session | null }
  | {
      readonly kind: 'longQuery' | 'idleInTransaction' | 'idle'
      readonly session: Session
      readonly seconds: number
    }
  | {
      readonly kind: 'connections'
      readonly used: number
      readonly max: number
      /** Number of the `max` connections that are kept back for superusers and other reserved roles. */
      readonly reserved: number
      readonly holders: readonly Holder[]
    }
  | {
      readonly kind: 'lockStorm'
      readonly waiting: number
      /** Reason why the locks cannot be read, one sentence: the lock manager is busy, or we have no connection for them. */
      readonly why: string
      /** Sessions idle in a transaction: nobody else sits on a lock without doing anything. Oldest first. */
      readonly suspects: readonly Session[]
    }
  | LockCycle
  | PoolWaits
  | Unreachable
  | HealthFinding

export type FindingKind = Finding['kind']

/** The session that a finding is about; null for a prepared transaction and for findings about the whole server. */
export const subjectOf = (finding: Finding): Session | null => ('session' in finding ? finding.session : null)

/** The same finding with its session as it is among these. */
export function withSession(finding: Finding, sessions: ReadonlyMap<number, Session>): Finding {
  const session = sessions.get(subjectOf(finding)?.pid ?? 0)
  return session ? ({ ...finding, session } as Finding) : finding
}

/** The same trouble has the same key from one snapshot to the next. */
export function findingKey(finding: Finding): string {
  switch (finding.kind) {
    case 'lockStorm':
    case 'connections':
    case 'poolWaits':
    case 'unreachable':
      return finding.kind
    case 'lockCycle':
      return lockCycleKey(finding)
    case 'blocking':
      if (finding.root.prepared) return `blocking:prepared:${finding.root.prepared.gid}`
      return finding.session ? sessionKey(finding.kind, finding.session) : finding.kind
    case 'longQuery':
    case 'idleInTransaction':
    case 'idle':
      return sessionKey(finding.kind, finding.session)
    default:
      return healthFindingKey(finding)
  }
}

const sessionKey = (kind: FindingKind, { pid, backendStart }: Session): string =>
  `${kind}:${pid}:${backendStart}`

/** Returns how long the finding has lasted; null when nobody knows. */
export const findingSeconds = (finding: Finding): number | null =>
  finding.kind === 'blocking' ? finding.root.oldestWaitSeconds : 'seconds' in finding ? finding.seconds : null

/** A number that grows as it gets worse: what its kind counts, else how long it has been so. */
export function findingAmount(finding: Finding): number {
  switch (finding.kind) {
    case 'lockStorm':
    case 'connections':
    case 'blocking':
    case 'longQuery':
    case 'idleInTransaction':
    case 'idle':
    case 'lockCycle':
    case 'poolWaits':
    case 'unreachable':
      return findingSeconds(finding) ?? 0
    default:
      return healthAmount(finding)
  }
}

export type FoundBefore = {
  /**
   * Keys of what was found before: a jam that lost its oldest waiter is still the same jam, and a number of connections
   * that dances around its threshold is still too high.
   */
  readonly open?: ReadonlySet<string>
  /**
   * Victims of the jams among them: behind a row everybody's wait starts over when its holder changes, for all of them go
   * on to the new version of the row, but the statement of one who waits again has been kept for as long as it runs.
   */
  readonly waited?: ReadonlySet<number>
}

/**
 * Everything in the snapshot that is past its threshold, worst first: jams, pools whose clients wait, what the last health check shows (see
 * healthFinding.ts), then long queries, sessions idle in a transaction, long-idle ones, connections. A session is found once, for the worst thing that it does; one that waits
 * for a lock is somebody's victim and never found for being slow. Thresholds are each session's own; a jam is found
 * when somebody in it has waited for too long by their own threshold, whatever holds for the root.
 */
export function findings(
  snapshot: Snapshot,
  forest: Forest,
  thresholds: Thresholds,
  { open = new Set(), waited = new Set() }: FoundBefore = {},
): Finding[] {
  const sessions = sessionsByPid(snapshot.sessions)
  const thresholdsOf = thresholdsAt(thresholds, snapshot.takenAt)
  const waitsTooLong = (pid: number) => {
    const session = sessions.get(pid)
    const { blockedForSeconds } = session ? thresholdsOf(session) : thresholds
    const wait = forest.waits.get(pid)
    const seconds = wait && waited.has(pid) ? (session?.querySeconds ?? 0) : (wait?.seconds ?? 0)
    return seconds >= blockedForSeconds
  }
  const jams = forest.roots
    .map((root) => ({ kind: 'blocking', root, session: sessions.get(root.pid) ?? null }) as const)
    .filter((jam) => jam.root.victims.some(waitsTooLong) || open.has(findingKey(jam)))
  const found = new Set(jams.map(({ root }) => root.pid))
  const slow = snapshot.sessions
    .filter((session) => isClient(session) && !found.has(session.pid) && !waitsForLock(session))
    .flatMap((session) => slowness(session, thresholdsOf(session)) ?? [])
    .sort((a, b) => rank[a.kind] - rank[b.kind] || b.seconds - a.seconds)
  for (const { session } of slow) found.add(session.pid)
  const gids = new Set(jams.flatMap(({ root }) => root.prepared?.gid ?? []))
  const isFound: IsFound = (one) => ('gid' in one ? gids.has(one.gid) : found.has(one.pid))
  const ill = healthFindings(snapshot, thresholds, thresholdsOf, { isFound, open })
  return [
    ...storm(snapshot),
    ...distinct(jams, open),
    ...lockCycles(snapshot, forest, waitsTooLong, open),
    ...poolWaits(snapshot, thresholds.poolWaitsForSeconds, open),
    ...ill,
    ...slow,
    ...saturation(snapshot, thresholds, open),
  ]
}

type BlockingFinding = Finding & { readonly kind: 'blocking' }

/**
 * Leaves one jam where several sessions stand at the head of the same victims, as readers before one ALTER TABLE do: a root
 * whose victims all wait behind another root too belongs to that one's jam. A root with an open incident goes first.
 */
function distinct(jams: readonly BlockingFinding[], open: ReadonlySet<string>): BlockingFinding[] {
  const isOpen = (jam: BlockingFinding) => Number(open.has(findingKey(jam)))
  const largestFirst = jams.toSorted(
    (a, b) => b.root.victims.length - a.root.victims.length || isOpen(b) - isOpen(a),
  )
  const heads: { readonly jam: BlockingFinding; readonly victims: ReadonlySet<number> }[] = []
  for (const jam of largestFirst) {
    const { kind, victims } = jam.root
    // A prepared transaction is ended in a way of its own.
    if (kind === 'session' && heads.some((head) => victims.every((pid) => head.victims.has(pid)))) continue
    heads.push({ jam, victims: kind === 'session' ? new Set(victims) : new Set() })
  }
  const kept = new Set(heads.map(({ jam }) => jam))
  return jams.filter((jam) => kept.has(jam))
}

type Slowness = Finding & { readonly kind: 'longQuery' | 'idleInTransaction' | 'idle' }

const rank: Record<Slowness['kind'], number> = { longQuery: 0, idleInTransaction: 1, idle: 2 }

function slowness(session: Session, thresholds: SessionThresholds): Slowness | null {
  if (session.state === 'active' && (session.querySeconds ?? 0) >= thresholds.queryLongerThanSeconds)
    return { kind: 'longQuery', session, seconds: session.querySeconds ?? 0 }
  if (
    isIdleInTransaction(session) &&
    (session.stateSeconds ?? 0) >= thresholds.idleInTransactionLongerThanSeconds
  )
    return { kind: 'idleInTransaction', session, seconds: session.stateSeconds ?? 0 }
  if (session.state === 'idle' && (session.stateSeconds ?? 0) >= thresholds.idleLongerThanSeconds)
    return { kind: 'idle', session, seconds: session.stateSeconds ?? 0 }
  return null
}

/** Finds too many connections: above the threshold, or only the reserved ones are left. */
function saturation(snapshot: Snapshot, thresholds: Thresholds, open: ReadonlySet<string>): Finding[] {
  const { maxConnections: max, reservedConnections: reserved } = snapshot.server
  const used = connectionsUsed(snapshot)
  const enough = Math.min(thresholds.connectionsAbovePercent, ((max - reserved) * 100) / max)
  return used * 100 >= max * (open.has('connections') ? enough - 5 : enough)
    ? [{ kind: 'connections', used, max, reserved, holders: holdersOf(snapshot.sessions.filter(isClient)) }]
    : []
}

/** Connections that count against max_connections: every client, and our own two, which are not among `sessions`. */
export const connectionsUsed = (snapshot: Snapshot): number =>
  snapshot.sessions.filter(isClient).length + snapshot.ownConnections

function storm(snapshot: Snapshot): Finding[] {
  const { locks, sessions } = snapshot
  if (locks.kind !== 'jammed') return []
  const { waiting } = totals(snapshot)
  return [{ kind: 'lockStorm', waiting, why: locks.why, suspects: stormSuspects(sessions) }]
}

/** Clients that may hold what the others wait for while the locks cannot be read: the oldest transactions first. */
export const stormSuspects = (sessions: readonly Session[]): Session[] =>
  sessions
    .filter((session) => isClient(session) && isIdleInTransaction(session) && !hasFailed(session))
    .sort((a, b) => (b.xactSeconds ?? 0) - (a.xactSeconds ?? 0))
    .slice(0, 5)

/** Counts the connections that ordinary roles may still make. The rest is kept back for superusers and the like. */
export const connectionsLeft = (snapshot: Snapshot): number =>
  snapshot.server.maxConnections - snapshot.server.reservedConnections - connectionsUsed(snapshot)

/** Totals for the last line of a list. Clients only, as people count sessions. */
export type Totals = {
  readonly active: number
  readonly idle: number
  readonly idleInTransaction: number
  readonly waiting: number
  readonly used: number
  readonly max: number
}

export function totals(snapshot: Snapshot): Totals {
  const clients = snapshot.sessions.filter(isClient)
  const count = (test: (session: Session) => boolean) => clients.filter(test).length
  return {
    active: count((session) => session.state === 'active'),
    idle: count((session) => session.state === 'idle'),
    idleInTransaction: count(isIdleInTransaction),
    waiting: count(waitsForLock),
    used: connectionsUsed(snapshot),
    max: snapshot.server.maxConnections,
  }
}

/**
 * Lists how long each session has waited that waits for a lock now. In a lock storm this comes from the last table that
 * was read, for sessions that still wait. Null while nobody knows.
 */
export function waitSeconds({ snapshot, forest, forestTakenAt }: Picture): Map<number, number> | null {
  const waiting = snapshot.sessions.filter(waitsForLock)
  if (forestTakenAt === null && waiting.length > 0) return null
  const since = (snapshot.takenAt - (forestTakenAt ?? snapshot.takenAt)) / 1000
  const isOld = snapshot.locks.kind === 'jammed'
  const waits = isOld ? waiting.flatMap(({ pid }) => forest.waits.get(pid) ?? []) : [...forest.waits.values()]
  return new Map(waits.map(({ pid, seconds }) => [pid, (seconds ?? 0) + since]))
}

/** The longest wait for a lock; 0 when nobody waits, null while nobody knows. */
export function oldestWaitSeconds(picture: Picture): number | null {
  const waits = waitSeconds(picture)
  return waits && Math.max(0, ...waits.values())
}

/** Age of the oldest open transaction of a client session; 0 without any. */
export const longestTransactionSeconds = (snapshot: Snapshot): number =>
  Math.max(0, ...snapshot.sessions.filter(isClient).map(({ xactSeconds }) => xactSeconds ?? 0))
