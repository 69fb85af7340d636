import type { Session } from '../domain/session/session.ts'
import { type Cluster, ClusterError } from '../postgres/cluster.ts'

/** How much of each statement a list needs. */
export const shortStatement = 400

/** Statements by pid: worth showing, but not worth an answer without the rest. */
export const textsOf = async (
  cluster: Cluster,
  sessions: readonly Session[],
): Promise<Map<number, string | null>> =>
  sessions.length === 0
    ? new Map()
    : new Map(
        (await orElse(() => cluster.withText(sessions, shortStatement), [])).map(({ pid, query }) => [
          pid,
          query,
        ]),
      )

export async function orElse<T>(ask: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    return otherwise
  }
}
