import { isClient, type Session, waitsForLock, waitsForPin } from '../session/session.ts'

/**
 * Time that statements waited, by looks at who waits. pg_stat_statements counts the time from the beginning of a
 * statement to its end and does not tell a wait from work, so a look that finds a statement waiting counts for the time
 * since the look before. Of one short wait that says little; of many, and of long ones, it is right on average.
 */
export type StatementWaits = {
  /** Milliseconds by our clock. From `since` on every wait that ended is known; null before the first look. */
  readonly since: number | null
  readonly lookedAt: number | null
  /** By execution: those that run and were seen waiting. */
  readonly running: ReadonlyMap<string, Waited & { readonly statement: string }>
  /** Executions that ended, oldest first; those of one statement that are alike and ended together are one. */
  readonly ended: readonly (Waited & { readonly statement: string; readonly at: number })[]
}

/** `ranMs`: for how long it had run when it was last seen; of several the least. */
type Waited = { readonly waitedMs: number; readonly ranMs: number }

export const noWaits: StatementWaits = { since: null, lookedAt: null, running: new Map(), ended: [] }

/** Looks that are no further apart stand for the whole time between them. Milliseconds. */
const usualGapMs = 30_000
/** Bounds the memory. In a storm a look adds a dozen. */
const mostEnded = 10_000
/** From the beginning of a statement to that of its execution, which is what the server counts. Milliseconds. */
const untilItExecutes = 100

/** Notes who waits at this look. An execution counts when it is over, because the server counts it then. */
export function noteWaits(
  { since, lookedAt, running, ended }: StatementWaits,
  sessions: readonly Session[],
  now: number,
): StatementWaits {
  const gapMs = lookedAt === null ? Number.POSITIVE_INFINITY : Math.max(0, now - lookedAt)
  const still = new Map<string, Waited & { readonly statement: string }>()
  for (const session of sessions) {
    const { pid, backendStart, queryStart, queryId, usename, datname } = session
    if (session.state !== 'active' || queryId === null || !isClient(session)) continue
    const execution = [pid, backendStart, queryStart, queryId].join()
    const ranMs = Math.max(0, session.querySeconds ?? 0) * 1000
    const known = running.get(execution)
    const waitedMs = waits(session) ? (gapMs <= usualGapMs ? gapMs : Math.min(gapMs, ranMs)) : 0
    if (known || waitedMs > 0)
      still.set(execution, {
        statement: statementOf({ usename, datname, queryId }),
        waitedMs: (known?.waitedMs ?? 0) + waitedMs,
        ranMs,
      })
  }
  const over = new Map<string, Waited & { readonly statement: string; readonly at: number }>()
  for (const [execution, waited] of running) {
    if (still.has(execution)) continue
    const alike = `${waited.statement} ${Math.floor(Math.log2(waited.ranMs + 1))}`
    const known = over.get(alike)
    over.set(alike, {
      statement: waited.statement,
      waitedMs: waited.waitedMs + (known?.waitedMs ?? 0),
      ranMs: Math.min(waited.ranMs, known?.ranMs ?? waited.ranMs),
      at: now,
    })
  }
  const all = over.size > 0 ? [...ended, ...over.values()] : ended
  const kept = all.slice(-mostEnded)
  const first = kept.length < all.length ? kept[0]?.at : since
  return { since: first ?? now, lookedAt: now, running: still, ended: kept }
}

/**
 * Decides whether a statement waits rather than works: for a lock, a pinned buffer, its client, or a time. Reading,
 * writing, and what it waits for among its own parallel workers is work.
 */
const waits = (session: Session): boolean =>
  waitsForLock(session) || waitsForPin(session) || ['Client', 'Timeout'].includes(session.waitEventType ?? '')

/** A statement as pg_stat_statements tells it from others, by names. */
type Counted = {
  readonly usename: string | null
  readonly datname: string | null
  readonly queryId: string | null
}

const statementOf = ({ usename, datname, queryId }: Counted): string =>
  JSON.stringify([usename, datname, queryId])

/**
 * Returns how to find the time that a statement was seen waiting, in milliseconds.
 * @param from since when the server has counted, milliseconds
 */
export function waitedSince(
  { ended }: StatementWaits,
  from: number,
): (
  statement: Counted & {
    readonly toplevel: boolean
    readonly totalMs: number
    /** The longest execution that the server counted. */
    readonly longestMs: number
  },
) => number {
  const byStatement = Map.groupBy(
    ended.filter(({ at }) => at >= from),
    ({ statement }) => statement,
  )
  return ({ longestMs, totalMs, toplevel, ...counted }) => {
    // What runs inside of a function has no id of its own in pg_stat_activity.
    if (!toplevel) return 0
    const found = byStatement.get(statementOf(counted)) ?? []
    // One that ran longer than any that was counted was cancelled or failed, or waited before it was executed: the server
    // has not counted that time.
    const waitedMs = found
      .filter(({ ranMs }) => ranMs <= longestMs + untilItExecutes)
      .reduce((sum, one) => sum + one.waitedMs, 0)
    return Math.min(waitedMs, totalMs)
  }
}
