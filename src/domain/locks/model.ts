import type { Session } from '../session/session.ts'
import type { LockTable } from '../session/snapshot.ts'
import {
  type Contended,
  conflictsOf,
  modes,
  type Party,
  partiesOf,
  readQueues,
  safeSnapshotWaits,
  unlistedTarget,
  type Waiter,
} from './queue.ts'

export const shareLock = modes.indexOf('ShareLock')
const exclusiveLock = modes.indexOf('ExclusiveLock')

/** Locks as they were read. A model never changes: a simulation copies the targets that it touches. */
export type Model = {
  readonly contended: readonly Contended[]
  readonly waiters: ReadonlyMap<Party, readonly Waiter[]>
  /** Targets that somebody waits for and this party holds. */
  readonly held: ReadonlyMap<Party, readonly Contended[]>
  /** Those in a savepoint that has changed something: its transaction has an id of its own. One that was released has no lock on it. */
  readonly inSavepoint: ReadonlySet<Party>
  readonly partyOf: (pid: number) => Party
}

export function readModel(table: LockTable, sessions: readonly Session[]): Model {
  const partyOf = partiesOf(sessions)
  const contended = readQueues(table, partyOf)
  for (const at of contended) asTheServerSaid(at, table, partyOf)
  for (const { pid, blockers } of safeSnapshotWaits(table, sessions)) {
    const at = newTarget('safe snapshot', blockers.map(partyOf))
    at.queue.push({ pid, party: partyOf(pid), mode: shareLock, start: null, at })
    contended.push(at)
  }
  const waiters = Map.groupBy(
    contended.flatMap((at) => at.queue),
    ({ party }) => party,
  )
  const held = new Map<Party, Contended[]>()
  for (const at of contended) {
    for (const party of at.heldBy.keys()) {
      const known = held.get(party)
      if (known) known.push(at)
      else held.set(party, [at])
    }
  }
  return { contended, waiters, held, inSavepoint: readSavepoints(table, sessions, partyOf), partyOf }
}

function readSavepoints(
  { groups }: LockTable,
  sessions: readonly Session[],
  partyOf: (pid: number) => Party,
): Set<Party> {
  const ids = new Map(sessions.map(({ pid, backendXid }) => [pid, backendXid]))
  const isItsOwn = (party: Party, xid: string | null) => (ids.get(party) ?? xid) === xid
  return new Set(
    groups
      .filter(
        ({ target, mode, granted }) =>
          granted && target.locktype === 'transactionid' && mode === 'ExclusiveLock',
      )
      .flatMap(({ target, pids }) =>
        pids.map(partyOf).filter((party) => !isItsOwn(party, target.transactionid)),
      ),
  )
}

/**
 * Orders a queue as the server reported it. After the deadlock detector has re-ordered a queue, `waitstart` does not
 * show the order. The server was asked about the sessions in question: each stands behind the last one that it waits
 * for.
 */
function asTheServerSaid(
  at: Contended,
  { confirmedBlockers: asked }: LockTable,
  partyOf: (pid: number) => Party,
): void {
  if (asked.size === 0) return
  for (const waiter of at.queue.filter(({ pid }) => asked.has(pid))) {
    const before = new Set(asked.get(waiter.pid)?.map(partyOf))
    const others = at.queue.filter((other) => other !== waiter)
    const last = others.findLastIndex(({ party }) => before.has(party))
    const first = others.findIndex(
      ({ party, mode }) => !before.has(party) && (conflictsOf(waiter.mode) & (1 << mode)) !== 0,
    )
    const now = at.queue.indexOf(waiter)
    if (last >= now) others.splice(last + 1, 0, waiter)
    else if (first >= 0 && first < now) others.splice(Math.max(first, last + 1), 0, waiter)
    else continue
    at.queue = others
  }
}

/** A target that is in no table, held exclusively. */
export function newTarget(locktype: string, holders: readonly Party[]): Contended {
  const heldBy = new Map(holders.map((party) => [party, 1 << exclusiveLock]))
  return {
    target: unlistedTarget(locktype),
    heldBy,
    holders: modes.map((_, mode) => (mode === exclusiveLock ? [...holders] : [])),
    queue: [],
  }
}

/** Everybody who waits behind one of these, directly or not. */
export function reachedFrom({ waiters, held }: Model, parties: ReadonlySet<Party>): Set<Party> {
  const reached = new Set<Party>()
  const found = [...parties]
  // From where on a queue was looked through already for those who do not get along with a mode; -1: from its front.
  const looked = new Map<Contended, number[]>()
  const look = (at: Contended, mode: number, from: number) => {
    const places = looked.get(at) ?? []
    looked.set(at, places)
    if ((places[mode] ?? Infinity) <= from) return
    places[mode] = from
    for (let index = from + 1; index < at.queue.length; index++) {
      const other = at.queue[index]
      if (!other || (conflictsOf(other.mode) & (1 << mode)) === 0 || reached.has(other.party)) continue
      reached.add(other.party)
      found.push(other.party)
    }
  }
  for (const party of found) {
    for (const at of held.get(party) ?? []) {
      const mask = at.heldBy.get(party) ?? 0
      for (let mode = 0; mask >> mode > 0; mode++) if ((mask >> mode) & 1) look(at, mode, -1)
    }
    for (const waiter of waiters.get(party) ?? [])
      look(waiter.at, waiter.mode, waiter.at.queue.indexOf(waiter))
  }
  return reached
}

/**
 * Counts who stands directly behind each party's holdings and requests. Rows do not count: whoever leaves the queue for
 * a row frees nobody, since the next one waits for the same transaction.
 */
export function blockedDirectly({ contended }: Model): Map<Party, number> {
  const blocked = new Map<Party, number>()
  for (const at of contended) {
    if (at.target.locktype === 'tuple') continue
    const behind = modes.map(() => 0)
    const add = (party: Party, mask: number) => {
      const count = behind.reduce(
        (sum, many, mode) => ((conflictsWith(mask) >> mode) & 1 ? sum + many : sum),
        0,
      )
      if (count > 0) blocked.set(party, (blocked.get(party) ?? 0) + count)
    }
    for (const { party, mode } of at.queue.toReversed()) {
      add(party, 1 << mode)
      behind[mode] = (behind[mode] ?? 0) + 1
    }
    for (const [party, mask] of at.heldBy) add(party, mask)
  }
  return blocked
}

/** Every mode that conflicts with one of these. */
export const conflictsWith = (modesHeld: number): number =>
  modes.reduce((mask, _, mode) => ((modesHeld >> mode) & 1 ? mask | conflictsOf(mode) : mask), 0)
