import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { settingNames } from '../domain/advice/settings.ts'
import { platformOf } from '../domain/session/platform.ts'
import { gidFrom } from '../domain/session/prepared.ts'
import type { PreparedTransaction } from '../domain/session/session.ts'
import type { LockGroup, LockTarget, Server, SharedRows } from '../domain/session/snapshot.ts'
import { checked } from './checked.ts'
import { clusterErrorWith } from './errors.ts'

/** Rows of each statement of sql/, checked and turned into the words of the domain. */

const textColumn = z.string().nullable()
const number = z.number().nullable()
/** A time to the microsecond, kept as the server writes it. */
const time = z
  .string()
  .regex(/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d/, 'expected a timestamp')
  .nullable()

/** Names by oid, as far as they are known. */
export type CatalogNames = {
  readonly databases: ReadonlyMap<number, string>
  readonly roles: ReadonlyMap<number, { readonly name: string; readonly isSuperuser: boolean }>
}

const nameRows = z.array(
  z.object({
    kind: z.enum(['database', 'role']),
    oid: z.number(),
    name: z.string(),
    is_superuser: z.boolean(),
  }),
)

export function namesFrom(rows: unknown): CatalogNames {
  const databases = new Map<number, string>()
  const roles = new Map<number, { name: string; isSuperuser: boolean }>()
  for (const { kind, oid, name, is_superuser } of checked(nameRows, rows)) {
    if (kind === 'database') databases.set(oid, name)
    else roles.set(oid, { name, isSuperuser: is_superuser })
  }
  return { databases, roles }
}

/**
 * A statement in whatever encoding its database has: UTF-8 where it may be that, else each byte as a letter (LATIN1), as the
 * server's own scanner takes them. Where it was cut within a character, that one is left out.
 */
export function decoded(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString()
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
  } catch {
    return bytes.toString('latin1')
  }
}

export const textRows = z.array(
  z.object({
    pid: z.number(),
    backend_start: time,
    query_start: time,
    query: z.instanceof(Buffer).nullable(),
  }),
)

/** Functions of the server that not every version has. */
export const laterFunctions = ['pg_get_wait_events', 'pg_stat_get_lock'] as const

const factsRow = z.object({
  version_num: z.number(),
  in_recovery: z.boolean(),
  /** Seconds, or -1 (in whatever unit): for ever. */
  standby_delay: z.number(),
  telling_roles: z.array(z.string()),
  is_aurora: z.boolean(),
  functions: z.array(z.enum(laterFunctions)),
  started_at: z.string(),
  max_connections: z.number(),
  datid: z.number(),
  role: z.string(),
  is_superuser: z.boolean(),
  sees_others: z.boolean(),
  may_signal: z.boolean(),
  may_signal_autovacuum: z.boolean().nullable(),
  may_use_reserved: z.boolean().nullable(),
  reserved_connections: number,
  superuser_reserved_connections: z.number(),
})
export type Facts = z.infer<typeof factsRow>
export const factsFrom = (rows: unknown): Facts => checked(z.tuple([factsRow]), rows)[0]

export const platformFrom = (facts: Facts) => platformOf(facts.telling_roles, facts.is_aurora)

export const serverFrom = (facts: Facts, seesOthers: boolean): Server => ({
  versionNum: facts.version_num,
  inRecovery: facts.in_recovery,
  standbyDelaySeconds: facts.standby_delay < 0 ? null : facts.standby_delay,
  platform: platformFrom(facts),
  maxConnections: facts.max_connections,
  reservedConnections: facts.superuser_reserved_connections + (facts.reserved_connections ?? 0),
  seesOthers,
  isSuperuser: facts.is_superuser,
  maySignalAutovacuum: facts.is_superuser || facts.may_signal_autovacuum === true,
})

/** `ROW(locktype, database, relation, page, tuple, virtualxid, transactionid, classid, objid, objsubid)::text`. */
const target = z
  .string()
  .regex(/^\([^,]*(,[^,]*){9}\)$/, 'expected a lock')
  .transform((row): LockTarget => {
    const fields = row.slice(1, -1).split(',')
    const at = (index: number) => fields[index] || null
    const numberAt = (index: number) => (fields[index] ? Number(fields[index]) : null)
    return {
      locktype: at(0) ?? '',
      database: numberAt(1),
      relation: numberAt(2),
      relationName: null,
      page: numberAt(3),
      tuple: numberAt(4),
      virtualxid: at(5),
      transactionid: at(6),
      classid: numberAt(7),
      objid: numberAt(8),
      objsubid: numberAt(9),
    }
  })

