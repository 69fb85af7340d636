import { type Session, sessionsByPid } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import type { Forest } from './blocking.ts'
import { jamsIn } from './tree.ts'

/** Sessions that wait for each other, and go on to do so. */
export type LockCycle = {
  readonly kind: 'lockCycle'
  /** The one whose end loses least; null where no session of it is seen. */
  readonly session: Session | null
  /** Ascending. */
  readonly pids: readonly number[]
  /** Backend start of the first session. */
  readonly backendStart: string
  /** Number of sessions that wait, with those behind them. */
  readonly waiting: number
  /** Longest wait, and the wait of the last session to join: since then the cycle exists. */
  readonly seconds: number
  readonly closedSeconds: number
  /** After which the server looks for deadlocks; null while it is not known. */
  readonly deadlockTimeoutSeconds: number | null
}

/**
 * Cycles in which somebody waits for too long: deadlock_timeout is long, or the order of a queue is not what it seems.
 * @param open keys of what was found before
 */
export function lockCycles(
  { sessions, health }: Snapshot,
  forest: Forest,
  waitsTooLong: (pid: number) => boolean,
  open: ReadonlySet<string>,
): LockCycle[] {
  if (forest.cycles.length === 0) return []
  const byPid = sessionsByPid(sessions)
  return jamsIn(forest)
    .filter(({ cycle }) => cycle.length > 0)
    .map(({ cycle, victims }): LockCycle => {
      const pids = cycle.toSorted((a, b) => a - b)
      const waits = pids.map((pid) => forest.waits.get(pid)?.seconds ?? 0)
      return {
        kind: 'lockCycle',
        session: pids.flatMap((pid) => byPid.get(pid) ?? []).toSorted(byWork)[0] ?? null,
        pids,
        backendStart: byPid.get(pids[0] ?? 0)?.backendStart ?? '',
        waiting: victims.length,
        seconds: Math.max(...waits),
        closedSeconds: Math.min(...waits),
        deadlockTimeoutSeconds: health?.deadlockTimeoutSeconds ?? null,
      }
    })
    .filter((found) => found.pids.some(waitsTooLong) || open.has(lockCycleKey(found)))
}

export const lockCycleKey = ({ kind, pids, backendStart }: LockCycle): string =>
  `${kind}:${pids[0]}:${backendStart}`

/**
 * Compares two sessions by what is lost with them: first who has written nothing, then who has worked for the shortest
 * time.
 */
const byWork = (a: Session, b: Session): number =>
  Number(a.backendXid !== null) - Number(b.backendXid !== null) ||
  (a.xactSeconds ?? 0) - (b.xactSeconds ?? 0) ||
  a.pid - b.pid
