import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { guardOf } from '../domain/approvals/approvedState.ts'
import { sessionKeyOf } from '../domain/session/session.ts'
import type { Cards } from '../notify/cards.ts'
import { signalStatement } from '../postgres/signalStatement.ts'
import type { Store } from '../store/store.ts'
import type { CardState } from '../views/card/cardState.ts'
import { detailsModal } from '../views/card/details.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'

/** Reads all that stands behind the button "Details" of a card, for who may see its cluster. */
export type ReadDetails = (
  caller: Caller,
  cardId: string,
) => Promise<{ readonly refusal: Refusal } | { readonly modal: ReturnType<typeof detailsModal> }>

/** So many rows of the journal are looked through. */
const mostRows = 40

export function createReadDetails(deps: {
  readonly cards: Pick<Cards, 'state'>
  readonly store: Pick<Store, 'journal'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly now: () => number
}): ReadDetails {
  const { cards, store, clusters, authorization, now } = deps
  return async (caller, cardId) => {
    const entry = { caller, where: 'button pg_details' }
    const card = await cards.state(cardId)
    const watched = card && clusters.get(card.cluster)
    if (!watched) return { refusal: await authorization.refuse(entry, unknownButton) }
    const refusal = await authorization.authorize(entry, watched.config.access.viewers, false)
    if (refusal) return { refusal }
    const modal = detailsModal({
      card,
      history: await store.journal.ofCards([cardId], mostRows),
      sql: sqlOf(card),
      now: now(),
    })
    return { modal }
  }
}

/** Writes the statement that ends the session of a card: what an approval sends, else what one would send. */
function sqlOf({ cluster, incident, proposals }: CardState): string | null {
  const latest = proposals.at(-1)
  const target = incident?.recommendation?.target
  const guard =
    latest?.state === 'open'
      ? guardOf(latest)
      : target &&
        guardOf({ ...target, key: sessionKeyOf(cluster, target.session), victims: [], requestedBy: null })
  return guard ? `${signalStatement(guard).sql};` : null
}
