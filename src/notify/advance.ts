import type { OpenProposal, Proposal } from '../domain/approvals/proposal.ts'
import type { Step } from '../domain/approvals/transitions.ts'
import type { CardTx } from './cards.ts'

/** Puts a new proposal on its card, and what the journal says of it. */
export async function begin(tx: CardTx, { next, events }: Step<OpenProposal>): Promise<void> {
  await tx.proposals.add(next)
  for (const event of events) await tx.record(event)
}

/**
 * Takes one step of a proposal: the change, and what the journal says of it.
 * @returns the proposal as it stands then; null when somebody was faster, and nothing was written
 */
export async function advance<P extends Proposal>(
  tx: CardTx,
  before: Proposal,
  { next, events }: Step<P>,
): Promise<P | null> {
  const stored = await tx.proposals.swap(before, next)
  if (stored) for (const event of events) await tx.record(event)
  return stored
}
