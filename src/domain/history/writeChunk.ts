import { createHash } from 'node:crypto'
import type { Session } from '../session/session.ts'
import { type ChunkHead, firstTimeField, type Row, type StatementKey, statementField } from './chunk.ts'
import {
  clockOf,
  clocksOf,
  codeOfTime,
  momentFor,
  noTime,
  plainFields,
  type Time,
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

/** A session as it was when something of it changed last: since then it has only grown older. */
type Written = {
  readonly session: Session
  readonly text: string | undefined
  /** Clocks of that look. */
  readonly clocks: readonly number[]
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
  let written: readonly Written[] = []
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
  const statementOf = (text: string | undefined, queryId: string | null) => {
    const id = text === undefined ? null : idOf(text)
    return statements.of(`${id} ${queryId}`, [id, queryId])
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
      const { kept, gone } = stay(written, sessions)
      const came: [number, number][] = []
      written = sessions.map((session, slot) => {
        const before = kept[slot]
        const was = before?.session
        if (!was) came.push([slot, session.pid])
        let mask = 0
        const note = (field: number, value: number) => {
          mask |= 1 << field
          values.push(value)
        }
        plainFields.forEach((name, field) => {
          const value = session[name] ?? null
          if (value !== (was?.[name] ?? null)) note(field, wordOf(value))
        })
        const text = snapshot.texts?.get(session.pid)
        if (!before || text !== before.text || session.queryId !== before.session.queryId)
          note(statementField, statementOf(text, session.queryId))
        const times: Time[] = []
        for (const index of timeFields.keys()) {
          const clock = clocks[index] ?? base
          const time = timeAt(index, session, clock)
          times.push(time)
          const timeBefore = before ? timeAt(index, before.session, before.clocks[index] ?? 0) : noTime
          if (timeBefore.text === time.text && timeBefore.start === time.start && timeBefore.age === time.age)
            continue
          const code = codeOfTime(time, momentFor(index, times, clocks))
          const field = firstTimeField + 2 * index
          if (typeof code === 'number' && code >= 0) note(field, code)
          else note(field + 1, wordOf(code))
        }
        if (before && mask === 0) return before
        slots.push(slot - lastSlot)
        masks.push(mask)
        lastSlot = slot
        return { session, text, clocks }
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

/** Returns a time of a session, which was read at this moment of the clock that its ages go by. */
function timeAt(index: number, session: Session, clock: number): Time {
  const [start, age] = timeFields[index] ?? [null, null]
  return timeFrom(start === null ? null : session[start], (age === null ? null : session[age]) ?? null, clock)
}

/** Finds those of before that are still there, in the same order, for each place; the others are gone, or come again. */
function stay(written: readonly Written[], sessions: readonly Session[]) {
  const places = new Map<number, number>()
  written.forEach(({ session }, index) => {
    places.set(session.pid, index)
  })
  const isKept = new Array<boolean>(written.length).fill(false)
  let last = -1
  const kept = sessions.map(({ pid, backendStart }) => {
    const index = places.get(pid) ?? -1
    const one = written[index]
    if (!one || index <= last || one.session.backendStart !== backendStart) return undefined
    last = index
    isKept[index] = true
    return one
  })
  return { kept, gone: isKept.flatMap((here, index) => (here ? [] : [index])) }
}
