import { isClient, type Session } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import { type Filters, matchesFilters } from './filters.ts'

/** Number of sessions of one kind. */
export type Counted = { readonly name: string; readonly count: number }

/** Numbers of what the sessions of a server do. Each list has the largest first, then goes by name. */
export type Activity = {
  /** Client sessions, and those of them that match the filters: the lists below count the latter. */
  readonly clients: number
  readonly matching: number
  readonly states: readonly Counted[]
  /** `Lock/transactionid`; sessions that wait for nothing are counted in `working`. Idle ones wait for their client. */
  readonly waitEvents: readonly Counted[]
  /** Active, and waiting for nothing that the server shows. */
  readonly working: number
  readonly users: readonly Counted[]
  readonly applications: readonly Counted[]
  readonly databases: readonly Counted[]
  /** Server processes by backend_type, whatever the filters say. */
  readonly processes: readonly Counted[]
  /** Processes that the server hides from us without pg_monitor. */
  readonly unseen: number
}

export function activityOf({ sessions }: Snapshot, filters: Filters): Activity {
  const clients = sessions.filter(isClient)
  const matching = clients.filter((session) => matchesFilters(session, filters))
  const by = (of: (session: Session) => string | null) => countBy(matching, of)
  return {
    clients: clients.length,
    matching: matching.length,
    states: by(({ state }) => state ?? 'state not to be seen'),
    waitEvents: by(({ waitEventType, waitEvent }) =>
      waitEventType === null ? null : `${waitEventType}/${waitEvent ?? '?'}`,
    ),
    working: matching.filter(({ state, waitEventType }) => state === 'active' && waitEventType === null)
      .length,
    users: by(({ usename }) => usename ?? 'no user'),
    applications: by(({ applicationName }) => applicationName || 'no application name'),
    databases: by(({ datname }) => datname ?? 'no database'),
    processes: countBy(
      sessions.filter((session) => !isClient(session) && session.backendType !== ''),
      ({ backendType }) => backendType,
    ),
    unseen: sessions.filter(({ backendType }) => backendType === '').length,
  }
}

/** Those without a name are left out. */
function countBy(sessions: readonly Session[], of: (session: Session) => string | null): Counted[] {
  return [...Map.groupBy(sessions, of)]
    .flatMap(([name, { length }]) => (name === null ? [] : [{ name, count: length }]))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
}
