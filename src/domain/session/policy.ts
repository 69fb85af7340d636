import type { Hours } from '../text/hours.ts'
import type { Session } from './session.ts'

/** `everyone` is every full member of the workspace; else Slack user ids (U…, W…) and user-group ids (S…). */
export type People = 'everyone' | readonly string[]

/** Permissions of people. Approvers are always named: an action has somebody's name on it. */
export type Access = {
  readonly viewers: People
  readonly requesters: People
  /** User ids and user-group ids; never empty. */
  readonly approvers: readonly string[]
}

export type Approvals = {
  /** Number of different people who must approve, at least 1. */
  readonly people: { readonly cancel: number; readonly terminate: number }
  readonly requesterMayApprove: boolean
  /** True where a press counts only with a code of the person's authenticator app. */
  readonly secondFactor: { readonly cancel: boolean; readonly terminate: boolean }
  /** User ids of those who may act alone in an emergency, with a reason; empty: nobody. */
  readonly breakGlass: readonly string[]
  readonly expireAfterMs: number
}

/** Thresholds of what a session does, in seconds but for the last; Infinity: never a finding. */
export type SessionThresholds = {
  /** Time that a session has waited for a lock. Those who wait decide what hurts, not the one they wait for. */
  readonly blockedForSeconds: number
  readonly queryLongerThanSeconds: number
  readonly idleInTransactionLongerThanSeconds: number
  readonly idleLongerThanSeconds: number
  /** Number of transactions that began after the oldest one it can still see: vacuum leaves what they removed. */
  readonly vacuumHeldBackBy: number
}

/** Thresholds of what a health check shows; Infinity: never a finding. */
export type HealthThresholds = {
  /** The same as for sessions, for those who are none: prepared transactions, slots and standbys. */
  readonly vacuumHeldBackBy: number
  readonly preparedLongerThanSeconds: number
  /** Percent of the way to transaction-id wraparound. */
  readonly wraparoundAbovePercent: number
  /** Bytes of WAL that one replication slot keeps. */
  readonly slotRetainsBytes: number
}

/** Thresholds above which something is a finding. */
export type Thresholds = SessionThresholds &
  HealthThresholds & {
    /** Percent of max_connections, 1 to 100. */
    readonly connectionsAbovePercent: number
    /** Time that a client has waited in PgBouncer for a connection, in seconds; Infinity: never a finding. */
    readonly poolWaitsForSeconds: number
    /** Exceptions for some sessions; the first that matches holds, see `thresholdsAt`. */
    readonly rules: readonly Rule[]
  }

/** Other thresholds for some sessions. */
export type Rule = {
  readonly match: Match
  /** Thresholds that differ from the general ones. */
  readonly thresholds: Partial<SessionThresholds>
  /** Hours in which it holds; null: always. */
  readonly hours: Hours | null
  /** Place of the rule: with the cluster, or above for all of them. */
  readonly from: 'cluster' | 'general'
}

export type Watch = Thresholds & {
  /** Milliseconds from the start of one look to the start of the next. */
  readonly everyMs: number
  /** Number of new incidents that get a card of their own in a minute; more go into one digest. */
  readonly cardsPerMinute: number
}

/**
 * Sessions that a rule matches. Every key that is there must match; at least one is. A value is the exact name, upper
 * and lower case alike; a `*` at its end stands for any rest.
 */
export type Match = {
  readonly applicationName?: string | undefined
  readonly user?: string | undefined
  readonly database?: string | undefined
}

/** Sessions that are never cancelled or terminated, whoever asks. */
export type Protected = Match

/** The first rule that protects the session; null when none does. */
export const protectedBy = (session: Session, rules: readonly Protected[]): Protected | null =>
  // A name that is not known yet (a new role during a lock storm) may be the protected one.
  rules.find((rule) => matchesNames(session, rule, true)) ?? null

/** @param unknown what a name that is not known yet counts as */
export const matchesNames = (
  names: {
    readonly datname: string | null
    readonly usename: string | null
    readonly applicationName: string | null
  },
  match: Match,
  unknown: boolean,
): boolean =>
  matchesRule(match.applicationName, names.applicationName, unknown) &&
  matchesRule(match.user, names.usename, unknown) &&
  matchesRule(match.database, names.datname, unknown)

/** Decides whether the first match covers every session that the second matches. */
export const coversMatch = (wide: Match, narrow: Match): boolean =>
  (['applicationName', 'user', 'database'] as const).every((key) => covers(wide[key], narrow[key]))

function covers(wide: string | undefined, narrow: string | undefined): boolean {
  if (wide === undefined) return true
  // Even `*` is for a name that is known.
  if (narrow === undefined) return false
  return wide.endsWith('*') ? narrow.startsWith(wide.slice(0, -1)) : wide === narrow
}

function matchesRule(pattern: string | undefined, value: string | null, unknown: boolean): boolean {
  if (pattern === undefined) return true
  if (value === null) return unknown
  return pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : value === pattern
}
