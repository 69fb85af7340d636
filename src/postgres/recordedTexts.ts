import { type ActivityRow, decoded } from './rows.ts'

/** Statements of all sessions, for the record. The server sends each only once, with the look that finds it. */
export type RecordedTexts = {
  /** Seconds since the epoch by the server's clock, from which on statements are not known yet; null: none is wanted. */
  since(): number | null
  /** Takes in the rows of a look at all sessions. */
  take(rows: readonly ActivityRow[]): ReadonlyMap<number, string> | null
}

/** A statement that began so long before a look may show itself only after it, seconds. */
const lateSeconds = 5
const everything = Number.MIN_SAFE_INTEGER

/** @param maskText masks a statement; null where none is recorded */
export function createRecordedTexts(maskText: ((text: string) => string | null) | null): RecordedTexts {
  let known: ReadonlyMap<string, string> = new Map()
  let since = everything
  return {
    since: () => (maskText ? since : null),
    take(rows) {
      if (!maskText) return null
      const seen = new Map<string, string>()
      const texts = new Map<number, string>()
      let isMissing = false
      for (const { pid, backend_start, query_start, state, query } of rows) {
        // Without a privilege the server says so in the place of the statement.
        if (state === null) continue
        const key = `${pid} ${backend_start} ${query_start}`
        const text = query === null ? known.get(key) : maskText(decoded(query))
        isMissing ||= text === undefined
        if (text == null) continue
        seen.set(key, text)
        if (text !== '') texts.set(pid, text)
      }
      // After a failover they are those of another server: all are wanted again.
      since = isMissing ? everything : (rows[0]?.now ?? 0) - lateSeconds
      known = seen
      return texts
    },
  }
}
