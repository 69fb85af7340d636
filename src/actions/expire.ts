import { expire } from '../domain/approvals/transitions.ts'
import { advance } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import type { Proposals } from '../store/proposals.ts'

/** Ends the proposals whose time is up, so that their cards lose their buttons without anybody pressing one. */
export async function expireDue(deps: {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly now: () => number
}): Promise<void> {
  for (const due of await deps.proposals.dueBy(deps.now()))
    await deps.cards.commit(due.cardId, (tx) => advance(tx, due, expire(due)))
}
