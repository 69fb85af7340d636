import type { RowHolder, SharedRows } from '../session/snapshot.ts'

/**
 * Finds who holds the row that somebody waits for, together with the transaction that is waited for. While that goes on, a
 * row that it holds beside others has a multixact with its id in it.
 * @param xid the transaction that is waited for
 * @param wanted modes in which the row is wanted; empty: not known
 * @returns who stands in the way of these modes as well; null where that cannot be known
 */
export type SharedWith = (xid: string, wanted: readonly string[]) => readonly RowHolder[] | null

export function readSharedRows(shared: SharedRows | null): SharedWith {
  if (!shared) return () => null
  const { since, rows } = shared
  return (xid, wanted) => {
    if (since > 0 && isBefore(Number(xid), since)) return null
    const others: RowHolder[] = []
    for (const row of rows) {
      const inTheWay = row.filter(({ mode }) => excludes(mode, wanted))
      const own = inTheWay.filter((holder) => holder.xid === xid)
      // A savepoint that was released has an id that nobody shows. Those of a transaction are later than its own.
      const maybeOwn = inTheWay.filter(
        ({ pid, xid: id }) => pid === null && isBefore(Number(xid), Number(id)),
      )
      // It is waited for because of this row only if it stands in the way there.
      if (own.length === 0 && maybeOwn.length === 0) continue
      const whose = own.length > 0 ? own : maybeOwn.slice(0, 1)
      others.push(...inTheWay.filter((holder) => !whose.includes(holder)))
    }
    return others.some(({ pid }) => pid === null) ? null : others
  }
}

/** Transaction ids begin again after 2^32: TransactionIdPrecedes in transam.c. */
const isBefore = (xid: number, other: number): boolean => ((xid - other) | 0) < 0

/** By strength, as in the lock of a row's queue: `tupleLockExtraInfo` in heapam.c. */
const strengths: Readonly<Record<string, number>> = {
  ...{ keysh: 0, sh: 1, fornokeyupd: 2, nokeyupd: 2, forupd: 3, upd: 3 },
  ...{ AccessShareLock: 0, RowShareLock: 1, ExclusiveLock: 2, AccessExclusiveLock: 3 },
}

/** Decides whether who holds a row so stands in the way of who wants it so: "Row-Level Locks" in the manual. */
export const excludes = (held: string, wanted: readonly string[]): boolean =>
  wanted.length === 0 || wanted.some((mode) => (strengths[held] ?? 3) + (strengths[mode] ?? 3) >= 3)
