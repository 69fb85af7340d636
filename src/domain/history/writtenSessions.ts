import type { Session } from '../session/session.ts'
import { ageAt, plainFields, type Time, timeFields, timeFrom } from './fields.ts'

/** Number in the place of a word or a statement while no row has said anything of it. */
export const unsaid = -1

/**
 * Sessions of a cluster as the rows until now have them. They stand in columns: with an object for each session and each of its
 * numbers, hundreds of clusters took more than twice of the memory.
 */
export type WrittenSessions = {
  /** Makes these sessions those that are written: who stays keeps what is known, and of who comes nothing is. */
  arrange(sessions: readonly Session[]): Arranged
  /** Returns the number of the word in a plain field, or (`statementField`) that of the statement. */
  numberAt(slot: number, field: number): number
  setNumber(slot: number, field: number, number: number): void
  /** Returns the moment that an age counts from, µs; null where it counts from none. */
  startAt(slot: number, time: number): number | null
  /** Takes a time of a session over, whose ages go by these clocks. @returns null where it is the same as before */
  setTime(slot: number, time: number, session: Session, clocks: readonly number[]): Time | null
}

type Arranged = {
  /** Positions before of those that went, or that come again at another place. */
  readonly gone: number[]
  /** Positions of those that came, and their pids. */
  readonly came: [number, number][]
}

/** Whole numbers of a session: its pid, the times (as bits) whose moment is an age, and the fields. */
const pidPlace = 0
const agesPlace = 1
const firstField = 2
const numberCount = firstField + plainFields.length + 1
const timeCount = timeFields.length
/** The times with a text come first, and of them the one by which a session is known. */
const textCount = timeFields.filter(([start]) => start !== null).length

export function createWrittenSessions(): WrittenSessions {
  let count = 0
  let numbers = new Int32Array(0)
  /** The start of each time, or an age that fits to none; NaN: neither. */
  let moments = new Float64Array(0)
  /** Texts of the times, of these sessions alone. Whoever reads the sessions has them as well. */
  const texts: (string | null)[] = []

  const isAt = (slot: number, { pid, backendStart }: Session) =>
    numbers[slot * numberCount + pidPlace] === pid && texts[slot * textCount] === backendStart

  /** Finds those that are still there, in the same order: for each session its position before, or -1. */
  function stay(sessions: readonly Session[]): number[] {
    let places: Map<number, number> | null = null
    let last = -1
    return sessions.map((session) => {
      let slot = last + 1
      if (!isAt(slot, session)) {
        places ??= new Map(Array.from({ length: count }, (_, at) => [pidAt(at), at]))
        slot = places.get(session.pid) ?? -1
        if (slot <= last || !isAt(slot, session)) return -1
      }
      last = slot
      return slot
    })
  }

  const pidAt = (slot: number) => numbers[slot * numberCount + pidPlace] ?? 0

  function move(from: number, to: number) {
    if (from === to) return
    numbers.copyWithin(to * numberCount, from * numberCount, (from + 1) * numberCount)
    moments.copyWithin(to * timeCount, from * timeCount, (from + 1) * timeCount)
    for (let at = 0; at < textCount; at++) texts[to * textCount + at] = texts[from * textCount + at] ?? null
  }

  function begin(slot: number, pid: number) {
    numbers.fill(unsaid, slot * numberCount, (slot + 1) * numberCount)
    numbers[slot * numberCount + pidPlace] = pid
    numbers[slot * numberCount + agesPlace] = 0
    moments.fill(Number.NaN, slot * timeCount, (slot + 1) * timeCount)
    for (let at = 0; at < textCount; at++) texts[slot * textCount + at] = null
  }

  function makeRoom(length: number) {
    if (length * numberCount > numbers.length) {
      const [before, momentsBefore] = [numbers, moments]
      numbers = new Int32Array(length * numberCount)
      numbers.set(before)
      moments = new Float64Array(length * timeCount)
      moments.set(momentsBefore)
    }
    while (texts.length < length * textCount) texts.push(null)
  }

  function startAt(slot: number, time: number): number | null {
    const moment = moments[slot * timeCount + time] ?? Number.NaN
    return Number.isNaN(moment) || isAge(slot, time) ? null : moment
  }

  const isAge = (slot: number, time: number) =>
    (((numbers[slot * numberCount + agesPlace] ?? 0) >> time) & 1) === 1

  /** Returns the age that the rows until now give a time at this clock. */
  function ageBefore(slot: number, time: number, clock: number): number | null {
    const moment = moments[slot * timeCount + time] ?? Number.NaN
    if (isAge(slot, time)) return moment
    return Number.isNaN(moment) ? null : ageAt(moment, clock)
  }

  return {
    arrange(sessions) {
      if (sessions.length === count && sessions.every((session, slot) => isAt(slot, session)))
        return { gone: [], came: [] }
      const kept = stay(sessions)
      const staying = kept.filter((slot) => slot >= 0)
      const isKept = new Set(staying)
      const gone = Array.from({ length: count }, (_, slot) => slot).filter((slot) => !isKept.has(slot))
      for (const [to, from] of staying.entries()) move(from, to)
      makeRoom(sessions.length)
      const came: [number, number][] = []
      // From the end: none is put where one stands that has to move.
      let from = staying.length - 1
      for (let slot = sessions.length - 1; slot >= 0; slot--) {
        if (kept[slot] !== -1) move(from--, slot)
        else {
          const pid = sessions[slot]?.pid ?? 0
          begin(slot, pid)
          came.push([slot, pid])
        }
      }
      count = sessions.length
      texts.length = count * textCount
      return { gone, came: came.reverse() }
    },
    numberAt: (slot, field) => numbers[slot * numberCount + firstField + field] ?? unsaid,
    setNumber(slot, field, number) {
      numbers[slot * numberCount + firstField + field] = number
    },
    startAt,
    setTime(slot, time, session, clocks) {
      const [startName, ageName] = timeFields[time] ?? timeFields[0]
      const text = startName === null ? null : session[startName]
      const age = session[ageName] ?? null
      const clock = clocks[time] ?? 0
      const textPlace = slot * textCount + time
      const isSame = ageBefore(slot, time, clock) === age && (time >= textCount || texts[textPlace] === text)
      // Also where it says the same: of two texts the older one is to become garbage.
      if (time < textCount) texts[textPlace] = text
      if (isSame) return null
      const now = timeFrom(text, age, clock)
      moments[slot * timeCount + time] = now.start ?? now.age ?? Number.NaN
      const bits = numbers[slot * numberCount + agesPlace] ?? 0
      numbers[slot * numberCount + agesPlace] = now.age === null ? bits & ~(1 << time) : bits | (1 << time)
      return now
    },
  }
}
