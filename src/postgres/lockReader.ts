import { blockingForest } from '../domain/locks/blocking.ts'
import type { LockPart } from '../domain/locks/list.ts'
import { modes } from '../domain/locks/queue.ts'
import { mayHoldLogins, mayHoldLoginsPrepared } from '../domain/session/loggingIn.ts'
import type { PreparedTransaction } from '../domain/session/session.ts'
import { beganEarlier, isIdleInTransaction, type Session } from '../domain/session/session.ts'
import type { LockGroup, Locks, LockTable, SharedRows } from '../domain/session/snapshot.ts'
import type { RelationName } from '../domain/text/identifier.ts'
import { badRows, checked } from './checked.ts'
import { type Connection, within } from './connection.ts'
import { type ClusterError, clusterErrorOf } from './errors.ts'
import {
  blockerRows,
  knownRelationRows,
  locksFrom,
  multixactsFrom,
  type NamedRelation,
  namedRelationsFrom,
  pidRows,
  preparedFrom,
  relationRows,
  transactionRows,
} from './rows.ts'
import { statements } from './statements.ts'

export type LockReader = {
  /**
   * The lock table as far as it matters for these sessions. `unseenMs`: see `loginsUnseenMs`. Throws BAD_ROWS alone: what
   * else stands in the way makes it `jammed`.
   */
  read(sessions: readonly Session[], datid: number, unseenMs: number | null): Promise<Locks>
  /** Every lock of one session. Throws ClusterError. */
  locksOf(pid: number, datid: number): Promise<LockGroup[]>
  /** Everybody who holds or waits for a lock on a relation, by its name. Throws ClusterError. */
  locksOn(name: RelationName, datid: number): Promise<RelationLocks>
  /** Returns true when a read has passed its deadline and has not come back. */
  isLate(): boolean
  /** The sessions of the last cycle, where it was seen at this time or later: the server ends most within a second. */
  cycleSince(since: number): readonly Session[]
}

/**
 * `found`: every relation of our own database that has the name, with all partitions (`cut`: there are more), and the
 * locks on them. `unknown`: none has it; `known` are the names that there are, to find the one that was meant.
 */
export type RelationLocks =
  | {
      readonly kind: 'found'
      readonly relations: readonly NamedRelation[]
      readonly cut: boolean
      readonly locks: LockPart
    }
  | { readonly kind: 'unknown'; readonly known: readonly RelationName[] }

/** A table with more partitions than this is shown in part. */
const mostRelations = 2000

/**
 * From here on the lock manager is busy with itself: while it looks for deadlocks it holds the whole lock table, a read
 * of pg_locks stands in line with all the others, and nothing interrupts it.
 */
const busyLockManager = { sessions: 20, share: 0.25, atLeast: 5 }
/** So many multixacts are looked at; of what was before, nothing is known. */
const mostMultixacts = 5000
/** pg_blocking_pids is for a few: each call holds the lock table once more. */
const mostAsked = 50

