import type { WatchedCluster } from '../commands/cluster.ts'
import type { Cards } from '../notify/cards.ts'
import type { Proposals } from '../store/proposals.ts'
import { describeNow, writeOutcome } from './execute.ts'

/**
 * After a crash: proposals that were claimed and never got an outcome. Whether their signal went out nobody can know,
 * so it is never sent again; the card says so, and how the session looks now.
 */
export async function reconcile(deps: {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, WatchedCluster>
}): Promise<void> {
  for (const claimed of await deps.proposals.inState('claimed')) {
    const watched = deps.clusters.get(claimed.key.cluster)
    const now = watched
      ? await describeNow(watched.cluster, claimed)
      : `Cluster ${claimed.key.cluster} is not configured any more.`
    await writeOutcome(deps.cards, claimed, { outcome: { kind: 'unknown', now }, sql: null, returned: null })
  }
}
