import { type Session, sessionsByPid } from '../domain/session/session.ts'
import type { Cluster } from './cluster.ts'

/** Adds their statements to the sessions with one of these pids. Throws ClusterError. */
export async function withStatements(
  cluster: Pick<Cluster, 'withText'>,
  sessions: readonly Session[],
  pids: ReadonlySet<number>,
  maxLength?: number,
): Promise<Session[]> {
  const withTexts = await cluster.withText(
    sessions.filter(({ pid }) => pids.has(pid)),
    maxLength,
  )
  const byPid = sessionsByPid(withTexts)
  return sessions.map((session) => byPid.get(session.pid) ?? session)
}
