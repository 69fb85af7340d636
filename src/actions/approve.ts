import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { decide, type Press } from '../domain/approvals/approval.ts'
import { bot } from '../domain/approvals/journal.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { People } from '../domain/session/policy.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'
import { storeFailureOf } from '../store/failure.ts'
import type { Proposals } from '../store/proposals.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'
import { proposeInstead } from './propose.ts'

/** A press of an approve or deny button, as far as it is believed: which proposal, and who. */
export type ButtonPress = {
  readonly caller: Caller
  readonly proposalId: string
  readonly decision: Press['decision']
  readonly action: Press['action']
  /** Why it is denied or why the glass is broken; empty where nobody said. */
  readonly reason: string
}

/** Resolves when the press is carried out: with what is to be told in private (a refusal, a sentence), or with null. */
export type Approve = (press: ButtonPress) => Promise<Refusal | string | null>

type Settled =
  | { readonly kind: 'refused'; readonly proposal: Proposal; readonly refusal: Refusal }
  /** This press was counted before. */
  | { readonly kind: 'counted' }
  /** This press changed the proposal: if it is claimed now, it is this press that carries it out. */
  | { readonly kind: 'changed'; readonly proposal: Proposal }

/**
 * One press, from top to bottom: who is it, what does it mean, and if it was the last approval: claim, intent, signal,
 * proof. Of any number of presses at the same time exactly one claims the proposal.
 */
export function createApprove(deps: {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly execute: (claimed: Proposal) => Promise<Proposal>
  readonly now: () => number
  readonly log: Log
}): Approve {
  const { cards, proposals, clusters, execute, now, log } = deps
  const { checkAccess, authorize, refuse } = deps.authorization

  return async (press) => {
    const { caller, proposalId } = press
    const proposal = await proposals.get(proposalId)
    const entry = { caller, where: `${press.decision} ${press.action}`, about: proposal }
    if (!proposal) return refuse(entry, unknownButton)
    const watched = clusters.get(proposal.key.cluster)
    if (!watched)
      return refuse(entry, {
        code: 'notWatched',
        reason: `cluster ${proposal.key.cluster} is not configured any more`,
      })
    const { access, approvals } = watched.config
    const allowed = press.decision === 'breakGlass' ? approvals.breakGlass : access.approvers
    const refusal = await authorize(entry, allowed, true)
    if (refusal) return refusal

    const settled = await settle(press, proposal, watched)
    if (settled.kind === 'refused') return refuse({ ...entry, about: settled.proposal }, settled.refusal)
    if (settled.kind === 'counted') return 'Your approval was counted already; the card says what came of it.'
    if (settled.proposal.state !== 'claimed') return null
    const done = await execute(settled.proposal)
    await proposeInstead(deps, done, watched)
    return null
  }

  /**
   * An approval counts for as long as who gave it may approve: those who may not any more are taken off. While that cannot
   * be looked up, nothing is decided.
   */
  async function recount(seen: Proposal, caller: Caller, approvers: People): Promise<Proposal | Refusal> {
    if (seen.state !== 'open') return seen
    const gone: string[] = []
    for (const { userId } of seen.approvals) {
      const refusal = await checkAccess({ userId, teamId: caller.teamId }, approvers, true)
      if (refusal?.code === 'lookUpFailed')
        return {
          code: 'lookUpFailed',
          reason: `whether the earlier approval still counts is not known: ${refusal.reason}`,
        }
      if (refusal) gone.push(userId)
    }
    if (gone.length === 0) return seen
    const changed = await cards.change(seen.cardId, ({ proposals }) =>
      proposals.change(seen, { approvals: seen.approvals.filter(({ userId }) => !gone.includes(userId)) }),
    )
    if (!changed) return recount((await proposals.get(seen.id)) ?? seen, caller, approvers)
    const reason = 'they may not approve any more, so their earlier approval does not count'
    for (const userId of gone)
      await refuse(
        { caller: { userId, teamId: caller.teamId }, where: 'earlier approval', about: seen },
        { code: 'notAllowed', reason },
      )
    return changed
  }

  /** Decides, and writes the decision down unless somebody was faster; then decides again on what that one left. */
  async function settle(press: ButtonPress, read: Proposal, watched: WatchedCluster): Promise<Settled> {
    const seen =
      press.decision === 'approve' ? await recount(read, press.caller, watched.config.access.approvers) : read
    if ('code' in seen) return { kind: 'refused', proposal: read, refusal: seen }
    const decision = decide(seen, { ...press, userId: press.caller.userId }, watched.config.approvals, now())
    if (decision.kind === 'refuse') return { kind: 'refused', proposal: seen, refusal: decision.refusal }
    if (decision.kind === 'counted') return { kind: 'counted' }
    const actor = press.caller.userId
    const written = cards.change(seen.cardId, async (records, record) => {
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
          const brokeGlass = press.decision === 'breakGlass' ? { userId: actor, reason: press.reason } : null
          const claimed = await records.proposals.change(seen, {
            state: 'claimed',
            approvals,
            decidedBy: actor,
            brokeGlass,
            claimedAt: now(),
          })
          if (!claimed) return null
          const about = { actor, proposalId: seen.id }
          const have = approvals.length
          await record(
            brokeGlass
              ? { kind: 'brokeGlass', ...about, action: seen.action, session: seen.key, reason: press.reason }
              : { kind: 'approved', ...about, have, needed: have },
          )
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
    let changed: Proposal | null | undefined
    try {
      changed = await written
    } catch (error) {
      log.error({ err: error }, 'a decision could not be written down, so it does not count')
      const why = storeFailureOf(error) ?? 'see my log'
      const reason = `my journal cannot be written, so nothing is sent and nothing can be approved now: ${why}`
      return { kind: 'refused', proposal: seen, refusal: { code: 'notRecorded', reason } }
    }
    if (changed?.state === 'expired')
      return { kind: 'refused', proposal: changed, refusal: { code: 'expired', reason: 'it has expired' } }
    if (changed) return { kind: 'changed', proposal: changed }
    const current = await proposals.get(seen.id)
    return current
      ? settle(press, current, watched)
      : {
          kind: 'refused',
          proposal: seen,
          refusal: { code: 'unknownProposal', reason: 'it is not there any more' },
        }
  }
}
