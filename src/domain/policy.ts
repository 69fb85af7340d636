import type { Session } from './session.ts'

/** `everyone` is every full member of the workspace; else Slack user ids (U…, W…) and user-group ids (S…). */
export type People = 'everyone' | readonly string[]

/** Who may do what. Approvers are always named: an action has somebody's name on it. */
export type Access = {
  readonly viewers: People
  readonly requesters: People
  /** User ids and user-group ids; never empty. */
  readonly approvers: readonly string[]
}

export type Approvals = {
  /** How many different people must approve, at least 1. */
  readonly people: { readonly cancel: number; readonly terminate: number }
  readonly requesterMayApprove: boolean
  /** User ids of those who may act alone in an emergency, with a reason; empty: nobody. */
  readonly breakGlass: readonly string[]
  readonly expireAfterMs: number
}

/** From when on something is trouble. */
export type Thresholds = {
  /** How long somebody has waited for a lock. */
  readonly blockedForSeconds: number
  readonly queryLongerThanSeconds: number
  readonly idleInTransactionLongerThanSeconds: number
  readonly idleLongerThanSeconds: number
  /** Percent of max_connections, 1 to 100. */
  readonly connectionsAbovePercent: number
}

export type Watch = Thresholds & {
  /** Milliseconds from the start of one look to the start of the next. */
  readonly everyMs: number
  /** How many new incidents get a card of their own in a minute; what is more goes into one digest. */
  readonly cardsPerMinute: number
}

/**
 * Sessions that are never cancelled or terminated, whoever asks. Every key that is there must match; at least one is.
 * A value is the exact name, upper and lower case apart; a `*` at its end stands for any rest.
 */
export type Protected = {
  readonly applicationName?: string | undefined
  readonly user?: string | undefined
  readonly database?: string | undefined
}

/** The first rule that protects the session; null when none does. */
export const protectedBy = (session: Session, rules: readonly Protected[]): Protected | null =>
  rules.find(
    (rule) =>
      matches(rule.applicationName, session.applicationName) &&
      matches(rule.user, session.usename) &&
      matches(rule.database, session.datname),
  ) ?? null

function matches(pattern: string | undefined, value: string | null): boolean {
  if (pattern === undefined) return true
  // A name that the server has not told (a new role during a lock storm) may be the protected one.
  if (value === null) return true
  return pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : value === pattern
}
