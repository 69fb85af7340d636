import { createHash } from 'node:crypto'
import type { RefusalCode } from './access.ts'
import type { Action } from './action.ts'
import type { Outcome } from './outcome.ts'
import type { SessionKey } from './session.ts'

/**
 * Everything that the journal records. `actor` is a Slack user id, or `pg-marshal` for what the bot does by itself.
 * A row is written once and never changed.
 */
export type JournalEvent =
  | {
      readonly kind: 'requested'
      readonly actor: string
      readonly proposalId: string
      readonly action: Action
      readonly session: SessionKey
      readonly statement: string | null
      readonly reason: string
    }
  | {
      readonly kind: 'approved'
      readonly actor: string
      readonly proposalId: string
      readonly have: number
      readonly needed: number
    }
  | {
      readonly kind: 'refused'
      readonly actor: string
      /** Where it was tried: the slash command, a button, a modal. */
      readonly entry: string
      readonly proposalId: string | null
      readonly code: RefusalCode
      readonly reason: string
    }
  | { readonly kind: 'denied'; readonly actor: string; readonly proposalId: string; readonly reason: string }
  | { readonly kind: 'expired'; readonly actor: string; readonly proposalId: string }
  | {
      readonly kind: 'withdrawn'
      readonly actor: string
      readonly proposalId: string
      readonly reason: string
    }
  /** The last thing that is written before the signal is sent. */
  | {
      readonly kind: 'intended'
      readonly actor: string
      readonly proposalId: string
      readonly action: Action
      readonly session: SessionKey
      readonly statement: string | null
      readonly approvedBy: readonly string[]
    }
  | {
      readonly kind: 'outcome'
      readonly actor: string
      readonly proposalId: string
      readonly action: Action
      readonly session: SessionKey
      /** The statement that was run, and what it returned; null when nothing was sent or nobody knows. */
      readonly sql: string | null
      readonly returned: boolean | null
      readonly outcome: Outcome
    }
  | {
      readonly kind: 'incidentOpened' | 'incidentChanged' | 'incidentReopened' | 'incidentResolved'
      readonly actor: string
      readonly what: string
    }
  /** A privilege that the bot needs and does not have. */
  | {
      readonly kind: 'lacking'
      readonly actor: string
      readonly cluster: string
      readonly what: string
      readonly remedy: string
    }
  | {
      readonly kind: 'blind' | 'seesAgain'
      readonly actor: string
      readonly cluster: string
      readonly reason: string
    }

export const bot = 'pg-marshal'

/** One row of the journal: the event, when, about which card, and the chain. */
export type JournalRow = {
  readonly seq: number
  readonly at: number
  readonly cardId: string | null
  readonly event: JournalEvent
  /** SHA-256 (hex) of the row before; 64 zeros for the first. */
  readonly previous: string
  readonly hash: string
}

export const firstHash = '0'.repeat(64)

/** SHA-256 over the content of a row and the hash of the one before, so that no row can be changed, removed or put in between. */
export const chainHash = (row: Omit<JournalRow, 'hash'>): string =>
  createHash('sha256')
    .update(JSON.stringify([row.seq, row.at, row.cardId, row.event, row.previous]))
    .digest('hex')
