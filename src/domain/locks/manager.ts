import { conflictsWith, type Model, newTarget, shareLock } from './model.ts'
import { type Contended, conflictsOf, modes, type Party, type Waiter } from './queue.ts'

/**
 * The server's lock manager as far as one lock table shows it: who is served when somebody lets go. It is
 * the machine under simulation.ts, and follows proc.c and lock.c; citations are of PostgreSQL 18.
 */

/** One target as it stands in a simulation. */
type Live = {
  /** Mask of modes by party. */
  readonly held: Map<Party, number>
  /** By mode: how many parties hold it. */
  readonly counts: number[]
  readonly queue: Waiter[]
  /** Mask of the modes that anybody in the queue has asked for. */
  queuedModes: number
  /** Everybody before this place is gone. */
  head: number
  /** Only of a row: the transactions that hold it, each with the modes that it excludes. */
  owners: { readonly at: Contended; readonly mask: number }[]
}

export type State = {
  readonly model: Model
  readonly live: Map<Contended, Live>
  /** Waiters that wait no more: served, or withdrawn. */
  readonly gone: Set<Waiter>
  /** Waiters that a simulation adds to the model. */
  readonly moreWaiters: Map<Party, Waiter[]>
  readonly moreHeld: Map<Party, Set<Contended>>
  readonly ownTransactions: Map<Party, Contended>
  /** In the order in which they were served. */
  readonly proceeded: Party[]
  readonly touched: Set<Contended>
}

const allModes = 0xff

/**
 * Locks that are asked for only to wait for somebody's end, and given back at once (XactLockTableWait, VirtualXactLock,
 * SpeculativeInsertionWait), or held for one operation only (LockRelationForExtension, LockPage).
 */
const transient = new Set(['transactionid', 'virtualxid', 'spectoken', 'extend', 'page', 'safe snapshot'])

export const newState = (model: Model): State => ({
  model,
  live: new Map(),
  gone: new Set(),
  moreWaiters: new Map(),
  moreHeld: new Map(),
  ownTransactions: new Map(),
  proceeded: [],
  touched: new Set(),
})

/** The same state, to go on from without changing the one that it was taken from. */
export const fork = (state: State): State => ({
  model: state.model,
  live: new Map(
    [...state.live].map(([at, live]) => [
      at,
      {
        held: new Map(live.held),
        counts: [...live.counts],
        queue: live.queue.slice(),
        queuedModes: live.queuedModes,
        head: live.head,
        owners: live.owners.slice(),
      },
    ]),
  ),
  gone: new Set(state.gone),
  moreWaiters: new Map([...state.moreWaiters].map(([party, waiters]) => [party, waiters.slice()])),
  moreHeld: new Map([...state.moreHeld].map(([party, held]) => [party, new Set(held)])),
  ownTransactions: new Map(state.ownTransactions),
  proceeded: state.proceeded.slice(),
  touched: new Set(state.touched),
})

function liveOf(state: State, at: Contended): Live {
  const known = state.live.get(at)
  if (known) return known
  const counts = modes.map(() => 0)
  for (const mask of at.heldBy.values())
    for (let mode = 0; mode < modes.length; mode++)
      if (mask & (1 << mode)) counts[mode] = (counts[mode] ?? 0) + 1
  const queuedModes = at.queue.reduce((mask, { mode }) => mask | (1 << mode), 0)
  const queue = at.queue.slice()
  const live: Live = { held: new Map(at.heldBy), counts, queue, queuedModes, head: 0, owners: [] }
  if (at.target.locktype === 'tuple')
    // Who holds the row's own lock waits for the transaction that holds the row: heap_acquire_tuplock in heapam.c.
    live.owners = [...at.heldBy.keys()]
      .flatMap((party) => state.model.waiters.get(party) ?? [])
      .filter((waiter) => waiter.at.target.locktype === 'transactionid')
      .map((waiter) => ({ at: waiter.at, mask: allModes }))
  state.live.set(at, live)
  return live
}

export const waitsOf = (state: State, party: Party): Waiter[] =>
  [...(state.model.waiters.get(party) ?? []), ...(state.moreWaiters.get(party) ?? [])].filter(
    (waiter) => !state.gone.has(waiter),
  )

const heldBy = (state: State, party: Party): Contended[] => [
  ...new Set([...(state.model.held.get(party) ?? []), ...(state.moreHeld.get(party) ?? [])]),
]

/** Takes a party's requests out of their queues: RemoveFromWaitQueue. */
export function leaveQueue(state: State, party: Party): void {
  for (const waiter of waitsOf(state, party)) {
    state.gone.add(waiter)
    state.touched.add(waiter.at)
  }
}

/** Takes its locks from a party: LockReleaseAll. */
export function release(state: State, party: Party, keeps: (at: Contended) => boolean = () => false): void {
  for (const at of heldBy(state, party)) {
    const live = liveOf(state, at)
    const mask = live.held.get(party) ?? 0
    if (mask === 0 || keeps(at)) continue
    live.held.delete(party)
    for (let mode = 0; mode < modes.length; mode++)
      if (mask & (1 << mode)) live.counts[mode] = (live.counts[mode] ?? 0) - 1
    state.touched.add(at)
  }
}

