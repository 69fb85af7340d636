import type { ClusterConfig } from '../config/config.ts'
import { isByHand } from '../domain/approvals/proposal.ts'
import { hasOwnCard } from '../domain/incidents/incident.ts'
import { callsAnybody } from '../domain/incidents/ladder.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'
import { storeFailureOf } from '../store/failure.ts'
import { LeaseLost } from '../store/replicas.ts'
import type { Store } from '../store/store.ts'

/** Cluster for which this process makes the calls, and the cards on which it writes them down. */
export type CalledCluster = { readonly config: ClusterConfig; readonly cards: Pick<Cards, 'call'> }

/**
 * Makes the calls that are due by the time: for open incidents, and for what was requested by hand. What was missed while
 * nobody looked is made up for, so it begins when what is open has been looked at. A card that cannot be read keeps no other
 * one from its call.
 * @param clusters those that have been looked at
 */
export async function callDue({
  store,
  clusters,
  log,
}: {
  readonly store: Pick<Store, 'incidents' | 'proposals'>
  readonly clusters: readonly CalledCluster[]
  readonly log: Log
}): Promise<void> {
  const calling = new Map(
    clusters.filter(({ config }) => callsAnybody(config.notify)).map((one) => [one.config.name, one.cards]),
  )
  if (calling.size === 0) return
  const incidents = (await store.incidents.openOutside([])).filter(hasOwnCard)
  const requests = (await store.proposals.inState('open')).filter((one) => isByHand(one))
  const clusterOf = new Map([
    ...requests.map(({ cardId, key }) => [cardId, key.cluster] as const),
    ...incidents.map(({ cardId, cluster }) => [cardId, cluster] as const),
  ])
  for (const [cardId, cluster] of clusterOf)
    try {
      await calling.get(cluster)?.call(cardId)
    } catch (error) {
      if (storeFailureOf(error) !== null) throw error
      if (!(error instanceof LeaseLost)) log.error({ err: error, card: cardId }, 'a call could not be made')
    }
}
