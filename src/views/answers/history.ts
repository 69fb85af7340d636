import type { JournalRow } from '../../domain/approvals/journal.ts'
import type { Proposal } from '../../domain/approvals/proposal.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import type { Repeat } from '../../domain/incidents/repeats.ts'
import { kindNames } from '../../domain/incidents/severity.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { shortId } from '../card/card.ts'
import { headlineOf, titleOf } from '../card/headline.ts'
import { journalLine } from '../card/journalLine.ts'
import { standing } from '../card/standing.ts'
import { bold, clean, code, link, moment, truncate, type View } from '../kit.ts'
import { count } from '../words.ts'
import { compose, type Line, lines } from './page.ts'

/** Shows the journal, newest last. `about` names what was asked for. */
export function historyView(about: string, rows: readonly JournalRow[], limit: number): View {
  const entries = rows.flatMap((row): Line[] => {
    const line = journalLine(row.event, null)
    return line
      ? [[moment(row.at), ' ', ...(row.cardId ? [code(shortId(row.cardId)), ' '] : []), ...line]]
      : []
  })
  const last = rows.at(-1)
  if (entries.length === 0)
    return compose(`History of ${about}`, [lines(['Nothing is written down about it.'])])
  return compose(`History of ${about}`, [
    { kind: 'bullets', lines: entries },
    lines(
      ...(rows.length >= limit ? [[`Only the last ${count(limit, 'row')}; all of them: audit export.`]] : []),
      ...(last ? [[`Journal up to row ${last.seq}.`]] : []),
    ),
  ])
}

/** An incident, or a request by hand, with what was decided about it. */
export type HistoryEntry = {
  readonly cluster: string
  readonly incident: Incident | null
  /** Oldest first. */
  readonly proposals: readonly Proposal[]
  /** Time of the first look, or of the request, milliseconds since the epoch. */
  readonly at: number
  /** Address of its card in Slack; null where it is not known. */
  readonly link: string | null
}

/** Shows one entry for each incident and request, newest first, for whoever takes over. */
export function historyListView({
  entries,
  repeats,
  page,
  pages,
  sinceMs,
  now,
}: {
  /** Those of this page. */
  readonly entries: readonly HistoryEntry[]
  /** Those who made trouble again and again in that time, with times of the day in UTC. */
  readonly repeats: readonly Repeat[]
  readonly page: number
  readonly pages: number
  readonly sinceMs: number
  readonly now: number
}): View {
  const title = `History of the last ${formatDuration(sinceMs / 1000)}`
  if (pages === 0)
    return compose(title, [
      lines(['Nothing happened. ', code('/pg history --since 7d'), ' looks further back.']),
    ])
  if (entries.length === 0)
    return compose(title, [lines([`There is no page ${page}: the last one is ${pages}.`])])
  return compose(title, [
    ...(repeats.length > 0
      ? [lines([bold('Again and again')]), { kind: 'bullets' as const, lines: repeats.map(repeatLine) }]
      : []),
    { kind: 'bullets', lines: entries.map((entry) => entryLine(entry, now)) },
    lines(...(pages > 1 ? [[`Page ${page} of ${pages}.`]] : []), [
      code('/pg history ID'),
      ' shows the whole story of one.',
    ]),
  ])
}

function entryLine({ cluster, incident, proposals, at, link: url }: HistoryEntry, now: number): Line {
  const card = { cluster, incident, proposals }
  // While it lasts, what its card says is as of its last edit.
  const headline =
    incident && incident.resolvedAt === null
      ? `${titleOf(card)} · ${formatDuration((now - incident.beganAt) / 1000)}`
      : headlineOf(card)
  const decided = proposals.findLast(({ state }) => state !== 'open' && state !== 'withdrawn')
  const id = shortId(incident?.cardId ?? proposals[0]?.cardId ?? '')
  return [
    moment(at, '{date_short_pretty} {time}'),
    ' ',
    url === null ? headline : link(url, headline),
    ...(incident?.resolution ? [`. ${incident.resolution}`] : []),
    ...(decided ? [' ', ...standing(decided, { people: { cancel: 1, terminate: 1 }, approvers: [] })] : []),
    ' ',
    code(id),
  ]
}

function repeatLine({ cluster, kind, who, incidents, aboutMinute }: Repeat): Line {
  const last = incidents.at(-1)
  const about =
    aboutMinute === null
      ? ''
      : `, always about ${String(Math.floor(aboutMinute / 60)).padStart(2, '0')}:${String(aboutMinute % 60).padStart(2, '0')} UTC`
  return [
    `${incidents.length} times `,
    code(truncate(clean(who), 60)),
    ` on ${cluster}: ${kindNames[kind]}${about}`,
    ...(last ? ['; last ', moment(last.openedAt), ' ', code(shortId(last.id))] : []),
  ]
}
