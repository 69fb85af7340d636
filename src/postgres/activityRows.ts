import { z } from 'zod'
import { microsecondsIn } from '../domain/history/serverTime.ts'
import type { Session } from '../domain/session/session.ts'
import { checked, oddRows } from './checked.ts'
import type { CatalogNames } from './rows.ts'

/**
 * Rows of activity.sql. Most sessions say at a look what they said at the one before: such a row is the same object, so with
 * hundreds of clusters it is neither read nor checked again, and nothing new has to be kept of it.
 */

const answer = z.array(
  z.object({ pid: z.number(), said: z.string(), now: z.number(), query: z.instanceof(Buffer).nullable() }),
)

type Column = string | null

/** Number of columns in `said`. */
const width = 16

/** Words of the server about one process. The times are there as it writes them, and in microseconds since the epoch. */
export type ActivityRow = ReturnType<typeof rowFrom>

export type ActivityRead = {
  readonly rows: readonly ActivityRow[]
  /** The server's clock, microseconds since the epoch; 0 without any row. */
  readonly at: number
  /** Statements by pid, as far as they were asked for. */
  readonly queries: ReadonlyMap<number, Buffer>
}

/** Words about each process at the look before, by pid. */
export type SaidBefore = Map<number, { readonly said: string; readonly row: ActivityRow }>

/**
 * Reads an answer. Throws ClusterError.
 * @param before is brought up to date
 */
export function activityFrom(rows: unknown, before: SaidBefore = new Map()): ActivityRead {
  const read = checked(answer, rows)
  const queries = new Map<number, Buffer>()
  const current = read.map(({ pid, said, query }) => {
    if (query !== null) queries.set(pid, query)
    const known = before.get(pid)
    if (known?.said === said) return known.row
    const row = rowFrom(pid, said)
    before.set(pid, { said, row })
    return row
  })
  keepOnly(before, current)
  return { rows: current, at: Math.round((read[0]?.now ?? 0) * 1e6), queries }
}

function rowFrom(pid: number, said: string) {
  const columns = columnsOf(said)
  const at = (index: number): Column => columns[index] ?? null
  const [backend_start, xact_start, query_start, state_change] = [at(2), at(10), at(11), at(12)]
  return {
    pid,
    leader_pid: numberIn('leader_pid', at(0)),
    backend_type: at(1),
    backend_start,
    datid: numberIn('datid', at(3)),
    usesysid: numberIn('usesysid', at(4)),
    application_name: at(5),
    client_addr: at(6),
    state: at(7),
    wait_event_type: at(8),
    wait_event: at(9),
    xact_start,
    query_start,
    state_change,
    backend_xid: at(13),
    backend_xmin: at(14),
    query_id: at(15),
    backendAt: timeIn('backend_start', backend_start),
    xactAt: timeIn('xact_start', xact_start),
    queryAt: timeIn('query_start', query_start),
    stateAt: timeIn('state_change', state_change),
  } as const
}

/** Every column comes as a text, as the server writes it. */
function columnsOf(said: string): readonly Column[] {
  try {
    const list: unknown = JSON.parse(said)
    const isColumn = (one: unknown) => one === null || typeof one === 'string'
    if (Array.isArray(list) && list.length === width && list.every(isColumn)) return list
  } catch {}
  throw oddRows('said', `expected a list of ${width} texts`)
}

function numberIn(column: string, text: Column): number | null {
  if (text === null) return null
  if (/^\d+$/.test(text)) return Number(text)
  throw oddRows(column, 'expected a number')
}

function timeIn(column: string, text: Column): number | null {
  if (text === null) return null
  const time = microsecondsIn(text)
  if (time !== null) return time
  throw oddRows(column, 'expected a timestamp')
}

/** Forgets the processes that are gone. */
export function keepOnly(known: Map<number, unknown>, rows: readonly { readonly pid: number }[]): void {
  if (known.size <= rows.length) return
  const here = new Set(rows.map(({ pid }) => pid))
  for (const pid of known.keys()) if (!here.has(pid)) known.delete(pid)
}

/** Returns true when every database and role of these rows has its name. Oid 0: a process that has none. */
export const areNamed = (rows: readonly ActivityRow[], names: CatalogNames): boolean =>
  rows.every(
    ({ datid, usesysid }) =>
      (!datid || names.databases.has(datid)) && (!usesysid || names.roles.has(usesysid)),
  )

/** @param at the server's clock, microseconds */
export function sessionFrom(row: ActivityRow, at: number, names: CatalogNames): Session {
  const role = row.usesysid ? names.roles.get(row.usesysid) : undefined
  return {
    pid: row.pid,
    leaderPid: row.leader_pid,
    // Without pg_monitor the server shows neither: an empty identity matches no guard, and is no client backend.
    backendType: row.backend_type ?? '',
    backendStart: row.backend_start ?? '',
    datname: row.datid ? (names.databases.get(row.datid) ?? null) : null,
    usename: role?.name ?? null,
    isSuperuser: role?.isSuperuser ?? false,
    applicationName: row.application_name ?? '',
    clientAddr: row.client_addr,
    state: row.state,
    waitEventType: row.wait_event_type,
    waitEvent: row.wait_event,
    xactStart: row.xact_start,
    queryStart: row.query_start,
    stateChange: row.state_change,
    backendXid: row.backend_xid,
    backendXmin: row.backend_xmin,
    queryId: row.query_id,
    xactSeconds: secondsSince(row.xactAt, at),
    querySeconds: secondsSince(row.queryAt, at),
    stateSeconds: secondsSince(row.stateAt, at),
    backendSeconds: secondsSince(row.backendAt, at) ?? 0,
    query: null,
  }
}

/** Ages go by the server's clock, which may stand still or step back by a little. */
const secondsSince = (start: number | null, at: number): number | null =>
  start === null ? null : Math.max(0, at - start) / 1e6
