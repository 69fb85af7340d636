import { bot } from '../domain/approvals/journal.ts'
import { hasOwnCard, type Incident } from '../domain/incidents/incident.ts'
import { isNews, type Silence, silenceOf } from '../domain/incidents/silence.ts'
import type { Store } from '../store/store.ts'
import { silenceWords } from '../views/words.ts'
import type { Cards } from './cards.ts'

/** More happens to no card in a silence that somebody would want to count. */
const mostCounted = 500

/**
 * Ends silences of one cluster: one line in the channel for each, with what became of their incidents meanwhile, and one
 * in the thread of each card that stands and changed. What they held back altogether is posted by the next look.
 * @param actor a Slack user id, or the bot when their time is up
 * @returns how many were ended by this call
 */
export async function endSilences(
  { cards, store }: { readonly cards: Cards; readonly store: Store },
  ending: readonly Silence[],
  actor: string,
  now: number,
): Promise<number> {
  const [first] = ending
  if (!first) return 0
  const { cluster } = first
  const since = Math.min(...ending.map((silence) => silence.since))
  const touched = await store.incidents.recent(cluster, since)
  const standing: string[] = []
  for (const cardId of new Set(touched.map(({ cardId }) => cardId)))
    if (await store.messages.isKnown(cardId)) standing.push(cardId)

  return cards.commitAll(standing, async (tx) => {
    const { silences, incidents, journal } = tx
    const ended: Silence[] = []
    for (const silence of ending) if (await silences.end(silence.id)) ended.push(silence)
    const left = (await silences.ofCluster(cluster)).filter(({ until }) => until > now)
    const concerned = await incidents.recent(cluster, since)
    for (const silence of ended) {
      const covered = concerned.filter((incident) => silenceOf(incident, [silence]))
      const { scope } = silence
      const over = scope.kind === 'incident' && (await incidents.get(scope.incidentId))?.resolvedAt != null
      // What ends with its incident is no news: the card says that it is over.
      await tx.on(over && scope.kind === 'incident' && actor === bot ? scope.incidentId : null).record({
        kind: 'silenceEnded',
        actor,
        cluster,
        what: silenceWords(silence.scope),
        opened: covered.filter(({ openedAt }) => openedAt >= silence.since).length,
        resolved: covered.filter(({ resolvedAt }) => (resolvedAt ?? 0) >= silence.since).length,
        open: covered.filter(({ resolvedAt }) => resolvedAt === null).length,
        left: left
          .filter((other) => meet(silence, other, covered))
          .map(({ scope, until }) => ({ what: silenceWords(scope), until })),
      })
    }
    for (const incident of concerned) {
      const silence = silenceOf(incident, ended)
      if (!silence || silenceOf(incident, left) || incident.resolvedAt !== null) continue
      if (!hasOwnCard(incident) || !standing.includes(incident.cardId)) continue
      const rows = await journal.ofCards([incident.cardId], mostCounted)
      const news = rows
        .filter(({ at }) => at >= silence.since)
        .flatMap(({ event }) => (isNews(event) ? [event] : []))
      const last = news.at(-1)
      if (last)
        await tx
          .on(incident.cardId)
          .record({ kind: 'caughtUp', actor: bot, changes: news.length, last: last.what })
    }
    return ended.length
  })
}

/** Decides whether two silences overlap: one thing is covered by both. */
const meet = (one: Silence, other: Silence, covered: readonly Incident[]): boolean =>
  one.scope.kind === 'cluster' ||
  other.scope.kind === 'cluster' ||
  covered.some((incident) => silenceOf(incident, [other]) !== null)
