import type { CoursePart, Report } from '../../domain/history/report.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import { compose, lines, type Piece } from '../answers/page.ts'
import { shareReportAction } from '../buttons.ts'
import { shortId } from '../card/card.ts'
import { incidentWords } from '../card/headline.ts'
import { chartOf } from '../chart.ts'
import { bold, button, type ChartBlock, code, type Line, moment, truncate, user, type View } from '../kit.ts'
import type { WrittenReport } from './sections.ts'
import type { TimelineEntry } from './timeline.ts'

/** Slack takes 10,000 characters in a message; what is longer stands in the report of the terminal. */
const mostTreeLines = 14
const longestTreeLine = 130
const mostEntries = 14
const mostWays = 4
const longestLine = 420

/**
 * Shows a report in Slack.
 * @param others incidents that could have been meant
 * @param sharedBy the person who shows it to a channel; null where it is the answer to who asked
 */
export function reportView(
  report: Report,
  written: WrittenReport,
  { others, sharedBy }: { readonly others: readonly Incident[]; readonly sharedBy: string | null },
): View {
  const { title, id, summary, figures, tree, ways, preventions, limits } = written
  return compose(`Report: ${title}`, [
    lines(...(sharedBy === null ? [] : [['Shared by ', user(sharedBy), '.']]), ...summary.map(short)),
    lines(
      figures.flatMap(
        ({ label, value, note }, index): Line => [
          ...(index > 0 ? [' · '] : []),
          `${label} `,
          bold(value),
          ...(note === '' ? [] : [` (${note})`]),
        ],
      ),
    ),
    ...heading('Who blocked whom at its worst', tree.length > 0 ? [treePiece(tree)] : []),
    ...chartsOf(report).map((chart): Piece => ({ kind: 'chart', chart })),
    ...heading('Time line', [bulletsOf(worthTelling(written.timeline).map(entryLine))]),
    ...heading('The gentlest way, as it would have been', [bulletsOf(ways.slice(0, mostWays))]),
    ...heading('What would have prevented it', [bulletsOf(preventions)]),
    ...heading('What was not seen', [bulletsOf(limits.slice(0, 6))]),
    lines(
      ['All of it, with every wait: ', code(`report ${id} --format html`), ' on the machine of pg-marshal.'],
      ...(others.length > 0 ? [otherLine(others)] : []),
    ),
    ...(sharedBy === null
      ? [
          {
            kind: 'buttons',
            buttons: [button(shareReportAction, 'Share to a channel', report.incident.id)],
          } satisfies Piece,
        ]
      : []),
  ])
}

/** Says which incidents there are instead. */
export const choiceView = (problem: Line, others: readonly Incident[]): View =>
  compose('Report', [
    lines(problem),
    {
      kind: 'bullets',
      lines: others.map(
        (one): Line => [
          moment(one.openedAt, '{date_short_pretty} {time}'),
          ` ${incidentWords(one)} `,
          code(`/pg report ${shortId(one.id)}`),
        ],
      ),
    },
  ])

const otherLine = (others: readonly Incident[]): Line => [
  'Others: ',
  ...others.flatMap(
    (one, index): Line => [
      ...(index > 0 ? [', '] : []),
      code(shortId(one.id)),
      ` ${truncate(incidentWords(one), 60)}`,
    ],
  ),
  '.',
]

const heading = (words: string, pieces: readonly Piece[]): Piece[] =>
  pieces.some((piece) => piece.kind === 'preformatted' || ('lines' in piece && piece.lines.length > 0))
    ? [lines([bold(words)]), ...pieces]
    : []

const bulletsOf = (all: readonly Line[]): Piece => ({ kind: 'bullets', lines: all.map(short) })

function treePiece(tree: readonly string[]): Piece {
  const shown = tree.slice(0, mostTreeLines).map((line) => truncate(line, longestTreeLine))
  const more = tree.length - shown.length
  return {
    kind: 'preformatted',
    value: [...shown, ...(more > 0 ? [`… ${more} more lines`] : [])].join('\n'),
  }
}

/** Shortens the text in a line, so that no statement fills the message. */
const short = (line: Line): Line =>
  line.map((part) =>
    typeof part === 'string'
      ? truncate(part, longestLine)
      : part.type === 'text'
        ? { ...part, text: truncate(part.text, longestLine) }
        : part,
  )

/** Leaves out what only says how a number grew, where there is no room for all. */
function worthTelling(timeline: readonly TimelineEntry[]): TimelineEntry[] {
  if (timeline.length <= mostEntries) return [...timeline]
  const weighty = timeline.filter(({ kind, mark }) => kind !== 'change' || mark !== undefined)
  return weighty.length <= mostEntries
    ? weighty
    : [...weighty.slice(0, mostEntries / 2), ...weighty.slice(-mostEntries / 2)]
}

const entryLine = ({ at, line }: TimelineEntry): Line => [moment(at), ' ', ...line]

/** Slack draws so many labels in one chart. */
const buckets = 16
const mostBars = 8

function chartsOf(report: Report): ChartBlock[] {
  const { course, from, to, cost } = report
  const step = (to - from) / buckets
  if (step <= 0 || cost.sessions === 0) return []
  const starts = Array.from({ length: buckets }, (_, index) => from + index * step)
  const waiting = chartOf({
    kind: 'area',
    title: 'Waiting sessions over time',
    labels: starts.map((at) => offsetOf(at - from, to - from)),
    series: [{ name: 'waiting', values: starts.map((at) => mostIn(course, at, at + step)) }],
    x: 'after the first wait',
    y: 'sessions, at most',
  })
  const by = cost.applications.length > 1 ? cost.applications : cost.statements
  const bars = by.slice(0, mostBars)
  const shares = chartOf({
    kind: 'bar',
    title: `Waited by ${by === cost.applications ? 'application' : 'statement'}`,
    labels: bars.map(({ name }) => name || '(no name)'),
    series: [{ name: 'session-seconds', values: bars.map(({ seconds }) => seconds) }],
    x: by === cost.applications ? 'application' : 'statement',
    y: 'session-seconds',
  })
  return [waiting, bars.length > 1 ? shares : null].filter((chart) => chart !== null)
}

/** The most that waited in a part of the time; null where nobody looked. */
const mostIn = (course: readonly CoursePart[], from: number, to: number): number | null =>
  course.reduce<number | null>(
    (most, part) =>
      part.waiting === null || part.to <= from || part.from >= to ? most : Math.max(most ?? 0, part.waiting),
    null,
  )

/** `+40 s`, `+1:20`, `+2:05:00`: nobody has to know the time zone. */
function offsetOf(ms: number, whole: number): string {
  // So many labels of whole seconds would not differ.
  if (whole < buckets * 2000) return `+${(ms / 1000).toFixed(1)} s`
  if (whole < 120_000) return `+${Math.round(ms / 1000)} s`
  const seconds = Math.round(ms / 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return whole < 3_600_000 ? `+${m}:${two(s)}` : `+${h}:${two(m)}`
}
