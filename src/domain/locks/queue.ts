import { isGroupMember, type Session } from '../session/session.ts'
import type { LockTable, LockTarget } from '../session/snapshot.ts'

/**
 * The eight modes and what each conflicts with: `LockConflicts` in lock.c and "Table-Level Lock Modes" in the manual.
 * A set of modes is a bit mask, as there.
 */
export const modes = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
]
const conflicts = ['8', '78', '5678', '45678', '34678', '345678', '2345678', '12345678'].map((digits) =>
  [...digits].reduce((mask, digit) => mask | (1 << (Number(digit) - 1)), 0),
)
export const conflictsOf = (mode: number): number => conflicts[mode] ?? 0

/**
 * A party is what can block: a lock group (a leader with its workers, named by the leader's pid) or a
 * prepared transaction (minus its transaction id). Members of one party never block each other.
 */
export type Party = number

export function partiesOf(sessions: readonly Session[]): (pid: number) => Party {
  const leaders = new Map<number, number>()
  for (const session of sessions) {
    const { pid, leaderPid } = session
    if (leaderPid !== null && isGroupMember(session)) leaders.set(pid, leaderPid)
  }
  return (pid) => leaders.get(pid) ?? pid
}

/** One process that waits. */
export type Waiter = {
  readonly pid: number
  readonly party: Party
  /** Index into `modes`; -1 for a wait that is for no lock. */
  readonly mode: number
  /** Epoch seconds; null while the server has not set `waitstart`. */
  readonly start: number | null
  readonly at: Contended
}

/** A target that somebody waits for. */
export type Contended = {
  readonly target: LockTarget
  /** By mode. */
  readonly holders: Party[][]
  readonly heldBy: Map<Party, number>
  /** In the order in which the server serves them. */
  queue: Waiter[]
}

/** The targets that somebody waits for, each with its holders and its queue. */
export function readQueues(table: LockTable, partyOf: (pid: number) => Party): Contended[] {
  const targets = new Map<string, Contended>()
  const keyed = table.groups.map((group) => ({
    group,
    key: targetKeyOf(group.target),
    mode: modes.indexOf(group.mode),
  }))
  for (const { group, key, mode } of keyed) {
    if (group.granted || mode < 0) continue
    let at = targets.get(key)
    if (at === undefined) {
      at = { target: group.target, holders: modes.map(() => []), heldBy: new Map(), queue: [] }
      targets.set(key, at)
    }
    for (const [index, pid] of group.pids.entries()) {
      // Asked, and it does not wait any more.
      if ((table.confirmedBlockers.get(pid) ?? table.confirmedBlockers.get(partyOf(pid)))?.length === 0)
        continue
      at.queue.push({ pid, party: partyOf(pid), mode, start: group.waitStarts[index] ?? null, at })
    }
  }
  for (const { group, key, mode } of keyed) {
    const at = targets.get(key)
    if (!group.granted || mode < 0 || at === undefined) continue
    for (const party of group.pids.map(partyOf)) {
      at.holders[mode]?.push(party)
      at.heldBy.set(party, (at.heldBy.get(party) ?? 0) | (1 << mode))
    }
  }
  for (const at of targets.values()) at.queue = inServersOrder(at)
  return [...targets.values()]
}

/**
 * Waits for a snapshot that no concurrent write can make unsafe (SERIALIZABLE READ ONLY DEFERRABLE), which are not in
 * pg_locks. Such a wait ends with the last transaction that the server names (GetSafeSnapshot in predicate.c).
 */
export const safeSnapshotWaits = ({ confirmedBlockers, readAt }: LockTable, sessions: readonly Session[]) =>
  sessions.flatMap(({ pid, waitEvent, querySeconds }) => {
    const blockers = confirmedBlockers.get(pid) ?? []
    const start = querySeconds === null ? null : readAt - querySeconds
    return waitEvent === 'SafeSnapshot' && blockers.length > 0 ? [{ pid, blockers, start }] : []
  })

/** A target that is in no table. */
export const unlistedTarget = (locktype: string): LockTarget => ({
  locktype,
  ...{ database: null, relation: null, relationName: null, page: null, tuple: null },
  ...{ virtualxid: null, transactionid: null, classid: null, objid: null, objsubid: null },
})

const targetKeyOf = (t: LockTarget): string =>
  [
    t.locktype,
    t.database,
    t.relation,
    t.page,
    t.tuple,
    t.virtualxid,
    t.transactionid,
    t.classid,
    t.objid,
    t.objsubid,
  ].join()

/**
 * By `waitstart` (not set yet: just come), with the exception that the server makes too (JoinWaitQueue in proc.c): who
 * already holds a lock here goes before the first one that would have to wait for it. The server stamps `waitstart` just
 * after it has queued the waiter, so two that come in the same moment may appear in the other order.
 */
function inServersOrder(at: Contended): Waiter[] {
  const arrived = at.queue.toSorted((a, b) => (a.start ?? Infinity) - (b.start ?? Infinity) || 0)
  if (at.heldBy.size === 0) return arrived
  const queue: Waiter[] = []
  let queuedModes = 0
  for (const waiter of arrived) {
    const held = at.heldBy.get(waiter.party) ?? 0
    const waitsForIt = (other: Waiter) =>
      other.party !== waiter.party && (conflictsOf(other.mode) & held) !== 0
    const isWaitedFor = modes.some(
      (_, mode) => (queuedModes & (1 << mode)) !== 0 && (conflictsOf(mode) & held) !== 0,
    )
    const place = held !== 0 && isWaitedFor ? queue.findIndex(waitsForIt) : -1
    if (place < 0) queue.push(waiter)
    else queue.splice(place, 0, waiter)
    queuedModes |= 1 << waiter.mode
  }
  return queue
}

/** Straight from the definition: quadratic over a whole queue, so only for one waiter at a time. */
export function directBlockers({ at, party, mode, pid }: Waiter): Party[] {
  const wanted = conflictsOf(mode)
  const ahead = at.queue.slice(
    0,
    at.queue.findIndex((other) => other.pid === pid),
  )
  return [
    ...at.holders.flatMap((holders, held) => ((wanted & (1 << held)) === 0 ? [] : holders)),
    ...ahead.filter((other) => (wanted & (1 << other.mode)) !== 0).map((other) => other.party),
  ].filter((other) => other !== party)
}
