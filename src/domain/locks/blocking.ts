import type { PreparedTransaction, Session } from '../session/session.ts'
import type { LockTable, LockTarget } from '../session/snapshot.ts'
import {
  type Contended,
  directBlockers,
  modes,
  type Party,
  partiesOf,
  readQueues,
  safeSnapshotWaits,
  unlistedTarget,
  type Waiter,
} from './queue.ts'
import { connect, findCycles, type Graph } from './waitGraph.ts'

/** The lock that somebody waits for. */
export type Wait = {
  readonly pid: number
  readonly target: LockTarget
  /** The mode that is asked for. */
  readonly mode: string
  /** The relation in question, also for a row lock, where the wait itself is for a transaction. */
  readonly relationName: string | null
  /** Seconds, over all that had the row meanwhile; null while the server has not set `waitstart` yet. */
  readonly seconds: number | null
  /** Seconds since the row last went to somebody else, where that is less. */
  readonly sinceHandOver?: number
}

/** Somebody who blocks others and waits for no lock: a session, or a prepared transaction (pid 0). */
export type Root = {
  readonly pid: number
  readonly kind: 'session' | 'preparedTransaction'
  readonly prepared: PreparedTransaction | null
  /** Everyone who waits behind it, directly or not, longest wait first. */
  readonly victims: readonly number[]
  readonly oldestWaitSeconds: number | null
  /** Wait of its longest-waiting direct victim. */
  readonly wait: Wait
}

export type Forest = {
  /** Worst first: most victims, then oldest wait. */
  readonly roots: readonly Root[]
  readonly waits: ReadonlyMap<number, Wait>
  /** Lock groups (by their leaders' pids) that wait for each other. */
  readonly cycles: readonly (readonly number[])[]
  /** Exactly what pg_blocking_pids would say, sorted, without repeats; 0 is a prepared transaction. Empty: it does not wait. */
  readonly blockedBy: (pid: number) => readonly number[]
  /** Everyone who waits behind this one, directly or not, longest wait first; of a root its victims. Linear in the table. */
  readonly behind: (pid: number) => readonly number[]
}

export const noForest: Forest = {
  roots: [],
  waits: new Map(),
  cycles: [],
  blockedBy: () => [],
  behind: () => [],
}

/**
 * Builds who blocks whom, as lock.c has it. A waiter is blocked by every other party that holds a conflicting mode on
 * its target, and by every party ahead of it in the queue that asks for one. pg_blocking_pids is the oracle in the
 * tests.
 *
 * `table.confirmedBlockers` (what pg_blocking_pids said) goes before what the table shows. It must be filled for the
 * members of `cycles`: such a cycle is a deadlock about to be broken, or a queue that the deadlock detector has
 * re-ordered, which no column shows. It also carries pg_safe_snapshot_blocking_pids for sessions that wait for a safe
 * snapshot.
 *
 * Linear in the table: the many edges of a long queue are not built (see `connect`); `blockedBy` returns them on
 * request.
 */
export function blockingForest(table: LockTable, sessions: readonly Session[]): Forest {
  const partyOf = partiesOf(sessions)
  const contended = readQueues(table, partyOf)
  const at: Contended = { target: unlistedTarget('safe snapshot'), holders: [], heldBy: new Map(), queue: [] }
  const waiters: Waiter[] = [
    ...contended.flatMap(({ queue }) => queue),
    ...safeSnapshotWaits(table, sessions).map(({ pid, start }) => ({
      pid,
      party: partyOf(pid),
      mode: -1,
      start,
      at,
    })),
  ]
  const waits = describeWaits(table, sessions, waiters)
  const graph = connect(contended, waiters, (waiter) => askedBlockers(table, waiter, partyOf))

  const byParty = Map.groupBy(waiters, (waiter) => waiter.party)
  return {
    roots: findRoots(graph, table, waits),
    waits,
    cycles: findCycles(graph),
    blockedBy: (pid) => {
      const blockers = (byParty.get(partyOf(pid)) ?? []).flatMap(
        (waiter) => askedBlockers(table, waiter, partyOf) ?? directBlockers(waiter),
      )
      return [...new Set(blockers.map((party) => Math.max(party, 0)))].sort((a, b) => a - b)
    },
    behind: (pid) => victimsBehind(graph, graph.party.indexOf(partyOf(pid)), waits).map((wait) => wait.party),
  }
}

/** Returns what the server said about this waiter; null when it was not asked. */
function askedBlockers(table: LockTable, waiter: Waiter, partyOf: (pid: number) => Party): Party[] | null {
  const asked = table.confirmedBlockers.get(waiter.pid) ?? table.confirmedBlockers.get(waiter.party)
  if (asked === undefined) return null
  return asked.flatMap((pid) =>
    // The server says 0 for every prepared transaction: it is one that holds what is waited for.
    pid === 0 ? directBlockers(waiter).filter((party) => party <= 0) : [partyOf(pid)],
  )
}

