import { isBulk } from '../domain/approvals/bulk.ts'
import type { Proposal, ProposalIn } from '../domain/approvals/proposal.ts'
import { beginSignal, type Execution, finish } from '../domain/approvals/transitions.ts'
import { advance } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import { createExecuteBulk } from './executeBulk.ts'
import { signalWayOf } from './signalWay.ts'
import { afterFault, type ExecuteDeps, notConfigured, surely } from './surely.ts'

/**
 * Carries out a proposal that was claimed, with the intent written down: the session is read again, one guarded
 * statement sends the signal, the effect is watched, the outcome is written down and shown. Never sends twice: a
 * proposal is claimed once, and what goes wrong after the signal may have left ends as `unknown`. Never sends late: until when
 * the signal may go out is written down before it does, by the clock of its server, which holds it to that. So a process that was
 * stopped for a while sends nothing when it wakes, and another one knows whether it can have.
 * @returns the proposal with its outcome
 */
export function createExecute(deps: ExecuteDeps): (claimed: ProposalIn<'claimed'>) => Promise<Proposal> {
  const { cards, clusters, steady, log } = deps
  const executeBulk = createExecuteBulk(deps)

  return async (claimed) => {
    if (isBulk(claimed)) return executeBulk(claimed)
    const watched = clusters.get(claimed.key.cluster)
    let current = claimed
    const begin = async (before: string) => {
      const begun = await cards.commit(claimed.cardId, (tx) =>
        advance(tx, claimed, beginSignal(claimed, before)),
      )
      if (begun) current = begun
      return begun
    }
    const execution = watched
      ? await signalWayOf(claimed).carryOut(claimed, { watched, begin, steady }).catch(afterFault(log))
      : notConfigured
    return surely(() => writeOutcome(cards, current, execution), { outcome: execution.outcome.kind }, log)
  }
}

/** Writes down what became of a proposal that this process has claimed, unless another one has ended it meanwhile. */
const writeOutcome = (
  cards: Cards,
  claimed: ProposalIn<'claimed'>,
  execution: Execution,
): Promise<Proposal> =>
  cards.commit(claimed.cardId, async (tx) => {
    // That the signal begins may be written down without our hearing of it.
    const current = (await tx.proposals.get(claimed.id)) ?? claimed
    if (current.state !== 'claimed') return current
    return (await advance(tx, current, finish(current, execution))) ?? current
  })
