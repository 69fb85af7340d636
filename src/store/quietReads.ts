import type { Incidents } from './incidents.ts'
import type { Proposals } from './proposals.ts'
import type { Silences } from './silences.ts'
import type { Store } from './store.ts'

/**
 * Makes the reads of the watchers cheap while nothing happens: what found nothing is not asked again before something was
 * written. Hundreds of clusters ask the same at each of their looks, and mostly there is nothing.
 * @param version another one for each change of the store
 */
export function quietReads<S extends Pick<Store, 'incidents' | 'proposals' | 'silences'>>(
  store: S,
  version: () => string,
): S {
  let of = ''
  /** By question: from which time on nothing was found, in the version at hand. */
  const nothing = new Map<string, number>()

  /** @param since what is older was not asked for */
  const unlessNothing = async <T>(question: string, since: number, ask: () => Promise<T[]>): Promise<T[]> => {
    const now = version()
    if (now !== of) nothing.clear()
    of = now
    if (since >= (nothing.get(question) ?? Number.POSITIVE_INFINITY)) return []
    const found = await ask()
    // Something may have been written while it was asked.
    if (found.length === 0 && version() === now && of === now) nothing.set(question, since)
    return found
  }

  const incidents: Incidents = {
    ...store.incidents,
    open: (cluster) => unlessNothing(`open ${cluster}`, 0, () => store.incidents.open(cluster)),
    recent: (cluster, since) =>
      unlessNothing(`recent ${cluster}`, since, () => store.incidents.recent(cluster, since)),
  }
  const proposals: Proposals = {
    ...store.proposals,
    inState: (state) => unlessNothing(state, 0, () => store.proposals.inState(state)),
    doneSince: (since) => unlessNothing('done since', since, () => store.proposals.doneSince(since)),
    decidedSince: (since) => unlessNothing('decided since', since, () => store.proposals.decidedSince(since)),
  }
  const silences: Silences = {
    ...store.silences,
    ofCluster: (cluster) => unlessNothing(`silences ${cluster}`, 0, () => store.silences.ofCluster(cluster)),
  }
  return { ...store, incidents, proposals, silences }
}
