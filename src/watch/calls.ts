import type { ClusterConfig } from '../config/config.ts'
import { requestersOf } from '../domain/approvals/proposal.ts'
import { hasOwnCard } from '../domain/incidents/incident.ts'
import { callsAnybody } from '../domain/incidents/ladder.ts'
import type { Cards } from '../notify/cards.ts'
import type { Store } from '../store/store.ts'

/**
 * Makes the calls that are due by the time, of one cluster: for its open incidents, and for what was requested by hand. What
 * was missed while nobody looked is made up for, so it begins when what is open has been looked at.
 */
export async function callDue({
  cards,
  store,
  config,
}: {
  readonly cards: Pick<Cards, 'call'>
  readonly store: Pick<Store, 'incidents' | 'proposals'>
  readonly config: ClusterConfig
}): Promise<void> {
  if (!callsAnybody(config.notify)) return
  const incidents = (await store.incidents.open(config.name)).filter(hasOwnCard)
  const requests = (await store.proposals.inState('open')).filter(
    (one) => one.key.cluster === config.name && requestersOf(one).length > 0,
  )
  for (const cardId of new Set([...incidents, ...requests].map(({ cardId }) => cardId)))
    await cards.call(cardId)
}
