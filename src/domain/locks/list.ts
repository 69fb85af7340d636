import { type PreparedTransaction, type Session, sessionsByPid } from '../session/session.ts'
import type { LockGroup, LockTable, LockTarget } from '../session/snapshot.ts'
import type { Forest } from './blocking.ts'
import { modes } from './queue.ts'

/** Lock that one party holds on a target, or waits for there. */
export type LockEntry = {
  /** 0 for a prepared transaction. */
  readonly pid: number
  /** Null when it was gone between the two readings, and for a prepared transaction. */
  readonly session: Session | null
  readonly prepared: PreparedTransaction | null
  /** Strongest first. */
  readonly modes: readonly string[]
  /** Age of its transaction when it holds, length of its wait when it waits. Null when not known. */
  readonly seconds: number | null
}

/** A target with everybody who has to do with it. */
export type LockedTarget = {
  readonly target: LockTarget
  /** Name of the relation; also for a row, when the lock is on a transaction. */
  readonly relationName: string | null
  /** Longest wait first. */
  readonly waiters: readonly LockEntry[]
  /** Oldest transaction first. */
  readonly holders: readonly LockEntry[]
}

/** A part of a lock table, read for one question. */
export type LockPart = Pick<LockTable, 'readAt' | 'groups' | 'prepared'>

/** Targets with their holders and waiters: where somebody waits first, longest wait first; then the strongest lock. */
export function lockedTargets(
  { readAt, groups, prepared }: LockPart,
  sessions: readonly Session[],
  forest: Forest,
): LockedTarget[] {
  const bySession = sessionsByPid(sessions)
  const byXid = new Map(prepared.map((one) => [-Number(one.xid), one]))
  const entries = (of: readonly LockGroup[]): LockEntry[] => {
    const found = new Map<number, { modes: string[]; start: number | null }>()
    for (const { mode, pids, waitStarts } of of)
      for (const [index, pid] of pids.entries()) {
        const known = found.get(pid)
        if (known) known.modes.push(mode)
        else found.set(pid, { modes: [mode], start: waitStarts[index] ?? null })
      }
    return [...found].map(([pid, { modes: all, start }]): LockEntry => {
      const session = bySession.get(pid) ?? null
      const transaction = pid > 0 ? null : (byXid.get(pid) ?? null)
      const waits = of[0]?.granted === false
      return {
        pid: Math.max(0, pid),
        session,
        prepared: transaction,
        modes: all.sort((a, b) => strengthOf(b) - strengthOf(a)),
        seconds: waits
          ? start === null
            ? null
            : Math.max(0, readAt - start)
          : (transaction?.preparedSeconds ?? session?.xactSeconds ?? null),
      }
    })
  }
  return [...Map.groupBy(groups, ({ target }) => targetKey(target)).values()]
    .flatMap((of): LockedTarget[] => {
      const [first] = of
      if (!first) return []
      const waiters = entries(of.filter(({ granted }) => !granted)).sort(oldestFirst)
      const rowOf = waiters.map(({ pid }) => forest.waits.get(pid)?.relationName).find(Boolean)
      return [
        {
          target: first.target,
          relationName: first.target.relationName ?? rowOf ?? null,
          waiters,
          holders: entries(of.filter(({ granted }) => granted)).sort(oldestFirst),
        },
      ]
    })
    .sort(
      (a, b) =>
        Number(b.waiters.length > 0) - Number(a.waiters.length > 0) ||
        longest(b) - longest(a) ||
        strongest(b) - strongest(a),
    )
}

/** Lists the targets that somebody waits for. The lock table holds a few more, which show the relation of a row. */
export const contendedTargets = (
  table: LockTable,
  sessions: readonly Session[],
  forest: Forest,
): LockedTarget[] => lockedTargets(table, sessions, forest).filter(({ waiters }) => waiters.length > 0)

/** One lock of one session, and who waits because of it. */
export type OwnLock = {
  readonly target: LockTarget
  readonly relationName: string | null
  readonly granted: boolean
  readonly modes: readonly string[]
  /** Length of its wait; null for what it holds. */
  readonly seconds: number | null
  /** For what it holds: who waits for it. For what it waits for: who is in its way. Sorted. */
  readonly others: readonly number[]
}

/**
 * Every lock of one session: what it waits for, what others wait for, then the strongest.
 * @param groups as `locksOf` reads them
 * @param contended what the last look at the lock table said
 */
export function ownLocks(
  groups: readonly LockGroup[],
  party: number,
  contended: readonly LockedTarget[],
  forest: Forest,
): OwnLock[] {
  const waitersAt = new Map(contended.map(({ target, waiters }) => [targetKey(target), waiters]))
  return [...Map.groupBy(groups, ({ target, granted }) => `${granted} ${targetKey(target)}`).values()]
    .flatMap((of): OwnLock[] => {
      const [first] = of
      if (!first) return []
      const { target, granted } = first
      const pid = first.pids[0] ?? party
      const others = granted
        ? (waitersAt.get(targetKey(target)) ?? [])
            .map((waiter) => waiter.pid)
            .filter((waiter) => forest.blockedBy(waiter).includes(party))
        : forest.blockedBy(pid)
      return [
        {
          target,
          relationName:
            target.relationName ??
            [...(granted ? others : [pid])]
              .map((one) => forest.waits.get(one)?.relationName)
              .find((name) => name != null) ??
            null,
          granted,
          modes: of.map(({ mode }) => mode).sort((a, b) => strengthOf(b) - strengthOf(a)),
          seconds: granted ? null : (forest.waits.get(pid)?.seconds ?? null),
          others: [...others].sort((a, b) => a - b),
        },
      ]
    })
    .sort(
      (a, b) =>
        Number(a.granted) - Number(b.granted) ||
        b.others.length - a.others.length ||
        ownWeight(b) - ownWeight(a),
    )
}

/** Every transaction holds its own ids: they stand last. */
const ownWeight = ({ target, modes: [mode = ''] }: OwnLock): number =>
  target.locktype === 'virtualxid' || target.locktype === 'transactionid' ? -1 : strengthOf(mode)

const strengthOf = (mode: string): number => modes.indexOf(mode)

const oldestFirst = (a: LockEntry, b: LockEntry): number =>
  (b.seconds ?? -1) - (a.seconds ?? -1) || a.pid - b.pid

const longest = ({ waiters: [first] }: LockedTarget): number => first?.seconds ?? -1

const strongest = ({ holders }: LockedTarget): number =>
  Math.max(-1, ...holders.map(({ modes: [mode = ''] }) => strengthOf(mode)))

const targetKey = (target: LockTarget): string =>
  Object.entries(target)
    .filter(([name]) => name !== 'relationName')
    .map(([, value]) => value ?? '')
    .join()
