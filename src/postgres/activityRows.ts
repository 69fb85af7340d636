import { setImmediate as turn } from 'node:timers/promises'
import { z } from 'zod'
import type { Session } from '../domain/session/session.ts'
import { microsecondsAt } from '../domain/text/serverTime.ts'
import { checked, oddRows } from './checked.ts'
import type { CatalogNames } from './rows.ts'

/**
 * Rows of activity.sql. Most processes say at a look what they said at the one before. The server knows them by their numbers and leaves
 * them out: so with hundreds of clusters they are neither sent nor read again, and nothing new has to be kept of them.
 */

const overview = z.object({
  now: z.number().nullable(),
  pids: z.string().nullable(),
  known: z.string().nullable(),
})
const changes = z.array(
  z.object({ pid: z.number(), said: z.string(), query: z.instanceof(Buffer).nullable() }),
)

/** Values for activity.sql by which everything is read afresh. */
export const afresh = (pids: readonly number[] | null): readonly unknown[] => [pids, null, 0, null, 0]

type Column = string | null

/** Number of columns in `said`. */
const width = 17

/** All that is kept of one process from look to look. The times are as the server writes them, and can be read. */
export type ActivityRow = {
  readonly pid: number
  readonly leader_pid: number | null
  readonly backend_type: Column
  readonly backend_start: Column
  readonly datid: number | null
  readonly usesysid: number | null
  readonly application_name: Column
  readonly client_addr: Column
  readonly state: Column
  readonly wait_event_type: Column
  readonly wait_event: Column
  readonly xact_start: Column
  readonly query_start: Column
  readonly state_change: Column
  readonly backend_xid: Column
  readonly backend_xmin: Column
  readonly query_id: Column
  readonly client_port: number | null
  /** Its statement as the record keeps it, once that is known; null: it keeps none of it. */
  recorded: string | null | undefined
}

export type ActivityRead = {
  /** One for each process, in the order of the server. */
  readonly rows: readonly ActivityRow[]
  /** The server's clock, microseconds since the epoch; 0 without any row. */
  readonly at: number
  /** Statements by pid, as far as they were asked for. */
  readonly queries: ReadonlyMap<number, Buffer>
  /** Numbers to tell the server at the next look, for it to leave out who says the same; null without any row. */
  readonly known: string | null
}

/** Rows that are read in one go: between two times others have a turn. */
const atOnce = 1_000
/** No server has room in one message for the numbers of so many. Of pids alone, a bad one might send more. */
const mostProcesses = 50_000

/**
 * Reads an answer. Throws ClusterError.
 * @param before the rows of the look whose `known` the server was told; none: it was told nothing
 */
export async function activityFrom(
  answered: readonly unknown[],
  before: readonly ActivityRow[] = [],
): Promise<ActivityRead> {
  const { now, pids, known } = checked(overview, answered[0])
  const queries = new Map<number, Buffer>()
  const byPid = new Map<number, ActivityRow>()
  for (const row of before) byPid.set(row.pid, row)
  for (let from = 1; from < answered.length; from += atOnce) {
    if (from > 1) await turn()
    for (const { pid, said, query } of checked(changes, answered.slice(from, from + atOnce))) {
      if (query !== null) queries.set(pid, query)
      byPid.set(pid, rowFrom(pid, said, byPid.get(pid)))
    }
  }
  const rows = pidsIn(pids).map((pid) => {
    const row = byPid.get(pid)
    if (row === undefined) throw oddRows('said', 'expected one of each new process')
    return row
  })
  return { rows, at: Math.round((now ?? 0) * 1e6), queries, known }
}

function pidsIn(list: string | null): readonly number[] {
  if (list === null) return []
  if (!/^\{\d+(?:,\d+)*\}$/.test(list)) throw oddRows('pids', 'expected a list of numbers')
  const pids = list.slice(1, -1).split(',').map(Number)
  if (pids.length <= mostProcesses) return pids
  throw oddRows('pids', `expected no more than ${mostProcesses}`)
}

/** @param before what was kept of this pid: where it says the same, its texts are taken from there */
function rowFrom(pid: number, said: string, before: ActivityRow | undefined): ActivityRow {
  const columns = columnsOf(said)
  const at = (index: number): Column => columns[index] ?? null
  const backend_start = timeIn('backend_start', at(2), before?.backend_start)
  const xact_start = timeIn('xact_start', at(10), before?.xact_start)
  const query_start = timeIn('query_start', at(11), before?.query_start)
  const state_change = timeIn('state_change', at(12), before?.state_change)
  const isSameStatement = before?.backend_start === backend_start && before.query_start === query_start
  return {
    pid,
    leader_pid: numberIn('leader_pid', at(0)),
    backend_type: heldOnce(at(1)),
    backend_start,
    datid: numberIn('datid', at(3)),
    usesysid: numberIn('usesysid', at(4)),
    application_name: heldOnce(at(5)),
    client_addr: heldOnce(at(6)),
    state: heldOnce(at(7)),
    wait_event_type: heldOnce(at(8)),
    wait_event: heldOnce(at(9)),
    xact_start,
    query_start,
    state_change,
    backend_xid: at(13),
    backend_xmin: at(14),
    query_id: heldOnce(at(15)),
    client_port: portIn('client_port', at(16)),
    recorded: isSameStatement ? before.recorded : undefined,
  }
}

/** Words of all clusters that are held once, at most. */
const mostWords = 10_000
const words = new Map<string, string>()

/** Returns the one text for a word: the same ones come from each session of each cluster. */
function heldOnce(text: Column): Column {
  if (text === null) return null
  const known = words.get(text)
  if (known !== undefined) return known
  // Those that are in use come back at once.
  if (words.size >= mostWords) words.clear()
  words.set(text, text)
  return text
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

/** Null without a client; -1 for one at a Unix socket. */
function portIn(column: string, text: Column): number | null {
  return text === '-1' ? -1 : numberIn(column, text)
}

/** Returns a time that can be read: the text from before where it is the same. */
function timeIn(column: string, text: Column, was: Column | undefined): Column {
  if (text === null) return null
  if (text === was) return was
  if (microsecondsAt(text) !== null) return text
  throw oddRows(column, 'expected a timestamp')
}

/** Returns true when every database and role of these rows has its name. Oid 0: a process that has none. */
export const areNamed = (rows: readonly ActivityRow[], names: CatalogNames): boolean =>
  rows.every(
    ({ datid, usesysid }) =>
      (!datid || names.databases.has(datid)) && (!usesysid || names.roles.has(usesysid)),
  )

/** Finds the port of a client by the pid of its session. */
export function portsIn(rows: readonly ActivityRow[]): (pid: number) => number | null {
  const ports = new Map(rows.map(({ pid, client_port }) => [pid, client_port]))
  return (pid) => ports.get(pid) ?? null
}

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
    xactSeconds: secondsSince(row.xact_start, at),
    querySeconds: secondsSince(row.query_start, at),
    stateSeconds: secondsSince(row.state_change, at),
    backendSeconds: secondsSince(row.backend_start, at) ?? 0,
    query: null,
  }
}

/** Ages go by the server's clock, which may stand still or step back by a little. */
function secondsSince(start: Column, at: number): number | null {
  const time = start === null ? null : microsecondsAt(start)
  return time === null ? null : Math.max(0, at - time) / 1e6
}
