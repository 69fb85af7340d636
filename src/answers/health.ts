import type { WatchedCluster } from '../commands/cluster.ts'
import { findings } from '../domain/incidents/finding.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { attempt, type Unreadable, unreadable } from '../postgres/cluster.ts'
import { healthView } from '../views/answers/health.ts'
import type { AnswerContext } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'

/** `/pg health`: from a health check that is made now; where that cannot be, from the last one. */
export async function answerHealth(
  watched: WatchedCluster,
  { snapshot, ...picture }: Picture,
  asked: AnswerContext,
): Promise<View> {
  const looked = await checkHealth(watched, snapshot)
  const fresh = 'health' in looked ? { ...snapshot, ...looked } : snapshot
  const found = findings(fresh, picture.forest, watched.config.watch)
  const unread = 'unread' in looked ? looked.unread : null
  return healthView({ picture: { ...picture, snapshot: fresh }, found, unread, asked })
}

async function checkHealth(
  { cluster }: WatchedCluster,
  { locks }: Snapshot,
): Promise<Pick<Snapshot, 'health'> | Unreadable> {
  if (locks.kind === 'jammed') return { unread: locks.why }
  return attempt(async () => ({ health: await cluster.health() }), unreadable)
}
