import { type Finding, findings, subjectOf } from '../incidents/finding.ts'
import type { Root } from '../locks/blocking.ts'
import type { Picture } from '../locks/picture.ts'
import { type Jam, jamsIn, waitingIn } from '../locks/tree.ts'
import type { Thresholds } from '../session/policy.ts'
import { thresholdsAt } from '../session/rules.ts'
import {
  isClient,
  isIdleInTransaction,
  type Session,
  sessionsByPid,
  waitsForLock,
} from '../session/session.ts'
import { ageOf, type Filters, hasFilters, jamMatches, matchesFilters } from './filters.ts'

/** Largest number of rows in a list: as many as a phone shows without losing the reader. */
const mostShown = 20

/** One line at the top of the list: who keeps others waiting. */
export type JamRow =
  /** `session` is null for a prepared transaction, and when it was gone between the two readings. */
  | { readonly kind: 'root'; readonly root: Root; readonly session: Session | null }
  /** Sessions that wait for each other. `victims`: they, and everyone behind them. */
  | {
      readonly kind: 'cycle'
      readonly pids: readonly number[]
      readonly victims: readonly number[]
      readonly sessions: readonly Session[]
    }

/**
 * `suspect`: idle in a transaction while the locks cannot be read. `waiting`: waits for a lock behind nobody who is
 * shown. `other`: requested by the filters, or simply the oldest,
 * past no threshold.
 */
export type GroupKind = 'suspect' | 'waiting' | 'longQuery' | 'idleInTransaction' | 'idle' | 'other'

export type Group = {
  readonly kind: GroupKind
  /** Worst first. */
  readonly sessions: readonly Session[]
  /** Number of sessions beyond these. */
  readonly more: number
}

export type Selection = {
  readonly jams: readonly JamRow[]
  readonly moreJams: number
  /** Jams that the filters leave out. */
  readonly otherJams: number
  /** In the order in which they are to be read; empty groups are left out. */
  readonly groups: readonly Group[]
  /** Number of different sessions that wait behind the jams, shown or not. */
  readonly waiting: number
  /** Number of client sessions that match the filters, and of all. */
  readonly matching: number
  readonly clients: number
  /** Connections past their threshold. */
  readonly saturation: Extract<Finding, { readonly kind: 'connections' }> | null
}

/**
 * Chooses the rows of `/pg sessions`: who blocks whom (however short the wait), then what is past its threshold, at
 * most `maxRows` rows. Without trouble it takes the oldest few that do something. With filters it adds everything else
 * that matches.
 */
export function chooseSessions(picture: Picture, thresholds: Thresholds, filters: Filters): Selection {
  const { snapshot, forest } = picture
  const stems = jamsIn(forest)
  const jams = jamsOf(picture, stems, filters)
  const found = findings(snapshot, forest, thresholds)
  const roots = new Set(stems.flatMap(({ root }) => root?.pid ?? []))
  const past = (kind: GroupKind) =>
    found
      .flatMap((finding) => (finding.kind === kind ? (subjectOf(finding) ?? []) : []))
      .filter((session) => !roots.has(session.pid) && matchesFilters(session, filters))
  const clients = snapshot.sessions.filter(isClient)
  const behind = new Set(stems.flatMap(({ root, victims }) => (root ? [root.pid, ...victims] : victims)))
  const lost = clients
    .filter(
      (session) => waitsForLock(session) && !behind.has(session.pid) && matchesFilters(session, filters),
    )
    .sort(oldestFirst)
  const suspects = found
    .flatMap((finding) => (finding.kind === 'lockStorm' ? finding.suspects : []))
    .filter((session) => !behind.has(session.pid) && matchesFilters(session, filters))
  const troubled: [GroupKind, Session[]][] = [
    ['suspect', suspects],
    // In a storm they are counted; to list them would push everything else out.
    ['waiting', snapshot.locks.kind === 'jammed' ? [] : lost],
    ['longQuery', past('longQuery')],
    ['idleInTransaction', past('idleInTransaction').filter((session) => !suspects.includes(session))],
    ['idle', past('idle')],
  ]
  const calm = jams.length === 0 && troubled.every(([, sessions]) => sessions.length === 0)
  const named = new Set([...troubled.flatMap(([, sessions]) => sessions.map(({ pid }) => pid)), ...behind])
  const others = clients
    .filter((session) => !named.has(session.pid) && matchesFilters(session, filters))
    .filter((session) => hasFilters(filters) || session.state === 'active' || isIdleInTransaction(session))
    .sort(oldestFirst)
  const other = hasFilters(filters) ? others : calm ? others.slice(0, 5) : []

  const lists = [jams, ...troubled.map(([, sessions]) => sessions), other]
  const [jamRows = 0, ...rows] = share(lists.map((list) => list.length))
  const groups = [...troubled, ['other', other] as const].map(([kind, sessions], index) => ({
    kind,
    sessions: sessions.slice(0, rows[index] ?? 0),
    more: sessions.length - (rows[index] ?? 0),
  }))
  return {
    jams: jams.slice(0, jamRows),
    moreJams: jams.length - jamRows,
    otherJams: stems.length - jams.length,
    groups: groups.filter(({ sessions, more }) => sessions.length + more > 0),
    waiting: waitingIn(stems),
    matching: clients.filter((session) => matchesFilters(session, filters)).length,
    clients: clients.length,
    saturation: found.find((finding) => finding.kind === 'connections') ?? null,
  }
}

