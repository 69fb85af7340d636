import type { ActivityRead } from './activityRows.ts'
import { decoded } from './rows.ts'

/** Statements of all sessions, for the record. The server sends each only once, with the look that finds it. */
export type RecordedTexts = {
  /** Seconds since the epoch by the server's clock, from which on statements are not known yet; null: none is wanted. */
  since(): number | null
  /** Returns true when statements are wanted again that may have been sent before. */
  isMissing(): boolean
  /** Takes in a look at all sessions; the rows keep what is known. */
  take(read: ActivityRead): ReadonlyMap<number, string> | null
}

/** A statement that began so long before a look may show itself only after it, microseconds. */
const late = 5_000_000
const everything = Number.MIN_SAFE_INTEGER

/** @param maskText masks a statement; null where none is recorded */
export function createRecordedTexts(maskText: ((text: string) => string | null) | null): RecordedTexts {
  let since = everything
  let isMissing = false
  return {
    since: () => (maskText ? since : null),
    isMissing: () => isMissing,
    take({ rows, at, queries }) {
      if (!maskText) return null
      const texts = new Map<number, string>()
      isMissing = false
      for (const row of rows) {
        // Without a privilege the server says so in the place of the statement.
        if (row.state === null) continue
        if (row.recorded === undefined) {
          const query = queries.get(row.pid)
          isMissing ||= query === undefined
          row.recorded = query && maskText(decoded(query))
        }
        if (row.recorded) texts.set(row.pid, row.recorded)
      }
      // After a failover they are those of another server: all are wanted again.
      since = isMissing ? everything : (at - late) / 1e6
      return texts
    },
  }
}
