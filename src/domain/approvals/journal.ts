import { createHash } from 'node:crypto'
import type { Action } from '../session/action.ts'
import type { SessionKey } from '../session/session.ts'
import type { RefusalCode } from './access.ts'
import type { BulkCounts } from './members.ts'
import type { Outcome } from './outcome.ts'

/**
 * Everything that the journal records. `actor` is a Slack user id, or `pg-marshal` for what the bot does by itself, or a
 * program that asks over HTTP (see actor.ts); `requestId` is its request, as the log names it.
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
      readonly members?: readonly Listed[] | undefined
      readonly reason: string
      /** Those who were asked in the thread to approve it; absent where it was requested. */
      readonly asked?: readonly string[] | undefined
      readonly requestId?: string | undefined
    }
  /** Proposed without a request for this action: by the watcher, after a cancel without effect, or on "Offer again". */
  | {
      readonly kind: 'offered'
      readonly actor: string
      readonly proposalId: string
      readonly action: Action
      readonly session: SessionKey
      readonly statement: string | null
      readonly members?: readonly Listed[] | undefined
    }
  /** The whole list of a bulk request is through: how many of it came to what. Each has an outcome of its own. */
  | {
      readonly kind: 'bulkDone'
      readonly actor: string
      readonly proposalId: string
      readonly action: Action
      readonly session: SessionKey
      readonly counts: BulkCounts
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
      /** Place where it was tried: the slash command, a button, a modal. */
      readonly entry: string
      readonly proposalId: string | null
      readonly code: RefusalCode
      readonly reason: string
      /** So many more of the same person, for the same reason, within a minute: they are counted, not written each. */
      readonly more?: number
      readonly requestId?: string | undefined
    }
  /** A code of their authenticator app was accepted, and is used up. No code is ever written down. */
  | { readonly kind: 'codeAccepted'; readonly actor: string; readonly proposalId: string }
  /** So many wrong codes: until then (milliseconds since the epoch) none of this person's counts. */
  | {
      readonly kind: 'codesLocked'
      readonly actor: string
      readonly proposalId: string
      readonly cluster: string
      readonly wrong: number
      readonly until: number
    }
  /** On the machine of the bot, by one of its users, somebody was enrolled for codes or is not any more. */
  | {
      readonly kind: 'enrolled' | 'unenrolled'
      readonly actor: string
      readonly userId: string
      readonly by: string
    }
  /** On the machine of the server, by one of its users: the last thing that is written before a signal of the system is sent. */
  | {
      readonly kind: 'hostIntended'
      readonly actor: string
      readonly by: string
      readonly cluster: string
      readonly action: Action
      readonly pid: number
      /** Start of the process, see HostProcess. */
      readonly startTicks: string
      readonly title: string
    }
  /** Result of that. `sent` is false where it had changed in the last moment. */
  | {
      readonly kind: 'hostOutcome'
      readonly actor: string
      readonly by: string
      readonly cluster: string
      readonly action: Action
      readonly pid: number
      readonly sent: boolean
      readonly what: string
    }
  /** One named person acted alone. */
  | {
      readonly kind: 'brokeGlass'
      readonly actor: string
      readonly proposalId: string
      readonly action: Action
      readonly session: SessionKey
      readonly members?: readonly Listed[] | undefined
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
  /** The application of a session that was ended does the same again. */
  | {
      readonly kind: 'retried'
      readonly actor: string
      readonly proposalId: string
      readonly pid: number
      readonly afterMs: number
    }
  | {
      readonly kind: 'incidentOpened' | 'incidentChanged' | 'incidentReopened' | 'incidentResolved'
      readonly actor: string
      readonly what: string
      /** Id of the incident, where it stands in a digest with others. */
      readonly incidentId?: string | undefined
    }
  /** A privilege that the bot needs and does not have. */
  | {
      readonly kind: 'lacking'
      readonly actor: string
      readonly cluster: string
      readonly what: string
      readonly remedy: string
    }
  /** `from`: the person who looked after it until then. `to`: the person to whom they gave it, else the actor took it. */
  | {
      readonly kind: 'acknowledged'
      readonly actor: string
      readonly from?: string
      readonly to?: string
    }
  /** Nobody looks after it any more. */
  | { readonly kind: 'handedBack'; readonly actor: string }
  /** A receiver of webhooks did not take this, and it is not sent again. */
  | {
      readonly kind: 'undelivered'
      readonly actor: string
      readonly receiver: string
      readonly what: string
      readonly reason: string
    }
  /** People were mentioned: user ids and user-group ids. */
  | {
      readonly kind: 'called'
      readonly actor: string
      readonly why: CallReason
      readonly people: readonly string[]
    }
  /** New cards are held back until then (milliseconds since the epoch), or are not any more. */
  | {
      readonly kind: 'silenced'
      readonly actor: string
      readonly cluster: string
      readonly what: string
      readonly until: number
      readonly reason: string
    }
  /** With what became meanwhile of the incidents that it covered. */
  | {
      readonly kind: 'silenceEnded'
      readonly actor: string
      readonly cluster: string
      readonly what: string
      readonly opened: number
      readonly resolved: number
      readonly open: number
      /** Other silences that keep some of it silent, and until when. */
      readonly left: readonly { readonly what: string; readonly until: number }[]
    }
  /** Notes that a silence kept out of the thread of a card: their number, and the last of them. */
  | { readonly kind: 'caughtUp'; readonly actor: string; readonly changes: number; readonly last: string }
  | {
      readonly kind: 'blind' | 'seesAgain'
      readonly actor: string
      readonly cluster: string
      /** Since when nothing is (or was) seen; null where watching only fell behind or stood still. */
      readonly since: number | null
      readonly reason: string
    }
  /** While the bot ran, another configuration took the place of the one that held. */
  | ({ readonly kind: 'configured'; readonly actor: string; readonly replica: string | null } & ConfigChanges)
  /** While the bot ran, a configuration was read that cannot be used: all that is wrong with it, without any secret. */
  | {
      readonly kind: 'misconfigured'
      readonly actor: string
      readonly replica: string | null
      readonly problems: readonly string[]
    }

/** One of the frozen list of a bulk request; `session` is the first of it. Absent where it is for one session. */
export type Listed = Pick<SessionKey, 'pid' | 'backendStart'>

/** Difference between the configuration that held and one that was read. Clusters stand by their names, in order. */
export type ConfigChanges = {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  /** Keys of what holds for the whole bot, and is another at once. */
  readonly settings: readonly string[]
  /** Keys of what is another from the next start on. */
  readonly restart: readonly string[]
}

/** Reason of a call: what happened, or that nobody answered. */
export type CallReason = 'card' | 'worse' | 'request' | 'remind' | 'escalate' | 'expiring'

export const bot = 'pg-marshal'

/** Entry of the refusal of an approval that counted once. */
export const earlierApproval = 'earlier approval'

/** A row of the journal as it is stored. */
export type StoredRow = {
  /** 1, 2, 3, … without a gap. */
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly cardId: string | null
  readonly kind: string
  /** The event as JSON, to the letter. */
  readonly event: string
  /** SHA-256 (hex) of the row before; 64 zeros for the first. */
  readonly previous: string
  readonly hash: string
}

/** A row of the journal, read. */
export type JournalRow = Omit<StoredRow, 'kind' | 'event'> & { readonly event: JournalEvent }

export const firstHash = '0'.repeat(64)

/** So many hexadecimal digits of a hash stand in the channel, and are enough to find its row: 64 bits. */
export const shortestHead = 16

/** SHA-256 over all that a row says and the hash of the one before. */
export const chainHash = (row: Omit<StoredRow, 'hash'>): string =>
  createHash('sha256')
    .update(JSON.stringify([row.seq, row.at, row.cardId, row.kind, row.event, row.previous]))
    .digest('hex')

/** The first row that is not as it was written. */
export type Fault = { readonly seq: number; readonly what: string }

/** Checks rows one after the other, in the order of `seq`; the first fault ends it. */
export function createVerifier(): {
  check(row: StoredRow): Fault | null
  readonly head: () => StoredRow | null
} {
  let last: StoredRow | null = null
  return {
    head: () => last,
    check(row) {
      const expected = (last?.seq ?? 0) + 1
      if (row.seq !== expected)
        return {
          seq: expected,
          what: row.seq > expected ? 'was removed' : 'does not belong there: it was inserted',
        }
      if (chainHash(row) !== row.hash) return { seq: row.seq, what: 'was changed' }
      if (row.previous !== (last?.hash ?? firstHash))
        return {
          seq: row.seq,
          what: 'does not follow the row before it: that one, or this one, was changed or inserted',
        }
      last = row
      return null
    },
  }
}
