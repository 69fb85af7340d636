import type { Action } from '../session/action.ts'
import type { People } from '../session/policy.ts'
import type { Session, SessionKey } from '../session/session.ts'

/** A user as Slack's `users.info` returns it now. */
export type User = {
  readonly id: string
  /** Null when Slack did not say: then nobody is let in. */
  readonly teamId: string | null
  readonly deleted: boolean
  readonly isBot: boolean
  readonly isRestricted: boolean
  readonly isUltraRestricted: boolean
  /** From another workspace, through Slack Connect. */
  readonly isStranger: boolean
}

/** Reason why something is not done. `reason` is a clause that may follow a colon; `by` is the user who was faster. */
export type Refusal = {
  readonly code: RefusalCode
  readonly reason: string
  /** The same in the third person, where others read along; the reason itself if absent. */
  readonly inPublic?: string | undefined
  readonly by?: string | null
  /** The card that it is about, where it is not the one of the button. */
  readonly on?: string
  readonly help?: Help | undefined
}

/** Way on from a refusal, with one press. */
export type Help =
  /** Ask those who may approve: user ids and user-group ids. */
  | { readonly kind: 'approvers'; readonly proposalId: string; readonly approvers: readonly string[] }
  /** Ask for the action that would work. */
  | {
      readonly kind: 'propose'
      readonly action: Action
      readonly key: SessionKey
      readonly session: Session
    }

export const refusalOf = (code: RefusalCode, reason: string, inPublic?: string): Refusal => ({
  code,
  reason,
  ...(inPublic !== undefined && { inPublic }),
})

export type RefusalCode =
  | 'notMember'
  | 'notAllowed'
  | 'lookUpFailed'
  | 'unknownProposal'
  | 'wrongAction'
  | 'requester'
  | 'alreadyApproved'
  | 'noReason'
  | 'noCode'
  | 'notEnrolled'
  | 'wrongCode'
  | 'usedCode'
  | 'locked'
  | 'alreadyDecided'
  | 'otherAction'
  | 'expired'
  | 'changed'
  | 'untouchable'
  | 'malformed'
  | 'notWatched'
  | 'notSeen'
  | 'notRecorded'
  | 'keyReused'

/** Returns why this user is not a full member of our workspace; null when the user is one. */
export function membershipRefusal(user: User, ourTeamId: string): Refusal | null {
  const refuse = (reason: string): Refusal => ({ code: 'notMember', reason })
  if (user.deleted) return refuse('this account is deactivated')
  if (user.isBot) return refuse('bots may not use this')
  if (user.isStranger) return refuse('people from other workspaces may not use this')
  if (user.isRestricted || user.isUltraRestricted) return refuse('guests may not use this')
  if (user.teamId === null) return refuse('Slack did not say which workspace this account belongs to')
  if (user.teamId !== ourTeamId) return refuse('people from other workspaces may not use this')
  return null
}

/** The user groups named in a list of members: those whose members have to be looked up. */
export const groupsIn = (members: People): string[] =>
  members === 'everyone' ? [] : members.filter((id) => id.startsWith('S'))

/** Returns true when a full member is in the list, directly or through one of its groups. */
export const isListed = (
  members: People,
  userId: string,
  groups: ReadonlyMap<string, readonly string[]>,
): boolean =>
  members === 'everyone' || members.some((id) => id === userId || groups.get(id)?.includes(userId))
