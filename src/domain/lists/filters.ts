import type { Root } from '../locks/blocking.ts'
import type { PreparedTransaction } from '../session/session.ts'
import { isIdleInTransaction, type Session, waitsForLock } from '../session/session.ts'

/** Values of `--state`: PostgreSQL's own states, and `waiting` (for a lock). */
export const stateFilters = [
  'active',
  'idle',
  'idle in transaction',
  'idle in transaction (aborted)',
  'waiting',
  'fastpath function call',
  'starting',
  'disabled',
] as const

export type StateFilter = (typeof stateFilters)[number]

/**
 * Filters of sessions; all that are given must match. Names match in any part, upper and lower case alike: `web` finds
 * `web-2` and `Checkout Web`.
 */
export type Filters = {
  readonly db?: string | undefined
  readonly user?: string | undefined
  readonly app?: string | undefined
  readonly state?: StateFilter | undefined
  /** For longer than this in its statement, its state or its transaction. Seconds. */
  readonly olderSeconds?: number | undefined
}

export const noFilters: Filters = {}

export const hasFilters = (filters: Filters): boolean =>
  Object.values(filters).some((value) => value !== undefined)

/** The oldest of what is going on: the running statement, or the state that it is in, and the open transaction. Seconds. */
export function ageOf(session: Session): number {
  const now = session.state === 'active' ? session.querySeconds : session.stateSeconds
  return Math.max(now ?? 0, session.xactSeconds ?? 0)
}

/** Matches something that has only a database and a user; other filters do not match it. */
export const namesMatch = (
  of: Pick<Session, 'datname' | 'usename'>,
  filters: Pick<Filters, 'db' | 'user'>,
): boolean => contains(of.datname, filters.db) && contains(of.usename, filters.user)

export const matchesFilters = (session: Session, filters: Filters): boolean =>
  namesMatch(session, filters) &&
  contains(session.applicationName, filters.app) &&
  inState(session, filters.state) &&
  (filters.olderSeconds === undefined || ageOf(session) > filters.olderSeconds)

/** A prepared transaction has an owner, a database and an age, and no application or state. */
const preparedMatches = (prepared: PreparedTransaction, filters: Filters): boolean =>
  filters.app === undefined &&
  filters.state === undefined &&
  contains(prepared.database, filters.db) &&
  contains(prepared.owner, filters.user) &&
  (filters.olderSeconds === undefined || prepared.preparedSeconds > filters.olderSeconds)

/** A jam is asked for when its root or anybody else in it is. */
export const jamMatches = (
  jam: { readonly root: Root | null; readonly pids: readonly number[] },
  sessions: ReadonlyMap<number, Session>,
  filters: Filters,
): boolean =>
  !hasFilters(filters) ||
  (jam.root?.prepared != null && preparedMatches(jam.root.prepared, filters)) ||
  [jam.root?.pid ?? 0, ...jam.pids].some((pid) => {
    const session = sessions.get(pid)
    return session !== undefined && matchesFilters(session, filters)
  })

const contains = (value: string | null, part: string | undefined): boolean =>
  part === undefined || (value ?? '').toLowerCase().includes(part.toLowerCase())

function inState(session: Session, state: StateFilter | undefined): boolean {
  switch (state) {
    case undefined:
      return true
    case 'waiting':
      return waitsForLock(session)
    case 'idle in transaction':
      return isIdleInTransaction(session)
    default:
      return session.state === state
  }
}

/** The filters as they are typed: `--db orders --older 5m`; empty without any. */
export function filterWords(filters: Filters): string {
  const { db, user, app, state, olderSeconds } = filters
  return [
    db === undefined ? '' : `--db ${quoted(db)}`,
    user === undefined ? '' : `--user ${quoted(user)}`,
    app === undefined ? '' : `--app ${quoted(app)}`,
    state === undefined ? '' : `--state ${stateWord(state)}`,
    olderSeconds === undefined ? '' : `--older ${durationWord(olderSeconds)}`,
  ]
    .filter(Boolean)
    .join(' ')
}

/** A value that a command takes back as one: quoted where it has spaces or begins like a quote or an option. */
export const quoted = (value: string): string =>
  /^[\p{L}\p{N}_./:@][^\s"'“”„‘’]*$/u.test(value)
    ? value
    : value.includes('"')
      ? `'${value.replaceAll("'", '')}'`
      : `"${value}"`

/** `idle-in-transaction`: one word instead of three. */
export const stateWord = (state: StateFilter): string => state.replaceAll(/[ ()]+/g, '-').replace(/-$/, '')

/** As `parseDuration` reads it: `90s` is `1m30s`. */
function durationWord(seconds: number): string {
  let rest = Math.round(seconds * 1000)
  const parts: string[] = []
  for (const [unit, ms] of Object.entries({ d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 })) {
    const many = Math.floor(rest / ms)
    if (many > 0) parts.push(`${many}${unit}`)
    rest -= many * ms
  }
  return parts.join('') || '0s'
}
