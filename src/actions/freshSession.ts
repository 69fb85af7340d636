import type { Refusal } from '../domain/approvals/access.ts'
import type { Victim } from '../domain/approvals/outcome.ts'
import { victimsAmong } from '../domain/approvals/proposal.ts'
import { type Picture, pictureOf } from '../domain/locks/picture.ts'
import { poolerBefore } from '../domain/session/pooler.ts'
import type { Session } from '../domain/session/session.ts'
import type { Server } from '../domain/session/snapshot.ts'
import { type Cluster, ClusterError } from '../postgres/cluster.ts'

/** A session as it is now, and what has to be known to act on it. */
export type FreshSession = {
  readonly session: Session
  readonly server: Server
  readonly victims: readonly Victim[]
  readonly pooled: boolean
  /** The whole look. */
  readonly picture: Picture
}

/** Looks at one session: with its statement, and with those who wait behind it. */
export async function readSession(cluster: Cluster, pid: number): Promise<FreshSession | Refusal> {
  try {
    const snapshot = await cluster.snapshot()
    const found = snapshot.sessions.find((session) => session.pid === pid)
    if (!found && cluster.isOwn(pid)) return { code: 'untouchable', reason: `${pid} is my own connection` }
    if (!found) return noSession(pid)
    const [session] = await cluster.withText([found])
    if (!session) return noSession(pid)
    const picture = pictureOf(snapshot)
    const behind = picture.forest.behind(pid)
    return {
      session,
      server: snapshot.server,
      victims: victimsAmong(behind, snapshot.sessions),
      pooled: poolerBefore(snapshot, session) !== null,
      picture,
    }
  } catch (error) {
    if (error instanceof ClusterError) return { code: 'notSeen', reason: error.reason }
    throw error
  }
}

const noSession = (pid: number): Refusal => ({
  code: 'changed',
  reason: `there is no session ${pid}; /pg sessions shows those that are there`,
})
