import {
  connectionsUsed,
  type Finding,
  type FindingKind,
  longestTransactionSeconds,
  subjectOf,
} from '../../domain/incidents/finding.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import { jamsIn, waitingIn } from '../../domain/locks/tree.ts'
import {
  type Health,
  type LockWaits,
  type LockWaitsOf,
  wraparoundRatio,
} from '../../domain/session/health.ts'
import { isClient, isIdleInTransaction, type Session, waitsForLock } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { sqlLiteral } from '../../domain/text/literal.ts'
import { list } from '../../domain/text/sentence.ts'
import { formatCount, formatSize } from '../../domain/text/size.ts'
import { holderName, percent } from '../card/healthFindings.ts'
import { bold, moment } from '../kit.ts'
import { count, nameOf, onOneLine, stateOf } from '../words.ts'
import { type AnswerContext, type Line, limitFor, limitOf } from './page.ts'
import { unreadLine } from './pooler.ts'

/** Says of each cause of trouble that is none now how far it is from its limit. */
export function withinLimits(picture: Picture, found: readonly Finding[], asked: AnswerContext): Line[] {
  const { health, sessions } = picture.snapshot
  const kinds = new Set(found.map(({ kind }) => kind))
  const isFine = (...of: FindingKind[]) => of.every((kind) => !kinds.has(kind))
  // The session that holds vacuum back may be listed already, for something worse.
  const [holder] = health?.vacuumHolders ?? []
  const isVacuumTold =
    (holder?.age ?? 0) >= asked.thresholds.vacuumHeldBackBy &&
    found.some((finding) => subjectOf(finding)?.pid === holder?.pid)
  return [
    ...(isFine('blocking', 'lockCycle', 'lockStorm') ? [locksLine(picture, asked)] : []),
    ...(isFine('longQuery') ? [longLine(picture, found, asked)] : []),
    ...(isFine('idleInTransaction', 'idle') ? [idleLine(picture, found, asked)] : []),
    ...(isFine('connections') ? [connectionsLine(picture, asked)] : []),
    ...(isFine('poolWaits') ? poolLines(picture, asked) : []),
    ...(health
      ? healthLines(
          health,
          (kind) => isFine(kind) && !(kind === 'vacuumHeldBack' && isVacuumTold),
          sessions,
          asked,
        )
      : []),
  ]
}

function locksLine({ snapshot, forest }: Picture, { thresholds }: AnswerContext): Line {
  const waiting = waitingIn(jamsIn(forest))
  const limit = limitFor(thresholds.blockedForSeconds, thresholds)
  const what =
    snapshot.locks.kind === 'jammed'
      ? 'not known now.'
      : waiting === 0
        ? 'nobody waits.'
        : `${count(waiting, 'session waits', 'sessions wait')}, nobody for more than ${limit}.`
  return [bold('Locks: '), what]
}

/** Long queries of sessions that wait, or are listed already, are no trouble of their own, but they are there. */
function longLine({ snapshot }: Picture, found: readonly Finding[], { thresholds }: AnswerContext): Line {
  const seconds = thresholds.queryLongerThanSeconds
  const others = snapshot.sessions.filter(
    (session) =>
      isClient(session) &&
      session.state === 'active' &&
      (session.querySeconds ?? 0) >= seconds &&
      (waitsForLock(session) || isNamed(session, found)),
  ).length
  const past =
    others === 0
      ? `none for more than ${limitFor(seconds, thresholds)}`
      : `${others} for more than ${limitFor(seconds, thresholds)}, ${others === 1 ? 'which waits for a lock or is' : 'all of which wait for a lock or are'} named above`
  return [
    bold('Long-running queries: '),
    `${past}; the oldest transaction is open for ${formatDuration(longestTransactionSeconds(snapshot))}.`,
  ]
}

function idleLine({ snapshot }: Picture, found: readonly Finding[], { thresholds }: AnswerContext): Line {
  const seconds = thresholds.idleInTransactionLongerThanSeconds
  const idle = snapshot.sessions
    .filter((session) => isClient(session) && isIdleInTransaction(session))
    .toSorted((a, b) => (b.stateSeconds ?? 0) - (a.stateSeconds ?? 0))
  const named = idle.filter(
    (session) => (session.stateSeconds ?? 0) >= seconds && isNamed(session, found),
  ).length
  const [longest] = idle.filter((session) => !isNamed(session, found))
  return [
    bold('Idle holders: '),
    `${named === 0 ? 'nobody' : 'nobody else'} idle in transaction for more than ${limitFor(seconds, thresholds)}`,
    longest ? ` (${nameOf(longest)}, ${stateOf(longest)}).` : '.',
  ]
}

/** Decides whether a session is listed already, for something worse. */
const isNamed = ({ pid }: Session, found: readonly Finding[]): boolean =>
  found.some((finding) => subjectOf(finding)?.pid === pid)

function connectionsLine({ snapshot }: Picture, { thresholds }: AnswerContext): Line {
  const used = connectionsUsed(snapshot)
  const max = snapshot.server.maxConnections
  return [
    bold('Connections: '),
    `${used} of ${max} (${percent(used / Math.max(1, max))}), limit ${thresholds.connectionsAbovePercent} %.`,
  ]
}

