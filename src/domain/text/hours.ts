/** A part of each of some days, on the clock of a place. */
export type Hours = {
  /** The days on which it begins: 0 is Monday, 6 Sunday. */
  readonly days: readonly number[]
  /** Minutes after midnight; `until` is not included, and lies on the next day when it is not after `from`. */
  readonly from: number
  readonly until: number
  /** IANA, like Europe/Berlin: daylight saving time is minded. */
  readonly timeZone: string
}

const dayNames = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const

const minutesOfDay = 24 * 60

const example = 'like "Mon-Fri 08:00-18:00", "Sat,Sun 00:00-24:00" or "22:00-06:00"'

/**
 * Reads `Mon-Fri 08:00-18:00`: days (a name, `Mon-Fri`, `Sat,Sun`; without any each day) and a time from and until. A
 * time that ends before it begins ends on the next day; its day is the one on which it begins.
 * @returns or one sentence that says what to write instead (it never repeats the text)
 */
export function parseHours(
  text: string,
  timeZone: string,
): { readonly hours: Hours } | { readonly problem: string } {
  const [, dayText, begin, end] = /^(?:([a-z,\s-]+)\s)?\s*([\d:]+)\s*-\s*([\d:]+)$/i.exec(text.trim()) ?? []
  if (begin === undefined || end === undefined) return { problem: `Write days and times of day, ${example}.` }
  const days = dayText === undefined ? dayNames.map((_, day) => day) : readDays(dayText)
  if (!days) return { problem: `Write days as Mon, Tue, Wed, Thu, Fri, Sat and Sun, ${example}.` }
  const [from, until] = [minutesOf(begin), minutesOf(end)]
  if (from === null || until === null || from === minutesOfDay)
    return { problem: `Write times of day from 00:00 to 24:00, ${example}.` }
  if (from === until) return { problem: `Write two different times; a whole day is 00:00-24:00, ${example}.` }
  return { hours: { days, from, until, timeZone } }
}

function readDays(text: string): number[] | null {
  const days = new Set<number>()
  for (const part of text.replaceAll(/\s*-\s*/g, '-').split(/[\s,]+/)) {
    if (part === '') continue
    const [first, last = first, ...more] = part.split('-').map(dayOf)
    if (first === undefined || last === undefined || first < 0 || last < 0 || more.length > 0) return null
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day)
      if (day === last) break
    }
  }
  return days.size === 0 ? null : [...days].sort((a, b) => a - b)
}

const dayOf = (name: string): number =>
  dayNames.findIndex((known) => known.toLowerCase() === name.toLowerCase())

function minutesOf(time: string): number | null {
  const [, hour, minute] = /^(\d{1,2}):(\d{2})$/.exec(time) ?? []
  const minutes = Number(hour) * 60 + Number(minute)
  return Number(minute) < 60 && minutes <= minutesOfDay ? minutes : null
}

/** Returns true when Intl knows the zone; it knows those of the IANA database. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** @param now milliseconds since the epoch */
export function inHours({ days, from, until, timeZone }: Hours, now: number): boolean {
  const { day, minutes } = localTime(timeZone, now)
  if (from < until) return days.includes(day) && minutes >= from && minutes < until
  return (days.includes(day) && minutes >= from) || (days.includes((day + 6) % 7) && minutes < until)
}

function localTime(timeZone: string, now: number): { readonly day: number; readonly minutes: number } {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(now)
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((one) => one.type === type)?.value ?? ''
  return { day: dayOf(part('weekday')), minutes: Number(part('hour')) * 60 + Number(part('minute')) }
}

/** As it may be written in the configuration: `Mon-Fri 08:00-18:00 (Europe/Berlin)`. */
export function hoursText({ days, from, until, timeZone }: Hours): string {
  const time = (minutes: number) =>
    `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
  return `${daysText(days)}${time(from)}-${time(until)} (${timeZone})`
}

function daysText(days: readonly number[]): string {
  if (days.length === 7) return ''
  const runs: number[][] = []
  for (const day of days) {
    const run = runs.at(-1)
    if (run && run.at(-1) === day - 1) run.push(day)
    else runs.push([day])
  }
  const name = (day: number | undefined) => dayNames[day ?? 0] ?? ''
  const texts = runs.map((run) =>
    run.length < 3 ? run.map(name).join(',') : `${name(run[0])}-${name(run.at(-1))}`,
  )
  return `${texts.join(',')} `
}

const quarterMs = 15 * 60_000

/** Finds the next moment at which the clock of a place shows this full hour. A place that is not known has UTC. */
export function nextTime(now: number, hour: number, timeZone: string): number {
  const clock = clockIn(timeZone)
  // Clocks differ by whole quarters of an hour; where an hour is left out, it is that of the next day.
  for (let at = (Math.floor(now / quarterMs) + 1) * quarterMs; ; at += quarterMs)
    if (clock.format(at) === `${String(hour).padStart(2, '0')}:00`) return at
}

function clockIn(timeZone: string): Intl.DateTimeFormat {
  const style = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  try {
    return new Intl.DateTimeFormat('en-GB', { ...style, timeZone })
  } catch {
    return new Intl.DateTimeFormat('en-GB', { ...style, timeZone: 'UTC' })
  }
}
