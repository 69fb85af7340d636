import type { WatchedCluster } from '../commands/cluster.ts'
import { type Refusal, refusalOf } from '../domain/approvals/access.ts'
import { alreadyDecided } from '../domain/approvals/approval.ts'
import { askApprovers } from '../domain/approvals/transitions.ts'
import { advance } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import type { Proposals } from '../store/proposals.ts'
import { askNote } from '../views/card/ask.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'

/** "Ask them": approvers who were mentioned in the thread of the card, by this press or not long ago. */
export type AskedApprovers = {
  readonly cardId: string
  readonly approvers: readonly string[]
  /** Time when they were asked before, in milliseconds since the epoch; null: now. */
  readonly askedAt: number | null
}

export type Ask = (
  caller: Caller,
  proposalId: string,
) => Promise<{ readonly refusal: Refusal } | AskedApprovers>

/**
 * Mentions the approvers in the thread of a card, once in five minutes for each card. That is kept with the proposal: a
 * restart does not forget it, and of any number of presses one makes the change.
 * @param linkTo finds the address of a card; null where it is not known
 */
export function createAsk(deps: {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly linkTo: (cardId: string) => Promise<string | null>
  readonly now: () => number
}): Ask {
  const { cards, proposals, clusters, linkTo, now } = deps
  const { authorize, refuse } = deps.authorization
  return async (caller, proposalId) => {
    const before = await proposals.get(proposalId)
    const entry = { caller, where: 'button pg_ask', about: before }
    const watched = clusters.get(before?.key.cluster ?? '')
    if (!before || !watched) return { refusal: await refuse(entry, unknownButton) }
    const { access, channel } = watched.config
    const refusal = await authorize(entry, access.viewers, true)
    if (refusal) return { refusal }
    const { cardId } = before
    const { approvers } = access
    const link = await linkTo(cardId)
    for (;;) {
      const open = await proposals.get(proposalId)
      if (open?.state !== 'open')
        return {
          refusal: await refuse(
            entry,
            open ? refusalOf('alreadyDecided', alreadyDecided(open)) : unknownButton,
          ),
        }
      if (now() >= open.expiresAt)
        return { refusal: await refuse(entry, refusalOf('expired', 'it has expired')) }
      const asked = await cards.commit(cardId, async (tx) => {
        const onCard = await tx.proposals.ofCard(cardId)
        const step = askApprovers(open, onCard, { userId: caller.userId, approvers }, now())
        if ('askedAt' in step) return step
        if (!(await advance(tx, open, step))) return null
        await tx.messages.put(
          {
            id: `ask:${open.id}:${now()}`,
            channel,
            threadOf: cardId,
            priority: askPriority,
            once: true,
            ...askNote({ by: caller.userId, approvers, proposal: open, link }),
          },
          now(),
        )
        return { askedAt: null }
      })
      if (asked) return { cardId, approvers, ...asked }
    }
  }
}

/** Somebody waits for it, as for a card of a warning. */
const askPriority = 3
