import { subjectOf } from '../incidents/finding.ts'
import { isIdleInTransaction, type Session } from '../session/session.ts'
import { formatDuration } from '../text/duration.ts'
import { nameWords } from '../text/literal.ts'
import type { Evidence, Hits, PastTrouble, Prevention } from './prevention.ts'
import { holding, isLimit, type Scope, type SettingName, setForWords } from './settings.ts'
import { identityOf, type Spell, type SpellKind } from './spells.ts'
import { statementFor } from './statement.ts'

/** Setting that ends what lasts too long. */
type TimeLimit = {
  readonly setting: SettingName
  readonly kind: SpellKind
  /** Values to choose from, and the one that is taken where nothing speaks against it; seconds. */
  readonly ladder: readonly number[]
  readonly usual: number
  readonly effect: string
}

const limits = {
  idleInTransaction: {
    setting: 'idle_in_transaction_session_timeout',
    kind: 'idleInTransaction',
    ladder: [10, 30, 60, 300, 900, 3600],
    usual: 60,
    effect:
      'The server ends a session that sits idle in its transaction for longer, and rolls the transaction back. Its application has to connect again.',
  },
  statement: {
    setting: 'statement_timeout',
    kind: 'statement',
    ladder: [10, 30, 60, 300, 900, 3600, 14_400],
    usual: 300,
    effect:
      'The server cancels a statement that takes longer; waiting for locks counts. The session stays, its transaction fails. Dumps, reports and index builds of this role then SET their own value.',
  },
  lockWait: {
    setting: 'lock_timeout',
    kind: 'lockWait',
    ladder: [1, 2, 5, 10, 30],
    usual: 5,
    effect:
      'A statement of this role gives up when it has waited for a lock for longer, so the queue behind it goes on. Whoever runs the migration tries again. It holds for all statements of the role: give migrations a role of their own.',
  },
  transaction: {
    setting: 'transaction_timeout',
    kind: 'transaction',
    ladder: [60, 300, 900, 3600],
    usual: 300,
    effect:
      'The server ends a session whose transaction takes longer, whatever it does in it; also dumps and long reports of this role.',
  },
  idle: {
    setting: 'idle_session_timeout',
    kind: 'idle',
    ladder: [600, 1800, 3600, 14_400, 43_200],
    usual: 3600,
    effect:
      'The server ends a session that sits idle outside a transaction for longer. A pool that does not expect it hands out dead connections: set the idle timeout of the pool below this, or put a pooler (PgBouncer in transaction mode) before the server.',
  },
} as const satisfies Record<SpellKind, TimeLimit>

/** Trouble of one kind that sessions of one role in one database made, each time. */
export type Blamed = {
  readonly limit: TimeLimit
  readonly scope: Scope
  /** For how long the session had done what the limit ends; endless where only many together were the trouble. */
  readonly seconds: number
  readonly victims: number
  /** Session whose doing it was; null where they were many. */
  readonly who: string | null
}

export const timeLimits = (known: Evidence): Prevention[] =>
  limitsFor([...known.troubles.flatMap(blame), ...queued(known.spells)], known).map(
    ({ prevention }) => prevention,
  )

/** Limit that is advised, for those who are blamed. */
export type Limited<B extends Blamed> = {
  readonly prevention: Prevention
  readonly seconds: number
  /** Those whom it would have stopped. */
  readonly stopped: readonly B[]
}

/** Facts that a limit is chosen by. */
type Facts = Pick<Evidence, 'spells' | 'isRecorded' | 'settings' | 'target'>

/** Finds the limit for each role in a database that is blamed, the worst trouble first. */
export function limitsFor<B extends Blamed>(blamed: readonly B[], known: Facts): Limited<B>[] {
  // What the server's version lacks has no value there.
  const settable = blamed.filter(({ limit }) => known.settings.some(({ name }) => name === limit.setting))
  const groups = Map.groupBy(settable, ({ limit, scope }) => JSON.stringify([limit.setting, scope]))
  return [...groups.values()]
    .toSorted((a, b) => weight(b) - weight(a))
    .flatMap((group) => adviceFor(group, known) ?? [])
}

/** Seconds that sessions lost, roughly. */
const weight = (group: readonly Blamed[]): number =>
  group.reduce((sum, { seconds, victims }) => sum + Math.min(seconds, 86_400) * (1 + victims), 0)

/** Finds whose doing the trouble was, and the limit that ends it. */
function blame({ finding, mostVictims }: PastTrouble): Blamed[] {
  if (finding.kind === 'connections') {
    const [holder] = finding.holders
    if (!holder?.datname || holder.usename === '' || (holder.idle ?? 0) * 2 < holder.count) return []
    const scope = { role: holder.usename, database: holder.datname }
    return [{ limit: limits.idle, scope, seconds: Number.POSITIVE_INFINITY, victims: 0, who: null }]
  }
  const session = subjectOf(finding)
  return session ? blameSession(session, mostVictims) : []
}

/** Finds the limit that ends what a session does. */
export function blameSession(session: Session, victims: number): Blamed[] {
  const scope = scopeOf(session)
  return scope ? [{ ...pastLimit(session), scope, victims, who: identityOf(session) }] : []
}

