import { type ActivityRead, keepOnly } from './activityRows.ts'
import { decoded } from './rows.ts'

/** Statements of all sessions, for the record. The server sends each only once, with the look that finds it. */
export type RecordedTexts = {
  /** Seconds since the epoch by the server's clock, from which on statements are not known yet; null: none is wanted. */
  since(): number | null
  /** Takes in a look at all sessions. */
  take(read: ActivityRead): ReadonlyMap<number, string> | null
}

type Known = {
  readonly backendStart: string | null
  readonly queryStart: string | null
  readonly text: string
}

/** A statement that began so long before a look may show itself only after it, microseconds. */
const late = 5_000_000
const everything = Number.MIN_SAFE_INTEGER

/** @param maskText masks a statement; null where none is recorded */
export function createRecordedTexts(maskText: ((text: string) => string | null) | null): RecordedTexts {
  const known = new Map<number, Known>()
  let since = everything
  return {
    since: () => (maskText ? since : null),
    take({ rows, at, queries }) {
      if (!maskText) return null
      const texts = new Map<number, string>()
      let isMissing = false
      for (const { pid, backend_start: backendStart, query_start: queryStart, state } of rows) {
        // Without a privilege the server says so in the place of the statement.
        if (state === null) continue
        const before = known.get(pid)
        const isSame = before?.backendStart === backendStart && before.queryStart === queryStart
        const query = queries.get(pid)
        const text = isSame ? before.text : query && maskText(decoded(query))
        isMissing ||= text === undefined
        if (text == null) continue
        if (!isSame) known.set(pid, { backendStart, queryStart, text })
        if (text !== '') texts.set(pid, text)
      }
      keepOnly(known, rows)
      // After a failover they are those of another server: all are wanted again.
      since = isMissing ? everything : (at - late) / 1e6
      return texts
    },
  }
}
