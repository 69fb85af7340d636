import type { Session } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import {
  fieldsIn,
  firstTimeField,
  isLook,
  isWord,
  type KnownSession,
  nothingKnown,
  type Row,
  type StatementKey,
  statementField,
} from './chunk.ts'
import {
  ageAt,
  clocksOf,
  momentFor,
  noTime,
  plainFields,
  type TimeCode,
  timeFields,
  timeOfCode,
} from './fields.ts'
import type { PastLook } from './look.ts'
import { restFrom } from './rest.ts'

/** `still`: its fields that do not change from look to look by themselves, once they were asked for. */
type Reread = KnownSession & { still?: Session }

/**
 * Reads the looks of a chunk again, in order: those between two times, both included. It is their sessions that take the time.
 * @param textOf the statement with this id; undefined where it is not there any more
 */
export function readChunk(
  rows: readonly Row[],
  textOf: (id: string) => string | undefined,
  from = Number.NEGATIVE_INFINITY,
  to = Number.POSITIVE_INFINITY,
): PastLook[] {
  const [head, ...looks] = rows
  if (head === undefined || !('startedAt' in head)) return []
  let known: Reread[] = []
  const rest: unknown[] = []
  const words: unknown[] = []
  const statements: StatementKey[] = []
  return looks.flatMap((row): PastLook[] => {
    if ('startedAt' in row) return []
    const takenAt = head.startedAt + row[0]
    const isWanted = takenAt >= from && takenAt <= to
    if (!isLook(row)) return isWanted ? [{ takenAt, unseen: row[1] }] : []
    const [, changed, baseAfter, gone, came, changedRest, newWords, newStatements] = row
    const clocks = clocksOf(head.startedAt * 1000 + baseAfter, takenAt)
    words.push(...newWords)
    statements.push(...newStatements)
    for (const [index, value] of changedRest) rest[index] = value
    const left = new Set(gone)
    known = known.filter((_, index) => !left.has(index))
    for (const [slot, pid] of came) known.splice(slot, 0, nothingKnown(pid))
    const [slots, masks, values] = changed
    let slot = 0
    let at = 0
    for (const [index, distance] of slots.entries()) {
      slot += distance
      const one = known[slot]
      for (const field of fieldsIn(masks[index] ?? 0)) {
        const value = values[at++] ?? 0
        if (one) change(one, field, isWord(field) ? words[value] : value, clocks)
      }
    }
    if (!isWanted) return []
    const texts = new Map<number, string>()
    for (const { pid, statement } of known) {
      const [id] = statements[statement ?? -1] ?? [null]
      const text = id === null ? undefined : textOf(id)
      if (text !== undefined) texts.set(pid, text)
    }
    const snapshot: Snapshot = {
      cluster: head.cluster,
      takenAt,
      ...restFrom(rest),
      sessions: known.map((one) => sessionFrom(one, clocks, statements)),
      texts,
    }
    return [{ takenAt, snapshot }]
  })
}

function change(one: Reread, field: number, value: unknown, clocks: readonly number[]) {
  delete one.still
  if (field < statementField) one.plain[field] = value
  else if (field === statementField) one.statement = Number(value)
  else {
    const index = (field - firstTimeField) >> 1
    const startAt = (time: number) => one.times[time]?.start ?? null
    one.times[index] = timeOfCode(value as TimeCode, momentFor(index, startAt, clocks))
  }
}

function sessionFrom(one: Reread, clocks: readonly number[], statements: readonly StatementKey[]): Session {
  const still = one.still ?? stillOf(one, statements)
  one.still = still
  const session: { -readonly [Field in keyof Session]: Session[Field] } = { ...still }
  for (let index = 0; index < timeFields.length; index++) {
    const [, age] = timeFields[index] as (typeof timeFields)[number]
    const start = one.times[index]?.start ?? null
    if (start !== null) session[age] = ageAt(start, clocks[index] ?? 0)
  }
  return session
}

/** The session with ages only where nothing grows. */
function stillOf(
  { pid, plain, statement, times }: KnownSession,
  statements: readonly StatementKey[],
): Session {
  const { leaves, ...fields } = Object.fromEntries(plainFields.map((field, index) => [field, plain[index]]))
  const session: Record<string, unknown> = {
    pid,
    ...fields,
    queryId: statements[statement ?? -1]?.[1] ?? null,
    ...(leaves === null ? {} : { leaves }),
  }
  for (const [index, [start, age]] of timeFields.entries()) {
    const time = times[index] ?? noTime
    if (start !== null) session[start] = time.text
    if (start !== null || time.age !== null) session[age] = time.age
  }
  return session as Session
}
