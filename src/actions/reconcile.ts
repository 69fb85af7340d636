import type { WatchedCluster } from '../commands/cluster.ts'
import { asProposal, type BulkProposal, isBulk } from '../domain/approvals/bulk.ts'
import { endMembers } from '../domain/approvals/bulkTransitions.ts'
import type { Outcome } from '../domain/approvals/outcome.ts'
import type { Proposal, ProposalIn } from '../domain/approvals/proposal.ts'
import { finish } from '../domain/approvals/transitions.ts'
import { advance } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import type { Proposals } from '../store/proposals.ts'
import { signalWayOf } from './signalWay.ts'

/** Time after which a claim is ended although its server does not say what time it is. */
const longestMs = 30_000

/**
 * Ends what was claimed by a process that is gone. Where it had not begun the signal, it can send none any more,
 * for it would have to write that down first. Where it had, nobody can know whether the signal went out, so it is never sent again:
 * once its time has passed at its server, the card says so, and how the session looks then.
 */
export async function reconcile(deps: {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Decides whether the process that claimed one has ended. */
  readonly isGone: (replica: string) => boolean
  readonly now: () => number
}): Promise<void> {
  const { cards, proposals, clusters, isGone, now } = deps
  for (const claimed of await proposals.inState('claimed')) {
    if (!isGone(claimed.claimedBy ?? '')) continue
    if (isBulk(claimed)) {
      await reconcileBulk(claimed)
      continue
    }
    const outcome = await outcomeOf(claimed, clusters.get(claimed.key.cluster), now())
    if (outcome === null) continue
    const execution = { outcome, sql: null, returned: null }
    // Whoever had it may wake at this moment: then the one of both that comes first counts.
    await cards.commit(claimed.cardId, (tx) => advance(tx, claimed, finish(claimed, execution)))
  }

  /** At most one member was begun and has no outcome. */
  async function reconcileBulk(claimed: BulkProposal<ProposalIn<'claimed'>>) {
    const unknown = new Map<number, Outcome>()
    for (const [index, member] of claimed.bulk.members.entries()) {
      if (member.outcome || member.signalBefore === undefined) continue
      const outcome = await outcomeOf(asProposal(claimed, member), clusters.get(claimed.key.cluster), now())
      if (outcome) unknown.set(index, outcome)
    }
    const step = endMembers(claimed, unknown)
    if (step) await cards.commit(claimed.cardId, (tx) => advance<Proposal>(tx, claimed, step))
  }
}

/** Says what is known of a signal; null while it may still go out. */
async function outcomeOf(
  claimed: Proposal,
  watched: WatchedCluster | undefined,
  now: number,
): Promise<Outcome | null> {
  const { claimedBy, claimedAt, signalBefore, key } = claimed
  if (claimedBy !== undefined && signalBefore === undefined)
    return {
      kind: 'notSent',
      why: 'the process that had it ended before it sent anything. It had not yet written down until when the signal may go out, without which none does.',
    }
  if (!watched) return { kind: 'unknown', now: `Cluster ${key.cluster} is not configured any more.` }
  const isLongAgo = () => now - (claimedAt ?? 0) > longestMs
  const way = signalWayOf(claimed)
  const isPast = signalBefore === undefined || (await way.isPast(watched, { key, signalBefore }, isLongAgo))
  return isPast ? { kind: 'unknown', now: await way.describe(watched, claimed) } : null
}
