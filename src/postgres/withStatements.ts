import { type Session, sessionsByPid } from '../domain/session/session.ts'
import type { Cluster } from './cluster.ts'

/** All these sessions, those with one of these pids with their statements. Throws ClusterError. */
export async function withStatements(
  cluster: Pick<Cluster, 'withText'>,
  sessions: readonly Session[],
  pids: ReadonlySet<number>,
  maxLength?: number,
): Promise<Session[]> {
  const told = await cluster.withText(
    sessions.filter(({ pid }) => pids.has(pid)),
    maxLength,
  )
  const byPid = sessionsByPid(told)
  return sessions.map((session) => byPid.get(session.pid) ?? session)
}
