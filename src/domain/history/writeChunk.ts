import { createHash } from 'node:crypto'
import type { Session } from '../session/session.ts'
import {
  type ChunkHead,
  firstTimeField,
  type KnownSession,
  nothingKnown,
  type Row,
  type StatementKey,
  statementField,
} from './chunk.ts'
import {
  clockOf,
  clocksOf,
  codeOfTime,
  goesOn,
  momentFor,
  noTime,
  plainFields,
  timeFields,
  timeFrom,
} from './fields.ts'
import type { PastLook } from './look.ts'
import { restOf } from './rest.ts'

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

/** Numbers what is met, in the order in which it is. */
function numbered<T>() {
  const numbers = new Map<string, number>()
  let added: T[] = []
  return {
    of(key: string, value: T): number {
      const known = numbers.get(key)
      if (known !== undefined) return known
      added.push(value)
      numbers.set(key, numbers.size)
      return numbers.size - 1
    },
    /** Returns those that are new since the last time. */
    takeNew(): readonly T[] {
      const taken = added
      added = []
      return taken
    },
  }
}

/** Writes only what differs, and keeps no more of a look than that: hundreds of clusters are recorded at the same time. */
export function writeChunk(head: ChunkHead): ChunkWriter {
  let known: KnownSession[] = []
  let rest: readonly string[] = []
  const words = numbered<unknown>()
  const statements = numbered<StatementKey>()
  const wordOf = (value: unknown) => words.of(JSON.stringify(value), value)
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
      const clocks = clocksOf(base, look.takenAt)
      const slots: number[] = []
      const masks: number[] = []
      const values: number[] = []
      let lastSlot = 0
      const { kept, gone } = stay(known, sessions)
      const came: [number, number][] = []
      known = sessions.map((session, slot) => {
        const before = kept[slot]
        if (!before) came.push([slot, session.pid])
        const one = before ?? nothingKnown(session.pid)
        let mask = 0
        const note = (field: number, value: number) => {
          mask |= 1 << field
          values.push(value)
        }
        plainFields.forEach((name, field) => {
          const value = session[name] ?? null
          if (value === one.plain[field]) return
          one.plain[field] = value
          note(field, wordOf(value))
        })
        const text = snapshot.texts?.get(session.pid)
        const id = text === undefined ? null : idOf(text)
        const statement = statements.of(`${id} ${session.queryId}`, [id, session.queryId])
        if (statement !== one.statement) note(statementField, statement)
        one.statement = statement
        timeFields.forEach(([startName, ageName], index) => {
          const start = startName === null ? null : session[startName]
          const age = session[ageName] ?? null
          const clock = clocks[index] ?? base
          if (goesOn(one.times[index] ?? noTime, start, age, clock)) return
          const time = timeFrom(start, age, clock)
          one.times[index] = time
          const code = codeOfTime(time, momentFor(index, one.times, clocks))
          const field = firstTimeField + 2 * index
          if (typeof code === 'number' && code >= 0) note(field, code)
          else note(field + 1, wordOf(code))
        })
        if (mask !== 0) {
          slots.push(slot - lastSlot)
          masks.push(mask)
          lastSlot = slot
        }
        return one
      })
      const now = restOf(snapshot)
      const changed = now.flatMap((json, index) =>
        json === rest[index] ? [] : [[index, JSON.parse(json)] as const],
      )
      rest = now
      return [
        ms,
        [slots, masks, values],
        base - head.startedAt * 1000,
        gone,
        came,
        changed,
        words.takeNew(),
        statements.takeNew(),
      ]
    },
  }
}

/** Finds those of before that are still there, in the same order, for each place; the others are gone, or come again. */
function stay(known: readonly KnownSession[], sessions: readonly Session[]) {
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
