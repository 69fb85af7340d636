import type { HistoryQuestion } from '../commands/command.ts'
import type { JournalRow } from '../domain/approvals/journal.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { noActions, withActions } from '../views/answers/actions.ts'
import { type HistoryEntry, historyListView, historyView } from '../views/answers/history.ts'
import { problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import type { Past } from './openCards.ts'

/** Largest number of journal rows in one answer, and of entries on one page of it. */
const historyRows = 30
const onPage = 20

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
  const shown = cluster === undefined ? clusters : clusters.filter((name) => name === cluster)
  if (shown.length === 0)
    return problemView(`There is no cluster ${cluster} that you may see: \`/pg clusters\` lists them.`)
  if (pid === null && card === null) {
    const all = await entriesSince(past, shown, now - sinceMs)
    const pages = Math.ceil(all.length / onPage)
    const entries = await withLinks(past, all.slice((page - 1) * onPage, page * onPage))
    return withActions(historyListView({ entries, page, pages, sinceMs, now }), {
      ...noActions,
      refresh: typed,
      pages: {
        newer: typed !== null && page > 1 ? withPage(typed, Math.min(page - 1, Math.max(pages, 1))) : null,
        older: typed !== null && page < pages ? withPage(typed, page + 1) : null,
      },
    })
  }
  const cards = pid === null ? await past.journal.cardsLike(card ?? '') : await past.proposals.cardsOf(pid)
  const ofShown = await Promise.all(cards.map(async (id) => ((await isOn(past, shown, id)) ? [id] : [])))
  const rows = await storyOf(past, ofShown.flat())
  return historyView(pid === null ? `incident ${card}` : `PID ${pid}`, rows, historyRows)
}

const withPage = (typed: string, page: number): string =>
  `${typed.replace(/\s--page[\s=]\s*\d+/i, '')} --page ${page}`

/**
 * Reads all that was written down about these cards, in order. What an incident did in a digest, before it had a card of its
 * own, belongs to its story; and to that of a digest, what became of those that moved out.
 */
async function storyOf(past: Past, cardIds: readonly string[]): Promise<JournalRow[]> {
  const listed = (await Promise.all(cardIds.map((id) => past.incidents.ofCard(id)))).flat()
  const all = new Set([
    ...cardIds,
    ...listed.flatMap(({ cardId, digestId }) => (digestId === null ? [cardId] : [cardId, digestId])),
  ])
  const ofIncidents = new Set(listed.map(({ id }) => id))
  const rows = await past.journal.ofCards([...all], historyRows)
  return rows.filter(
    ({ cardId, event }) =>
      (cardId !== null && cardIds.includes(cardId)) ||
      !('incidentId' in event) ||
      event.incidentId === undefined ||
      ofIncidents.has(event.incidentId),
  )
}

async function isOn(past: Past, clusters: readonly string[], cardId: string): Promise<boolean> {
  const [incident] = await past.incidents.ofCard(cardId)
  const cluster = incident?.cluster ?? (await past.proposals.ofCard(cardId))[0]?.key.cluster
  return cluster !== undefined && clusters.includes(cluster)
}

/** An entry whose card was not looked up yet. */
type Unlinked = Omit<HistoryEntry, 'link'> & { readonly cardId: string }

/** Lists incidents that were open in that time, and requests that were made in it; the newest first. */
async function entriesSince(past: Past, clusters: readonly string[], since: number): Promise<Unlinked[]> {
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
  const all: Unlinked[] = [
    ...(await Promise.all(
      incidents.map(async (incident) => ({
        ...about(incident.cluster, incident, await past.proposals.ofCard(incident.id)),
        cardId: incident.cardId,
      })),
    )),
    ...[...requests].flatMap(([cardId, ofCard]) => {
      const [first] = ofCard
      return first ? [{ ...about(first.key.cluster, null, ofCard), cardId }] : []
    }),
  ]
  return all.sort((a, b) => b.at - a.at)
}

const withLinks = (past: Past, entries: readonly Unlinked[]): Promise<HistoryEntry[]> =>
  Promise.all(entries.map(async ({ cardId, ...entry }) => ({ ...entry, link: await past.linkTo(cardId) })))

const about = (
  cluster: string,
  incident: Incident | null,
  proposals: readonly Proposal[],
): Omit<HistoryEntry, 'link'> => ({
  cluster,
  incident,
  proposals: proposals.toSorted((a, b) => a.createdAt - b.createdAt),
  at: incident?.openedAt ?? proposals[0]?.createdAt ?? 0,
})
