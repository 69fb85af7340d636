import type { JournalRow } from '../approvals/journal.ts'
import type { Proposal } from '../approvals/proposal.ts'
import type { Incident } from '../incidents/incident.ts'
import type { Recommendation } from '../incidents/recommend.ts'
import type { Forest, Wait } from '../locks/blocking.ts'
import type { Jam, Trees } from '../locks/tree.ts'
import type { PreparedTransaction, Session } from '../session/session.ts'
import type { LockTarget, Snapshot } from '../session/snapshot.ts'
import type { SightThen } from './look.ts'

/**
 * Report of an incident: what its looks, its card and the journal say, for somebody who was not there. Times are milliseconds
 * since the epoch. Statements are masked, as the record has them; names come from the database: do not trust them.
 */
export type Report = {
  readonly incident: Incident
  /** People and the bot: what was decided and done, oldest first. */
  readonly rows: readonly JournalRow[]
  readonly proposals: readonly Proposal[]
  /** The time that it tells of: from the first wait, or else the begin of the trouble, to its end, or until now. */
  readonly from: number
  readonly to: number
  /** Milliseconds between two looks; null where none is recorded. */
  readonly everyMs: number | null
  readonly began: Began
  /** Those who held what the others waited for, in the order in which they came. */
  readonly holders: readonly PastHolder[]
  /** The look with the most waiting sessions; null where none was seen to wait. */
  readonly worst: Worst | null
  /** Waiting sessions over time, without gaps: from a little before the first wait to a little after the end. */
  readonly course: readonly CoursePart[]
  /** The longest first. */
  readonly waits: readonly PastWait[]
  readonly queues: readonly PastQueue[]
  readonly cost: Cost
  /** The gentlest way out, as it would have been: where it became another one. */
  readonly ways: readonly PastWay[]
  /** Time between `from` and `to` that no look speaks for, or the activity alone. */
  readonly gaps: readonly Gap[]
  /** The report stops here, because the incident lasted longer than one report; null where it does not. */
  readonly cutAt: number | null
}

export type Began = {
  /** Begin of the first wait, by the server; null where none is known. */
  readonly firstWaitAt: number | null
  /** First look that shows it. */
  readonly firstSeenAt: number | null
  /** True where the first look of the record, or the one after a time that nobody saw, shows it already. */
  readonly maybeEarlier: boolean
}

/** A session, or a prepared transaction, that others waited for. */
export type PastHolder = {
  /** As it was when it was last seen in the way; null for a prepared transaction, and where it was gone between two readings. */
  readonly session: Session | null
  readonly prepared: PreparedTransaction | null
  readonly pid: number
  /** Begin of its transaction; null where it had none, or nobody knows. */
  readonly transactionAt: number | null
  /** First and last look at which others waited behind it. */
  readonly from: number
  readonly to: number
  /** The most that ever waited behind it. */
  readonly mostVictims: number
  /** Locks of it that others wanted. */
  readonly held: readonly HeldThen[]
  /** Its doings, by the looks: where its state or its statement was another one. */
  readonly did: readonly {
    readonly at: number
    readonly state: string | null
    readonly query: string | null
  }[]
}

export type HeldThen = {
  readonly target: LockTarget
  readonly relationName: string | null
  /** Strongest first. */
  readonly modes: readonly string[]
}

export type Worst = {
  readonly takenAt: number
  readonly waiting: number
  readonly snapshot: Snapshot
  readonly forest: Forest
  readonly jams: readonly Jam[]
  readonly trees: Trees
}

export type CoursePart = {
  readonly from: number
  readonly to: number
  readonly sight: SightThen
  /** Null: not seen. Where it was partly seen, all who waited for a lock on the cluster. */
  readonly waiting: number | null
}

/** One session that waited in one statement. Its begin is the server's; its end lies between two looks. */
export type PastWait = {
  readonly session: Session
  /** Lock that it waited for when it was first seen so; null where the locks could not be read. */
  readonly wait: Wait | null
  readonly from: number
  /** Last look that shows it waiting, and the first time at which it surely did not wait any more; null: nobody saw that. */
  readonly lastSeenAt: number
  readonly overAt: number | null
  /** Seconds that it waited, at least and at most. Where its end was not seen, the most is until then as well. */
  readonly least: number
  readonly most: number
}

export type Cost = {
  /** Session-seconds waited, at least and at most. */
  readonly least: number
  readonly most: number
  readonly sessions: number
  readonly users: readonly Share[]
  readonly applications: readonly Share[]
  readonly databases: readonly Share[]
  readonly statements: readonly Share[]
  readonly relations: readonly Share[]
  /** Sessions that were ended, or whose statement was, by an approved action with effect. */
  readonly rolledBack: readonly RolledBack[]
}

/** Part of all that was waited, in the middle of what is possible. */
export type Share = { readonly name: string; readonly sessions: number; readonly seconds: number }

export type RolledBack = {
  readonly session: Session
  readonly action: 'cancel' | 'terminate'
  /** Seconds of work: of the transaction for a session that is gone, of the statement for a cancel. Null: nobody knows. */
  readonly seconds: number | null
  /** True where its transaction had an id, and so most likely had written. */
  readonly wrote: boolean
}

export type PastWay = {
  readonly at: number
  readonly waiting: number
  readonly recommendation: Recommendation
}

export type Gap = {
  readonly from: number
  readonly to: number
  readonly sight: 'partly' | 'notSeen'
  /** Null: no look says anything. */
  readonly why: string | null
}

/** Request for a lock on a relation that waited itself, and those who waited only because of it. */
export type PastQueue = { readonly wait: PastWait; readonly behind: readonly PastWait[] }

/** Middle of what is possible, seconds. */
export const middle = ({ least, most }: { readonly least: number; readonly most: number }): number =>
  (least + most) / 2

/** The longest wait; null where nobody waited. */
export const longestWait = ({ waits }: Pick<Report, 'waits'>): PastWait | null => waits[0] ?? null

/** The most sessions that waited at a look; null where no look speaks of it. */
export const mostWaiting = ({ course }: Pick<Report, 'course'>): number | null =>
  course.reduce<number | null>(
    (most, { waiting }) => (waiting === null ? most : Math.max(most ?? 0, waiting)),
    null,
  )
