import { createHash } from 'node:crypto'
import type { Session } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import {
  ageAt,
  clockOf,
  codeOfTime,
  goesOn,
  plainFields,
  type Time,
  type TimeCode,
  timeFields,
  timeFrom,
  timeOfCode,
} from './fields.ts'
import type { PastLook } from './look.ts'
import { restFrom, restOf } from './rest.ts'

/**
 * Looks one after the other, each as what is not as in the one before. What grows by itself (ages) is kept as the time that
 * it counts from. A session is known by pid and backend_start.
 */

export type ChunkHead = {
  readonly version: 1
  readonly cluster: string
  /** Interval of the looks, milliseconds. */
  readonly everyMs: number
  /** Milliseconds since the epoch; the times of all looks count from here. */
  readonly startedAt: number
}

/** Positions of sessions, each as the distance from the one before, and a value for each. */
type Column = readonly [field: number, slots: readonly number[], values: readonly unknown[]]

export type Row =
  | ChunkHead
  /** Milliseconds after the start, and why nothing was seen. */
  | readonly [number, string]
  | readonly [
      ms: number,
      /** The server's clock, microseconds after the start. */
      base: number,
      /** Positions in the look before. */
      gone: readonly number[],
      /** Positions in this one, and their pids. */
      came: readonly (readonly [number, number])[],
      columns: readonly Column[],
      /** Those of `restKeys` that changed, by their number. */
      rest: readonly (readonly [number, unknown])[],
      /** Words that are new: ids of statements, and query ids. Each is named by its number in the chunk. */
      words: readonly string[],
    ]

const queryIdField = plainFields.length
const textField = plainFields.length + 1
const sameWaitField = plainFields.length + 2
const firstTimeField = plainFields.length + 3

type Known = {
  readonly pid: number
  readonly values: unknown[]
  readonly times: Time[]
  /** Fields that do not change from look to look by themselves, once they were asked for. */
  still?: Session | undefined
}

const noTime: Time = { text: null, start: null, age: null }
const unknown = (pid: number): Known => ({
  pid,
  values: new Array(firstTimeField).fill(null),
  times: timeFields.map(() => noTime),
})

/** Id of a statement in the table of texts: the same for all looks of a cluster. */
export const textId = (text: string): string =>
  createHash('sha256').update(text).digest('base64url').slice(0, 16)

export type ChunkWriter = {
  readonly head: ChunkHead
  /** Returns the row of a look. Its time must be later than that of the one before. */
  add(look: PastLook): Row
  /** Statements that the chunk names, by id. */
  readonly texts: ReadonlyMap<string, string>
}

/** Writes only what differs, and keeps no more of a look than that: hundreds of clusters are recorded at the same time. */
export function writeChunk(head: ChunkHead): ChunkWriter {
  let known: Known[] = []
  let rest: readonly string[] = []
  const words = new Map<string, number>()
  const ids = new Map<string, string>()
  const texts = new Map<string, string>()
  const idOf = (text: string) => {
    const known = ids.get(text)
    if (known !== undefined) return known
    const id = textId(text)
    ids.set(text, id)
    texts.set(id, text)
    return id
  }
  return {
    head,
    texts,
    add(look) {
      const ms = look.takenAt - head.startedAt
      if (!('snapshot' in look)) return [ms, look.unseen]
      const { snapshot } = look
      const { sessions } = snapshot
      const base = clockOf(sessions, look.takenAt)
      const newWords: string[] = []
      const wordOf = (text: string | null): number | null => {
        if (text === null) return null
        const number = words.get(text)
        if (number !== undefined) return number
        words.set(text, words.size)
        newWords.push(text)
        return words.size - 1
      }
      const columns = new Map<number, { slots: number[]; values: unknown[]; last: number }>()
      const change = (field: number, slot: number, value: unknown) => {
        const column = columns.get(field) ?? { slots: [], values: [], last: 0 }
        columns.set(field, column)
        column.slots.push(slot - column.last)
        column.values.push(value)
        column.last = slot
      }
      const isNew = (one: Known, field: number, value: unknown): boolean => {
        const was = one.values[field]
        if (value === was || (Array.isArray(value) && String(value) === String(was))) return false
        one.values[field] = value
        return true
      }
      const { kept, gone } = stay(known, sessions)
      const came: [number, number][] = []
      known = sessions.map((session, slot) => {
        const before = kept[slot]
        if (!before) came.push([slot, session.pid])
        const one = before ?? unknown(session.pid)
        const note = (field: number, value: unknown) => {
          if (isNew(one, field, value)) change(field, slot, value)
        }
        plainFields.forEach((name, field) => {
          note(field, session[name] ?? null)
        })
        note(queryIdField, wordOf(session.queryId))
        const text = snapshot.texts?.get(session.pid)
        note(textField, text === undefined ? null : wordOf(idOf(text)))
        const since = sinceOf(session.sameWaitSeconds, ms)
        if (isNew(one, sameWaitField, since))
          change(sameWaitField, slot, typeof since === 'number' ? ms - since : since)
        timeFields.forEach(([start, age], index) => {
          if (goesOn(one.times[index] ?? noTime, session[start], session[age], base)) return
          const time = timeFrom(session[start], session[age], base)
          one.times[index] = time
          change(firstTimeField + index, slot, codeOfTime(time, base))
        })
        return one
      })
      const now = restOf(snapshot)
      const changed = now.flatMap((json, index) =>
        json === rest[index] ? [] : [[index, JSON.parse(json)] as const],
      )
      rest = now
      return [
        ms,
        base - head.startedAt * 1000,
        gone,
        came,
        [...columns].map(([field, { slots, values }]): Column => [field, slots, values]),
        changed,
        newWords,
      ]
    },
  }
}

