import { meanIn, working } from '../../domain/history/waiting.ts'
import type { Ranking, UnseenTime, WaitSums } from '../../domain/history/waits.ts'
import { filterWords, hasFilters } from '../../domain/lists/filters.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { placeTime } from '../../domain/text/placeTime.ts'
import { chartOf, gapMark } from '../chart.ts'
import { bold, code, type View } from '../kit.ts'
import { count } from '../words.ts'
import { type AnswerContext, commandTo, compose, type Line, lines, oneLine, type Piece } from './page.ts'

/** Facts that the answer needs besides the waits. */
export type AskedWaits = Pick<AnswerContext, 'cluster' | 'several' | 'now' | 'filters'> & {
  readonly sinceMs: number
  /** IANA, of who asked. */
  readonly timeZone: string
  /** Begin of the record, milliseconds, where it does not reach as far back as was asked. */
  readonly begins: number | null
}

/** Gaps that are named. */
const mostGaps = 3
/** Gaps that are shorter are no news. Milliseconds. */
const briefMs = 1000
const longestName = 100

/** Names of wait_event_type, for a sentence: https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-TABLE */
const waitedFor: Readonly<Record<string, string>> = {
  Lock: 'locks',
  LWLock: 'locks inside of the server',
  IO: 'reads and writes',
  Client: 'their clients',
  IPC: 'other processes',
  BufferPin: 'pages that others look at',
  Buffer: 'pages that others use',
  Timeout: 'a time to pass',
}

/** Shows what active sessions waited for: over time, and who waited most. */
export function waitsView(waits: WaitSums, asked: AskedWaits): View {
  const { cluster, sinceMs, filters, timeZone } = asked
  const { from, to, buckets, types, seenMs } = waits
  const spanMs = to - from
  const stepMs = spanMs / Math.max(1, buckets.length)
  const clock = placeTime(timeZone, { stepMs: 0, spanMs })
  const labels = placeTime(timeZone, { stepMs, spanMs })
  const chart = chartOf({
    kind: 'line',
    title: 'Active sessions by what they wait for',
    labels: buckets.map((bucket) => labels(bucket.from)),
    series: types.map(([name]) => ({ name, values: buckets.map((bucket) => meanIn(bucket, name)) })),
    x: `Time (${timeZone})`,
    y: 'sessions on average',
  })
  const rows = [
    ...rowsOf('Statement', waits.statements, waits, (text) => oneLine(text, longestName)),
    ...rowsOf('Application', waits.applications, waits, (name) => name || 'no application name'),
    ...rowsOf('Relation', waits.relations, waits, (name) => name),
  ]
  return compose(`Waits on ${cluster}, the last ${formatDuration(sinceMs / 1000)}`, [
    lines(
      headline(waits, asked, clock),
      ...(hasFilters(filters) && seenMs > 0 && waits.hasSessions
        ? [['Counted are sessions that match ', code(filterWords(filters)), '.']]
        : []),
      ...sightLines(waits, asked, clock),
    ),
    ...(chart ? [{ kind: 'chart', chart } satisfies Piece] : []),
    ...(rows.length > 0
      ? [{ kind: 'table', head: ['Waited most', 'Name', 'Session-seconds', 'Share'], rows } satisfies Piece]
      : []),
    lines(
      ...(waits.waitedSeconds > 0 && waits.statements.length === 0
        ? [
            [
              'No statement of those who waited is recorded: ',
              code('queryText'),
              ' is hidden, or they were not to be seen.',
            ],
          ]
        : []),
      [`Times are those of ${timeZone}. A look counts for the time until the next one.`],
    ),
  ])
}

function headline(
  { types, peaks, waitedSeconds, seenMs, hasSessions }: WaitSums,
  { filters, cluster, several }: AskedWaits,
  clock: (at: number) => string,
): Line {
  if (seenMs === 0) return [bold('Nothing was seen in that time, so nobody knows who waited.')]
  if (!hasSessions)
    return hasFilters(filters)
      ? [
          bold('No session matched '),
          code(filterWords(filters)),
          bold(' in that time.'),
          ' For all: ',
          commandTo({ cluster, several }, 'waits'),
        ]
      : [bold('There was no session in that time.')]
  const activeSeconds = types.reduce((sum, [, seconds]) => sum + seconds, 0)
  if (activeSeconds === 0) return [bold('No session was active when I looked.')]
  const [worst] = types.filter(([type]) => type !== working)
  const seen = formatDuration(seenMs / 1000)
  if (!worst)
    return [
      bold('Nobody waited: '),
      `active sessions worked, ${seconds(activeSeconds)} session-seconds in ${seen}.`,
    ]
  const [type, of] = worst
  const peak = peaks.get(type)
  const sum = `${seconds(of)} of ${seconds(activeSeconds)} active session-seconds (${percent(of, activeSeconds)})`
  const atMost = peak ? `, at most ${count(peak.count, 'session')} at once, at ${clock(peak.at)}` : ''
  const what = `${waitedFor[type] ?? 'things'} (${type})`
  if (of * 2 > activeSeconds) return [bold(`Mostly waits for ${what}: `), `${sum}${atMost}.`]
  return waitedSeconds * 2 > activeSeconds
    ? [bold('Sessions mostly waited'), `, most of all for ${what}: ${sum}${atMost}.`]
    : [bold('Sessions mostly worked'), `, and waited most for ${what}: ${sum}${atMost}.`]
}

/** Says what was not seen, since a calm chart would be taken for calm. */
function sightLines(
  { from, to, gaps, seenMs, partlyMs, buckets }: WaitSums,
  { begins }: AskedWaits,
  clock: (at: number) => string,
): Line[] {
  const worthIt = gaps.filter((gap) => gap.to - gap.from >= briefMs)
  const shown = worthIt
    .sort((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, mostGaps)
    .sort((a, b) => a.from - b.from)
  const more = worthIt.length - shown.length
  const isMarked = buckets.some(
    ({ seenMs: seen }, index) => seen === 0 && buckets.slice(index).some((later) => later.seenMs > 0),
  )
  return [
    ...(begins === null ? [] : [[`The record begins at ${clock(begins)}: what was before is not known.`]]),
    ...(shown.length === 0
      ? []
      : [
          [
            bold(`Not seen for ${formatDuration((to - from - seenMs) / 1000)}: `),
            `${shown.map((gap) => gapWords(gap, clock)).join('; ')}${more > 0 ? `; and ${more} more` : ''}.`,
            ...(isMarked
              ? [` The chart leaves that out, and marks what follows with ${gapMark.trim()}`]
              : []),
          ],
        ]),
    ...(partlyMs >= briefMs
      ? [
          [
            bold(`Partly seen for ${formatDuration(partlyMs / 1000)}: `),
            'the locks could not be read, so it is not known for which relations sessions waited then.',
          ],
        ]
      : []),
  ]
}

const gapWords = ({ from, to, why }: UnseenTime, clock: (at: number) => string): string =>
  `${clock(from)} to ${clock(to)}${why === null ? '' : ` (${oneLine(why, 120).replace(/\.$/, '')})`}`

const rowsOf = (
  what: string,
  ranking: Ranking,
  { waitedSeconds }: WaitSums,
  nameOf: (name: string) => string,
) => ranking.map(([name, of]) => [what, nameOf(name), seconds(of), percent(of, waitedSeconds)])

const seconds = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 })

const percent = (part: number, whole: number): string => `${Math.round((part * 100) / whole)} %`
