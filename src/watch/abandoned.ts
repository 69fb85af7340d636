import { bot } from '../domain/approvals/journal.ts'
import { resolve } from '../domain/incidents/incident.ts'
import type { Cards } from '../notify/cards.ts'
import type { Store } from '../store/store.ts'
import { withdrawProposal } from './proposals.ts'

/**
 * Closes the incidents of clusters that were taken out of the configuration, and takes back what was asked for by hand
 * there: nobody follows them any more, and their cards must not go on telling of trouble, or offer to end it.
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
    await cards.change(incident.cardId, async ({ incidents, proposals }, record) => {
      await incidents.put(resolve(incident, now(), reason))
      for (const proposal of await proposals.ofCard(incident.id))
        if (proposal.state === 'open') await withdrawProposal(proposals, record, proposal, notWatched)
      await record({ kind: 'incidentResolved', actor: bot, what: reason })
    })
  }
  for (const open of await store.proposals.inState('open'))
    if (!clusters.includes(open.key.cluster))
      await cards.change(open.cardId, ({ proposals }, record) =>
        withdrawProposal(proposals, record, open, notWatched),
      )
}

const notWatched = 'nobody watches its cluster'
