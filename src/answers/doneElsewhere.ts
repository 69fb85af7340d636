import { eachOf } from '../domain/approvals/bulk.ts'
import type { JournalEvent, JournalRow } from '../domain/approvals/journal.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import { sessionName, type Trail } from '../domain/history/trail.ts'
import { concerns } from '../domain/incidents/cause.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Tables } from '../store/store.ts'

/** Longest time that a proposal may wait for its approvals. */
const longestOpenMs = 7 * 24 * 3_600_000
/** Journal rows of these cards: a list has two for each of its members. */
const mostRows = 2000

/**
 * Reads what was carried out from other cards to those whom an incident is about, with what led to it. Of a list it is those
 * members alone, each as a proposal of its own; where the trouble was that there were too many, it is the whole list.
 */
export async function readDoneElsewhere(
  { journal, proposals }: Pick<Tables, 'journal' | 'proposals'>,
  incident: Incident,
  { trail, from, to }: { readonly trail: Trail | null; readonly from: number; readonly to: number },
): Promise<{ readonly proposals: readonly Proposal[]; readonly rows: readonly JournalRow[] }> {
  const heads = new Set([...(trail?.roots.values() ?? [])].flatMap((roots) => [...roots]))
  const isAbout = (one: Proposal) => concerns(one, incident) || heads.has(sessionName(one.key))
  const found = (await proposals.doneSince(from - longestOpenMs))
    .filter(({ cardId, key }) => cardId !== incident.id && key.cluster === incident.cluster)
    .flatMap((one) => (incident.finding.kind === 'connections' ? [one] : eachOf(one).filter(isAbout)))
    .filter(({ claimedAt }) => claimedAt !== null && claimedAt >= from && claimedAt <= to)
  const rows = await journal.ofCards([...new Set(found.map(({ cardId }) => cardId))], mostRows)
  return { proposals: found, rows: rows.filter(({ event }) => found.some((one) => isOf(event, one))) }
}

function isOf(event: JournalEvent, { id, key, bulk }: Proposal): boolean {
  if (!('proposalId' in event) || event.proposalId !== id) return false
  switch (event.kind) {
    case 'intended':
    case 'outcome':
      return !bulk && sessionName(event.session) === sessionName(key)
    case 'bulkDone':
      return bulk !== undefined
    default:
      return true
  }
}
