import { createHash } from 'node:crypto'
import type { Session } from '../session/session.ts'
import { type ChunkHead, firstTimeField, type Row, statementField } from './chunk.ts'
import { clockOf, clocksOf, codeOfTime, momentFor, plainFields, timeFields } from './fields.ts'
import type { PastLook } from './look.ts'
import { createStatements, createWords } from './numbered.ts'
import { restOf } from './rest.ts'
import { createWrittenSessions } from './writtenSessions.ts'

/** Id of a statement in the table of texts: the same for all looks of a cluster. */
export const textId = (text: string): string =>
  createHash('sha256').update(text).digest('base64url').slice(0, 16)

export type ChunkWriter = {
  readonly head: ChunkHead
  /** Returns the row of a look, of which it keeps nothing but texts. Its time must be later than that of the one before. */
  add(look: PastLook): Row
  /** Returns the statements that the rows since the last time name, and none before them, by id. */
  takeTexts(): ReadonlyMap<string, string>
}

/** Statement of a session, clocks of the look, and where the values go. */
type Noting = {
  readonly text: string | undefined
  readonly clocks: readonly number[]
  readonly values: number[]
}

/** Writes only what differs, and keeps no more of a look than that: hundreds of clusters are recorded at the same time. */
export function writeChunk(head: ChunkHead): ChunkWriter {
  const written = createWrittenSessions()
  const words = createWords()
  const statements = createStatements(textId)
  let rest: readonly string[] = []
  return {
    head,
    takeTexts: statements.takeTexts,
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
      const { gone, came } = written.arrange(sessions)
      for (const [slot, session] of sessions.entries()) {
        const mask = note(slot, session, { text: snapshot.texts?.get(session.pid), clocks, values })
        if (mask === 0) continue
        slots.push(slot - lastSlot)
        masks.push(mask)
        lastSlot = slot
      }
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

  /** Notes what differs of a session. @returns those fields as bits; their values follow those before */
  function note(slot: number, session: Session, { text, clocks, values }: Noting): number {
    let mask = 0
    for (const [field, name] of plainFields.entries()) {
      const value = session[name] ?? null
      if (value === words.at(written.numberAt(slot, field))) continue
      const word = words.of(value)
      written.setNumber(slot, field, word)
      mask |= 1 << field
      values.push(word)
    }
    if (!statements.isAt(written.numberAt(slot, statementField), text, session.queryId)) {
      const statement = statements.of(text, session.queryId)
      written.setNumber(slot, statementField, statement)
      mask |= 1 << statementField
      values.push(statement)
    }
    for (let index = 0; index < timeFields.length; index++) {
      const time = written.setTime(slot, index, session, clocks)
      if (!time) continue
      const moment = momentFor(index, (from) => written.startAt(slot, from), clocks)
      const code = codeOfTime(time, moment)
      const field = firstTimeField + 2 * index
      const isWord = typeof code !== 'number' || code < 0
      mask |= 1 << (isWord ? field + 1 : field)
      values.push(isWord ? words.of(code) : code)
    }
    return mask
  }
}
