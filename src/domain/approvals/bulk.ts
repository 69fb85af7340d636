import type { Bulk, BulkMember } from './members.ts'
import type { Proposal } from './proposal.ts'

/** A proposal for a list. */
export type BulkProposal<P extends Proposal = Proposal> = P & { readonly bulk: Bulk }

export const isBulk = <P extends Proposal>(proposal: P): proposal is BulkProposal<P> =>
  proposal.bulk !== undefined

/** One of a list as a proposal of its own, for all that is decided about one session. */
export type MemberProposal = Proposal & { readonly asListed: true }

/** Makes a member stand for itself. It was never chosen alone, so it must be exactly as it was listed. */
export function asProposal(proposal: Proposal, member: BulkMember): MemberProposal {
  const { session, victims, pooled, signalBefore, outcome = null, retriedAfterMs = null } = member
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
    claimedAt: member.begunAt ?? proposal.claimedAt,
    outcome,
    retriedAfterMs,
    asListed: true,
  }
}

/** Lists each session that a proposal is for, as a proposal of its own. */
export const eachOf = (proposal: Proposal): readonly Proposal[] =>
  proposal.bulk ? proposal.bulk.members.map((member) => asProposal(proposal, member)) : [proposal]
