import { clustersMeant } from '../commands/cluster.ts'
import { type HistoryQuestion, historyPage } from '../commands/pastCommand.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { repeatsAmong } from '../domain/incidents/repeats.ts'
import { noActions, withActions } from '../views/answers/actions.ts'
import { type HistoryEntry, historyListView, historyView } from '../views/answers/history.ts'
import { problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import type { Past } from './openCards.ts'
import { readStory } from './story.ts'

/** Largest number of journal rows in one answer, and of entries on one page of it. */
const historyRows = 30
const onPage = 20
/** Largest number of those who make trouble again and again. */
const mostRepeats = 5

/**
 * Answers what was asked, decided and done: the story of a card or a pid in order, or one entry for each incident and each
 * request of the last hours.
 * @param clusters those that the reader may see
 * @param typed the command after `/pg`, by which another page can be read; null where nobody can press
 */
export async function answerHistory(
  question: HistoryQuestion,
  {
    past,
    clusters,
    typed,
    now,
  }: {
    readonly past: Past | null
    readonly clusters: readonly string[]
    readonly typed: string | null
    readonly now: number
  },
): Promise<View> {
  if (!past) return problemView('There is no journal here.')
  const { pid, card, cluster, sinceMs, page } = question
  const shown = clustersMeant(cluster, clusters)
  if ('problem' in shown) return problemView(shown.problem)
  if (pid === null && card === null) {
    const all = await eventsSince(past, shown, now - sinceMs)
    const pages = Math.ceil(all.length / onPage)
    const entries = await Promise.all(
      all.slice((page - 1) * onPage, page * onPage).map((one) => entryOf(past, one)),
    )
    const incidents = all.flatMap(({ incident }) => incident ?? [])
    const repeats = page === 1 ? repeatsAmong(incidents, 'UTC').slice(0, mostRepeats) : []
    const turn = (to: number) => (typed === null || to < 1 || to > pages ? null : historyPage(question, to))
    return withActions(historyListView({ entries, repeats, page, pages, sinceMs, now }), {
      ...noActions,
      refresh: typed,
      pages: { newer: turn(Math.min(page - 1, pages)), older: turn(page + 1) },
    })
  }
  const cards = pid === null ? await past.journal.cardsLike(card ?? '') : await past.proposals.cardsOf(pid)
  const ofShown = await Promise.all(cards.map(async (id) => ((await isOn(past, shown, id)) ? [id] : [])))
  const shownCards = ofShown.flat()
  const listed = (await Promise.all(shownCards.map((id) => past.incidents.ofCard(id)))).flat()
  const rows = await readStory(past, shownCards, listed, historyRows)
  return historyView(pid === null ? `incident ${card}` : `PID ${pid}`, rows, historyRows)
}

async function isOn(past: Past, clusters: readonly string[], cardId: string): Promise<boolean> {
  const [incident] = await past.incidents.ofCard(cardId)
  const cluster = incident?.cluster ?? (await past.proposals.ofCard(cardId))[0]?.key.cluster
  return cluster !== undefined && clusters.includes(cluster)
}

/** An incident, or the proposals of a request by hand, which is about none. */
export type Happened = { readonly at: number; readonly cluster: string; readonly cardId: string } & (
  | { readonly incident: Incident }
  | { readonly incident: null; readonly proposals: readonly Proposal[] }
)

/** Lists incidents that were open in that time, and requests that were made in it; the newest first. */
export async function eventsSince(
  past: Past,
  clusters: readonly string[],
  since: number,
): Promise<Happened[]> {
  const incidents = (await Promise.all(clusters.map((name) => past.incidents.recent(name, since)))).flat()
  const proposals = [
    ...(await past.proposals.inState('open')),
    ...(await past.proposals.inState('claimed')),
    ...(await past.proposals.decidedSince(since)),
  ].filter(({ key }) => clusters.includes(key.cluster))
  const ofIncident = new Set(incidents.map(({ id }) => id))
  const requests = Map.groupBy(
    proposals.filter(({ cardId, requestedBy }) => requestedBy !== null && !ofIncident.has(cardId)),
    ({ cardId }) => cardId,
  )
  const all: Happened[] = [
    ...incidents.map((incident) => ({
      at: incident.openedAt,
      cluster: incident.cluster,
      cardId: incident.cardId,
      incident,
    })),
    ...[...requests].flatMap(([cardId, ofCard]) => {
      const sorted = ofCard.toSorted((a, b) => a.createdAt - b.createdAt)
      const [first] = sorted
      return first
        ? [{ at: first.createdAt, cluster: first.key.cluster, cardId, incident: null, proposals: sorted }]
        : []
    }),
  ]
  return all.sort((a, b) => b.at - a.at)
}

/** Reads what else an entry shows; for those of one page alone. */
export async function entryOf(past: Past, happened: Happened): Promise<HistoryEntry> {
  const { at, cluster, cardId, incident } = happened
  const proposals = incident === null ? happened.proposals : await past.proposals.ofCard(incident.id)
  return { at, cluster, incident, proposals, link: await past.linkTo(cardId) }
}
