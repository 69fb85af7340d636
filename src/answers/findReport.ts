import { clustersMeant } from '../commands/cluster.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Tables } from '../store/store.ts'
import { shortId } from '../views/card/card.ts'

/** Incident that a report was asked of, and the last ones beside it; or a sentence why there is none. */
export type Chosen =
  | { readonly incident: Incident; readonly others: readonly Incident[] }
  | { readonly problem: string; readonly others: readonly Incident[] }

/** Other incidents that an answer names. */
const mostOthers = 5

/**
 * Finds the incident that is meant: by the beginning of its id or of that of its card, else the newest one.
 * @param named null: the newest
 * @param seen clusters that the reader may see
 */
export async function findIncident(
  incidents: Tables['incidents'],
  named: string | null,
  cluster: string | undefined,
  seen: readonly string[],
): Promise<Chosen> {
  const meant = clustersMeant(cluster, seen)
  if ('problem' in meant) return { problem: meant.problem, others: [] }
  const latest = await incidents.latest(meant, mostOthers + 1)
  const found = named === null ? latest.slice(0, 1) : await incidents.like(named)
  const those = found.filter((one) => meant.includes(one.cluster))
  const exact = those.filter(({ id }) => named !== null && id.startsWith(named))
  const [incident, ...more] = exact.length > 0 ? exact : those
  const others = latest.filter(({ id }) => id !== incident?.id).slice(0, mostOthers)
  if (!incident)
    return {
      problem:
        named === null
          ? 'There is no incident to report yet.'
          : `There is no incident \`${shortId(named)}\` that you may see: its id stands at the foot of its card and in \`/pg history\`.`,
      others: latest.slice(0, mostOthers),
    }
  return more.length > 0
    ? { problem: `Several incidents have this id or stand on this card: name one of them.`, others: those }
    : { incident, others }
}