/** Roots worst first, then cycles; those in which the root or a victim matches. */
function jamsOf({ snapshot }: Picture, stems: readonly Jam[], filters: Filters): JamRow[] {
  const sessions = sessionsByPid(snapshot.sessions)
  return stems
    .filter(({ root, victims }) => jamMatches({ root, pids: victims }, sessions, filters))
    .map(({ root, cycle, victims }) =>
      root
        ? { kind: 'root', root, session: sessions.get(root.pid) ?? null }
        : { kind: 'cycle', pids: cycle, victims, sessions: cycle.flatMap((pid) => sessions.get(pid) ?? []) },
    )
}

/** The rows of each list: five each while they last, what is left over to the first ones. */
function share(lengths: readonly number[]): number[] {
  const rows = lengths.map(() => 0)
  let left = mostShown
  for (const limit of [5, mostShown]) {
    for (const [index, length] of lengths.entries()) {
      const more = Math.min(limit, length) - (rows[index] ?? 0)
      const taken = Math.max(0, Math.min(more, left))
      rows[index] = (rows[index] ?? 0) + taken
      left -= taken
    }
  }
  return rows
}

const oldestFirst = (a: Session, b: Session): number => ageOf(b) - ageOf(a) || a.pid - b.pid

/** Content of `/pg long` and `/pg idle`. */
export type List = {
  readonly sessions: readonly Session[]
  /** Those past their limit that are not shown. */
  readonly hidden: readonly Session[]
  /** Number of sessions past the threshold; when it is 0, `sessions` are the oldest few. */
  readonly past: number
}

/**
 * Statements (or transactions of active sessions) that run for longer than the threshold, waiting ones too, oldest
 * first. `--older` takes the threshold's place.
 */
export function chooseLong({ snapshot }: Picture, thresholds: Thresholds, filters: Filters): List {
  const thresholdsOf = thresholdsAt(thresholds, snapshot.takenAt)
  const limitOf = (session: Session) => filters.olderSeconds ?? thresholdsOf(session).queryLongerThanSeconds
  const isPast = (session: Session) => ageOf(session) >= limitOf(session)
  // Who waits for a lock is not what takes long: a crowd of them must not push that out.
  const waits = (session: Session) => Number(isPast(session) && waitsForLock(session))
  const active = snapshot.sessions
    .filter((session) => isClient(session) && session.state === 'active')
    .filter((session) => matchesFilters(session, { ...filters, olderSeconds: undefined }))
    .sort((a, b) => waits(a) - waits(b) || oldestFirst(a, b))
  return listOf(active, isPast, filters)
}

/** Lists client sessions with a running statement, longest first. */
export const runningIn = ({ snapshot }: Picture, filters: Filters): Session[] =>
  snapshot.sessions
    .filter((session) => isClient(session) && session.state === 'active' && matchesFilters(session, filters))
    .sort((a, b) => (b.querySeconds ?? 0) - (a.querySeconds ?? 0) || a.pid - b.pid)

/** Sessions idle in a transaction, then idle ones, each past its threshold (or `--older`), oldest first. */
export function chooseIdle({ snapshot }: Picture, thresholds: Thresholds, filters: Filters): List {
  const thresholdsOf = thresholdsAt(thresholds, snapshot.takenAt)
  const limitOf = (session: Session) =>
    filters.olderSeconds ??
    (isIdleInTransaction(session)
      ? thresholdsOf(session).idleInTransactionLongerThanSeconds
      : thresholdsOf(session).idleLongerThanSeconds)
  const still = (session: Session) => session.stateSeconds ?? 0
  const idle = snapshot.sessions
    .filter((session) => isClient(session) && (session.state === 'idle' || isIdleInTransaction(session)))
    .filter((session) => matchesFilters(session, { ...filters, olderSeconds: undefined }))
    .sort(
      (a, b) =>
        Number(isIdleInTransaction(b)) - Number(isIdleInTransaction(a)) ||
        still(b) - still(a) ||
        a.pid - b.pid,
    )
  return listOf(idle, (session) => still(session) >= limitOf(session), filters)
}

function listOf(all: readonly Session[], isPast: (session: Session) => boolean, filters: Filters): List {
  const past = all.filter(isPast)
  const shown = past.length > 0 ? past : filters.olderSeconds === undefined ? all.slice(0, 5) : []
  return { sessions: shown.slice(0, mostShown), hidden: past.slice(mostShown), past: past.length }
}
