import type { JournalRow } from '../domain/approvals/journal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Tables } from '../store/store.ts'

/**
 * Reads all that was written down about these cards and incidents, in order. What an incident did in a digest, before it had a
 * card of its own, belongs to its story; what the others there did does not.
 * @param most rows, the last ones
 */
export async function readStory(
  { journal }: Pick<Tables, 'journal'>,
  cardIds: readonly string[],
  incidents: readonly Incident[],
  most: number,
): Promise<JournalRow[]> {
  const all = new Set([
    ...cardIds,
    ...incidents.flatMap(({ cardId, digestId }) => (digestId === null ? [cardId] : [cardId, digestId])),
  ])
  const ids = new Set(incidents.map(({ id }) => id))
  const rows = await journal.ofCards([...all], most)
  return rows.filter(
    ({ cardId, event }) =>
      (cardId !== null && cardIds.includes(cardId)) ||
      !('incidentId' in event) ||
      event.incidentId === undefined ||
      ids.has(event.incidentId),
  )
}
