import { isTimeZone } from '../../domain/text/hours.ts'

/** Writer of moments on the clock of one place. */
export type ReportClock = {
  /** `14:05:30`; with its day where that is not the day of the report. */
  time(at: number): string
  /** `14:05`, or with seconds. */
  short(at: number, seconds: boolean): string
  /** `1 March 2026`. */
  day(at: number): string
  /** Name of the place, as `Europe/Berlin`. */
  readonly zone: string
}

/** @param reference a moment of the day of the report, milliseconds since the epoch */
export function clockIn(timeZone: string, reference: number): ReportClock {
  const zone = isTimeZone(timeZone) ? timeZone : 'UTC'
  const format = (options: Intl.DateTimeFormatOptions) => {
    const formatter = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...options })
    return (at: number) => formatter.format(at)
  }
  const day = format({ day: 'numeric', month: 'long', year: 'numeric' })
  const dayAndMonth = format({ day: 'numeric', month: 'short' })
  const withSeconds = format({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const withMinutes = format({ hour: '2-digit', minute: '2-digit' })
  return {
    zone,
    day,
    time: (at) => (day(at) === day(reference) ? withSeconds(at) : `${dayAndMonth(at)} ${withSeconds(at)}`),
    short: (at, seconds) => (seconds ? withSeconds(at) : withMinutes(at)),
  }
}
