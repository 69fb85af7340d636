import {
  type DeadlockReport,
  type DeadlockRise,
  type Health,
  quietAfterMs,
  risen,
} from '../domain/session/health.ts'
import type { Session } from '../domain/session/session.ts'
import { checked } from './checked.ts'
import type { Connection } from './connection.ts'
import { attempt } from './errors.ts'
import {
  databasesFrom,
  horizonFrom,
  lockWaitsFrom,
  logAccessFrom,
  logTailRows,
  slotsFrom,
} from './healthRows.ts'
import { preparedFrom } from './rows.ts'
import { deadlocksIn } from './serverLog.ts'
import { statements } from './statements.ts'

export type HealthReader = {
  /** Makes a health check; callers at the same time share one. Throws ClusterError. */
  read(): Promise<Health>
  /** As of the last look; null until there was one. */
  last(): Health | null
}

/** Length of the end of the server's log that is read for new deadlocks. Bytes. */
const tailBytes = 65_536
const endings = { jsonlog: '.json', csvlog: '.csv' } as const
/** Largest number of deadlocks in one rise that are shown with their entries. */
const mostReports = 3

/**
 * @param connection the one for locks: each statement reads shared catalogs
 * @param cycleSince the sessions of a cycle that was seen in the lock table after that moment
 */
export function createHealthReader(deps: {
  readonly connection: Pick<Connection, 'query'>
  readonly cycleSince: (since: number) => readonly Session[]
  /** Decides whether the server counts waits for locks. */
  readonly hasLockWaits: () => boolean
  readonly maskText: (text: string) => string | null
  readonly now: () => number
}): HealthReader {
  const { connection, cycleSince, hasLockWaits, maskText, now } = deps
  const ask = (statement: keyof typeof statements, ...values: readonly unknown[]) =>
    connection.query(statements[statement], values)
  let last: Health | null = null

  const take = async (): Promise<Health> => {
    const before = last
    const { databases, freezeMaxAge, deadlockTimeoutSeconds } = databasesFrom(await ask('healthDatabases'))
    const takenAt = now()
    const vacuumHolders = horizonFrom(await ask('healthHorizon'))
    const prepared = preparedFrom(await ask('prepared')).toSorted(
      (a, b) => b.preparedSeconds - a.preparedSeconds,
    )
    const slots = slotsFrom(await ask('healthSlots'))
    const lockWaits = hasLockWaits() ? lockWaitsFrom(await ask('lockWaits')) : null
    const { serverLog, format } = logAccessFrom(await ask('logAccess'))
    const rises = risen(before, databases, takenAt)
    const isNew = ({ lastAt }: DeadlockRise) => lastAt === takenAt
    const reports = format !== null && rises.some(isNew) ? await readLog(format) : []
    // The server counts a deadlock up to some seconds after it has broken it.
    const seen = cycleSince(takenAt - quietAfterMs)
    last = {
      takenAt,
      prepared,
      vacuumHolders,
      databases,
      freezeMaxAge,
      slots,
      deadlocks: rises.map((rise) => (isNew(rise) ? withDetails(rise, seen, reports) : rise)),
      deadlockTimeoutSeconds,
      serverLog,
      ...(lockWaits && { lockWaits }),
    }
    return last
  }

  const readLog = async (format: 'jsonlog' | 'csvlog'): Promise<DeadlockReport[]> => {
    // A file may be rotated away this moment: the count is shown without it.
    const rows = await attempt(
      () => ask('logTail', endings[format], tailBytes),
      () => [],
    )
    const [tail] = checked(logTailRows, rows)
    return tail ? deadlocksIn(tail.bytes, format, tail.is_whole, maskText) : []
  }

  let flight: Promise<Health> | null = null
  return {
    last: () => last,
    read: () => {
      flight ??= take().finally(() => {
        flight = null
      })
      return flight
    },
  }
}

/** Adds who was seen in a rise, and what the log says of as many deadlocks as there were. */
function withDetails(
  rise: DeadlockRise,
  seen: readonly Session[],
  reports: readonly DeadlockReport[],
): DeadlockRise {
  const participants = seen.filter(({ datname }) => datname === rise.database)
  const own = reports.filter(({ database }) => database === rise.database)
  const latest = own.slice(-Math.min(rise.count, mostReports))
  return {
    ...rise,
    participants: participants.length > 0 ? participants : rise.participants,
    reports: latest.length > 0 ? latest : rise.reports,
  }
}
