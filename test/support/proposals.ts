import { type Guard, guardOf } from '../../src/domain/approvals/approvedState.ts'
import type { Bulk, BulkMember } from '../../src/domain/approvals/members.ts'
import {
  openProposal,
  type ProposalFields,
  type ProposalIn,
  type ProposalState,
} from '../../src/domain/approvals/proposal.ts'
import type { Action } from '../../src/domain/session/action.ts'
import { type Session, sessionKeyOf } from '../../src/domain/session/session.ts'
import { idleInTransaction } from './builders.ts'

/** Time of the tests' proposals: well after 1970, and easy to count from. */
export const madeAt = 1_000_000

/** An open proposal of the watcher: terminate a session that is idle in its transaction; it expires after a minute. */
export function proposal<S extends ProposalState = 'open'>(
  over: Partial<ProposalFields> & { readonly state?: S } = {},
  session: Session = idleInTransaction(4312, 600),
): ProposalIn<S> {
  const made: ProposalFields & { readonly state: ProposalState } = {
    ...openProposal(
      {
        id: 'b2f6b0a4-0000-4000-8000-000000000001',
        cardId: 'card-1',
        action: 'terminate',
        key: sessionKeyOf('orders', session),
        session,
        victims: [],
        reason: '',
        requestedBy: null,
      },
      madeAt,
      60_000,
    ),
    ...over,
  }
  return made as ProposalIn<S>
}

/** One of a list, of which nothing is known yet. */
export const memberOf = (session: Session): BulkMember => ({ session, victims: [], pooled: false })

/** The same proposal for a list of these. */
export const bulkProposal = <S extends ProposalState = 'open'>(
  sessions: readonly Session[],
  over: Partial<ProposalFields> & { readonly state?: S } = {},
): ProposalIn<S> & { readonly bulk: Bulk } => ({
  ...proposal<S>(over, sessions[0]),
  bulk: { members: sessions.map(memberOf), leftOut: [], chosenBy: '--app web' },
})

/** The guard of a signal that somebody requested by hand, for this session as it is here. */
export const guardFor = (action: Action, session: Session, over: Partial<ProposalFields> = {}): Guard =>
  guardOf(proposal({ action, requestedBy: 'U0RIA', signalBefore: 'infinity', ...over }, session))
