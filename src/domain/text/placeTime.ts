import { isTimeZone } from './hours.ts'

/** Longer than this, and a time of day alone may be that of two days. Milliseconds. */
const mostOfDayMs = 20 * 3_600_000

/**
 * Returns how to write moments of a time on the clock of a place: `14:05`, `14:05:30` where they lie close together, `28 Nov
 * 14:05` where there may be several days.
 * @param timeZone one that is not known counts as UTC
 * @param stepMs distance between two moments that are to be told from each other
 * @param spanMs distance from the first to the last moment
 */
export function placeTime(
  timeZone: string,
  { stepMs, spanMs }: { readonly stepMs: number; readonly spanMs: number },
): (at: number) => string {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: isTimeZone(timeZone) ? timeZone : 'UTC', hourCycle: 'h23' },
    ...{ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' },
  })
  return (at) => {
    const of = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]))
    const time = [of.hour, of.minute, ...(stepMs < 60_000 ? [of.second] : [])].join(':')
    return spanMs > mostOfDayMs ? `${of.day} ${of.month} ${time}` : time
  }
}