export function createLockReader({
  connection,
  deadlineMs,
  now,
}: {
  readonly connection: Pick<Connection, 'query'>
  readonly deadlineMs: number
  readonly now: () => number
}): LockReader {
  let last: LockTable | null = null
  let lastTakenAt: number | null = null
  let cycle: { readonly at: number; readonly members: readonly Session[] } | null = null
  /** A read that passed its deadline and has not come back: nothing is sent after it until it does. */
  let late: Promise<unknown> | null = null

  const jammed = (why: string): Locks => ({ kind: 'jammed', why, last, lastTakenAt })

  /** Without a name is better than without an answer: pg_class may be locked by a VACUUM FULL. */
  const named = async (groups: readonly LockGroup[], datid: number): Promise<LockGroup[]> => {
    const here = ({ target }: LockGroup) => target.database === datid || target.database === 0
    const oids = new Set(groups.filter(here).flatMap(({ target }) => target.relation ?? []))
    if (oids.size === 0) return [...groups]
    const rows = await connection.query(statements.relations, [[...oids]]).catch((error) => {
      if (isLockedOut(error)) return []
      throw error
    })
    const names = new Map(checked(relationRows, rows).map(({ oid, name }) => [oid, name]))
    return groups.map((group) => {
      const name =
        here(group) && group.target.relation !== null ? names.get(group.target.relation) : undefined
      return name === undefined ? group : { ...group, target: { ...group.target, relationName: name } }
    })
  }

  /** By statement and state: who waits, or is idle, changes nothing meanwhile. */
  const changed = new Map<string, boolean>()
  const unchangedAmong = async (
    groups: readonly LockGroup[],
    sessions: readonly Session[],
  ): Promise<Set<number>> => {
    const wanting = new Set(
      groups
        .filter(({ target, mode, granted }) => !granted && target.locktype === 'relation' && isStrong(mode))
        .flatMap(({ pids }) => pids),
    )
    const holding = new Set(groups.filter(({ granted }) => granted).flatMap(({ pids }) => pids))
    const isUnclear = (session: Session) =>
      session.backendXid !== null &&
      ((wanting.has(session.pid) && beganEarlier(session)) ||
        (holding.has(session.pid) && isIdleInTransaction(session)))
    const unclear = new Map(
      sessions
        .filter(isUnclear)
        .map(({ pid, backendStart, queryStart, stateChange }) => [
          `${pid} ${backendStart} ${queryStart} ${stateChange}`,
          pid,
        ]),
    )
    for (const key of changed.keys()) if (!unclear.has(key)) changed.delete(key)
    const unknown = [...unclear].filter(([key]) => !changed.has(key)).slice(0, mostAsked)
    if (unknown.length > 0) {
      const rows = await connection.query(statements.changedTables, [unknown.map(([, pid]) => pid)])
      const pids = new Set(checked(pidRows, rows).map(({ pid }) => pid))
      for (const [key, pid] of unknown) changed.set(key, pids.has(pid))
    }
    return new Set([...unclear].filter(([key]) => changed.get(key) === false).map(([, pid]) => pid))
  }

  const preparedAmong = async (groups: readonly LockGroup[]): Promise<PreparedTransaction[]> =>
    groups.some((group) => group.pids.some((pid) => pid <= 0))
      ? preparedFrom(
          // Without the names where the transaction itself holds the catalogs that they are in.
          await connection.query(statements.prepared, []).catch((error) => {
            if (!isLockedOut(error)) throw error
            return connection.query(statements.preparedBare, [])
          }),
        )
      : []

  /** Null where nobody waits for a transaction, or the server does not say it: then more is in doubt. */
  const sharedRowsAmong = async (
    groups: readonly LockGroup[],
    sessions: readonly Session[],
  ): Promise<SharedRows | null> => {
    const isXid = ({ target }: LockGroup) => target.locktype === 'transactionid'
    if (!groups.some((group) => isXid(group) && !group.granted)) return null
    const rows = await connection.query(statements.multixacts, [mostMultixacts]).catch((error) => {
      if (isUnknown(error)) return null
      throw error
    })
    const shared = rows && multixactsFrom(rows)
    if (!shared) return null
    const owners = new Map(sessions.flatMap(({ pid, backendXid }) => (backendXid ? [[backendXid, pid]] : [])))
    for (const { target, mode, granted, pids } of groups) {
      for (const pid of pids) if (pid < 0) owners.set(String(-pid), pid)
      if (granted && mode === 'ExclusiveLock' && target.transactionid !== null && pids[0])
        owners.set(target.transactionid, pids[0])
    }
    const unknown = new Set(shared.rows.flat().flatMap(({ xid }) => (owners.has(xid) ? [] : [xid])))
    if (unknown.size > 0) {
      const found = await connection.query(statements.transactions, [[...unknown]])
      for (const { xid, pid } of checked(transactionRows, found)) owners.set(xid, pid)
    }
    return {
      ...shared,
      rows: shared.rows.map((row) => row.map((one) => ({ ...one, pid: owners.get(one.xid) ?? null }))),
    }
  }

  /** Looks whether one is prepared for long. What stands in the way of it stands in that of the next read of the table, which says so. */
  const isPreparedForLong = async (): Promise<boolean> => {
    try {
      const rows = await within(deadlineMs, connection.query(statements.preparedBare, []))
      return preparedFrom(rows).some(mayHoldLoginsPrepared)
    } catch (error) {
      failureOfRead(error)
      return false
    }
  }

  const readTable = async (sessions: readonly Session[], datid: number): Promise<LockTable> => {
    const { readAt, groups: all } = locksFrom(await connection.query(statements.locks, []))
    const { groups, near } = partedByContention(all)
    const prepared = await preparedAmong(all)
    const table: LockTable = {
      readAt: readAt ?? now() / 1000,
      groups: await named(groups, datid),
      near,
      sharedRows: await sharedRowsAmong(all, sessions),
      prepared,
      confirmedBlockers: new Map(),
      unchanged: await unchangedAmong(groups, sessions),
    }
    const { cycles } = blockingForest(table, sessions)
    const members = cycles.flat().filter((pid) => pid > 0)
    const unsafe = sessions.filter((session) => session.waitEvent === 'SafeSnapshot').map(({ pid }) => pid)
    if (members.length + unsafe.length === 0) return table
    const asked = await connection.query(statements.blockingPids, [
      members.slice(0, mostAsked),
      unsafe.slice(0, mostAsked),
    ])
    const whole: LockTable = {
      ...table,
      confirmedBlockers: new Map(checked(blockerRows, asked).map(({ pid, blockers }) => [pid, blockers])),
    }
    const real = new Set(blockingForest(whole, sessions).cycles.flat())
    if (real.size > 0) cycle = { at: now(), members: sessions.filter(({ pid }) => real.has(pid)) }
    return whole
  }

  const readLocksOn = async ({ schema, name }: RelationName, datid: number): Promise<RelationLocks> => {
    const found = await connection.query(statements.relationsNamed, [schema, name, mostRelations + 1])
    const relations = namedRelationsFrom(found).slice(0, mostRelations)
    if (relations.length === 0) {
      const known = await connection.query(statements.relationsKnown, [mostRelations])
      return { kind: 'unknown', known: checked(knownRelationRows, known) }
    }
    const oids = relations.map(({ oid }) => oid)
    const { readAt, groups } = locksFrom(await connection.query(statements.locksOn, [oids]))
    const prepared = await preparedAmong(groups)
    const locks = { readAt: readAt ?? now() / 1000, groups: await named(groups, datid), prepared }
    return { kind: 'found', relations, cut: found.length > mostRelations, locks }
  }

  return {
    isLate: () => late !== null,
    cycleSince: (since) => (cycle !== null && cycle.at >= since ? cycle.members : []),
    read: async (sessions, datid, unseenMs) => {
      const waiting = sessions.filter(
        ({ waitEventType, waitEvent }) => waitEventType === 'Lock' || waitEvent === 'SafeSnapshot',
      ).length
      const busy = sessions.filter(
        (session) => session.waitEventType === 'LWLock' && session.waitEvent === 'LockManager',
      ).length
      const { sessions: many, share, atLeast } = busyLockManager
      if (busy >= many || (busy >= atLeast && busy > share * (waiting + busy))) {
        return jammed(`The lock manager is busy sorting out ${waiting + busy} sessions: roots follow.`)
      }
      // Who logs in may wait unseen: asked where somebody could be in the way, and else now and then.
      const isUnsure =
        waiting === 0 &&
        unseenMs !== null &&
        (sessions.some(mayHoldLogins) ||
          lastTakenAt === null ||
          now() - lastTakenAt >= unseenMs ||
          (!late && (await isPreparedForLong())))
      if (waiting === 0 && !isUnsure) return { kind: 'none' }
      if (late) return jammed('The lock table is busy: the last look at it has not come back yet.')

      const read = readTable(sessions, datid).then((table) => {
        last = table
        lastTakenAt = now()
        return table
      })
      try {
        const table = await within(deadlineMs, read)
        return waiting === 0 && table.groups.every(({ granted }) => granted)
          ? { kind: 'none' }
          : { kind: 'read', table }
      } catch (error) {
        const failure = failureOfRead(error)
        if (failure.code !== 'DEADLINE') return jammed(failure.reason)
        late = read
          .catch(() => {})
          .finally(() => {
            late = null
          })
        return jammed(
          `The lock table did not answer within ${deadlineMs / 1000} s: the server is busy with it.`,
        )
      }
    },
    locksOf: async (pid, datid) => {
      const read = async () =>
        named(locksFrom(await connection.query(statements.locksOf, [pid])).groups, datid)
      return within(deadlineMs, read())
    },
    locksOn: (name, datid) => within(deadlineMs, readLocksOn(name, datid)),
  }
}

