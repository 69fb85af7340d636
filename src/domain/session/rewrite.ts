import { statementsIn } from './command.ts'
import { concurrent, leftoverOf } from './leftover.ts'
import type { Session } from './session.ts'

/**
 * A statement that copies one table, without its dead rows, into new files, and puts these in the place of the old ones at
 * its end: REPACK since 19, VACUUM FULL and CLUSTER before and since. Ended before, it has done nothing.
 */
export type Rewrite = {
  /**
   * REPACK (CONCURRENTLY): for hours it holds a ShareUpdateExclusiveLock, beside which others read and write; only its last step
   * takes an AccessExclusiveLock. A worker reads by a temporary replication slot what they change meanwhile (repack.c).
   */
  readonly isConcurrent: boolean
}

const rewrites = /^(?:(?:REPACK|CLUSTER)\b|VACUUM (?:FULL\b|\([^)]*\bFULL\b(?! (?:FALSE|OFF)\b)))/
const concurrently = new RegExp(String.raw`^REPACK\b${concurrent}`)

/** Progress of one. */
export type RewriteProgress = {
  /** The server's word for the step, as `writing new heap` or `catch-up`. */
  readonly phase: string
  /** Share of the old table that is read; null where the server does not say. */
  readonly share: number | null
}

/** Null where the session runs none. Of many tables each that is done stays so: see leftover.ts. */
export function rewriteOf(session: Session): Rewrite | null {
  if (session.state !== 'active' || leftoverOf(session) !== null) return null
  const statement = statementsIn(session).find((words) => rewrites.test(words))
  return statement === undefined ? null : { isConcurrent: concurrently.test(statement) }
}
