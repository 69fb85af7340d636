import type { HistoryQuestion } from '../commands/command.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { type HistoryEntry, historyListView, historyView } from '../views/answers/history.ts'
import { problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import type { Past } from './openCards.ts'

/** Largest number of journal rows, and of entries, in one answer. */
const historyRows = 30
const mostEntries = 20

/**
 * Answers what was asked, decided and done: the story of a card or a pid in order, or one entry for each incident and each
 * request of the last hours.
 * @param clusters those that the reader may see
 */
export async function answerHistory(
  question: HistoryQuestion,
  {
    past,
    clusters,
    now,
  }: { readonly past: Past | null; readonly clusters: readonly string[]; readonly now: number },
): Promise<View> {
  if (!past) return problemView('There is no journal here.')
  const { pid, card, cluster, sinceMs } = question
  const shown = cluster === undefined ? clusters : clusters.filter((name) => name === cluster)
  if (shown.length === 0)
    return problemView(`There is no cluster ${cluster} that you may see: \`/pg clusters\` lists them.`)
  if (pid === null && card === null) {
    const entries = await entriesSince(past, shown, now - sinceMs)
    return historyListView({
      entries: entries.slice(0, mostEntries),
      more: entries.length - mostEntries,
      sinceMs,
    })
  }
  const cards = pid === null ? await past.journal.cardsLike(card ?? '') : await past.proposals.cardsOf(pid)
  const ofShown = await Promise.all(cards.map(async (id) => ((await isOn(past, shown, id)) ? [id] : [])))
  const rows = await past.journal.ofCards(ofShown.flat(), historyRows)
  return historyView(pid === null ? `incident ${card}` : `PID ${pid}`, rows, historyRows)
}

async function isOn(past: Past, clusters: readonly string[], cardId: string): Promise<boolean> {
  const [incident] = await past.incidents.ofCard(cardId)
  const cluster = incident?.cluster ?? (await past.proposals.ofCard(cardId))[0]?.key.cluster
  return cluster !== undefined && clusters.includes(cluster)
}

/** Lists incidents that were open in that time, and requests that were made in it; the newest first. */
async function entriesSince(past: Past, clusters: readonly string[], since: number): Promise<HistoryEntry[]> {
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
  const all: (Omit<HistoryEntry, 'link'> & { readonly cardId: string })[] = [
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
  const newest = all.sort((a, b) => b.at - a.at)
  return Promise.all(
    newest.map(async ({ cardId, ...entry }, index) => ({
      ...entry,
      link: index < mostEntries ? await past.linkTo(cardId) : null,
    })),
  )
}

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
