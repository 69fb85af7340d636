import { setTimeout as pause } from 'node:timers/promises'
import { asProposal, type BulkProposal, isBulk } from '../domain/approvals/bulk.ts'
import { beginMember, finishMembers } from '../domain/approvals/bulkTransitions.ts'
import type { Proposal, ProposalIn } from '../domain/approvals/proposal.ts'
import type { Execution } from '../domain/approvals/transitions.ts'
import { advance } from '../notify/advance.ts'
import { carryOut } from './carryOut.ts'
import { afterFault, type ExecuteDeps, notConfigured, nothingSent, surely } from './surely.ts'

/** Time between two signals: an application that connects again at once does so one session after the other. */
const gapMs = 50
/** An approval is of what somebody saw: later than this no signal goes out for it. */
const withinMs = 5 * 60_000

/**
 * Carries out a bulk request that was claimed: one member after the other, each as a proposal of its own is. The next one is
 * looked at when what came of the last one is written down, so that a crash leaves at most one that nobody knows of. When its time
 * is up, or this process is to end, the rest of them gets no signal.
 * @returns the proposal with the outcome of each
 */
export function createExecuteBulk({
  cards,
  clusters,
  steady,
  isStopping,
  log,
}: ExecuteDeps): (claimed: BulkProposal<ProposalIn<'claimed'>>) => Promise<Proposal> {
  return async (claimed) => {
    const startedAt = steady()
    let current: Proposal = claimed
    for (const index of claimed.bulk.members.keys()) {
      if (index > 0) await pause(gapMs)
      const isLate = steady() - startedAt > withinMs
      const unsent: Execution | null = isStopping() ? stopping : isLate ? tooLate : null
      const execution: Execution = unsent ?? (await one(current, index, startedAt))
      const ended = unsent ? [...claimed.bulk.members.keys()].slice(index) : [index]
      current = await surely<Proposal>(
        () => write(claimed, new Map(ended.map((one) => [one, execution]))),
        { outcome: execution.outcome.kind },
        log,
      )
      // Ended, by this or by another process, whose word counts then.
      if (!claimedBulk(current, claimed)) break
    }
    return current
  }

  async function one(claimed: Proposal, index: number, startedAt: number): Promise<Execution> {
    const member = claimed.bulk?.members[index]
    // What holds for the cluster may be another for the next one: a rule that protects it, or no such cluster.
    const watched = clusters.get(claimed.key.cluster)
    if (!member || !watched) return notConfigured
    const begin = (before: string) => {
      const begunAt = (claimed.claimedAt ?? 0) + Math.round(steady() - startedAt)
      return cards.commit(claimed.cardId, async (tx) => {
        const open = claimedBulk(await tx.proposals.get(claimed.id), claimed)
        const step = open && beginMember(open, index, before, begunAt)
        const begun = step && (await advance(tx, open, step))
        const now = begun?.bulk.members[index]
        return begun && now ? asProposal(begun, now) : null
      })
    }
    return carryOut(asProposal(claimed, member), { watched, begin, steady }).catch(afterFault(log))
  }

  function write(claimed: Proposal, executions: ReadonlyMap<number, Execution>): Promise<Proposal> {
    return cards.commit(claimed.cardId, async (tx) => {
      const stored = (await tx.proposals.get(claimed.id)) ?? claimed
      const open = claimedBulk(stored, claimed)
      const step = open && finishMembers(open, executions)
      return (step && (await advance<Proposal>(tx, open, step))) ?? stored
    })
  }
}

/** The proposal as it is stored, while it is still the claim of this process. */
const claimedBulk = (
  stored: Proposal | null,
  { claimedBy }: Proposal,
): BulkProposal<ProposalIn<'claimed'>> | null =>
  stored?.state === 'claimed' && stored.claimedBy === claimedBy && isBulk(stored) ? stored : null

const tooLate = nothingSent({ kind: 'notSent', why: 'more than five minutes had passed since the approval.' })
const stopping = nothingSent({ kind: 'notSent', why: 'pg-marshal was stopping.' })
