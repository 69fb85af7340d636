import type { Refusal } from '../domain/approvals/access.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'
import type { Caller } from './identity.ts'

/**
 * Writes a refusal down: in the journal, and in the thread of the card that it was about.
 * @param entry where it was tried: the slash command, a button, a modal
 * @returns the refusal, to be told to the caller in private
 */
export type Refuse = (
  caller: Caller,
  entry: string,
  refusal: Refusal,
  about?: Proposal | null,
) => Promise<Refusal>

export const createRefuse =
  (cards: Cards, log: Log): Refuse =>
  async (caller, entry, refusal, about = null) => {
    try {
      await cards.change(about?.cardId ?? null, (_, record) =>
        record({
          kind: 'refused',
          actor: caller.userId,
          entry,
          proposalId: about?.id ?? null,
          code: refusal.code,
          reason: refusal.reason,
        }),
      )
    } catch (error) {
      // A refusal stands whether it can be written down or not.
      log.error({ err: error, entry, code: refusal.code }, 'a refusal could not be written down')
    }
    return refusal
  }
