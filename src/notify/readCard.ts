import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Notify } from '../domain/incidents/ladder.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import type { Access, Approvals, Protected } from '../domain/session/policy.ts'
import type { Tables } from '../store/store.ts'

/** Settings of the cards of a cluster: the channel, who may approve, how many people an action needs, and whether there is a last resort. */
export type CardSettings = {
  readonly channel: string
  readonly approvals: Approvals
  readonly access: Pick<Access, 'approvers'>
  readonly notify: Notify
  readonly host: 'local' | null
  readonly protected: readonly Protected[]
}

/** All that is remembered about one card. */
export type Card = {
  readonly cardId: string
  readonly cluster: string
  /** Null where the cluster is not configured any more. */
  readonly settings: CardSettings | null
  /** The incident that has this card; or all that a digest ever listed, oldest first. */
  readonly incidents: readonly Incident[]
  /** The first of them; null for a card that began with a proposal made by hand. */
  readonly incident: Incident | null
  /** Every proposal that was made on it, oldest first. */
  readonly proposals: readonly Proposal[]
  /** Silences of the clusters of these incidents, as long as they last. */
  readonly silences: readonly Silence[]
}

export type ReadCard = (
  tables: Pick<Tables, 'incidents' | 'proposals' | 'silences'>,
  cardId: string,
  incidents?: readonly Incident[],
) => Promise<Card | null>

/** Reads what is remembered about a card, once for all that is decided from it; null where there is no such card. */
export const createReadCard =
  ({
    cardSettings,
    now,
  }: {
    readonly cardSettings: ReadonlyMap<string, CardSettings>
    readonly now: () => number
  }): ReadCard =>
  async (tables, cardId, known) => {
    const incidents = known ?? (await tables.incidents.ofCard(cardId))
    const [incident = null] = incidents
    const proposals = await tables.proposals.ofCard(cardId)
    const cluster = incident?.cluster ?? proposals[0]?.key.cluster
    if (!cluster) return null
    const silences: Silence[] = []
    for (const one of new Set([cluster, ...incidents.map((one) => one.cluster)]))
      silences.push(...(await tables.silences.ofCluster(one)).filter(({ until }) => until > now()))
    const settings = cardSettings.get(cluster) ?? null
    return { cardId, cluster, settings, incidents, incident, proposals, silences }
  }
