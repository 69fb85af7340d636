import { z } from 'zod'
import type {
  DatabaseHealth,
  LockWaits,
  ReplicationSlot,
  ServerLog,
  VacuumHolder,
} from '../domain/session/health.ts'
import { checked } from './checked.ts'

/** Rows of the statements of a health check, checked and turned into the words of the domain. */

const textColumn = z.string().nullable()

const databaseRows = z
  .array(
    z.object({
      name: z.string(),
      xid_age: z.number(),
      multixact_age: z.number(),
      deadlocks: z.number(),
      commits: z.number(),
      freeze_max_age: z.number(),
      deadlock_timeout: z.number(),
    }),
  )
  .min(1)

export function databasesFrom(rows: unknown): {
  readonly databases: DatabaseHealth[]
  readonly freezeMaxAge: number
  readonly deadlockTimeoutSeconds: number
} {
  const parsed = checked(databaseRows, rows)
  return {
    databases: parsed.map(({ name, xid_age, multixact_age, deadlocks, commits }) => ({
      name,
      xidAge: xid_age,
      multixactAge: multixact_age,
      deadlocks,
      commits,
    })),
    freezeMaxAge: parsed[0]?.freeze_max_age ?? 0,
    deadlockTimeoutSeconds: parsed[0]?.deadlock_timeout ?? 0,
  }
}

const horizonRows = z.array(
  z
    .object({
      kind: z.enum(['session', 'prepared', 'slot', 'standby']),
      name: textColumn,
      database: textColumn,
      pid: z.number().nullable(),
      backend_start: textColumn,
      xact_start: textColumn,
      age: z.number(),
      catalogs_only: z.boolean(),
      is_repack: z.boolean(),
    })
    .transform(
      ({ backend_start, xact_start, catalogs_only, is_repack, name, ...row }): VacuumHolder => ({
        ...row,
        ...(is_repack && { isRepack: true }),
        name: name ?? '',
        backendStart: backend_start,
        xactStart: xact_start,
        catalogsOnly: catalogs_only,
      }),
    ),
)
export const horizonFrom = (rows: unknown): VacuumHolder[] => checked(horizonRows, rows)

const slotRows = z.array(
  z
    .object({
      name: z.string(),
      slot_type: z.string(),
      database: textColumn,
      active: z.boolean(),
      wal_status: textColumn,
      retained_bytes: z.number(),
      safe_bytes: z.number().nullable(),
      inactive_seconds: z.number().nullable(),
      invalidation_reason: textColumn,
      is_repack: z.boolean(),
    })
    .transform(
      (row): ReplicationSlot => ({
        name: row.name,
        slotType: row.slot_type,
        database: row.database,
        active: row.active,
        walStatus: row.wal_status,
        retainedBytes: Math.max(0, row.retained_bytes),
        safeBytes: row.safe_bytes,
        inactiveSeconds: row.inactive_seconds === null ? null : Math.max(0, row.inactive_seconds),
        invalidationReason: row.invalidation_reason,
        ...(row.is_repack && { isRepack: true }),
      }),
    ),
)
export const slotsFrom = (rows: unknown): ReplicationSlot[] => checked(slotRows, rows)

const lockWaitRows = z.array(
  z.object({
    locktype: textColumn,
    waits: z.number().nullable(),
    seconds: z.number().nullable(),
    fast_path_exceeded: z.number().nullable(),
    since: z.number().nullable(),
  }),
)

/** Counters that a version lacks are none. */
export function lockWaitsFrom(rows: unknown): LockWaits {
  const parsed = checked(lockWaitRows, rows)
  const since = parsed.flatMap((row) => row.since ?? [])[0]
  return {
    since: since === undefined ? null : since * 1000,
    kinds: parsed
      .flatMap(({ locktype, waits, seconds, fast_path_exceeded }) =>
        locktype === null
          ? []
          : { locktype, waits: waits ?? 0, seconds: seconds ?? 0, fastPathExceeded: fast_path_exceeded ?? 0 },
      )
      .filter(({ waits, fastPathExceeded }) => waits > 0 || fastPathExceeded > 0)
      .toSorted((a, b) => b.seconds - a.seconds),
  }
}

const logAccessRow = z.object({ collected: z.boolean(), destination: z.string(), may_read: z.boolean() })

/** Decides whether the log can be read, and in which format; jsonlog before csvlog. */
export function logAccessFrom(rows: unknown): {
  readonly serverLog: ServerLog
  readonly format: 'jsonlog' | 'csvlog' | null
} {
  const [{ collected, destination, may_read }] = checked(z.tuple([logAccessRow]), rows)
  const destinations = destination.toLowerCase().split(/[\s,]+/)
  const format = (['jsonlog', 'csvlog'] as const).find((known) => destinations.includes(known)) ?? null
  const serverLog = !collected
    ? 'notCollected'
    : format === null
      ? 'noFormat'
      : may_read
        ? 'readable'
        : 'notGranted'
  return { serverLog, format: serverLog === 'readable' ? format : null }
}

/** None where the file is not there. */
export const logTailRows = z.array(z.object({ bytes: z.instanceof(Buffer), is_whole: z.boolean() })).max(1)
