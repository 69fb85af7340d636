import type { CoursePart, Report } from '../../domain/history/report.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { count } from '../words.ts'
import type { ReportClock } from './clock.ts'
import { html, joined, type Markup, nothing } from './markup.ts'
import type { TimelineEntry } from './timeline.ts'

const width = 960
const left = 44
const right = 16
const plotHeight = 180
const laneHeight = 20
const axisHeight = 30
/** Room that a letter of a label takes, on average. */
const letter = 7
const mostLanes = 4

type Scale = { readonly from: number; readonly to: number; readonly most: number; readonly top: number }

const xOf = ({ from, to }: Scale, at: number): number =>
  left + ((Math.min(Math.max(at, from), to) - from) / Math.max(1, to - from)) * (width - left - right)
const yOf = ({ most, top }: Scale, waiting: number): number => top + plotHeight * (1 - waiting / most)

/**
 * Draws the sessions that waited over time, with marks where something was done. What nobody saw is hatched: it is not zero.
 */
export function waitingChart(
  { course }: Report,
  entries: readonly TimelineEntry[],
  clock: ReportClock,
): Markup {
  const [first] = course
  const last = course.at(-1)
  if (!first || !last) return nothing
  const highest = Math.max(1, ...course.map(({ waiting }) => waiting ?? 0))
  const marks = laneMarks(entries, { from: first.from, to: last.to })
  const lanes = Math.max(0, ...marks.map(({ lane }) => lane + 1))
  const scale: Scale = {
    ...{ from: first.from, to: last.to, most: niceMost(highest) },
    top: 8 + lanes * laneHeight,
  }
  const bottom = scale.top + plotHeight
  const unseen = course.filter(({ sight }) => sight !== 'seen')
  return html`<svg class="chart" viewBox="0 0 ${width} ${bottom + axisHeight}" role="img" aria-label="${describe(course, highest)}">
<defs><pattern id="unseen" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="8" height="8" class="hatch-ground"/><line x1="0" y1="0" x2="0" y2="8" class="hatch"/></pattern></defs>
${gridLines(scale)}
${joined(unseen.map((part) => unseenRect(part, scale)))}
${joined(areas(course).map((parts) => area(parts, scale, bottom)))}
${timeTicks(scale, bottom, clock)}
${joined(marks.map((mark) => markLine(mark, scale, bottom)))}
</svg>`
}

function describe(course: readonly CoursePart[], highest: number): string {
  const unseenMs = course.reduce((sum, { from, to, sight }) => sum + (sight === 'notSeen' ? to - from : 0), 0)
  return `Waiting sessions over time: at most ${count(highest, 'session')}.${
    unseenMs > 0 ? ` For ${formatDuration(unseenMs / 1000)} nobody looked.` : ''
  }`
}

/** A step of 1, 2 or 5 times a power of ten, in four lines at most. */
function stepOf(most: number): number {
  const rough = Math.max(1, most / 4)
  const power = 10 ** Math.floor(Math.log10(rough))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? 10 * power
}

const niceMost = (most: number): number => Math.ceil(most / stepOf(most)) * stepOf(most)

function gridLines(scale: Scale): Markup {
  const step = stepOf(scale.most)
  const values = Array.from({ length: Math.round(scale.most / step) + 1 }, (_, index) => index * step)
  return joined(
    values.map((value) => {
      const y = yOf(scale, value)
      return html`<line class="${value === 0 ? 'axis' : 'grid'}" x1="${left}" y1="${y}" x2="${width - right}" y2="${y}"/><text class="tick" x="${left - 8}" y="${y + 4}" text-anchor="end">${value}</text>`
    }),
  )
}

/** Rows of parts that follow on each other and say how many waited. */
function areas(course: readonly CoursePart[]): CoursePart[][] {
  const rows: CoursePart[][] = []
  let row: CoursePart[] = []
  for (const part of course) {
    if (part.waiting !== null) row.push(part)
    else if (row.length > 0) {
      rows.push(row)
      row = []
    }
  }
  return row.length > 0 ? [...rows, row] : rows
}

