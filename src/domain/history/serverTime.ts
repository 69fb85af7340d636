/** Times as the server writes them to our connections: ISO, in UTC, with up to six digits of a second. */
const shape = /^(\d{4,6})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00$/

/** The last minute that was read, and some that were written: the times of a session lie close together, but for its start. */
let read = { text: 'none', micros: 0 }
const written = Array.from({ length: 16 }, () => ({ minute: Number.NaN, text: '' }))

const minuteMicros = 60_000_000
/** Characters up to the seconds, in a year of four digits. */
const minuteLength = 'YYYY-MM-DD HH:MM:'.length

/** Reads such a time as microseconds since the epoch; null where it is none. */
export function microsecondsIn(text: string): number | null {
  if (text.startsWith(read.text)) {
    const inMinute = microsecondsFrom(text, minuteLength)
    return inMinute === null ? null : read.micros + inMinute
  }
  const [, year, month, day, hour, minute, second, fraction = ''] = shape.exec(text) ?? []
  if (year === undefined) return null
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute))
  if (year.length === 4) read = { text: text.slice(0, minuteLength), micros: ms * 1000 }
  return (ms + Number(second) * 1000) * 1000 + Number(fraction.padEnd(6, '0'))
}

/** Reads the seconds that a time ends with, from this place on, as microseconds; null where they are none. */
function microsecondsFrom(text: string, from: number): number | null {
  const to = text.length - '+00'.length
  const point = from + 2
  const hasShape = point === to || (text.charCodeAt(point) === 46 && to > point + 1 && to <= point + 7)
  if (!hasShape || !text.endsWith('+00')) return null
  let micros = 0
  for (let at = from; at < point + 7; at++) {
    if (at === point) continue
    const digit = at < to ? text.charCodeAt(at) - 48 : 0
    if (!(digit >= 0 && digit <= 9)) return null
    micros = micros * 10 + digit
  }
  return micros
}

/** Reads it, where it can be written again to the letter; else null. */
export function microsecondsOf(text: string): number | null {
  const micros = microsecondsIn(text)
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
    microsecondsFrom(text, minuteLength) === micros - minute * minuteMicros &&
    (hasNoFraction || text.charAt(text.length - '0+00'.length) !== '0')
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
