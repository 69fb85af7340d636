import type { Config } from '../config/config.ts'
import { createVerifier, type Fault, shortestHead } from '../domain/approvals/journal.ts'
import type { Out } from './out.ts'
import { withStore } from './withStore.ts'

type Audit = { readonly config: Config; readonly out: Out; readonly err: Out }

/**
 * `audit verify`: follows the chain from the first row to the last and names the first that is not as it was written.
 * @param head the beginning of a hash that was posted to the channel: the row that has it must still be there, or the end was
 *   cut off
 * @returns 0 when all is as it was written, 1 when not, 2 when there is no journal
 */
export const auditVerify = ({
  config,
  head,
  out,
  err,
}: Audit & { readonly head: string | null }): Promise<0 | 1 | 2> =>
  withStore(config, err, async ({ journal }): Promise<0 | 1> => {
    const verifier = createVerifier()
    let headSeen = head === null
    const wrong = (fault: Fault) => {
      out.write(`The journal is not as it was written: row ${fault.seq} ${fault.what}.\n`)
      return 1 as const
    }
    try {
      for await (const row of journal.all()) {
        const fault = verifier.check(row)
        if (fault) return wrong(fault)
        headSeen ||= head !== null && row.hash.startsWith(head)
      }
    } catch (error) {
      // A number that the bot never wrote, too large to be read.
      if (!(error instanceof RangeError)) throw error
      return wrong({
        seq: (verifier.head()?.seq ?? 0) + 1,
        what: 'or one soon after it was changed: it cannot be read',
      })
    }
    const last = verifier.head()
    const end = last ? `${last.seq} rows, head ${last.hash}` : 'no rows'
    if (!headSeen) {
      out.write(
        `The journal is not as it was written: the row with the posted hash is missing, so rows at its end were removed or rewritten, after row ${last?.seq ?? 0} at the latest (${end}).\n`,
      )
      return 1
    }
    out.write(`The journal is as it was written: ${end}.\n`)
    if (head === null)
      out.write(
        'That no rows are missing at its end is proved with a hash from the channel: audit verify --head HASH.\n',
      )
    return 0
  })

/**
 * `audit export`: the rows of a time as JSON Lines, as they are stored, oldest first.
 * @param from `to` milliseconds since the epoch; from is included, to is not
 */
export const auditExport = ({
  config,
  from,
  to,
  out,
  err,
}: Audit & { readonly from: number; readonly to: number }): Promise<0 | 2> =>
  withStore(config, err, async ({ journal }): Promise<0> => {
    for await (const { event, ...row } of journal.all())
      if (row.at >= from && row.at < to)
        out.write(
          `${JSON.stringify({ ...row, at: new Date(row.at).toISOString(), event: JSON.parse(event) })}\n`,
        )
    return 0
  })

/** Reads the beginning of a hash as it stands in the channel; null when it is too short to prove anything, or is none. */
export const parseHead = (text: string): string | null =>
  new RegExp(`^[0-9a-f]{${shortestHead},64}$`, 'i').test(text) ? text.toLowerCase() : null

/** Reads a day or a moment (`2026-03-01`, `2026-03-01T03:00:00Z`; days are UTC); null when it is none. */
export function parseMoment(text: string): number | null {
  const shape = /^(\d{4}-\d{2}-\d{2})(T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.exec(text)
  const day = shape?.[1] ?? ''
  // `Date.parse` takes the 30th of February for the 2nd of March.
  const isDay = !Number.isNaN(Date.parse(day)) && new Date(Date.parse(day)).toISOString().startsWith(day)
  const time = shape && isDay ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? null : time
}
