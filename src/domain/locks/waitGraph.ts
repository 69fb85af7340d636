import { type Contended, conflictsOf, directBlockers, modes, type Party, type Waiter } from './queue.ts'

/** Nodes are numbers. A node is a party, a waiter, or a junction that bundles edges. */
export type Graph = {
  readonly out: number[][]
  readonly into: number[][]
  readonly party: (Party | null)[]
  readonly waiter: (Waiter | null)[]
}

/**
 * An edge points at what is waited for: party → its waiting members → junctions → parties. Two kinds of junction keep
 * the number of edges linear: "all holders of this mode here", and "all who asked for this mode up to this place in
 * the queue", which is a chain along the queue.
 */
export function connect(
  contended: readonly Contended[],
  waiters: readonly Waiter[],
  asked: (waiter: Waiter) => Party[] | null,
): Graph {
  const graph: Graph = { out: [], into: [], party: [], waiter: [] }
  const node = (party: Party | null, waiter: Waiter | null): number => {
    graph.party.push(party)
    graph.waiter.push(waiter)
    graph.into.push([])
    return graph.out.push([]) - 1
  }
  const edge = (from: number, to: number) => {
    graph.out[from]?.push(to)
    graph.into[to]?.push(from)
  }
  const parties = new Map<Party, number>()
  const partyNode = (party: Party): number => {
    const known = parties.get(party)
    if (known !== undefined) return known
    const made = node(party, null)
    parties.set(party, made)
    return made
  }
  const waiterNode = (waiter: Waiter): number => {
    const made = node(null, waiter)
    edge(partyNode(waiter.party), made)
    return made
  }

  for (const at of contended) {
    const holderJunctions = new Map<number, number>()
    const chain = new Map<number, number>()
    const queuedBy = new Map<Party, number>()
    for (const waiter of at.queue) {
      const from = waiterNode(waiter)
      const wanted = conflictsOf(waiter.mode)
      const own = (at.heldBy.get(waiter.party) ?? 0) | (queuedBy.get(waiter.party) ?? 0)
      const said = asked(waiter)
      if (said !== null || (own & wanted) !== 0) {
        // A junction would make it wait for itself. Rare: of two that want to upgrade the same lock the server refuses one.
        for (const blocker of said ?? directBlockers(waiter)) edge(from, partyNode(blocker))
      } else {
        for (let mode = 0; mode < modes.length; mode++) {
          if ((wanted & (1 << mode)) === 0) continue
          const holders = at.holders[mode] ?? []
          if (holders.length > 0) {
            let junction = holderJunctions.get(mode)
            if (junction === undefined) {
              junction = node(null, null)
              holderJunctions.set(mode, junction)
              for (const holder of holders) edge(junction, partyNode(holder))
            }
            edge(from, junction)
          }
          const ahead = chain.get(mode)
          if (ahead !== undefined) edge(from, ahead)
        }
      }
      const link = node(null, null)
      edge(link, partyNode(waiter.party))
      const previous = chain.get(waiter.mode)
      if (previous !== undefined) edge(link, previous)
      chain.set(waiter.mode, link)
      queuedBy.set(waiter.party, (queuedBy.get(waiter.party) ?? 0) | (1 << waiter.mode))
    }
  }
  for (const waiter of waiters) {
    if (waiter.mode >= 0) continue
    const from = waiterNode(waiter)
    for (const blocker of asked(waiter) ?? []) edge(from, partyNode(blocker))
  }
  return graph
}

/** Parties that wait for each other: the strongly connected components with more than one (Tarjan, without recursion). */
export function findCycles(graph: Graph): number[][] {
  const size = graph.out.length
  const order = new Int32Array(size).fill(-1)
  const low = new Int32Array(size)
  const next = new Int32Array(size)
  const onStack = new Uint8Array(size)
  const stack: number[] = []
  const cycles: number[][] = []
  let count = 0
  for (let start = 0; start < size; start++) {
    if (order[start] !== -1) continue
    const path = [start]
    while (path.length > 0) {
      const at = path[path.length - 1] ?? 0
      if (order[at] === -1) {
        order[at] = low[at] = count++
        stack.push(at)
        onStack[at] = 1
      }
      const to = graph.out[at]?.[next[at] ?? 0]
      if (to !== undefined) {
        next[at] = (next[at] ?? 0) + 1
        if (order[to] === -1) path.push(to)
        else if (onStack[to]) low[at] = Math.min(low[at] ?? 0, order[to] ?? 0)
        continue
      }
      path.pop()
      const parent = path[path.length - 1]
      if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[at] ?? 0)
      if (low[at] !== order[at]) continue
      const members = stack.splice(stack.lastIndexOf(at))
      for (const member of members) onStack[member] = 0
      const parties = members.flatMap((member) => graph.party[member] ?? [])
      if (parties.length > 1) cycles.push(parties.sort((a, b) => a - b))
    }
  }
  return cycles.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))
}