function hold(state: State, at: Contended, party: Party, mode: number): void {
  const live = liveOf(state, at)
  const mask = live.held.get(party) ?? 0
  if ((mask & (1 << mode)) === 0) live.counts[mode] = (live.counts[mode] ?? 0) + 1
  live.held.set(party, mask | (1 << mode))
  const more = state.moreHeld.get(party) ?? new Set()
  state.moreHeld.set(party, more.add(at))
}

/** Serves the queues of everything that was touched, until nothing changes any more. */
export function settle(state: State): void {
  // A set hands out what is added while it is walked, unless it is in there already: so each is taken out first.
  for (const at of state.touched) {
    state.touched.delete(at)
    for (const waiter of serve(state, at)) arrive(state, waiter)
  }
}

/** ProcLockWakeup: from the front, whoever conflicts neither with a holder nor with a request still ahead. */
function serve(state: State, at: Contended): Waiter[] {
  const live = liveOf(state, at)
  const served: Waiter[] = []
  let ahead = 0
  let closed = 0
  for (let index = live.head; index < live.queue.length; index++) {
    const waiter = live.queue[index]
    if (waiter === undefined || state.gone.has(waiter)) {
      if (index === live.head) live.head++
      continue
    }
    if ((conflictsOf(waiter.mode) & ahead) === 0 && !isHeldAgainst(live, waiter)) {
      if (index === live.head) live.head++
      state.gone.add(waiter)
      served.push(waiter)
      if (!transient.has(at.target.locktype)) hold(state, at, waiter.party, waiter.mode)
      continue
    }
    ahead |= 1 << waiter.mode
    closed |= conflictsOf(waiter.mode)
    if ((live.queuedModes & ~closed) === 0) break
  }
  return served
}

/** LockCheckConflicts: what the own lock group holds does not count. */
function isHeldAgainst({ held, counts }: Live, { party, mode }: Waiter): boolean {
  const wanted = conflictsOf(mode)
  const own = held.get(party) ?? 0
  for (let other = 0; other < modes.length; other++) {
    const bit = 1 << other
    if ((wanted & bit) !== 0 && (counts[other] ?? 0) > (own & bit ? 1 : 0)) return true
  }
  return false
}

/** A waiter has its lock. Does it go on, or is a row in the hands of somebody else still? */
function arrive(state: State, { pid, party, mode, at }: Waiter): void {
  const isRow = at.target.locktype === 'tuple'
  const rows = heldBy(state, party).filter(
    (one) => one.target.locktype === 'tuple' && liveOf(state, one).held.has(party),
  )
  if (isRow || at.target.locktype === 'transactionid') {
    for (const row of rows) {
      const mask = isRow && row === at ? 1 << mode : (liveOf(state, row).held.get(party) ?? 0)
      const owner = ownerAgainst(state, row, party, mask)
      if (owner === null) continue
      // XactLockTableWait, after heap_acquire_tuplock: it keeps the row's own lock meanwhile.
      const next: Waiter = { pid, party, mode: shareLock, start: null, at: owner }
      const live = liveOf(state, owner)
      live.queue.push(next)
      live.queuedModes |= 1 << shareLock
      state.moreWaiters.set(party, [...(state.moreWaiters.get(party) ?? []), next])
      return
    }
  }
  // A lock group goes on when none of its members waits.
  if (waitsOf(state, party).length > 0) return
  state.proceeded.push(party)
  for (const row of rows) {
    // heap_update: xmax is its own transaction now, and the row's own lock goes to the next.
    const live = liveOf(state, row)
    live.owners.push({ at: ownTransaction(state, party), mask: conflictsWith(live.held.get(party) ?? 0) })
    release(state, party, (one) => one !== row)
  }
}

/** The first transaction that holds the row against these modes; null when the row is free for them. */
function ownerAgainst(state: State, row: Contended, party: Party, wanted: number): Contended | null {
  const live = liveOf(state, row)
  live.owners = live.owners.filter(({ at }) => liveOf(state, at).held.size > 0)
  const owner = live.owners.find(
    ({ at, mask }) => (mask & wanted) !== 0 && !liveOf(state, at).held.has(party),
  )
  return owner?.at ?? null
}

/** The lock that every transaction holds on itself, which those who want its rows wait for. */
function ownTransaction(state: State, party: Party): Contended {
  const known = state.ownTransactions.get(party)
  if (known) return known
  const made = newTarget('transactionid', [party])
  state.ownTransactions.set(party, made)
  const more = state.moreHeld.get(party) ?? new Set()
  state.moreHeld.set(party, more.add(made))
  return made
}

/** Lists whom a waiter stands behind directly, in this state; 0 is a prepared transaction. */
export function blockersOf(state: State, waiter: Waiter): number[] {
  const live = liveOf(state, waiter.at)
  const wanted = conflictsOf(waiter.mode)
  const holders = [...live.held].filter(([, mask]) => (mask & wanted) !== 0).map(([party]) => party)
  const ahead = live.queue
    .slice(0, live.queue.indexOf(waiter))
    .filter((other) => !state.gone.has(other) && (wanted & (1 << other.mode)) !== 0)
    .map(({ party }) => party)
  return [...holders, ...ahead].filter((party) => party !== waiter.party)
}
