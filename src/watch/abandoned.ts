import { bot } from '../domain/approvals/journal.ts'
import { withdraw } from '../domain/approvals/transitions.ts'
import { resolve } from '../domain/incidents/incident.ts'
import { advance } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import type { Store } from '../store/store.ts'

/**
 * Closes the incidents of clusters that were taken out of the configuration, and takes back what was requested by hand
 * there: nobody follows them any more, and their cards must not go on showing trouble, or offer to end it.
 * @param clusters the names of those that are configured
 */
export async function closeAbandoned(deps: {
  readonly cards: Cards
  readonly store: Store
  readonly clusters: readonly string[]
  readonly now: () => number
}): Promise<void> {
  const { cards, store, clusters, now } = deps
  for (const incident of await store.incidents.openOutside(clusters)) {
    const reason = `Cluster ${incident.cluster} is not configured any more, so nobody watches it.`
    await cards.commit(incident.cardId, async (tx) => {
      await tx.incidents.put(resolve(incident, now(), reason))
      for (const proposal of await tx.proposals.ofCard(incident.id))
        if (proposal.state === 'open') await advance(tx, proposal, withdraw(proposal, notWatched))
      await tx.record({ kind: 'incidentResolved', actor: bot, what: reason })
    })
  }
  for (const open of await store.proposals.inState('open'))
    if (!clusters.includes(open.key.cluster))
      await cards.commit(open.cardId, (tx) => advance(tx, open, withdraw(open, notWatched)))
}

const notWatched = 'nobody watches its cluster'
