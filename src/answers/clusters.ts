import type { WatchedCluster } from '../commands/cluster.ts'
import { type ClusterStatus, clustersView } from '../views/answers/clusters.ts'
import type { View } from '../views/kit.ts'
import { openOn, type Past } from './openCards.ts'

/** Finds the name of the replica that watches a cluster; null where one process watches all. */
export type WatcherOf = (cluster: string) => string | null

/**
 * Shows every watched cluster, and the cards of those that cannot be seen.
 * @param part what the names contain; null for all
 * @param seen the clusters whose cards the reader may see
 */
export async function answerClusters(
  clusters: readonly WatchedCluster[],
  {
    part,
    past,
    seen,
    statusOf,
    watcherOf,
    now,
  }: {
    readonly part: string | null
    readonly past: Past | null
    readonly seen: readonly WatchedCluster[]
    readonly statusOf: (watched: WatchedCluster) => Promise<ClusterStatus>
    readonly watcherOf: WatcherOf
    readonly now: () => number
  },
): Promise<View> {
  const all = await Promise.all(clusters.map(statusOf))
  const readable = new Set(seen.map(({ config }) => config.name))
  const cards = new Map<string, string | null>()
  for (const status of all) {
    if (!past || !('reason' in status) || !readable.has(status.name)) continue
    const blind = (await openOn(past, status.name)).find(
      ({ incident }) => incident?.finding.kind === 'unreachable',
    )
    if (blind?.incident) cards.set(status.name, await past.linkTo(blind.incident.cardId))
  }
  return clustersView(all, { cards, part, watcherOf, now: now() })
}
