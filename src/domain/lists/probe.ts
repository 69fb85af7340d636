import {
  connectionsLeft,
  connectionsUsed,
  longestTransactionSeconds,
  totals,
  waitSeconds,
} from '../incidents/finding.ts'
import type { Picture } from '../locks/picture.ts'
import type { Thresholds } from '../session/policy.ts'
import { thresholdsAt } from '../session/rules.ts'
import {
  isClient,
  isIdleInTransaction,
  type Session,
  sessionsByPid,
  waitsForLock,
} from '../session/session.ts'

/** Exit status as monitoring plugins define it: https://www.monitoring-plugins.org/doc/guidelines.html */
export type Status = 'OK' | 'WARNING' | 'CRITICAL' | 'UNKNOWN'

export const limitNames = [
  'blocked-for',
  'connections-above',
  'query-longer-than',
  'idle-in-transaction',
] as const
export type LimitName = (typeof limitNames)[number]

/** Value from which a status holds: seconds (connections: percent), Infinity: never; or what the configuration says. */
export type Limit = number | 'configured'

export type Limits = Readonly<Record<'critical' | 'warning', Readonly<Partial<Record<LimitName, Limit>>>>>

/** Default limits. What hurts people now is critical; what may come to hurt them is a warning. */
const defaultLimits: Limits = {
  critical: { 'blocked-for': 'configured', 'connections-above': 'configured' },
  warning: { 'query-longer-than': 'configured', 'idle-in-transaction': 'configured' },
}

/** Value past a limit. `locks`: sessions wait, and who blocks whom cannot be read. */
export type Trouble = {
  readonly what: LimitName | 'locks'
  readonly status: 'WARNING' | 'CRITICAL'
  readonly count: number
  readonly worst: Item
}

type Item = { readonly session: Session | null; readonly value: number }

/** One value of the performance data. `value` null: it is not known. Limits are Infinity where there is none. */
export type Measure = {
  readonly label: string
  readonly value: number | null
  readonly unit: 's' | ''
  /** The ones without rules: a plugin has one limit for each value. */
  readonly warning: number
  readonly critical: number
  readonly max: number | null
}

export type ProbeResult = {
  readonly status: Exclude<Status, 'UNKNOWN'>
  /** Worst first. */
  readonly troubles: readonly Trouble[]
  readonly measures: readonly Measure[]
}

const never = Number.POSITIVE_INFINITY

/**
 * Judges a cluster from one look that saw its sessions. Configured limits have their rules; given limits hold for every
 * session.
 */
export function judge(picture: Picture, given: Limits, thresholds: Thresholds): ProbeResult {
  const { snapshot } = picture
  const thresholdsOf = thresholdsAt(thresholds, snapshot.takenAt)
  const limitOf = (level: 'warning' | 'critical', name: LimitName, session: Session | null): number => {
    const limit = given[level][name] ?? defaultLimits[level][name] ?? never
    if (limit !== 'configured') return limit
    return configured(name, { ...thresholds, ...(session && thresholdsOf(session)) })
  }
  const items = itemsOf(picture)
  const troubles = limitNames.flatMap((name): Trouble[] => {
    const isPast = (level: 'warning' | 'critical') => (item: Item) =>
      item.value >= limitOf(level, name, item.session)
    const critical = items[name].filter(isPast('critical'))
    const past = critical.length > 0 ? critical : items[name].filter(isPast('warning'))
    const worst = longest(past)
    if (!worst) return []
    return [{ what: name, status: critical.length > 0 ? 'CRITICAL' : 'WARNING', count: past.length, worst }]
  })
  const all = [...unreadLocks(picture), ...troubles]
  const worstFirst = [
    ...all.filter(({ status }) => status === 'CRITICAL'),
    ...all.filter(({ status }) => status === 'WARNING'),
  ]
  return { status: worstFirst[0]?.status ?? 'OK', troubles: worstFirst, measures: measuresOf() }

  function measuresOf(): Measure[] {
    const max = snapshot.server.maxConnections
    const ages = (label: string, name: LimitName): Measure => ({
      label,
      value:
        name === 'blocked-for' && waitSeconds(picture) === null ? null : (longest(items[name])?.value ?? 0),
      unit: 's',
      warning: limitOf('warning', name, null),
      critical: limitOf('critical', name, null),
      max: null,
    })
    const plain = { unit: '', warning: never, critical: never, max: null } as const
    const share = (level: 'warning' | 'critical') =>
      Math.ceil((limitOf(level, 'connections-above', null) * max) / 100)
    return [
      { ...plain, label: 'waiting', value: totals(snapshot).waiting },
      ages('oldest_wait', 'blocked-for'),
      {
        ...{ label: 'connections', value: connectionsUsed(snapshot), unit: '', max },
        ...{ warning: share('warning'), critical: share('critical') },
      },
      ages('longest_query', 'query-longer-than'),
      ages('longest_idle_in_transaction', 'idle-in-transaction'),
      { ...plain, label: 'longest_transaction', value: longestTransactionSeconds(snapshot), unit: 's' },
    ]
  }
}

/** Lists the values that each limit is compared with. A session that waits for a lock is not slow by itself. */
function itemsOf(picture: Picture): Record<LimitName, readonly Item[]> {
  const { snapshot } = picture
  const sessions = sessionsByPid(snapshot.sessions)
  const clients = snapshot.sessions.filter((session) => isClient(session) && !waitsForLock(session))
  const waits = waitSeconds(picture) ?? new Map<number, number>()
  const { maxConnections } = snapshot.server
  return {
    'blocked-for': [...waits].map(([pid, value]) => ({ session: sessions.get(pid) ?? null, value })),
    // When ordinary roles get none any more, all are taken as far as anybody cares.
    'connections-above': [
      {
        session: null,
        value:
          connectionsLeft(snapshot) <= 0
            ? 100
            : (connectionsUsed(snapshot) * 100) / Math.max(1, maxConnections),
      },
    ],
    'query-longer-than': clients
      .filter(({ state }) => state === 'active')
      .map((session) => ({ session, value: session.querySeconds ?? 0 })),
    'idle-in-transaction': clients
      .filter(isIdleInTransaction)
      .map((session) => ({ session, value: session.stateSeconds ?? 0 })),
  }
}

function unreadLocks({ snapshot: { locks, sessions } }: Picture): Trouble[] {
  const count = sessions.filter((session) => isClient(session) && waitsForLock(session)).length
  if (locks.kind !== 'jammed' || count === 0) return []
  return [{ what: 'locks', status: 'CRITICAL', count, worst: { session: null, value: count } }]
}

const longest = (items: readonly Item[]): Item | null =>
  items.reduce<Item | null>((most, item) => (most && most.value >= item.value ? most : item), null)

function configured(name: LimitName, thresholds: Thresholds): number {
  switch (name) {
    case 'blocked-for':
      return thresholds.blockedForSeconds
    case 'connections-above':
      return thresholds.connectionsAbovePercent
    case 'query-longer-than':
      return thresholds.queryLongerThanSeconds
    case 'idle-in-transaction':
      return thresholds.idleInTransactionLongerThanSeconds
  }
}
