import type { Session } from '../session/session.ts'
import type { Outcome, Victim } from './outcome.ts'
import type { Proposal } from './proposal.ts'

/**
 * The frozen list of a bulk request: one decision about many sessions. It never grows. A shorter one is another proposal, so
 * that an approval is of exactly one list.
 */
export type Bulk = {
  /** At least one. */
  readonly members: readonly Member[]
  readonly leftOut: readonly LeftOut[]
  /** How the sessions were chosen, as it is typed: `--app web --state idle`. */
  readonly chosenBy: string
  /** Name of the sweep that made it; absent where a person chose. */
  readonly sweep?: string | undefined
}

/** One session of the list, as it was when the list was made. */
export type Member = {
  readonly session: Session
  /** Sessions that waited behind it then. */
  readonly victims: readonly Victim[]
  readonly pooled: boolean
  /** See `Proposal.signalBefore`: absent while no signal to it may have gone out. */
  readonly signalBefore?: string | undefined
  /** Absent until it is known. */
  readonly outcome?: Outcome | undefined
}

/** Sessions that were chosen and are not in the list, and why: a clause that may follow a colon. */
export type LeftOut = { readonly why: string; readonly pids: readonly number[] }

/** Number of members whose outcome is of a kind. They add up to the list. */
export type BulkCounts = { readonly [K in Outcome['kind']]?: number | undefined }

/** A proposal for a list. */
export type BulkProposal<P extends Proposal = Proposal> = P & { readonly bulk: Bulk }

export const isBulk = <P extends Proposal>(proposal: P): proposal is BulkProposal<P> =>
  proposal.bulk !== undefined

/** One of a list as a proposal of its own, for all that is decided about one session. */
export type MemberProposal = Proposal & { readonly asListed: true }

/** Makes a member stand for itself. It was never chosen alone, so it must be exactly as it was listed. */
export function asProposal(proposal: Proposal, member: Member): MemberProposal {
  const { session, victims, pooled, signalBefore, outcome = null } = member
  const { pid, backendStart } = session
  const key = { cluster: proposal.key.cluster, pid, backendStart }
  return {
    ...proposal,
    bulk: undefined,
    key,
    session,
    victims,
    pooled,
    signalBefore,
    outcome,
    asListed: true,
  }
}

/** Lists each session that a proposal is for, as a proposal of its own. */
export const eachOf = (proposal: Proposal): readonly Proposal[] =>
  proposal.bulk ? proposal.bulk.members.map((member) => asProposal(proposal, member)) : [proposal]

/** Counts what came of the members so far. */
export function countsOf({ members }: Bulk): BulkCounts {
  const counts: Partial<Record<Outcome['kind'], number>> = {}
  for (const { outcome } of members) if (outcome) counts[outcome.kind] = (counts[outcome.kind] ?? 0) + 1
  return counts
}
