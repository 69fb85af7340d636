import type { Proposal } from '../domain/approvals/proposal.ts'
import { reachOf } from '../domain/history/look.ts'
import type { Report } from '../domain/history/report.ts'
import { beginReport } from '../domain/history/reportLooks.ts'
import { beginTrail, type Trail } from '../domain/history/trail.ts'
import type { Stretch } from '../domain/history/waiting.ts'
import { subjectOf } from '../domain/incidents/finding.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Protected } from '../domain/session/policy.ts'
import type { Session } from '../domain/session/session.ts'
import { microsecondsOf } from '../domain/text/serverTime.ts'
import type { Tables } from '../store/store.ts'
import { readDoneElsewhere } from './doneElsewhere.ts'
import { type PastLooks, stretchesIn } from './record.ts'
import { readStory } from './story.ts'

/** Places that a report is read from. */
export type ReportSources = {
  readonly past: Pick<Tables, 'journal' | 'proposals'>
  /** Null: the journal alone speaks. */
  readonly record: PastLooks | null
  /** Masks the statements of proposals: they were written as the configuration shows them, perhaps in full. */
  maskText(text: string | null): string | null
}

const minuteMs = 60_000
/** Time before an incident that is read, so that its beginning is in it; more where it was not enough. */
const before = [5 * minuteMs, 60 * minuteMs, 6 * 60 * minuteMs]
/** Longest time that one report tells of. */
const longestMs = 12 * 60 * minuteMs
/** Journal rows of one report. */
const mostRows = 500

/**
 * Reads all that is known of an incident, and reports it.
 * @param everyMs interval of the looks as it is configured now, milliseconds
 */
export async function readReport(
  { past, record, maskText }: ReportSources,
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
  const end = Math.min(now, incident.resolvedAt ?? now)
  const first = Math.min(incident.beganAt, incident.openedAt)
  let seenEveryMs: number | null = null
  async function* looksIn(from: number, to: number) {
    if (record)
      for await (const look of record.each(incident.cluster, from, to)) {
        seenEveryMs = look.everyMs
        yield look
      }
  }
  const read = async (from: number, to: number, { add }: { add(stretches: Stretch[]): void }) => {
    // The look before speaks for the beginning.
    for await (const stretches of stretchesIn(looksIn(from - minuteMs, to), from, to)) add(stretches)
  }

  let trail: Trail | null = null
  if (incident.finding.kind === 'blocking')
    for (const reach of before) {
      const from = Math.min(first, end) - reach
      const trailing = beginTrail()
      await read(from, Math.min(end, from + reach + longestMs) + 1, trailing)
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
  const onCard = await readStory(past, [incident.id], [incident], mostRows)
  const elsewhere = await readDoneElsewhere(past, incident, { trail, from: Math.min(began, first), to: end })
  const proposals = [...(await past.proposals.ofCard(incident.id)), ...elsewhere.proposals]
  const writer = beginReport({
    rows: [...onCard, ...elsewhere.rows].sort((a, b) => a.seq - b.seq),
    proposals: proposals
      .sort((a, b) => (a.claimedAt ?? a.createdAt) - (b.claimedAt ?? b.createdAt))
      .map((one) => withMaskedTexts(one, maskText)),
    ...{ incident, protectedSessions },
    trail: trail ?? beginTrail().of(incident),
    to: until,
    cutAt: until < end ? until : null,
  })
  await read(from, Math.min(now, until + margin), writer)
  return writer.end(seenEveryMs)
}

function withMaskedTexts(one: Proposal, maskText: ReportSources['maskText']): Proposal {
  const mask = (session: Session) => ({ ...session, query: maskText(session.query) })
  const { session, bulk } = one
  const members = bulk?.members.map((member) => ({ ...member, session: mask(member.session) }))
  return { ...one, session: mask(session), bulk: bulk && members && { ...bulk, members } }
}

/** Begin of the transaction of the session that an incident is about; null where it has none. */
function transactionOf({ finding }: Incident): number | null {
  const micros = microsecondsOf(subjectOf(finding)?.xactStart ?? '')
  return micros === null ? null : micros / 1000
}
