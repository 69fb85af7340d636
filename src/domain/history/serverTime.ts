/** Times as the server writes them to our connections: ISO, in UTC, with up to six digits of a second. */
const shape = /^(\d{4,6})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00$/

/** Reads such a time as microseconds since the epoch; null where it is none. */
export function microsecondsIn(text: string): number | null {
  const [, year, month, day, hour, minute, second, fraction = ''] = shape.exec(text) ?? []
  if (year === undefined) return null
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  )
  return ms * 1000 + Number(fraction.padEnd(6, '0'))
}

/** Reads it, where it can be written again to the letter; else null. */
export function microsecondsOf(text: string): number | null {
  const micros = microsecondsIn(text)
  return micros !== null && Number.isSafeInteger(micros) && serverTimeOf(micros) === text ? micros : null
}

/** Writes it again as the server did. */
export function serverTimeOf(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const rest = micros - seconds * 1_000_000
  const whole = wholeOf(seconds)
  if (whole === '') return ''
  return rest === 0 ? `${whole}+00` : `${whole}.${String(rest).padStart(6, '0').replace(/0+$/, '')}+00`
}

/** The last one: the times of a session lie close together. */
let last = { seconds: Number.NaN, text: '' }

function wholeOf(seconds: number): string {
  if (seconds === last.seconds) return last.text
  const date = new Date(seconds * 1000)
  const text = Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 19).replace('T', ' ')
  last = { seconds, text }
  return text
}
