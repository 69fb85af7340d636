import type { Session } from '../domain/session/session.ts'
import { attempt, type Cluster } from '../postgres/cluster.ts'

/** How much of each statement a list needs. */
export const shortStatement = 400

/** Statements by pid: worth showing, but not worth an answer without the rest. */
export async function textsOf(
  cluster: Cluster,
  sessions: readonly Session[],
): Promise<Map<number, string | null>> {
  const told = await attempt(
    () => cluster.withText(sessions, shortStatement),
    () => [],
  )
  return new Map(told.map(({ pid, query }) => [pid, query]))
}
