import type { WatchedCluster } from '../commands/cluster.ts'
import { findingKey, findings } from '../domain/incidents/finding.ts'
import { waitersOf } from '../domain/incidents/incident.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { attempt, type Unreadable, unreadable } from '../postgres/cluster.ts'
import type { OpenCard } from '../views/answers/actions.ts'
import { healthView } from '../views/answers/health.ts'
import type { AnswerContext } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import { cardOf, openOn, type Past } from './openCards.ts'

/** `/pg health`: from a health check that is made now; where that cannot be, from the last one. */
export async function answerHealth(
  watched: WatchedCluster,
  { snapshot, ...picture }: Picture,
  asked: AnswerContext,
  past: Past | null,
): Promise<View> {
  const looked = await checkHealth(watched, snapshot)
  const fresh = 'health' in looked ? { ...snapshot, ...looked } : snapshot
  const open = (await openOn(past, asked.cluster)).filter((one) => one.incident !== null)
  const incidents = open.flatMap(({ incident }) => incident ?? [])
  // With what is open already: an answer must not call well what a card still tells.
  const found = findings(fresh, picture.forest, watched.config.watch, {
    open: new Set(incidents.map(({ key }) => key)),
    waited: waitersOf(incidents),
  })
  const cards = new Map<string, OpenCard>()
  const keys = new Set(found.map(findingKey))
  for (const one of open)
    if (past && one.incident && keys.has(one.incident.key))
      cards.set(one.incident.key, await cardOf(past, asked.cluster, one))
  const unread = 'unread' in looked ? looked.unread : null
  return healthView({ picture: { ...picture, snapshot: fresh }, found, cards, unread, asked })
}

async function checkHealth(
  { cluster }: WatchedCluster,
  { locks }: Snapshot,
): Promise<Pick<Snapshot, 'health'> | Unreadable> {
  if (locks.kind === 'jammed') return { unread: locks.why }
  return attempt(async () => ({ health: await cluster.health() }), unreadable)
}