function area(parts: readonly CoursePart[], scale: Scale, bottom: number): Markup {
  const steps = parts
    .map(({ from, to, waiting }) => {
      const y = yOf(scale, waiting ?? 0).toFixed(1)
      return `L${xOf(scale, from).toFixed(1)} ${y}L${xOf(scale, to).toFixed(1)} ${y}`
    })
    .join('')
  const start = xOf(scale, parts[0]?.from ?? 0).toFixed(1)
  const end = xOf(scale, parts.at(-1)?.to ?? 0).toFixed(1)
  return html`<path class="area" d="M${start} ${bottom}${steps}L${end} ${bottom}Z"/><path class="line" d="M${steps.slice(1)}"/>`
}

function unseenRect({ from, to, sight }: CoursePart, scale: Scale): Markup {
  const x = xOf(scale, from)
  const wide = xOf(scale, to) - x
  const words = sight === 'partly' ? 'partly seen' : 'not seen'
  return html`<rect class="${sight === 'partly' ? 'partly' : 'unseen'}" x="${x}" y="${scale.top}" width="${wide}" height="${plotHeight}"/>${
    wide > words.length * letter + 8
      ? html`<text class="unseen-word" x="${x + wide / 2}" y="${scale.top + 16}" text-anchor="middle">${words}</text>`
      : nothing
  }`
}

/** Steps of the time axis, seconds. */
const timeSteps = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
]

function timeTicks(scale: Scale, bottom: number, clock: ReportClock): Markup {
  const seconds = (scale.to - scale.from) / 1000
  const step = timeSteps.find((one) => seconds / one <= 8) ?? 86_400
  const first = Math.ceil(scale.from / 1000 / step) * step
  const ticks: Markup[] = []
  for (let at = first; at * 1000 <= scale.to; at += step) {
    const x = xOf(scale, at * 1000)
    // At the edge its words would be cut.
    if (x < left + 24 || x > width - right - 24) continue
    ticks.push(
      html`<line class="axis" x1="${x}" y1="${bottom}" x2="${x}" y2="${bottom + 5}"/><text class="tick" x="${x}" y="${bottom + 20}" text-anchor="middle">${clock.short(at * 1000, step < 60)}</text>`,
    )
  }
  return joined(ticks)
}

type Mark = {
  readonly at: number
  readonly label: string
  readonly kind: TimelineEntry['kind']
  readonly lane: number
  readonly flips: boolean
}

/** Puts the marks into lanes, so that no two labels lie over each other. What has no room has a line alone. */
function laneMarks(entries: readonly TimelineEntry[], { from, to }: Pick<Scale, 'from' | 'to'>): Mark[] {
  const scale: Scale = { from, to, most: 1, top: 0 }
  const ends: number[] = []
  return entries.flatMap(({ at, mark, kind }): Mark[] => {
    if (mark === undefined || at < from || at > to) return []
    const x = xOf(scale, at)
    const wide = mark.length * letter + 12
    const flips = x + wide > width
    const start = flips ? x - wide : x
    const free = ends.findIndex((end) => end <= start)
    const lane = free >= 0 ? free : ends.length
    if (lane >= mostLanes) return [{ at, label: '', kind, lane: mostLanes - 1, flips }]
    ends[lane] = start + wide
    return [{ at, label: mark, kind, lane, flips }]
  })
}

function markLine({ at, label, kind, lane, flips }: Mark, scale: Scale, bottom: number): Markup {
  const x = xOf(scale, at)
  const y = 8 + lane * laneHeight
  return html`<g class="mark ${kind}"><line x1="${x}" y1="${y}" x2="${x}" y2="${bottom}"/>${
    label === ''
      ? nothing
      : html`<text x="${flips ? x - 5 : x + 5}" y="${y + 11}" text-anchor="${flips ? 'end' : 'start'}">${label}</text>`
  }</g>`
}