/** Locks on a relation that nobody waits for stand apart from what is contended. */
function partedByContention(all: readonly LockGroup[]): { groups: LockGroup[]; near: LockGroup[] } {
  const key = ({ target }: LockGroup) => `${target.database} ${target.relation}`
  const isRelation = ({ target }: LockGroup) => target.locktype === 'relation'
  const wanted = new Set(all.filter((group) => isRelation(group) && !group.granted).map(key))
  const isNear = (group: LockGroup) => isRelation(group) && !wanted.has(key(group))
  return { groups: all.filter((group) => !isNear(group)), near: all.filter(isNear) }
}

/**
 * Decides whether a lock mode is strong. A session that asks for a strong one may make everybody queue behind it, and
 * has a transaction id even before it does anything.
 */
const isStrong = (mode: string): boolean => modes.indexOf(mode) >= modes.indexOf('ShareUpdateExclusiveLock')

/** Returns true where a catalog is locked by somebody else, and the server gave up waiting for it. */
function isLockedOut(error: unknown): boolean {
  const { code } = clusterErrorOf(error)
  return code === '55P03' || code === '57014'
}

/**
 * Returns true where a statement found something else than it needs: a multixact that vacuum removed just now, a function that
 * a provider has taken away or does not support.
 */
function isUnknown(error: unknown): boolean {
  return isLockedOut(error) || /^(?:0A|22|42|XX)/.test(clusterErrorOf(error).code)
}

/** Rows that are not what the statement yields are no jam: the cluster cannot be seen. A fault of ours must be seen, too. */
function failureOfRead(error: unknown): ClusterError {
  const failure = clusterErrorOf(error)
  if (failure !== error || failure.code === badRows) throw error
  return failure
}
