import { setImmediate as breathe } from 'node:timers/promises'
import type { JournalRow } from '../domain/approvals/journal.ts'
import { reachOf } from '../domain/history/look.ts'
import type { Report } from '../domain/history/report.ts'
import { beginReport } from '../domain/history/reportLooks.ts'
import { microsecondsOf } from '../domain/history/serverTime.ts'
import { beginTrail, type Trail } from '../domain/history/trail.ts'
import { stretchesOf } from '../domain/history/waiting.ts'
import { subjectOf } from '../domain/incidents/finding.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Protected } from '../domain/session/policy.ts'
import type { History } from '../store/history.ts'
import type { Tables } from '../store/store.ts'

type Memory = Pick<Tables, 'journal' | 'proposals'> & { readonly history: Pick<History, 'between'> }

const minuteMs = 60_000
/** Looks that are read at once. */
const sliceMs = 5 * minuteMs
/** Time before an incident that is read, so that its beginning is in it; more where it was not enough. */
const before = [5 * minuteMs, 60 * minuteMs, 6 * 60 * minuteMs]
/** Longest time that one report tells of. */
const longestMs = 12 * 60 * minuteMs
/** Journal rows of one report. */
const mostRows = 500

/**
 * Reads all that is known of an incident, and reports it. The looks are read in slices, so that a long incident needs neither
 * much memory nor the whole process at once.
 * @param everyMs interval of the looks as it is configured now, milliseconds
 */
export async function readReport(
  past: Memory,
  incident: Incident,
  {
    everyMs,
    protectedSessions,
    now,
  }: {
    readonly everyMs: number
    readonly protectedSessions: readonly Protected[]
    readonly now: number
  },
): Promise<Report> {
  const rows = await storyOf(past, incident)
  const proposals = await past.proposals.ofCard(incident.id)
  const end = Math.min(now, incident.resolvedAt ?? now)
  const first = Math.min(incident.beganAt, incident.openedAt)
  let seenEveryMs: number | null = null
  const slices = async (
    from: number,
    to: number,
    add: (stretches: ReturnType<typeof stretchesOf>) => void,
  ) => {
    for (let at = from; at < to; at += sliceMs) {
      const until = Math.min(to, at + sliceMs)
      const looks = await past.history.between(incident.cluster, at - minuteMs, until)
      seenEveryMs = looks.at(-1)?.everyMs ?? seenEveryMs
      add(stretchesOf(looks, at, until))
      await breathe()
    }
  }

  let trail: Trail | null = null
  if (incident.finding.kind === 'blocking')
    for (const reach of before) {
      const from = Math.min(first, end) - reach
      const trailing = beginTrail()
      await slices(from, Math.min(end, from + reach + longestMs) + 1, (stretches) => trailing.add(stretches))
      trail = trailing.of(incident)
      // Where the record itself begins later, there is nothing more to find.
      const isCut = trail.fromTheStart && (trail.firstLookAt ?? end) - from < minuteMs
      if (!isCut) break
    }

  const began = trail?.from ?? Math.max(first, incident.openedAt - longestMs / 2)
  const until = Math.min(end, began + longestMs)
  const margin = Math.max(2 * reachOf(everyMs), Math.min(5 * minuteMs, (until - began) / 10))
  const transactionAt = transactionOf(incident)
  const from = Math.min(
    began - margin,
    transactionAt === null ? began : Math.max(transactionAt, began - 30 * minuteMs),
  )
  const writer = beginReport({
    ...{ incident, rows, proposals, protectedSessions },
    trail: trail ?? beginTrail().of(incident),
    to: until,
    cutAt: until < end ? until : null,
  })
  await slices(from, Math.min(now, until + margin), (stretches) => writer.add(stretches))
  return writer.end(seenEveryMs)
}

/** Reads what was written down about it; in a digest, not what is about the others there. */
async function storyOf({ journal }: Memory, { id, cardId, digestId }: Incident): Promise<JournalRow[]> {
  const cards = [...new Set([id, cardId, ...(digestId === null ? [] : [digestId])])]
  const rows = await journal.ofCards(cards, mostRows)
  return rows.filter(
    ({ cardId: card, event }) =>
      card === id || !('incidentId' in event) || event.incidentId === undefined || event.incidentId === id,
  )
}

/** Begin of the transaction of the session that an incident is about; null where it has none. */
function transactionOf({ finding }: Incident): number | null {
  const micros = microsecondsOf(subjectOf(finding)?.xactStart ?? '')
  return micros === null ? null : micros / 1000
}
