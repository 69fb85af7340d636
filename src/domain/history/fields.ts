import type { Session } from '../session/session.ts'
import { isServerTimeOf, microsecondsOf, serverTimeOf } from '../text/serverTime.ts'

/** Fields of a session that are kept as they are. */
export const plainFields = [
  'leaderPid',
  'backendType',
  'datname',
  'usename',
  'isSuperuser',
  'applicationName',
  'clientAddr',
  'state',
  'waitEventType',
  'waitEvent',
  'backendXid',
  'backendXmin',
  'query',
  'leaves',
] as const satisfies readonly (keyof Session)[]

/**
 * Times and the ages since them. The age grows from look to look, the time does not. A session does things in quick succession:
 * a time that is counted from another one, by its place in this list, has few digits.
 */
export const timeFields = [
  ['backendStart', 'backendSeconds', null],
  ['stateChange', 'stateSeconds', null],
  ['queryStart', 'querySeconds', 1],
  ['xactStart', 'xactSeconds', 2],
  // Of this one there is the age alone.
  [null, 'sameWaitSeconds', null],
] as const satisfies readonly (readonly [keyof Session | null, keyof Session, from: number | null])[]

/** The clocks that the ages of a look go by: that of the server for all but the last one, which counts from look to look. */
export const clocksOf = (server: number, takenAt: number): readonly number[] =>
  timeFields.map(([start]) => (start === null ? takenAt * 1000 : server))

/**
 * Returns the moment that a time of a session is counted back from.
 * @param startAt the start of another time of it, by its place; null: it has none
 */
export function momentFor(
  index: number,
  startAt: (time: number) => number | null,
  clocks: readonly number[],
): number {
  const from = timeFields[index]?.[2] ?? null
  return (from === null ? null : startAt(from)) ?? clocks[index] ?? 0
}

/** Tags are read together with a statement, and looks have none: the record keeps their texts without comments. */
type Missing = Exclude<
  keyof Session,
  | 'pid'
  | 'queryId'
  | 'tags'
  | 'tagLinks'
  | 'pooler'
  | (typeof plainFields)[number]
  | (typeof timeFields)[number][0 | 1]
>
/** Does not compile where a field of a session is kept nowhere. */
export const nothingMissing: [Missing] extends [never] ? true : Missing = true

/** A time of the server, as text, and the moment from which its age is counted (µs); `age`: one that fits to no moment. */
export type Time = {
  readonly text: string | null
  readonly start: number | null
  readonly age: number | null
}

export const noTime: Time = { text: null, start: null, age: null }

/** Number: microseconds before a moment, from which the text follows. A list: what does not follow. */
export type TimeCode =
  | number
  | null
  | readonly [string | null, number]
  | readonly [string | null, null, number | null]

/** @param base the server's clock at the look, µs */
export function timeFrom(text: string | null, age: number | null, base: number): Time {
  if (age === null) return { text, start: null, age: null }
  const start = base - Math.round(age * 1e6)
  const fits = Number.isSafeInteger(start) && ageAt(start, base) === age
  return fits ? { text, start, age: null } : { text, start: null, age }
}

export const ageAt = (start: number, base: number): number => (base - start) / 1e6

export function codeOfTime({ text, start, age }: Time, moment: number): TimeCode {
  if (start === null) return text === null && age === null ? null : [text, null, age]
  return text !== null && isServerTimeOf(start, text) ? moment - start : [text, moment - start]
}

export function timeOfCode(code: TimeCode, moment: number): Time {
  if (code === null) return { text: null, start: null, age: null }
  if (typeof code === 'number') return { text: serverTimeOf(moment - code), start: moment - code, age: null }
  const [text, before, age = null] = code
  return before === null ? { text, start: null, age } : { text, start: moment - before, age: null }
}

/** Finds the server's clock at the look: every age of it goes by the same one. */
export function clockOf(sessions: readonly Session[], takenAt: number): number {
  for (const { backendStart, backendSeconds } of sessions) {
    const start = microsecondsOf(backendStart)
    const base = start === null ? null : start + Math.round(backendSeconds * 1e6)
    if (base !== null && Number.isSafeInteger(base)) return base
  }
  return Math.round(takenAt * 1000)
}
