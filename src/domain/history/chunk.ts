import { noTime, plainFields, type Time, timeFields } from './fields.ts'

/**
 * Looks one after the other, each as what is not as in the one before. What grows by itself (ages) is kept as the time that
 * it counts from. A session is known by pid and backend_start.
 */

export type ChunkHead = {
  readonly cluster: string
  /** Interval of the looks, milliseconds. */
  readonly everyMs: number
  /** Milliseconds since the epoch; the times of all looks count from here. */
  readonly startedAt: number
}

/** Sessions that changed. */
export type Changed = readonly [
  /** Positions, each as the distance from the one before. */
  slots: readonly number[],
  /** For each, the fields that changed, by their bits. */
  masks: readonly number[],
  /** Whole numbers from 0, session by session and field by field. */
  values: readonly number[],
]

/** A statement: id of its text, and query id. */
export type StatementKey = readonly [id: string | null, queryId: string | null]

export type LookRow = readonly [
  ms: number,
  changed: Changed,
  /** The server's clock, microseconds after the start. */
  base: number,
  /** Positions in the look before. */
  gone: readonly number[],
  /** Positions in this one, and their pids. */
  came: readonly (readonly [number, number])[],
  /** Those of `restKeys` that changed, by their number. */
  rest: readonly (readonly [number, unknown])[],
  /** Words and statements that are new. Each is named by its number in the chunk. */
  words: readonly unknown[],
  statements: readonly StatementKey[],
]

export type Row =
  | ChunkHead
  /** Milliseconds after the start, and why nothing was seen. */
  | readonly [number, string]
  | LookRow

export const isLook = (row: Row): row is LookRow => !('startedAt' in row) && row.length > 2

/** The fields by number: those that are kept as a word each, the statement, and each time, as a number or as a word. */
export const statementField = plainFields.length
export const firstTimeField = statementField + 1
export const fieldCount = firstTimeField + 2 * timeFields.length
export const isWord = (field: number): boolean =>
  field < statementField || (field >= firstTimeField && (field - firstTimeField) % 2 === 1)

/** A session as the rows until now have it. */
export type KnownSession = {
  readonly pid: number
  readonly plain: unknown[]
  statement: number | null
  readonly times: Time[]
}

/** A session of which no row has said anything. */
export const nothingKnown = (pid: number): KnownSession => ({
  pid,
  plain: plainFields.map(() => null),
  statement: null,
  times: timeFields.map(() => noTime),
})

/** Lists the fields of a mask in their order, which is also that in which they are read: a time may count from another one. */
export function fieldsIn(mask: number): number[] {
  const fields: number[] = []
  for (let field = 0; mask >> field > 0; field++) if ((mask >> field) & 1) fields.push(field)
  return fields
}

/** Ids of the statements that these rows name. */
export const textIdsIn = (rows: readonly Row[]): string[] =>
  rows.flatMap((row) => (isLook(row) ? row[7].flatMap(([id]) => id ?? []) : []))
