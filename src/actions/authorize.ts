import type { Refusal } from '../domain/approvals/access.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { People } from '../domain/session/policy.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'

/** Who pressed or typed, as the signed payload says. Nothing else of it is believed. */
export type Caller = { readonly userId: string; readonly teamId: string | null }

/** What somebody wants. */
export type Entry = {
  readonly caller: Caller
  /** Where: the slash command, a button, a modal. */
  readonly where: string
  /** The card in whose thread a refusal is told; in none if absent. */
  readonly about?: Proposal | null
}

/**
 * Whether the caller is a full member of our workspace and in the list, asked of Slack now.
 * @param fresh do not use group members from a moment ago
 * @returns the refusal, or null when they may
 */
export type CheckAccess = (caller: Caller, allowed: People, fresh: boolean) => Promise<Refusal | null>

/** All return the refusal, to be told to the caller in private. */
export type Authorization = {
  readonly checkAccess: CheckAccess
  /** Checks access, and writes a refusal down. */
  authorize(entry: Entry, allowed: People, fresh: boolean): Promise<Refusal | null>
  /** Writes a refusal down: in the journal, and in the thread of the card that it is about. */
  refuse(entry: Entry, refusal: Refusal): Promise<Refusal>
}

export function createAuthorization(deps: {
  readonly checkAccess: CheckAccess
  readonly cards: Cards
  readonly log: Log
}): Authorization {
  const { checkAccess, cards, log } = deps
  return {
    checkAccess,
    async authorize(entry, allowed, fresh) {
      const refusal = await checkAccess(entry.caller, allowed, fresh)
      return refusal && refuse(entry, refusal)
    },
    refuse,
  }

  async function refuse({ caller, where, about = null }: Entry, refusal: Refusal): Promise<Refusal> {
    try {
      await cards.commit(about?.cardId ?? null, (tx) =>
        tx.record({
          kind: 'refused',
          actor: caller.userId,
          entry: where,
          proposalId: about?.id ?? null,
          code: refusal.code,
          reason: refusal.reason,
        }),
      )
    } catch (error) {
      // A refusal stands whether it can be written down or not.
      log.error({ err: error, entry: where, code: refusal.code }, 'a refusal could not be written down')
    }
    return refusal
  }
}

export const unknownButton: Refusal = { code: 'unknownProposal', reason: 'this button is no longer valid' }
