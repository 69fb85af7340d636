import { z } from 'zod'
import { microsecondsIn } from '../domain/history/serverTime.ts'
import type { Session } from '../domain/session/session.ts'
import { checked } from './checked.ts'
import { type CatalogNames, time } from './rows.ts'

/**
 * Rows of activity.sql. Most sessions say at a look what they said at the one before: such a row is the same object, so with
 * hundreds of clusters it is neither read nor checked again, and nothing new has to be kept of it.
 */

const answer = z.array(
  z.object({ pid: z.number(), said: z.string(), now: z.number(), query: z.instanceof(Buffer).nullable() }),
)

const text = z.string().nullable()
const number = z.string().regex(/^\d+$/, 'expected a number').transform(Number).nullable()

/** Columns of `said`, in its order. */
const columns = {
  leader_pid: number,
  backend_type: text,
  backend_start: time,
  datid: number,
  usesysid: number,
  application_name: text,
  client_addr: text,
  state: text,
  wait_event_type: text,
  wait_event: text,
  xact_start: time,
  query_start: time,
  state_change: time,
  backend_xid: text,
  backend_xmin: text,
  query_id: text,
}
const columnNames = Object.keys(columns)
const saidColumns = z
  .string()
  .transform((json, context) => {
    try {
      const list: unknown = JSON.parse(json)
      if (Array.isArray(list) && list.length === columnNames.length)
        return Object.fromEntries(columnNames.map((name, index) => [name, list[index]]))
    } catch {}
    context.addIssue({ code: 'custom', message: 'expected a list of columns' })
    return z.NEVER
  })
  .pipe(z.object(columns))

/** What the server says of one process. The times are there as it writes them, and in microseconds since the epoch. */
export type ActivityRow = Readonly<z.infer<typeof saidColumns>> & {
  readonly pid: number
  readonly backendAt: number | null
  readonly xactAt: number | null
  readonly queryAt: number | null
  readonly stateAt: number | null
}

export type ActivityRead = {
  readonly rows: readonly ActivityRow[]
  /** The server's clock, microseconds since the epoch; 0 without any row. */
  readonly at: number
  /** Statements by pid, as far as they were asked for. */
  readonly queries: ReadonlyMap<number, Buffer>
}

/** What the processes said at the look before, by pid. */
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

function rowFrom(pid: number, said: string): ActivityRow {
  const row = checked(saidColumns, said)
  return {
    ...row,
    pid,
    backendAt: microsecondsIn(row.backend_start),
    xactAt: microsecondsIn(row.xact_start),
    queryAt: microsecondsIn(row.query_start),
    stateAt: microsecondsIn(row.state_change),
  }
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
