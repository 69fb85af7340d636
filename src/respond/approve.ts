import type { Board } from '../channel/board.ts'
import type { Refusal } from '../domain/access.ts'
import { decide, type Press } from '../domain/approval.ts'
import { bot } from '../domain/journal.ts'
import type { Proposal } from '../domain/proposal.ts'
import type { Proposals } from '../store/proposals.ts'
import type { Admit, Caller } from './identity.ts'
import { proposeInstead } from './propose.ts'
import type { Refuse } from './refuse.ts'
import type { Watched } from './watched.ts'

/** A press of an approve or deny button, as far as it is believed: which proposal, and who. */
export type ButtonPress = {
  readonly caller: Caller
  readonly proposalId: string
  readonly decision: Press['decision']
  readonly action: Press['action']
  /** Why it is denied; empty where nobody said. */
  readonly reason: string
}

/** Resolves when the press is carried out: with why it is not, to be told in private, or with null. */
export type Approve = (press: ButtonPress) => Promise<Refusal | null>

/**
 * One press, from top to bottom: who is it, what does it mean, and if it was the last approval: claim, intent, signal,
 * proof. Of any number of presses at the same time exactly one claims the proposal.
 */
export function createApprove(deps: {
  readonly board: Board
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, Watched>
  readonly admit: Admit
  readonly refuse: Refuse
  readonly execute: (claimed: Proposal) => Promise<Proposal>
  readonly now: () => number
}): Approve {
  const { board, proposals, clusters, admit, refuse, execute, now } = deps

  return async (press) => {
    const { caller, proposalId } = press
    const proposal = await proposals.get(proposalId)
    const refused = (refusal: Refusal, about: Proposal | null = proposal) =>
      refuse(caller, `button ${press.decision}_${press.action}`, refusal, about)

    if (!proposal)
      return refused({ code: 'unknownProposal', reason: 'this button stands for nothing that I know of' })
    const watched = clusters.get(proposal.key.cluster)
    if (!watched)
      return refused({
        code: 'notWatched',
        reason: `cluster ${proposal.key.cluster} is not configured any more`,
      })
    const notAdmitted = await admit(caller, watched.config.access.approvers, true)
    if (notAdmitted) return refused(notAdmitted)

    const settled = await settle(press, proposal, watched)
    if (settled.refusal) return refused(settled.refusal, settled.proposal)
    if (settled.proposal.state !== 'claimed') return null
    const done = await execute(settled.proposal)
    await proposeInstead(deps, done, watched)
    return null
  }

  /** Decides, and writes the decision down unless somebody was faster; then decides again on what that one left. */
  async function settle(
    press: ButtonPress,
    seen: Proposal,
    watched: Watched,
  ): Promise<{ proposal: Proposal; refusal: Refusal | null }> {
    const decision = decide(
      seen,
      { userId: press.caller.userId, decision: press.decision, action: press.action },
      watched.config.approvals,
      now(),
    )
    if (decision.kind === 'refuse') return { proposal: seen, refusal: decision.refusal }
    const actor = press.caller.userId
    const changed = await board.change(seen.cardId, async (records, record) => {
      switch (decision.kind) {
        case 'expire': {
          const expired = await records.proposals.change(seen, { state: 'expired' })
          if (expired) await record({ kind: 'expired', actor: bot, proposalId: seen.id })
          return expired
        }
        case 'deny': {
          const denied = await records.proposals.change(seen, {
            state: 'denied',
            decidedBy: actor,
            decision: press.reason || null,
          })
          if (denied) await record({ kind: 'denied', actor, proposalId: seen.id, reason: press.reason })
          return denied
        }
        case 'wait': {
          const { approvals, needed } = decision
          const waiting = await records.proposals.change(seen, { approvals })
          if (waiting)
            await record({ kind: 'approved', actor, proposalId: seen.id, have: approvals.length, needed })
          return waiting
        }
        case 'execute': {
          const { approvals } = decision
          const claimed = await records.proposals.change(seen, {
            state: 'claimed',
            approvals,
            decidedBy: actor,
          })
          if (!claimed) return null
          await record({
            kind: 'approved',
            actor,
            proposalId: seen.id,
            have: approvals.length,
            needed: approvals.length,
          })
          await record({
            kind: 'intended',
            actor: bot,
            proposalId: seen.id,
            action: seen.action,
            session: seen.key,
            statement: seen.session.query,
            approvedBy: approvals.map(({ userId }) => userId),
          })
          return claimed
        }
      }
    })
    if (changed)
      return {
        proposal: changed,
        refusal: changed.state === 'expired' ? { code: 'expired', reason: 'it has expired' } : null,
      }
    const current = await proposals.get(seen.id)
    return current
      ? settle(press, current, watched)
      : { proposal: seen, refusal: { code: 'unknownProposal', reason: 'it is not there any more' } }
  }
}
