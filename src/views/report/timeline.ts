import type { JournalRow } from '../../domain/approvals/journal.ts'
import type { Report } from '../../domain/history/report.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { mentions } from '../card/ask.ts'
import { journalLine } from '../card/journalLine.ts'
import { bold, type Line, user } from '../kit.ts'
import { count, lockOf, nameOf, onOneLine } from '../words.ts'

/** TimelineEntry of the time line. `mark`: what a chart shows of it, in a word. */
export type TimelineEntry = {
  readonly at: number
  readonly kind: 'holder' | 'wait' | 'gap' | 'card' | 'change' | 'people' | 'action' | 'end'
  readonly line: Line
  readonly mark?: string
}

/** Lists what happened, in order: by the looks, and by the journal. */
export function timelineOf(report: Report): TimelineEntry[] {
  const { holders, waits, worst, gaps, rows, incident } = report
  const byBegin = waits.toSorted((a, b) => a.from - b.from)
  const [first] = byBegin
  const last = waits.reduce<number | null>(
    (latest, { overAt }) => (overAt === null ? latest : Math.max(latest ?? 0, overAt)),
    null,
  )
  const stillWaits = waits.some(({ overAt }) => overAt === null)
  const entries: TimelineEntry[] = [
    ...holders.slice(0, 5).flatMap(({ session, prepared, pid, transactionAt }): TimelineEntry[] =>
      transactionAt === null
        ? []
        : [
            {
              at: transactionAt,
              kind: 'holder',
              line: [
                bold(
                  session
                    ? nameOf(session)
                    : prepared
                      ? `Transaction ${onOneLine(prepared.gid)}`
                      : String(pid),
                ),
                prepared ? ' is prepared.' : ' begins its transaction.',
              ],
            },
          ],
    ),
    ...(first
      ? [
          {
            at: first.from,
            kind: 'wait',
            mark: 'first wait',
            line: [
              bold('First wait: '),
              `${nameOf(first.session)}${first.wait ? ` waits for ${lockOf(first.wait, first.session)}` : ''}.`,
            ],
          } satisfies TimelineEntry,
        ]
      : []),
    ...(worst && worst.waiting > 1
      ? [
          {
            at: worst.takenAt,
            kind: 'wait',
            line: [bold('At its worst: '), `${count(worst.waiting, 'session waits', 'sessions wait')}.`],
          } satisfies TimelineEntry,
        ]
      : []),
    ...gaps.map(
      ({ from, to, sight }): TimelineEntry => ({
        at: from,
        kind: 'gap',
        line: [
          `${sight === 'partly' ? 'Partly seen' : 'Not seen'} for ${formatDuration((to - from) / 1000)}.`,
        ],
      }),
    ),
    ...rows.flatMap((row) => entryOf(row, report)),
    ...(last !== null && !stillWaits && incident.resolvedAt !== null
      ? [{ at: last, kind: 'end', line: ['Nobody waits any more.'] } satisfies TimelineEntry]
      : []),
  ]
  return entries.toSorted((a, b) => a.at - b.at)
}

function entryOf({ at, event }: JournalRow, { proposals }: Report): TimelineEntry[] {
  // Two of a list may be here, each for itself.
  const proposal =
    'proposalId' in event
      ? proposals.find(
          ({ id, key }) =>
            id === event.proposalId && (event.kind !== 'outcome' || key.pid === event.session.pid),
        )
      : undefined
  const line = journalLine(event, proposal ?? null)
  switch (event.kind) {
    case 'incidentOpened':
    case 'incidentReopened':
      return [
        {
          at,
          kind: 'card',
          mark: event.kind === 'incidentOpened' ? 'card' : 'again',
          line:
            event.kind === 'incidentOpened'
              ? [bold('Card: '), 'pg-marshal opens the incident.']
              : [bold('Again: '), event.what],
        },
      ]
    case 'incidentChanged':
      return line ? [{ at, kind: 'change', line }] : []
    case 'incidentResolved':
      return [{ at, kind: 'end', mark: 'end', line: [bold('Resolved: '), event.what] }]
    case 'called':
      return [{ at, kind: 'people', line: [bold('Mentioned: '), ...mentions(event.people), '.'] }]
    case 'acknowledged':
      return line ? [{ at, kind: 'people', mark: 'acknowledged', line }] : []
    case 'approved':
    case 'brokeGlass':
      return line ? [{ at, kind: 'people', mark: 'approved', line }] : []
    case 'intended':
      return [
        {
          at,
          kind: 'action',
          mark: event.action,
          line: [
            bold('Signal: '),
            `${event.action} ${event.session.pid} goes out, approved by `,
            ...event.approvedBy.flatMap((id, index): Line => [...(index > 0 ? [' and '] : []), user(id)]),
            '.',
          ],
        },
      ]
    case 'outcome':
      return line ? [{ at, kind: 'action', line: [bold('Outcome: '), ...line] }] : []
    case 'bulkDone':
      return line
        ? [{ at, kind: 'action', mark: event.action, line: [bold('Outcome of the list: '), ...line] }]
        : []
    default:
      return line ? [{ at, kind: 'people', line }] : []
  }
}