function describeWaits(
  table: LockTable,
  sessions: readonly Session[],
  waiters: readonly Waiter[],
): Map<number, Wait> {
  // Who waits for a row waits for the transaction that changed it, and holds or wants the row's own lock meanwhile.
  const rowRelations = new Map<number, string>()
  for (const { target, pids } of table.groups) {
    if (target.locktype !== 'tuple' || target.relationName === null) continue
    for (const pid of pids) rowRelations.set(pid, target.relationName)
  }
  const waits = new Map<number, Wait>()
  for (const { pid, mode, start, at } of waiters) {
    const relationName =
      at.target.relationName ??
      (at.target.locktype === 'transactionid' ? (rowRelations.get(pid) ?? null) : null)
    const ago = (since: number) => Math.max(0, table.readAt - since)
    const since = table.waitingSince?.get(pid) ?? start
    waits.set(pid, {
      ...{ pid, target: at.target, mode: modes[mode] ?? 'SafeSnapshot', relationName },
      seconds: since === null ? null : ago(since),
      ...(since === start ? {} : { sinceHandOver: ago(start ?? table.readAt) }),
    })
  }
  // A leader that does not wait itself waits with its longest-waiting worker.
  const workers = new Set(
    sessions.filter((session) => session.leaderPid !== null).map((session) => session.pid),
  )
  for (const { pid, party } of waiters) {
    const wait = waits.get(pid)
    const shown = waits.get(party)
    if (wait === undefined || !workers.has(pid) || shown?.pid === party) continue
    if (shown === undefined || (wait.seconds ?? -1) > (shown.seconds ?? -1)) waits.set(party, wait)
  }
  return waits
}

function findRoots(graph: Graph, table: LockTable, waits: ReadonlyMap<number, Wait>): Root[] {
  type Behind = Pick<Root, 'victims' | 'oldestWaitSeconds' | 'wait'>
  // Holders of one mode on one target block the same victims: many readers before one ALTER TABLE are looked up once.
  const known = new Map<string, Behind | null>()
  const roots: Root[] = []
  for (const [index, party] of graph.party.entries()) {
    const into = graph.into[index] ?? []
    if (party === null || into.length === 0 || (graph.out[index]?.length ?? 0) > 0) continue
    const key = into.join()
    let behind = known.get(key)
    if (behind === undefined) {
      behind = whatWaitsBehind(graph, index, waits)
      known.set(key, behind)
    }
    if (behind === null) continue
    const prepared = party < 0 ? (table.prepared.find((one) => Number(one.xid) === -party) ?? null) : null
    const kind = party > 0 ? 'session' : 'preparedTransaction'
    roots.push({ pid: Math.max(party, 0), kind, prepared, ...behind })
  }
  return roots.sort(
    (a, b) =>
      b.victims.length - a.victims.length ||
      (b.oldestWaitSeconds ?? -1) - (a.oldestWaitSeconds ?? -1) ||
      a.pid - b.pid,
  )
}

function whatWaitsBehind(
  graph: Graph,
  root: number,
  waits: ReadonlyMap<number, Wait>,
): Pick<Root, 'victims' | 'oldestWaitSeconds' | 'wait'> | null {
  // A root stands in no queue, so what points at it is a waiter, or the junction of holders that waiters point at.
  const direct = (graph.into[root] ?? [])
    .flatMap((from) => (graph.waiter[from] ? [from] : (graph.into[from] ?? [])))
    .flatMap((from) => waits.get(graph.waiter[from]?.pid ?? 0) ?? [])
  const [wait] = direct.sort(longestFirst)
  if (wait === undefined) return null

  const victims = victimsBehind(graph, root, waits)
  return {
    victims: victims.map(({ party }) => party),
    oldestWaitSeconds: victims[0]?.wait.seconds ?? null,
    wait,
  }
}

type VictimWait = { readonly party: Party; readonly wait: Wait }

const longestFirst = (a: Wait, b: Wait) => (b.seconds ?? -1) - (a.seconds ?? -1) || a.pid - b.pid

/** Every party that waits behind a node of the graph (-1: that is not in it), longest wait first. */
function victimsBehind(graph: Graph, node: number, waits: ReadonlyMap<number, Wait>): VictimWait[] {
  if (node < 0) return []
  const seen = new Uint8Array(graph.out.length)
  seen[node] = 1
  const found = [node]
  const victims: VictimWait[] = []
  // An array hands out what is added while it is walked.
  for (const at of found) {
    for (const from of graph.into[at] ?? []) {
      if (seen[from]) continue
      seen[from] = 1
      found.push(from)
    }
    const party = graph.party[at] ?? null
    const wait = party === null || at === node ? undefined : waits.get(party)
    if (party !== null && wait) victims.push({ party, wait })
  }
  return victims.sort((a, b) => longestFirst(a.wait, b.wait))
}
