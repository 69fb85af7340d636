import type { PastLook } from '../../domain/history/look.ts'
import { sightOf } from '../../domain/history/look.ts'
import { type Filters, filterWords, quoted } from '../../domain/lists/filters.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import type { PastMoment } from '../../domain/text/moment.ts'
import { placeTime } from '../../domain/text/placeTime.ts'
import { bold, code, type View } from '../kit.ts'
import type { Moments } from './actions.ts'
import { compose, type Line, lines, problemView } from './page.ts'

/** Question about a moment of the past. */
export type AskedMoment = {
  readonly cluster: string
  readonly several: boolean
  readonly now: number
  /** IANA, of who asks. */
  readonly timeZone: string
  readonly filters: Filters
  /** The list; null: the one that says most. */
  readonly show: 'sessions' | 'blocking' | 'long' | 'idle' | 'activity' | null
  readonly wanted: PastMoment
}

/** Knowledge of it. Times are milliseconds since the epoch. */
type Known = {
  readonly why: string | null
  /** The nearest looks before and after it that saw something. */
  readonly before: number | null
  readonly after: number | null
  readonly change: number | null
}

/** Returns how to write times of about that moment: `14:05:30`, or `28 Nov 14:05:30`. */
export const timeIn = ({ timeZone, now, wanted }: AskedMoment): ((at: number) => string) =>
  placeTime(timeZone, { stepMs: 0, spanMs: now - wanted.at })

/** Writes the same question about another time, as text after `/pg`. */
const questionAt = (at: number, { show, filters, cluster, several }: AskedMoment): string =>
  [
    `at ${new Date(at).toISOString()}`,
    show ?? '',
    filterWords(filters),
    several ? `--cluster ${quoted(cluster)}` : '',
  ]
    .filter(Boolean)
    .join(' ')

/** Returns the questions about the moments beside this one. */
export function momentsFrom({ before, after, change }: Known, asked: AskedMoment): Moments {
  const to = (at: number | null) => (at === null ? null : questionAt(at, asked))
  return { earlier: to(before), later: to(after), change: to(change) }
}

/** Says how a moment was seen, and what is beside it. */
export function momentNotes(known: Known, look: PastLook, asked: AskedMoment): Line[] {
  const { wanted, timeZone } = asked
  const time = timeIn(asked)
  const distance = wanted.at - look.takenAt
  const sight = sightOf(look)
  return [
    [
      bold(`As it was at ${time(look.takenAt)} (${timeZone})`),
      distance < 1000
        ? '. '
        : `, ${formatDuration(distance / 1000)} before ${time(wanted.at)}: the last look until then. `,
      ...(sight === 'partly'
        ? [bold('Partly seen: '), 'not all of it could be read.']
        : ['Seen, with its locks.']),
    ],
    besideLine(known, asked),
    ...clockLines(asked),
  ]
}

/** Never to be mistaken for calm. */
export function notSeenView(known: Known, asked: AskedMoment): View {
  const { cluster, timeZone, wanted } = asked
  const when = timeIn(asked)(wanted.at)
  return compose(`${cluster} was not seen at ${when}`, [
    lines(
      [
        bold(`Not seen: ${cluster} at ${when} (${timeZone}). `),
        known.why === null
          ? 'No look was taken: the bot was stopped or paused, or what it saw could not be recorded.'
          : `${known.why.replace(/\.$/, '')}.`,
      ],
      ['This says nothing about how it was.'],
      besideLine(known, asked),
      ...clockLines(asked),
    ),
  ])
}

/** Says that the record begins later, at this time. */
export const beginsView = (begins: number, asked: AskedMoment): View =>
  problemView(
    `The record of \`${asked.cluster}\` begins at ${timeIn(asked)(begins)} (${asked.timeZone}): ask for a time from then on, with \`/pg ${questionAt(begins, asked)}\`.`,
  )

function besideLine({ before, after }: Known, asked: AskedMoment): Line {
  const { wanted } = asked
  const time = timeIn(asked)
  const beside = [
    ...(before === null ? [] : [`${time(before)} (${distanceOf(wanted.at - before)} earlier)`]),
    ...(after === null ? [] : [`${time(after)} (${distanceOf(after - wanted.at)} later)`]),
  ]
  return [
    beside.length === 0
      ? 'No other look saw anything.'
      : `The nearest other looks that saw something: ${beside.join(' and ')}.`,
  ]
}

const distanceOf = (ms: number): string => formatDuration(ms / 1000)

/** Says what summer time did to the time that was written. */
function clockLines(asked: AskedMoment): Line[] {
  const { wanted, timeZone } = asked
  if (wanted.isSkipped)
    return [[`Clocks in ${timeZone} jumped over that time: this is the moment at which they did.`]]
  if (wanted.earlier === null) return []
  return [
    [
      `Clocks in ${timeZone} showed that time twice: this is the later one. The earlier one: `,
      code(`/pg ${questionAt(wanted.earlier, asked)}`),
    ],
  ]
}
