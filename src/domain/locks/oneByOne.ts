import { commandOf, statementsIn } from '../session/command.ts'
import { type Session, sessionsByPid } from '../session/session.ts'
import type { LockGroup, LockTable, LockTarget } from '../session/snapshot.ts'
import { type Model, reachedFrom } from './model.ts'
import type { Party } from './queue.ts'

/** The row's own lock, which one has while it waits for the row's holder: heap_acquire_tuplock in heapam.c. */
export type RowLock = { readonly relation: string; readonly row: string; readonly mode: string }

/** For what a waiter waits, with its locks on rows. */
export type Want = {
  readonly target: LockTarget
  readonly rows: readonly RowLock[]
  readonly session: Session | undefined
  /** Holders of that target. */
  readonly owners: readonly Party[]
  /** The relation on which it will work, where it waits for the lock on that. */
  readonly next?: string
}

/** Locks of a party on relations, by `database relation`. */
export type Held = ReadonlyMap<string, ReadonlySet<string>>

export const relationKey = ({ target }: Pick<LockGroup, 'target'>): string =>
  `${target.database} ${target.relation}`

/** Decides whether a party has a transaction id; one that is prepared always has. */
export const hasIdIn =
  (byPid: ReadonlyMap<number, Session>) =>
  (party: Party): boolean =>
    party <= 0 || byPid.get(party)?.backendXid != null

/** Finds whom such a waiter may wait for next, when these are ended. */
export function readNext(
  table: LockTable,
  sessions: readonly Session[],
  model: Model,
  holds: (party: Party) => Held,
): (party: Party, want: Want, ended: ReadonlySet<Party>) => Party[] {
  const byPid = sessionsByPid(sessions)
  const everybody = [
    ...new Set<Party>([
      ...sessions.map(({ pid }) => model.partyOf(pid)),
      ...table.prepared.map(({ xid }) => -Number(xid)),
    ]),
  ]
  const withId = everybody.filter(hasIdIn(byPid))
  const withSnapshot = new Set(everybody.filter((party) => byPid.get(party)?.backendXmin != null))

  return (party, { target, session, next }, ended) => {
    const works = [...holds(party)].flatMap(([relation, modes]) =>
      modes.has('ShareUpdateExclusiveLock') ? [relation] : [],
    )
    if (next !== undefined) works.push(next)
    // Creating a logical slot: whoever had an id when it began.
    if (target.locktype === 'transactionid' && works.length === 0)
      return withId.filter((other) => other !== party && !ended.has(other))
    // Who stands behind it has no lock yet.
    const behind = reachedFrom(model, new Set([party]))
    // Who will have a lock on it at the same time stands in the way of its next step.
    const willHold = (other: Party) =>
      (model.waiters.get(other) ?? []).some(({ at }) => works.includes(relationKey(at)))
    const isIn = (other: Party) => other <= 0 || byPid.get(other)?.datname === session?.datname
    // Who builds an index waits for snapshots too, also of those who wait for its own lock: that is a deadlock.
    const builds =
      session !== undefined && statementsIn(session).some((words) => /^(?:CREATE|REINDEX)\b/.test(words))
    const isNext = (other: Party) =>
      (builds && withSnapshot.has(other)) ||
      (!behind.has(other) &&
        (withSnapshot.has(other) ||
          works.some((relation) => holds(other).has(relation)) ||
          willHold(other) ||
          // DETACH PARTITION has let go of its locks while it waits for who has any on the table.
          (works.length === 0 && byPid.get(other)?.xactStart != null)))
    return everybody.filter((other) => other !== party && !ended.has(other) && isIn(other) && isNext(other))
  }
}

/**
 * Decides whether a session waits for one transaction after the other and shows only the current one. A command
 * CONCURRENTLY (WaitForLockersMultiple in lmgr.c) waits so for virtual or prepared transactions. The creation of a
 * logical slot (SnapBuildWaitSnapshot in snapbuild.c) waits so for ids, and has no id itself. Of those who want a row,
 * only an INSERT … ON CONFLICT waits without an id and without the row's own lock.
 */
export const isOneByOne = ({ target, rows, session, next }: Want): boolean =>
  target.locktype === 'virtualxid' ||
  next !== undefined ||
  (target.locktype === 'transactionid' &&
    rows.length === 0 &&
    session !== undefined &&
    ((session.backendXid === null && !isInsert(session)) || worksConcurrently(session)))

/** REFRESH … CONCURRENTLY is one transaction like any other. */
export const worksConcurrently = (session: Session | undefined): boolean =>
  session !== undefined &&
  // Most statements are none, and to take them apart costs more.
  /concurrently/i.test(session.query ?? '') &&
  statementsIn(session).some((words) => /\bCONCURRENTLY\b/.test(words) && !words.startsWith('REFRESH'))

export const isInsert = (session: Session | undefined): boolean =>
  session !== undefined && commandOf(session) === 'INSERT'
