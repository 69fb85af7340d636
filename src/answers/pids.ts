import type { WatchedCluster } from '../commands/cluster.ts'
import { attempt } from '../postgres/cluster.ts'
import { type FoundOn, pidsView } from '../views/answers/pids.ts'
import type { View } from '../views/kit.ts'

/** So many clusters are asked at a time. */
const mostAtOnce = 10

/** Looks for these process ids on each of the clusters, and shows what they do there. */
export async function answerPids(
  pids: readonly number[],
  clusters: readonly WatchedCluster[],
): Promise<View> {
  const found: FoundOn[] = []
  for (let next = 0; pids.length > 0 && next < clusters.length; next += mostAtOnce)
    found.push(...(await Promise.all(clusters.slice(next, next + mostAtOnce).map((one) => look(one, pids)))))
  return pidsView({ pids, found, several: clusters.length > 1 })
}

const look = ({ cluster, config: { name } }: WatchedCluster, pids: readonly number[]): Promise<FoundOn> =>
  attempt(
    async () => {
      const sessions = (await cluster.look(pids)).filter(({ pid }) => !cluster.isOwn(pid))
      const withText = await attempt(
        () => cluster.withText(sessions),
        () => sessions,
      )
      return { cluster: name, sessions: withText, failure: null }
    },
    ({ reason }) => ({ cluster: name, sessions: [], failure: reason }),
  )
