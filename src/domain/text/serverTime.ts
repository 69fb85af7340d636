/** Times as the server writes them to our connections: ISO, in UTC, with up to six digits of a second. */

const minuteMicros = 60_000_000
/** Characters up to the seconds, in a year of four digits. */
const minuteLength = 'YYYY-MM-DD HH:MM:'.length
/** Minutes that were written last: the times of a session lie close together, but for its start. */
const written = Array.from({ length: 16 }, () => ({ minute: Number.NaN, text: '' }))

/**
 * Reads such a time as microseconds since the epoch; null where it is none. It makes nothing that must be
 * collected: each look reads the times of all sessions.
 */
export function microsecondsAt(text: string): number | null {
  const at = text.indexOf('-')
  const end = text.length - 3
  // Where `YYYY-MM-DD hh:mm:ss` ends.
  const dot = at + 15
  const hasMarks =
    text[at + 3] === '-' && text[at + 6] === ' ' && text[at + 9] === ':' && text[at + 12] === ':'
  if (at < 4 || at > 6 || !hasMarks || !text.endsWith('+00')) return null
  const days = daysAt(numberAt(text, 0, at), numberAt(text, at + 1, at + 3), numberAt(text, at + 4, at + 6))
  const minutes = 60 * numberAt(text, at + 7, at + 9) + numberAt(text, at + 10, at + 12)
  const seconds = 60 * (24 * 60 * days + minutes) + numberAt(text, at + 13, dot)
  const time = 1e6 * seconds + fractionAt(text, dot, end)
  return Number.isNaN(time) ? null : time
}

/** Number in these digits; NaN where there are others. */
function numberAt(text: string, from: number, to: number): number {
  let number = 0
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    number = 10 * number + digit
  }
  return number
}

/** Microseconds of a second: none, or a dot and one to six digits; else NaN. */
function fractionAt(text: string, dot: number, end: number): number {
  if (dot === end) return 0
  const digits = end - dot - 1
  if (text[dot] !== '.' || digits < 1 || digits > 6) return Number.NaN
  return numberAt(text, dot + 1, end) * 10 ** (6 - digits)
}

/** Days since the epoch. The year begins in March here, so that the leap day is its last one. */
function daysAt(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400)
  const before = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5)
  return 365 * years + leaps + before + day - 719_469
}

/** Reads it, where it can be written again to the letter; else null. */
export function microsecondsOf(text: string): number | null {
  const micros = microsecondsAt(text)
  return micros !== null && Number.isSafeInteger(micros) && isServerTimeOf(micros, text) ? micros : null
}

/** Writes it again as the server did; an empty text where it did not. */
export function serverTimeOf(micros: number): string {
  const minute = Math.floor(micros / minuteMicros)
  const upToSeconds = minuteOf(minute)
  if (upToSeconds === '') return ''
  const digits = String(micros - minute * minuteMicros).padStart(8, '0')
  const fraction = digits.slice(2).replace(/0+$/, '')
  return `${upToSeconds}${digits.slice(0, 2)}${fraction === '' ? '' : `.${fraction}`}+00`
}

/** Decides whether `serverTimeOf` writes it so. */
export function isServerTimeOf(micros: number, text: string): boolean {
  const minute = Math.floor(micros / minuteMicros)
  const upToSeconds = minuteOf(minute)
  if (upToSeconds === '' || !text.startsWith(upToSeconds)) return false
  const hasNoFraction = text.length === minuteLength + '00+00'.length
  return (
    microsecondsAt(text) === micros && (hasNoFraction || text.charAt(text.length - '0+00'.length) !== '0')
  )
}

/** Returns a time up to its seconds; an empty text for one before or after the years of four digits. */
function minuteOf(minute: number): string {
  const place = minute & (written.length - 1)
  const known = written[place]
  if (known?.minute === minute) return known.text
  const date = new Date(minute * 60_000)
  const iso = Number.isNaN(date.getTime()) ? '' : date.toISOString()
  const text = /^\d{4}-/.test(iso) ? iso.slice(0, minuteLength).replace('T', ' ') : ''
  written[place] = { minute, text }
  return text
}