/** Blames a session that waits for a strong lock, with others in the queue behind it. */
export function blameQueued(session: Session, seconds: number, victims: number): Blamed[] {
  const scope = scopeOf(session)
  return scope ? [{ limit: limits.lockWait, scope, seconds, victims, who: identityOf(session) }] : []
}

/** Returns the role and database of a client; null for a process of the server. */
const scopeOf = ({ usename, datname }: Session): Scope | null =>
  usename === null || datname === null ? null : { role: usename, database: datname }

/** So many times as long as what the session does now, its transaction is the trouble, not the statement or pause. */
const times = 4

function pastLimit(session: Session): Pick<Blamed, 'limit' | 'seconds'> {
  const inState = session.stateSeconds ?? 0
  const inTransaction = session.xactSeconds ?? 0
  if (session.state === 'idle') return { limit: limits.idle, seconds: inState }
  const isIdle = isIdleInTransaction(session)
  const now = isIdle ? inState : (session.querySeconds ?? 0)
  if (now * times < inTransaction) return { limit: limits.transaction, seconds: inTransaction }
  return { limit: isIdle ? limits.idleInTransaction : limits.statement, seconds: now }
}

/** Finds those who waited for a strong lock, with others in the queue behind them. */
const queued = (spells: readonly Spell[]): Blamed[] =>
  spells
    .filter(({ kind, victims }) => kind === 'lockWait' && victims > 0)
    .map(({ scope, seconds, victims, who }) => ({ limit: limits.lockWait, scope, seconds, victims, who }))

function adviceFor<B extends Blamed>(group: readonly B[], known: Facts): Limited<B> | null {
  const [first] = group
  if (!first) return null
  const { limit, scope } = first
  const worst = Math.max(...group.map(({ seconds }) => seconds))
  const culprits = new Set(group.map(({ who }) => who))
  const others = known.spells.filter(({ who }) => !culprits.has(who))
  const value = chosen(limit, worst, (seconds) => hitsOf(others, limit, scope, seconds).innocent)
  if (value === null) return null
  const held = holding(known.settings, limit.setting, scope)
  // It would have ended the trouble: it was set since then.
  if (held && isLimit(held) && (held.amount ?? 0) < worst) return null
  const stopped = group.filter(({ seconds }) => seconds > value)
  const prevention: Prevention = {
    ...{ setting: limit.setting, value: written(value), scope, effect: limit.effect, needsRestart: false },
    ...statementFor(known.target, limit.setting, written(value), scope),
    trouble: troubleWords(limit, scope, group, worst),
    now: setForWords(held),
    before: {
      times: group.length,
      ended: stopped.length,
      hits: known.isRecorded ? hitsOf(others, limit, scope, value) : null,
    },
  }
  return { prevention, seconds: value, stopped }
}

/** Takes the usual value, or a longer one where that spares somebody who kept nobody waiting; null: the trouble was too short. */
function chosen(
  { ladder, usual }: TimeLimit,
  worst: number,
  innocentAt: (seconds: number) => number,
): number | null {
  const inReach = ladder.filter((value) => value < worst)
  const start = inReach.findLast((value) => value <= usual) ?? inReach[0]
  if (start === undefined) return null
  return inReach
    .filter((value) => value > start)
    .reduce((best, value) => (innocentAt(value) < innocentAt(best) ? value : best), start)
}

function hitsOf(
  spells: readonly Spell[],
  { kind }: TimeLimit,
  { role, database }: Scope,
  value: number,
): Hits {
  const hit = spells.filter(
    ({ scope, ...one }) =>
      one.kind === kind && one.seconds > value && scope.role === role && scope.database === database,
  )
  const innocent = hit.filter(({ victims }) => victims === 0)
  const byName = Map.groupBy(innocent, ({ applicationName }) => applicationName)
  return {
    all: hit.length,
    innocent: innocent.length,
    applications: [...byName].toSorted(([, a], [, b]) => b.length - a.length).map(([name]) => name),
  }
}

/** Writes a time as PostgreSQL does: `60s`, `5min`, `4h`. */
const written = (seconds: number): string =>
  seconds >= 3600 && seconds % 3600 === 0
    ? `${seconds / 3600}h`
    : seconds > 60 && seconds % 60 === 0
      ? `${seconds / 60}min`
      : `${seconds}s`

const doing: Readonly<Record<SpellKind, string>> = {
  idleInTransaction: 'sat idle in a transaction',
  statement: 'ran a statement',
  transaction: 'kept a transaction open',
  idle: 'sat idle',
  lockWait: 'waited for a strong lock',
}

function troubleWords({ kind }: TimeLimit, scope: Scope, group: readonly Blamed[], worst: number): string {
  const victims = Math.max(...group.map((one) => one.victims))
  const lasted = Number.isFinite(worst) ? ` for up to ${formatDuration(worst)}` : ' in many sessions'
  const often = group.length === 1 ? 'once' : `${group.length} times`
  const queue =
    victims === 0 ? '' : `, with up to ${victims} ${victims === 1 ? 'session' : 'sessions'} behind it`
  return `${nameWords(scope.role)} in ${nameWords(scope.database)} ${doing[kind]}${lasted}, ${often}${queue}.`
}