/** The moment since when it waits, as milliseconds after the start; a list where it is no whole number of them. */
function sinceOf(seconds: number | undefined, ms: number): unknown {
  if (seconds === undefined) return null
  const since = ms - Math.round(seconds * 1000)
  return (ms - since) / 1000 === seconds ? since : [seconds]
}

/** Finds those of before that are still there, in the same order, for each place; the others are gone, or come again. */
function stay(known: readonly Known[], sessions: readonly Session[]) {
  const at = new Map<number, number>()
  known.forEach(({ pid }, index) => {
    at.set(pid, index)
  })
  const isKept = new Array<boolean>(known.length).fill(false)
  let last = -1
  const kept = sessions.map(({ pid, backendStart }) => {
    const index = at.get(pid) ?? -1
    const one = known[index]
    if (!one || index <= last || one.times[0]?.text !== backendStart) return undefined
    last = index
    isKept[index] = true
    return one
  })
  return { kept, gone: isKept.flatMap((here, index) => (here ? [] : [index])) }
}

/**
 * Reads the looks of a chunk again, in order.
 * @param textOf the statement with this id; undefined where it is not there any more
 */
export function readChunk(rows: readonly Row[], textOf: (id: string) => string | undefined): PastLook[] {
  const [head, ...looks] = rows
  if (head === undefined || !('version' in head)) return []
  let known: Known[] = []
  const rest: unknown[] = []
  const words: string[] = []
  return looks.flatMap((row): PastLook[] => {
    if ('version' in row) return []
    const takenAt = head.startedAt + row[0]
    if (row.length === 2) return [{ takenAt, unseen: row[1] }]
    const [ms, baseAfter, gone, came, columns, changed, newWords] = row
    const base = head.startedAt * 1000 + baseAfter
    words.push(...newWords)
    for (const [index, value] of changed) rest[index] = value
    const left = new Set(gone)
    known = known.filter((_, index) => !left.has(index))
    for (const [slot, pid] of came) known.splice(slot, 0, unknown(pid))
    for (const [field, slots, values] of columns) {
      let slot = 0
      for (const [index, distance] of slots.entries()) {
        slot += distance
        const one = known[slot]
        if (!one) continue
        one.still = undefined
        const value = values[index]
        if (field >= firstTimeField) one.times[field - firstTimeField] = timeOfCode(value as TimeCode, base)
        else one.values[field] = field === sameWaitField && typeof value === 'number' ? ms - value : value
      }
    }
    const texts = new Map<number, string>()
    for (const { pid, values } of known) {
      const id = values[textField]
      const text = id === null ? undefined : textOf(words[id as number] ?? '')
      if (text !== undefined) texts.set(pid, text)
    }
    const snapshot: Snapshot = {
      cluster: head.cluster,
      takenAt,
      ...restFrom(rest),
      sessions: known.map((one) => sessionFrom(one, ms, base, words)),
      texts,
    }
    return [{ takenAt, snapshot }]
  })
}

/** Ids of the statements that these rows name. */
export const wordsIn = (rows: readonly Row[]): string[] =>
  rows.flatMap((row) => ('version' in row || row.length === 2 ? [] : row[6]))

function sessionFrom(one: Known, ms: number, base: number, words: readonly string[]): Session {
  const still = one.still ?? stillOf(one, words)
  one.still = still
  const session: { -readonly [Field in keyof Session]: Session[Field] } = { ...still }
  for (let index = 0; index < timeFields.length; index++) {
    const [, age] = timeFields[index] as (typeof timeFields)[number]
    const start = one.times[index]?.start ?? null
    if (start !== null) session[age] = ageAt(start, base)
  }
  const since = one.values[sameWaitField]
  if (since !== null) session.sameWaitSeconds = Array.isArray(since) ? since[0] : (ms - Number(since)) / 1000
  return session
}

/** The session with ages only where nothing grows. */
function stillOf({ pid, values, times }: Known, words: readonly string[]): Session {
  const { leaves, ...plain } = Object.fromEntries(plainFields.map((field, index) => [field, values[index]]))
  const queryId = values[queryIdField]
  return {
    pid,
    ...plain,
    queryId: queryId === null ? null : words[queryId as number],
    ...(leaves === null ? {} : { leaves }),
    ...Object.fromEntries(
      timeFields.flatMap(([start, age], index) => [
        [start, times[index]?.text ?? null],
        [age, times[index]?.age ?? null],
      ]),
    ),
  } as Session
}
