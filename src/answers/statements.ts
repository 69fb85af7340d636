import type { WatchedCluster } from '../commands/cluster.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { jamRecommendations } from '../domain/locks/recommendation.ts'
import type { Jam } from '../domain/locks/tree.ts'
import { type Session, sessionsByPid } from '../domain/session/session.ts'
import { attempt, type Cluster } from '../postgres/cluster.ts'
import { withStatements } from '../postgres/withStatements.ts'
import type { Advice } from '../views/answers/options.ts'
import { truncate } from '../views/kit.ts'
import { shortNameAndPid } from '../views/words.ts'

/** A cluster by its statements, of now or of the past. */
export type WithStatements = Pick<WatchedCluster, 'config'> & { readonly cluster: Pick<Cluster, 'withText'> }

/** Length of each statement in a list. */
export const shortStatement = 400

/** Statements by pid: worth showing, but not worth an answer without the rest. */
export async function textsOf(
  cluster: Pick<Cluster, 'withText'>,
  sessions: readonly Session[],
): Promise<Map<number, string | null>> {
  const withTexts = await attempt(
    () => cluster.withText(sessions, shortStatement),
    () => [],
  )
  return new Map(withTexts.map(({ pid, query }) => [pid, query]))
}

/**
 * Finds the least costly way to end each of these jams, and describes it with the statements of the sessions: "ALTER
 * TABLE" says more than "asks for AccessExclusiveLock".
 */
export async function recommendFor(
  { cluster, config }: WithStatements,
  picture: Picture,
  jams: readonly Jam[],
): Promise<Advice[]> {
  const { sessions } = picture.snapshot
  const rough = jamRecommendations(picture, config.protected)
  const named = new Set(jams.flatMap((jam) => rough(jam)?.named ?? []))
  const described = await attempt(
    () => withStatements(cluster, sessions, named, shortStatement),
    () => sessions,
  )
  const recommendation = jamRecommendations(picture, config.protected, described)
  const byPid = sessionsByPid(sessions)
  return jams.flatMap((jam) => {
    const root = jam.root && byPid.get(jam.root.pid)
    const advice = recommendation(jam)
    return advice ? [{ ...advice, whose: root ? shortNameAndPid(root) : preparedWords(jam) }] : []
  })
}

const preparedWords = ({ root }: Jam): string | null =>
  root?.prepared ? `prepared transaction ${truncate(root.prepared.gid, 40)}` : null
