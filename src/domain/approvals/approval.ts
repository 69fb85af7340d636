import type { Action } from '../session/action.ts'
import type { Approvals } from '../session/policy.ts'
import type { Refusal } from './access.ts'
import type { Approval, Proposal } from './proposal.ts'

/** An authorised person pressed a button. Who they are was checked before; here it is decided what it means. */
export type Press = {
  readonly userId: string
  readonly decision: 'approve' | 'deny' | 'breakGlass'
  readonly action: Action
  /** Why it is denied, or why one person acts alone; only the latter has to say. */
  readonly reason: string
}

export type Decision =
  | { readonly kind: 'refuse'; readonly refusal: Refusal }
  /** Counted, but more people are needed. */
  | { readonly kind: 'wait'; readonly approvals: readonly Approval[]; readonly needed: number }
  /** They approved it before, and it was carried out: a second delivery of the same press, or impatience. */
  | { readonly kind: 'counted' }
  /** Enough different people: carry it out. */
  | { readonly kind: 'execute'; readonly approvals: readonly Approval[] }
  | { readonly kind: 'deny' }
  | { readonly kind: 'expire' }

/** What one press by one authorised approver does to a proposal. */
export function decide(proposal: Proposal, press: Press, policy: Approvals, now: number): Decision {
  const refuse = (code: Refusal['code'], reason: string): Decision => ({
    kind: 'refuse',
    refusal: { code, reason },
  })
  if (press.action !== proposal.action)
    return refuse('wrongAction', 'this button does not belong to that proposal')
  if (proposal.state !== 'open' && press.decision === 'approve' && hasApproved(proposal, press.userId))
    return { kind: 'counted' }
  if (proposal.state !== 'open')
    return {
      kind: 'refuse',
      refusal: { code: 'alreadyDecided', reason: alreadyDecided(proposal), by: proposal.decidedBy },
    }
  if (now >= proposal.expiresAt) return { kind: 'expire' }
  if (press.decision === 'deny') return { kind: 'deny' }
  if (press.decision === 'breakGlass')
    return !/[\p{L}\p{N}]/u.test(press.reason)
      ? refuse('noReason', 'breaking the glass takes a reason')
      : { kind: 'execute', approvals: withApproval(proposal, press.userId, now) }
  if (press.userId === proposal.requestedBy && !policy.requesterMayApprove)
    return refuse('requester', 'you asked for it, so somebody else has to approve it')
  if (proposal.approvals.some(({ userId }) => userId === press.userId))
    return refuse('alreadyApproved', 'you approved it already; somebody else has to as well')
  const counting = proposal.approvals.filter(
    ({ userId }) => policy.requesterMayApprove || userId !== proposal.requestedBy,
  )
  const approvals = withApproval({ ...proposal, approvals: counting }, press.userId, now)
  const needed = policy.people[proposal.action]
  return approvals.length < needed ? { kind: 'wait', approvals, needed } : { kind: 'execute', approvals }
}

const hasApproved = ({ state, approvals }: Proposal, userId: string): boolean =>
  (state === 'claimed' || state === 'done') && approvals.some((one) => one.userId === userId)

/** Each person counts once. */
const withApproval = ({ approvals }: Proposal, userId: string, at: number): readonly Approval[] =>
  approvals.some((one) => one.userId === userId) ? approvals : [...approvals, { userId, at }]

/** What a late press is told. */
function alreadyDecided(proposal: Proposal): string {
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
