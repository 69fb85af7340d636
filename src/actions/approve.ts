import type { WatchedCluster } from '../commands/cluster.ts'
import { type Refusal, refusalOf } from '../domain/approvals/access.ts'
import { decide, type Press } from '../domain/approvals/approval.ts'
import type { Proposal, ProposalIn } from '../domain/approvals/proposal.ts'
import { type Step, takeOff } from '../domain/approvals/transitions.ts'
import type { People } from '../domain/session/policy.ts'
import type { Log } from '../log.ts'
import { advance } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import { storeFailureOf } from '../store/failure.ts'
import type { Proposals } from '../store/proposals.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'
import { proposeInstead } from './propose.ts'
import type { AcceptedCode, SecondFactor } from './secondFactor.ts'

/** A press of an approve or deny button, as far as it is believed: which proposal, and who. */
export type ButtonPress = {
  readonly caller: Caller
  readonly proposalId: string
  readonly decision: Press['decision']
  readonly action: Press['action']
  /** Reason of the denial or of breaking the glass; empty when none was given. */
  readonly reason: string
  /** Proof of a code that was used up for it; absent where none was given. */
  readonly code?: AcceptedCode | undefined
}

/**
 * Resolves when the press is carried out: with the private reply (a refusal, a sentence), or with null. With the refusal
 * `noCode` nothing is missing but a code.
 */
export type Approve = (press: ButtonPress) => Promise<Refusal | string | null>

/** Refusals of people for whom an approver can do it. */
const helpedByApprovers: ReadonlySet<Refusal['code']> = new Set([
  'notAllowed',
  'requester',
  'alreadyApproved',
  'notEnrolled',
  'locked',
])

/**
 * One press, from top to bottom: who is it, what does it mean, and if it was the last approval: claim, intent, signal,
 * proof. Of any number of presses at the same time exactly one claims the proposal.
 */
export function createApprove(deps: {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly secondFactor: Pick<SecondFactor, 'hindrance'>
  readonly execute: (claimed: ProposalIn<'claimed'>) => Promise<Proposal>
  /** Id of this process among those that work with the store. */
  readonly replica: string
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
    // A look-up is shared by all cards: only here it is known whom to ask.
    const withHelp = (refused: Refusal): Refusal =>
      press.decision !== 'breakGlass' && helpedByApprovers.has(refused.code) && proposal.state === 'open'
        ? { ...refused, help: { kind: 'approvers', proposalId, approvers: access.approvers } }
        : refused
    if (refusal) return withHelp(refusal)

    const settled = await settle(press, proposal, watched)
    if (settled === 'counted') return 'Your approval was counted already; the card says what came of it.'
    if ('code' in settled) {
      if (settled.code !== 'noCode') return withHelp(await refuse(entry, settled))
      const hindrance = await deps.secondFactor.hindrance(caller.userId)
      return hindrance ? withHelp(await refuse(entry, hindrance)) : settled
    }
    if (settled.state === 'expired') return refuse(entry, refusalOf('expired', 'it has expired'))
    if (settled.state !== 'claimed') return null
    const done = await execute(settled)
    await proposeInstead(deps, done, watched)
    return null
  }

  /**
   * Decides, and writes the decision down unless somebody was faster; then decides again on what that one left.
   * @returns the proposal as this press has changed it; `counted` where an earlier one was counted
   */
  async function settle(
    press: ButtonPress,
    seen: Proposal,
    watched: WatchedCluster,
  ): Promise<Proposal | Refusal | 'counted'> {
    const { access, approvals } = watched.config
    const { userId } = press.caller
    const hasCode = press.code?.userId === userId && press.code.proposalId === seen.id
    const gone = press.decision === 'approve' ? await approversGone(seen, press.caller, access.approvers) : []
    if ('code' in gone) return gone
    const step =
      seen.state === 'open' && gone.length > 0
        ? takeOff(seen, gone)
        : decide(seen, { ...press, userId, hasCode }, approvals, now())
    if (step === 'counted' || 'code' in step) return step
    const written = await write(seen, carriedOutBy(deps.replica, step))
    if (written && ('code' in written || gone.length === 0)) return written
    const current = written ?? (await proposals.get(seen.id))
    return current
      ? settle(press, current, watched)
      : refusalOf('unknownProposal', 'it is not there any more')
  }

  /**
   * Finds whose approvals do not count any more: an approval counts for as long as who gave it may approve. While that
   * cannot be looked up, nothing is decided.
   */
  async function approversGone(
    { state, approvals }: Proposal,
    { teamId }: Caller,
    approvers: People,
  ): Promise<string[] | Refusal> {
    const gone: string[] = []
    for (const { userId } of state === 'open' ? approvals : []) {
      const refusal = await checkAccess({ userId, teamId }, approvers, true)
      if (refusal?.code === 'lookUpFailed')
        return refusalOf(
          'lookUpFailed',
          `whether the earlier approval still counts is not known: ${refusal.reason}`,
        )
      if (refusal) gone.push(userId)
    }
    return gone
  }

  /** Writes a step down; null where somebody was faster. */
  async function write(seen: Proposal, step: Step<Proposal>): Promise<Proposal | Refusal | null> {
    try {
      return await cards.commit(seen.cardId, (tx) => advance(tx, seen, step))
    } catch (error) {
      log.error({ err: error }, 'a decision could not be written down, so it does not count')
      const why = storeFailureOf(error) ?? 'see my log'
      return refusalOf(
        'notRecorded',
        `my journal cannot be written, so nothing is sent and nothing can be approved now: ${why}`,
      )
    }
  }
}

/** Notes who carries out what this step claims. */
const carriedOutBy = (replica: string, { next, events }: Step<Proposal>): Step<Proposal> => ({
  next: next.state === 'claimed' ? { ...next, claimedBy: replica } : next,
  events,
})
