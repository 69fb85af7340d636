import { isTimeZone } from './hours.ts'
import { type PlaceClock, placeClock } from './placeClock.ts'

const dayMs = 86_400_000

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: dayMs } as const

const example = '14:05, 14:05:30, yesterday 23:10, 20 min ago or 2026-03-01T14:05'

const agoShape =
  /^(\d{1,6})\s*(?:(s)(?:ec(?:ond)?s?)?|(m)(?:in(?:ute)?s?)?|(h)(?:ours?)?|(d)(?:ays?)?)\s+ago$/i
const shape =
  /^(?:(?<yesterday>yesterday)\s+|(?<date>\d{4}-\d{2}-\d{2})[T ])?(?<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(?<offset>Z|[+-]\d{2}(?::?\d{2})?)?$/i

/** A moment that is over, milliseconds since the epoch. */
export type PastMoment = {
  readonly at: number
  /** The earlier moment at which the clock of the place showed the same; null: it showed it once. */
  readonly earlier: number | null
  /** True where the clock never showed what was written: it jumped over it at this moment. */
  readonly isSkipped: boolean
}

/**
 * Reads a moment that is over, as people write it: `14:05`, `14:05:30`, `yesterday 23:10`, `20 min ago`, ISO. A time that
 * the clock shows twice is the later one that is over; one that it leaves out is the moment at which it jumped.
 * @param timeZone where the text says no offset; one that is not known counts as UTC
 * @param now milliseconds since the epoch
 * @returns or one sentence that says what to write instead (it never repeats the text)
 */
export function parsePastMoment(
  text: string,
  timeZone: string,
  now: number,
): PastMoment | { readonly problem: string } {
  const trimmed = text.trim()
  const [, many, ...units] = agoShape.exec(trimmed) ?? []
  const unit = units.find((one) => one !== undefined)
  if (many !== undefined && unit !== undefined)
    return onlyAt(now - Number(many) * unitMs[unit.toLowerCase() as keyof typeof unitMs])
  const parts = shape.exec(trimmed)?.groups
  const timeMs = parts && timeOf(parts.time ?? '')
  if (!parts || timeMs === null || timeMs === undefined) return { problem: `Write a time like ${example}.` }
  const offset = parts.offset === undefined ? null : offsetOf(parts.offset)
  if (offset === undefined || (offset !== null && parts.date === undefined))
    return {
      problem: `Write a time with an offset like 2026-03-01T14:05+01:00, or without one like ${example}.`,
    }
  const clock = placeClock(isTimeZone(timeZone) ? timeZone : 'UTC')
  const today = Math.floor(clock.shows(now) / dayMs) * dayMs
  const day = parts.date === undefined ? today - (parts.yesterday ? dayMs : 0) : dayOf(parts.date)
  if (day === null) return { problem: `No such day: write one like ${example}.` }
  const shown = day + timeMs
  const moment = offset === null ? momentOf(clock, shown, now) : onlyAt(shown - offset)
  if (moment.at <= now) return moment
  return {
    problem: `That is still to come: write a time that is over, like ${parts.date === undefined ? `yesterday ${parts.time}` : '20 min ago'}.`,
  }
}

const onlyAt = (at: number): PastMoment => ({ at, earlier: null, isSkipped: false })

function timeOf(time: string): number | null {
  const [hour = 0, minute = 0, second = 0] = time.split(':').map(Number)
  return hour < 24 && minute < 60 && second < 60
    ? (hour * 3600 + minute * 60) * 1000 + Math.round(second * 1000)
    : null
}

/** Date.parse takes 30 February for 2 March. */
function dayOf(date: string): number | null {
  const day = Date.parse(`${date}T00:00:00Z`)
  return !Number.isNaN(day) && new Date(day).toISOString().startsWith(date) ? day : null
}

function offsetOf(offset: string): number | undefined {
  const [, sign, hours, minutes = '0'] = /^([+-])(\d{2})(?::?(\d{2}))?$/.exec(offset) ?? []
  if (sign === undefined) return 0
  if (Number(hours) > 14 || Number(minutes) > 59) return undefined
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}

function momentOf({ momentsOf }: PlaceClock, shown: number, now: number): PastMoment {
  const { moments, isSkipped } = momentsOf(shown)
  const at = moments.findLast((one) => one <= now) ?? moments[0]
  return { at, earlier: moments.find((one) => one < at) ?? null, isSkipped }
}
