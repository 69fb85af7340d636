import { eachOf } from '../domain/approvals/bulk.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import { subjectOf } from '../domain/incidents/finding.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { worstFirst } from '../domain/incidents/severity.ts'
import { storeFailureOf } from '../store/failure.ts'
import type { Tables } from '../store/store.ts'
import type { OpenCard } from '../views/answers/actions.ts'
import { titleOf } from '../views/card/headline.ts'

/** Memory that answers look into, and the way to a card in Slack. */
export type Past = Pick<Tables, 'journal' | 'proposals' | 'incidents'> & {
  linkTo(cardId: string): Promise<string | null>
}

/** An open incident with its card, or a request by hand, which is about no incident. */
export type Open = { readonly incident: Incident | null; readonly proposals: readonly Proposal[] }

/** Finds what is open on a cluster, worst first. Nothing where there is no store, or it cannot be read: an answer goes without. */
export async function openOn(past: Past | null, cluster: string): Promise<Open[]> {
  if (!past) return []
  try {
    const incidents = (await past.incidents.open(cluster)).sort(worstFirst)
    const waiting = (await past.proposals.inState('open')).filter(({ key }) => key.cluster === cluster)
    const ofIncident = new Set(incidents.map(({ id }) => id))
    return [
      ...incidents.map((incident) => ({
        incident,
        proposals: waiting.filter(({ cardId }) => cardId === incident.id),
      })),
      ...waiting
        .filter(({ cardId }) => !ofIncident.has(cardId))
        .map((proposal) => ({ incident: null, proposals: [proposal] })),
    ]
  } catch (error) {
    if (storeFailureOf(error) === null) throw error
    return []
  }
}

/** Names the card of what is open. */
export async function cardOf(past: Past, cluster: string, { incident, proposals }: Open): Promise<OpenCard> {
  const cardId = incident?.cardId ?? proposals[0]?.cardId ?? ''
  return {
    cardId,
    hasDetails: incident === null || incident.cardId === incident.id,
    title: titleOf({ cluster, incident, proposals }),
    beganAt: incident?.beganAt ?? null,
    link: await past.linkTo(cardId),
    sessions: sessionsIn({ incident, proposals }),
  }
}

/** Lists the sessions that this is about: who makes the trouble, and whom it would help to end. */
export function sessionsIn({ incident, proposals }: Open): OpenCard['sessions'] {
  const about = incident && [subjectOf(incident.finding), incident.recommendation?.target?.session]
  return [
    ...(about ?? []).flatMap((session) => session ?? []),
    ...proposals.flatMap(eachOf).map(({ key }) => key),
  ].map(({ pid, backendStart }) => ({ pid, backendStart }))
}

/** True where somebody is asked for an approval. */
export const isPending = ({ proposals }: Open): boolean => proposals.some(({ state }) => state === 'open')