function poolLines({ snapshot: { pooler } }: Picture, { thresholds }: AnswerContext): Line[] {
  if (!pooler) return []
  if ('unread' in pooler) return [unreadLine(pooler.unread)]
  const clients = pooler.waiting.reduce((all, { waiting }) => all + waiting, 0)
  const old = pooler.secondsOld > 0 ? ` (as of ${formatDuration(pooler.secondsOld)} ago)` : ''
  const what =
    clients === 0
      ? 'no client waits'
      : `${count(clients, 'client waits', 'clients wait')}, nobody for ${limitOf(thresholds.poolWaitsForSeconds)}`
  return [[bold('PgBouncer: '), `${count(pooler.pools, 'pool')}, ${what}${old}.`]]
}

function healthLines(
  health: Health,
  isFine: (kind: FindingKind) => boolean,
  sessions: readonly Session[],
  { thresholds }: AnswerContext,
): Line[] {
  const { prepared, vacuumHolders, databases, slots } = health
  const [oldest] = prepared
  const [holder] = vacuumHolders
  const worst = databases.toSorted((a, b) => wraparoundRatio(b) - wraparoundRatio(a))[0]
  const [largest] = slots
  const deadlocks = databases.reduce((sum, database) => sum + database.deadlocks, 0)
  const some = databases.filter((database) => database.deadlocks > 0)
  return [
    ...(isFine('deadlocks')
      ? [
          [
            bold('Deadlocks: '),
            deadlocks === 0
              ? 'none since the statistics began.'
              : `none lately; ${formatCount(deadlocks)} since the statistics began (${list(some.slice(0, 3).map(({ name, deadlocks }) => `${formatCount(deadlocks)} in ${name}`))}${some.length > 3 ? ', …' : ''}).`,
          ],
        ]
      : []),
    ...(health.lockWaits ? [lockWaitsLine(health.lockWaits, health.deadlockTimeoutSeconds)] : []),
    ...(isFine('preparedTransaction')
      ? [
          [
            bold('Prepared transactions: '),
            oldest
              ? `${prepared.length}, the oldest for ${formatDuration(oldest.preparedSeconds)}, limit ${limitOf(thresholds.preparedLongerThanSeconds)}.`
              : 'none.',
          ],
        ]
      : []),
    ...(isFine('vacuumHeldBack')
      ? [
          [
            bold('Vacuum: '),
            holder
              ? `held back by ${formatCount(holder.age)} transactions, by ${who(holder, sessions)}; limit ${limitCount(thresholds.vacuumHeldBackBy)}.`
              : 'held back by nobody.',
          ],
        ]
      : []),
    ...(isFine('wraparound') && worst
      ? [
          [
            bold('Wraparound: '),
            `${percent(wraparoundRatio(worst))} of the way in database ${worst.name} (${formatCount(worst.xidAge)} transactions; autovacuum freezes from ${formatCount(health.freezeMaxAge)} on), limit ${thresholds.wraparoundAbovePercent} %.`,
          ],
        ]
      : []),
    ...(isFine('replicationSlot')
      ? [
          [
            bold('Replication slots: '),
            largest
              ? `${slots.length}, ${sqlLiteral(largest.name)} keeps most WAL, ${formatSize(largest.retainedBytes)}; limit ${Number.isFinite(thresholds.slotRetainsBytes) ? formatSize(thresholds.slotRetainsBytes) : 'never'}.`
              : 'none.',
          ],
        ]
      : []),
  ]
}

/** Shows what the server has counted of waits for locks. They are no trouble now, so they have no limit. */
function lockWaitsLine({ since, kinds }: LockWaits, deadlockTimeoutSeconds: number): Line {
  const waited = kinds.filter(({ waits }) => waits > 0)
  const waits = waited.reduce((sum, kind) => sum + kind.waits, 0)
  const seconds = waited.reduce((sum, kind) => sum + kind.seconds, 0)
  const exceeded = kinds.reduce((sum, kind) => sum + kind.fastPathExceeded, 0)
  const one = ({ locktype, waits, seconds }: LockWaitsOf) =>
    `${onOneLine(locktype)} ${formatCount(waits)} (${formatDuration(seconds)})`
  const which = `${list(waited.slice(0, 3).map(one))}${waited.length > 3 ? ', …' : ''}`
  return [
    bold('Lock waits: '),
    'since ',
    since === null ? 'the statistics began' : moment(since),
    `, of more than ${formatDuration(deadlockTimeoutSeconds)} (deadlock_timeout): `,
    waits === 0 ? 'none' : `${formatCount(waits)}, ${formatDuration(seconds)} in all; ${which}`,
    exceeded === 0
      ? '.'
      : `. Locks without a place on the fast path (max_locks_per_transaction): ${formatCount(exceeded)}.`,
  ]
}

const who = (holder: Health['vacuumHolders'][number], sessions: readonly Session[]): string => {
  const session = sessions.find(
    ({ pid, backendStart }) => pid === holder.pid && backendStart === holder.backendStart,
  )
  const name = holderName(holder, session ?? null)
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}`
}

const limitCount = (transactions: number): string =>
  Number.isFinite(transactions) ? formatCount(transactions) : 'never'
