import type { Session } from '../session/session.ts'
import type { Outcome, Victim } from './outcome.ts'

/**
 * The frozen list of a bulk request: one decision about many sessions. It never grows. A shorter one is another proposal, so
 * that an approval is of exactly one list.
 */
export type Bulk = {
  /** At least one. */
  readonly members: readonly BulkMember[]
  readonly leftOut: readonly LeftOut[]
  /** Choice of the sessions, as it is typed: `--app web --state idle`. */
  readonly chosenBy: string
  /** Name of the sweep that made it; absent where a person chose. */
  readonly sweep?: string | undefined
}

/** One session of the list, as it was when the list was made. */
export type BulkMember = {
  readonly session: Session
  /** Sessions that waited behind it then. */
  readonly victims: readonly Victim[]
  readonly pooled: boolean
  /** See `Proposal.signalBefore`: absent while no signal to it may have gone out. */
  readonly signalBefore?: string | undefined
  /** Time right before its signal: the last of a long list has it minutes after the approval. Absent before that. */
  readonly begunAt?: number | undefined
  /** Absent until it is known. */
  readonly outcome?: Outcome | undefined
  /** See `Proposal.retriedAfterMs`. Absent: not known to be. */
  readonly retriedAfterMs?: number | undefined
}

/** Sessions that were chosen and are not in the list, and why: a clause that may follow a colon. */
export type LeftOut = { readonly why: string; readonly pids: readonly number[] }

/** Number of members whose outcome is of a kind. They add up to the list. */
export type BulkCounts = { readonly [K in Outcome['kind']]?: number | undefined }

/** Counts what came of the members so far. */
export function countsOf({ members }: Bulk): BulkCounts {
  const counts: Partial<Record<Outcome['kind'], number>> = {}
  for (const { outcome } of members) if (outcome) counts[outcome.kind] = (counts[outcome.kind] ?? 0) + 1
  return counts
}
