/** A process of the bot that works on a store, perhaps beside others. */
export type Member = {
  readonly id: string
  /** Clusters of its configuration. */
  readonly clusters: readonly string[]
}

/** Name of the lease for the work for all: bringing what there is to say to Slack and other receivers, and what comes with the time. */
export const deskLease = 'desk'
/** Name of the lease for watching a cluster. */
export const clusterLease = (cluster: string): string => `cluster:${cluster}`
/** Finds the cluster of a lease; null for another lease. */
export const clusterOfLease = (lease: string): string | null => /^cluster:(.*)$/s.exec(lease)?.[1] ?? null

/** Holder of something that one replica does at a time; null: nobody who lives. */
export type Holders = ReadonlyMap<string, string | null>

/**
 * Shares the clusters among the replicas: each to one that knows it, and evenly, so that of two that know the same the counts
 * differ by one at most. What somebody has stays there, as far as that goes. Everybody who sees the same comes to the same.
 * @returns the id of the replica for each cluster; a cluster that no replica knows is not among them
 */
export function share(members: readonly Member[], holders: Holders): Map<string, string> {
  const knows = new Map(members.map(({ id, clusters }) => [id, new Set(clusters)]))
  const clusters = [...new Set(members.flatMap((member) => member.clusters))].sort()
  // Of two that are equally busy the first by name: the sorts below keep this order.
  const ids = members.map(({ id }) => id).sort()
  const candidatesOf = (cluster: string) => ids.filter((id) => knows.get(id)?.has(cluster))
  const load = new Map(members.map(({ id }) => [id, new Set<string>()]))
  const of = (id: string): Set<string> => load.get(id) ?? new Set()
  const leastBusy = (some: readonly string[]) => some.toSorted((a, b) => of(a).size - of(b).size)[0]

  const free: string[] = []
  for (const cluster of clusters) {
    const holder = holders.get(cluster)
    if (holder != null && knows.get(holder)?.has(cluster)) of(holder).add(cluster)
    else free.push(cluster)
  }
  for (const cluster of free) {
    const taker = leastBusy(candidatesOf(cluster))
    if (taker !== undefined) of(taker).add(cluster)
  }
  // Each move makes the counts more even, so it ends.
  for (let moved = true; moved; ) {
    moved = false
    // The busiest first: another one could have to take back what it gave.
    for (const giver of ids.toSorted((a, b) => of(b).size - of(a).size))
      for (const cluster of [...of(giver)].sort().reverse()) {
        const taker = leastBusy(candidatesOf(cluster))
        if (taker === undefined || of(giver).size - of(taker).size < 2) continue
        of(giver).delete(cluster)
        of(taker).add(cluster)
        moved = true
      }
  }
  return new Map([...load].flatMap(([id, has]) => [...has].map((cluster) => [cluster, id] as const)))
}

/** Chooses who does what one replica does for all: whoever has it, or else the first. Null: there is none. */
export const chosen = (members: readonly Member[], holder: string | null): string | null => {
  const ids = members.map(({ id }) => id).sort()
  return holder !== null && ids.includes(holder) ? holder : (ids[0] ?? null)
}

/**
 * Time for which a replica that says nothing keeps what it has: it is taken over within two intervals, and not for one that is
 * slow for a moment.
 * @param everyMs intervals at which the clusters are looked at
 * @returns milliseconds
 */
export const holdFor = (everyMs: readonly number[]): number =>
  Math.min(10_000, Math.max(1500, 1.4 * Math.min(...everyMs)))
