import type { WatchedCluster } from '../commands/cluster.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { type JamRecommendation, jamRecommendations } from '../domain/locks/recommendation.ts'
import type { Jam } from '../domain/locks/tree.ts'
import { textsOf } from './statements.ts'

/**
 * What would end each of these jams at the least cost, told with the statements of those concerned: "ALTER TABLE" says more
 * than "asks for AccessExclusiveLock".
 */
export async function recommendFor(
  { cluster, config }: WatchedCluster,
  picture: Picture,
  jams: readonly Jam[],
): Promise<JamRecommendation[]> {
  const { sessions } = picture.snapshot
  const rough = jamRecommendations(picture, config.protected)
  const named = new Set(jams.flatMap((jam) => rough(jam)?.named ?? []))
  const texts = await textsOf(
    cluster,
    sessions.filter(({ pid }) => named.has(pid)),
  )
  const told = sessions.map((session) => ({ ...session, query: texts.get(session.pid) ?? session.query }))
  const adviceFor = jamRecommendations(picture, config.protected, told)
  return jams.flatMap((jam) => adviceFor(jam) ?? [])
}
