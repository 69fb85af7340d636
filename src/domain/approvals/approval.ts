import type { Action } from '../session/action.ts'
import type { Approvals } from '../session/policy.ts'
import { type Refusal, refusalOf } from './access.ts'
import type { Proposal } from './proposal.ts'
import { approve, breakGlass, deny, expire, type Step } from './transitions.ts'

/** An authorised person pressed a button. Who they are was checked before; here it is decided what it means. */
export type Press = {
  readonly userId: string
  readonly decision: 'approve' | 'deny' | 'breakGlass'
  readonly action: Action
  /** Reason for a denial, or for acting alone. Only the latter requires one. */
  readonly reason: string
  /** True when a code of this person's authenticator app was accepted for this press; absent: none was. */
  readonly hasCode?: boolean | undefined
}

/**
 * Meaning of a press: a change of the proposal, or why there is none. `counted`: the same person approved it before and
 * it was carried out. That is a second delivery of the same press, or impatience.
 */
export type Decision = Step<Proposal> | Refusal | 'counted'

/** Decides what one press by one authorised person does to a proposal. */
export function decide(proposal: Proposal, press: Press, policy: Approvals, now: number): Decision {
  const { userId, reason } = press
  if (press.action !== proposal.action)
    return refusalOf('wrongAction', 'this button does not belong to that proposal')
  if (proposal.state !== 'open')
    return press.decision === 'approve' && hasApproved(proposal, userId)
      ? 'counted'
      : { ...refusalOf('alreadyDecided', alreadyDecided(proposal)), by: proposal.decidedBy }
  if (now >= proposal.expiresAt) return expire(proposal)
  switch (press.decision) {
    case 'approve':
      return onlyWithCode(approve(proposal, userId, policy, now), proposal, press, policy)
    case 'deny':
      return deny(proposal, userId, reason)
    case 'breakGlass':
      return onlyWithCode(breakGlass(proposal, userId, reason, now), proposal, press, policy)
  }
}

/** Takes a press for `noCode` where only a code is missing: with it, the same press counts. A reason is asked for beside it. */
const onlyWithCode = (
  decision: Step<Proposal> | Refusal,
  { action }: Proposal,
  { hasCode }: Press,
  { secondFactor }: Approvals,
): Decision =>
  hasCode || !secondFactor[action] || ('code' in decision && decision.code !== 'noReason')
    ? decision
    : refusalOf('noCode', 'it takes a code of your authenticator app as well')

const hasApproved = ({ state, approvals }: Proposal, userId: string): boolean =>
  (state === 'claimed' || state === 'done') && approvals.some((one) => one.userId === userId)

/** Answers a press that comes too late. */
export function alreadyDecided(proposal: Proposal): string {
  switch (proposal.state) {
    case 'expired':
      return 'it has expired'
    case 'withdrawn':
      return `it does not stand any more: ${proposal.decision ?? 'the session changed'}`
    case 'denied':
      return 'it was already decided: denied'
    default:
      return 'it was already decided: approved'
  }
}
