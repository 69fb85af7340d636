import { isUntold, type Session, waitsForLock } from '../session/session.ts'
import type { Locks, LockTable, LockTarget, Snapshot } from '../session/snapshot.ts'

/**
 * Since when sessions wait for a row. The server begins to count again whenever the row goes to somebody else: everybody in
 * the queue goes on to its new version then, and waits for the transaction that has it now. Who was seen waiting, and waits
 * for a row of the same table in the same statement again, has waited since it was first seen so.
 */
export type RowWaits = ReadonlyMap<string, RowWait>

type RowWait = {
  /** Begin of its statement: what waits in another one is another wait. */
  readonly statement: string
  /** Database and oid of the table; null while no lock shows it. */
  readonly table: string | null
  /** Begin of the wait, and of the last part of it, epoch seconds by the server's clock. */
  readonly since: number
  readonly start: number
  /** Time of the last look that found it waiting, milliseconds by our clock. */
  readonly seenAt: number
  /** Age of its statement when the last look found it awake, in seconds: it may have been between two holders. */
  readonly awakeAt: number | null
}

/** Milliseconds without a look after which a new wait is another one, as far as anybody knows. */
const longestGapMs = 60_000
/** Seconds from the look that found it awake until it waits again. */
const longestAwake = 1

const keyOf = ({ pid, backendStart }: Session): string => `${pid} ${backendStart}`

/**
 * Follows who waits for a row from one look to the next.
 * @returns the locks with `waitingSince`, and what to give to the next look
 */
export function followRowWaits(
  before: RowWaits,
  { sessions, locks, takenAt }: Pick<Snapshot, 'sessions' | 'locks' | 'takenAt'>,
): { readonly locks: Locks; readonly seen: RowWaits } {
  const seen = new Map<string, RowWait>()
  const table = locks.kind === 'read' ? locks.table : locks.kind === 'jammed' ? locks.last : null
  const waits = table ? rowWaitsIn(table) : new Map<number, OwnWait>()
  const waitingSince = new Map<number, number>()
  // As a rule nobody waits, and nobody did.
  if (waits.size === 0 && before.size === 0) return { locks: withSince(locks, waitingSince), seen }
  for (const session of sessions) {
    const { queryStart: statement } = session
    if (isUntold(session) || statement === null) continue
    const key = keyOf(session)
    const known = before.get(key)
    const same = known?.statement === statement ? known : null
    const wait = waits.get(session.pid)
    if (locks.kind === 'read' && wait) {
      const now = waitNow(same, { ...wait, session, readAt: locks.table.readAt, takenAt })
      seen.set(key, { ...now, statement })
    } else if (locks.kind === 'jammed' && same && waitsForLock(session)) {
      // Where it waits cannot be read, that it does is seen.
      seen.set(key, { ...same, seenAt: takenAt, awakeAt: null })
    } else if (same?.awakeAt === null && session.state === 'active') {
      seen.set(key, { ...same, awakeAt: session.querySeconds ?? 0 })
    }
    const since = seen.get(key)?.since
    if (table && wait && since !== undefined && since < (wait.start ?? table.readAt))
      waitingSince.set(session.pid, since)
  }
  return { locks: withSince(locks, waitingSince), seen }
}

function withSince(locks: Locks, waitingSince: ReadonlyMap<number, number>): Locks {
  if (waitingSince.size === 0) return locks
  if (locks.kind === 'read') return { ...locks, table: { ...locks.table, waitingSince } }
  return locks.kind === 'jammed' && locks.last ? { ...locks, last: { ...locks.last, waitingSince } } : locks
}

/** The wait as it is now: the one from before, where it goes on, or a new one. */
function waitNow(known: RowWait | null, wait: OwnWait & SeenThere): Omit<RowWait, 'statement'> {
  const start = wait.start ?? wait.readAt
  const now = { start, seenAt: wait.takenAt, awakeAt: null }
  return known && goesOn(known, { ...wait, start })
    ? { ...now, table: wait.table ?? known.table, since: Math.min(known.since, start) }
    : { ...now, table: wait.table, since: start }
}

/** Session whose wait it is, and the time when it was seen: by the server's clock (epoch seconds), and by ours (milliseconds). */
type SeenThere = { readonly session: Session; readonly readAt: number; readonly takenAt: number }

/** Joins what an earlier process saw, as it was recorded, with what this one has seen: each wait keeps its earliest begin. */
export function recallRowWaits(seen: RowWaits, { sessions, locks, takenAt }: Snapshot): RowWaits {
  const table = locks.kind === 'read' ? locks.table : locks.kind === 'jammed' ? locks.last : null
  if (table === null) return seen
  const earlier = followRowWaits(new Map(), { sessions, locks, takenAt }).seen
  const all = new Map(seen)
  for (const session of sessions) {
    const key = keyOf(session)
    const was = earlier.get(key)
    if (!was) continue
    const then = { ...was, since: table.waitingSince?.get(session.pid) ?? was.since }
    const now = seen.get(key)
    if (!now) all.set(key, then)
    else if (now.statement === then.statement && areOneTable(now.table, then.table) && then.since < now.since)
      all.set(key, { ...now, since: then.since })
  }
  return all
}

function goesOn(
  known: RowWait,
  { table, start, session, readAt, takenAt }: OwnWait & SeenThere & { readonly start: number },
): boolean {
  if (!areOneTable(known.table, table)) return false
  if (known.start === start) return true
  if (takenAt - known.seenAt > longestGapMs) return false
  const intoStatement = start - (readAt - (session.querySeconds ?? 0))
  return known.awakeAt === null || intoStatement <= known.awakeAt + longestAwake
}

const areOneTable = (a: string | null, b: string | null): boolean => a === null || b === null || a === b

type OwnWait = { readonly table: string | null; readonly start: number | null }

/** Lists who waits for a row: for its lock, or for the transaction that has it. */
function rowWaitsIn({ groups }: LockTable): Map<number, OwnWait> {
  const waits = new Map<number, OwnWait>()
  const tables = new Map<number, string>()
  for (const { target, granted, pids, waitStarts } of groups) {
    if (target.locktype !== 'tuple' && target.locktype !== 'transactionid') continue
    // Who waits for the transaction may hold the row's own lock meanwhile.
    if (target.locktype === 'tuple') for (const pid of pids) tables.set(pid, tableOf(target))
    if (!granted)
      for (const [index, pid] of pids.entries())
        waits.set(pid, { table: null, start: waitStarts[index] ?? null })
  }
  for (const [pid, wait] of waits) waits.set(pid, { ...wait, table: tables.get(pid) ?? null })
  return waits
}

const tableOf = ({ database, relation }: LockTarget): string => `${database} ${relation}`