const lockRows = z.array(
  z.object({
    target,
    mode: z.string(),
    granted: z.boolean(),
    pids: z.array(z.number()),
    wait_starts: z.array(z.number().nullable()).nullable(),
    read_at: z.number(),
  }),
)

export type LockRead = { readonly readAt: number | null; readonly groups: readonly LockGroup[] }

/** More than the lock table of any server has of contended locks: whoever reads them for longer serves nobody else meanwhile. */
const mostLocks = 200_000

/** @throws TOO_LARGE; BAD_ROWS */
export function locksFrom(rows: unknown): LockRead {
  if (Array.isArray(rows) && rows.reduce((sum, row) => sum + (row?.pids?.length ?? 0), 0) > mostLocks)
    throw clusterErrorWith('TOO_LARGE')
  const parsed = checked(lockRows, rows)
  return {
    readAt: parsed.at(-1)?.read_at ?? null,
    groups: parsed.map((row) => ({
      target: row.target,
      mode: row.mode,
      granted: row.granted,
      pids: row.pids,
      waitStarts: row.wait_starts ?? [],
    })),
  }
}

export const relationRows = z.array(z.object({ oid: z.number(), name: z.string() }))

export const pidRows = z.array(z.object({ pid: z.number() }))

const multixactRows = z
  .array(
    z.object({
      since: textColumn,
      multixact: number,
      xid: textColumn,
      mode: textColumn,
      moved: z.boolean().nullable(),
    }),
  )
  .min(1)

/** Members of multixacts, whose they are still unknown. */
export function multixactsFrom(rows: unknown): SharedRows | null {
  const parsed = checked(multixactRows, rows)
  const since = parsed[0]?.since ?? null
  if (since === null) return null
  const members = parsed.flatMap(({ multixact, xid, mode }) =>
    xid !== null && mode !== null ? [{ multixact, holder: { xid, mode, pid: null } }] : [],
  )
  const shared = Map.groupBy(members, ({ multixact }) => multixact).values()
  return {
    since: Number(since),
    rows: [...shared].map((row) => row.map(({ holder }) => holder)),
    moved: new Set(parsed.flatMap(({ xid, moved }) => (xid !== null && moved ? [xid] : []))),
  }
}

export const transactionRows = z.array(z.object({ xid: z.string(), pid: z.number() }))

export const blockerRows = z.array(z.object({ pid: z.number(), blockers: z.array(z.number()) }))

const preparedRows = z.array(
  z
    .object({
      xid: z.string(),
      gid: z.instanceof(Buffer),
      encoding: textColumn,
      owner: z.string().nullable(),
      database: z.string().nullable(),
      prepared: z.string(),
      prepared_seconds: z.number(),
    })
    .transform(
      ({ prepared_seconds, owner, database, gid, encoding, ...row }): PreparedTransaction => ({
        ...row,
        ...gidFrom(gid, encoding),
        owner: owner ?? '',
        database: database ?? '',
        preparedSeconds: Math.max(0, prepared_seconds),
      }),
    ),
)
export const preparedFrom = (rows: unknown): PreparedTransaction[] => checked(preparedRows, rows)

export const signalRows = z.array(z.object({ returned: z.boolean() })).max(1)
export const signalTimeRows = z.tuple([z.object({ before: z.string(), past: z.boolean() })])

/** A relation that has the name that was asked for, or is a partition of one. */
export type NamedRelation = {
  readonly oid: number
  /** As relations.sql writes it: without `public`, quoted where that is needed. */
  readonly name: string
  /** pg_class.relkind of the one that was asked for: `r`, `p`, `i`, … */
  readonly kind: string
  /** False for a partition, or a table that inherits. */
  readonly isAsked: boolean
  /** The partitioned table that it belongs to. */
  readonly parent: string | null
}

const namedRelationRows = z.array(
  z
    .object({ oid: z.number(), asked: z.number(), kind: z.string(), name: z.string(), parent: textColumn })
    .transform(({ asked, ...row }): NamedRelation => ({ ...row, isAsked: row.oid === asked })),
)
export const namedRelationsFrom = (rows: unknown): NamedRelation[] => checked(namedRelationRows, rows)

export const knownRelationRows = z.array(z.object({ schema: z.string(), name: z.string() }))

/** Rows of role_settings.sql. */
export const settingRows = z.array(
  z.object({
    name: z.enum(settingNames),
    role: textColumn,
    database: textColumn,
    unit: textColumn,
    value: textColumn,
  }),
)
