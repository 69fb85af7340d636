import type { WatchedCluster } from '../commands/cluster.ts'
import { type Finding, findingKey, findings } from '../domain/incidents/finding.ts'
import { waitersOf } from '../domain/incidents/incident.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { attempt, type Unreadable, unreadable } from '../postgres/cluster.ts'
import type { OpenCard } from '../views/answers/actions.ts'
import { healthView } from '../views/answers/health.ts'
import type { AnswerContext } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import { cardOf, type Open, openOn, type Past } from './openCards.ts'

/** `/pg health`: from a health check that is made now; where that cannot be, from the last one. */
export async function answerHealth(
  watched: WatchedCluster,
  picture: Picture,
  asked: AnswerContext,
  past: Past | null,
): Promise<View> {
  const { snapshot, found, unread, open } = await readHealth(watched, picture, past)
  const cards = new Map<string, OpenCard>()
  const keys = new Set(found.map(findingKey))
  for (const one of open)
    if (past && one.incident && keys.has(one.incident.key))
      cards.set(one.incident.key, await cardOf(past, asked.cluster, one))
  return healthView({ picture: { ...picture, snapshot }, found, cards, unread, asked })
}

/** All that is wrong on a cluster, with a health check of now. */
export type HealthRead = {
  readonly snapshot: Snapshot
  readonly found: readonly Finding[]
  /** Reason why no health check could be made now; null where one was. */
  readonly unread: string | null
  /** Incidents that are open there. */
  readonly open: readonly Open[]
}

export async function readHealth(
  watched: WatchedCluster,
  { snapshot, forest }: Picture,
  past: Past | null,
): Promise<HealthRead> {
  const looked = await checkHealth(watched, snapshot)
  const fresh = 'health' in looked ? { ...snapshot, ...looked } : snapshot
  const open = (await openOn(past, watched.config.name)).filter((one) => one.incident !== null)
  const incidents = open.flatMap(({ incident }) => incident ?? [])
  // With what is open already: an answer must not call well what a card still tells.
  const found = findings(fresh, forest, watched.config.watch, {
    open: new Set(incidents.map(({ key }) => key)),
    waited: waitersOf(incidents),
  })
  return { snapshot: fresh, found, unread: 'unread' in looked ? looked.unread : null, open }
}

async function checkHealth(
  { cluster }: WatchedCluster,
  { locks }: Snapshot,
): Promise<Pick<Snapshot, 'health'> | Unreadable> {
  if (locks.kind === 'jammed') return { unread: locks.why }
  return attempt(async () => ({ health: await cluster.health() }), unreadable)
}
