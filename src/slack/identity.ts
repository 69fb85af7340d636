import type { CheckAccess } from '../actions/authorize.ts'
import {
  groupsIn,
  isListed,
  membershipRefusal,
  type Refusal,
  refusalOf,
  type User,
} from '../domain/approvals/access.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Slack } from './client.ts'

/**
 * For so long a refusal holds without another look-up, so that whoever presses again and again does not use up what Slack
 * allows us for the others. Nobody is let in by it: an admission comes from a look-up that began after the press.
 */
const refusalStaysMs = 5000
/** `usergroups.users.list` may be called 20 times a minute, so readers are let in by members from a moment ago. */
const membersStayMs = 5000

export type AccessCheck = {
  readonly check: CheckAccess
  /** Groups of the configuration whose members Slack did not show at the last look-up, with its error code. */
  unreadable(): ReadonlyMap<string, string>
}

/**
 * Asks Slack who somebody is, now: `users.info` for each press and each command, `usergroups.users.list` for the
 * groups in question. Whatever cannot be looked up is refused.
 * @param ourTeamId the workspace that the bot's token belongs to
 */
export function createAccessCheck(deps: {
  readonly slack: Slack
  readonly ourTeamId: string
  readonly now: () => number
}): AccessCheck {
  const { slack, ourTeamId, now } = deps
  const known = new Map<string, { readonly at: number; readonly members: readonly string[] }>()

  const unreadable = new Map<string, string>()
  const refusals = new Map<string, { readonly at: number; readonly refusal: Refusal }>()
  const underWay = new Map<string, Promise<Refusal | null>>()

  async function membersOf(group: string, fresh: boolean): Promise<readonly string[]> {
    const before = known.get(group)
    if (!fresh && before && now() - before.at < membersStayMs) return before.members
    try {
      const { users } = await slack.call((client) => client.usergroups.users.list({ usergroup: group }))
      const members = users ?? []
      known.set(group, { at: now(), members })
      unreadable.delete(group)
      return members
    } catch (error) {
      if (!(error instanceof SlackError) || error.retryable) throw error
      // It lets nobody in, and locks out nobody who is in another one.
      known.delete(group)
      unreadable.set(group, error.code)
      return []
    }
  }

  async function userOf(id: string): Promise<User | null> {
    const { user } = await slack.call((client) => client.users.info({ user: id }))
    // One person may have two ids (Enterprise Grid): whoever has the other one would count twice.
    if (user?.id !== id) return null
    return {
      id,
      teamId: user.team_id ?? null,
      deleted: user.deleted ?? false,
      isBot: user.is_bot ?? false,
      isRestricted: user.is_restricted ?? false,
      isUltraRestricted: user.is_ultra_restricted ?? false,
      isStranger: user.is_stranger ?? false,
    }
  }

  const look: CheckAccess = async ({ userId, teamId }, allowed, fresh) => {
    try {
      if (teamId !== ourTeamId)
        return refusalOf(
          'notMember',
          'Slack did not say that you belong to this workspace, so nothing is allowed',
          'Slack did not say that they belong to this workspace, so nothing is allowed',
        )
      const user = await userOf(userId)
      if (!user)
        return refusalOf(
          'lookUpFailed',
          'Slack does not know this account, or answered for another id of it; log in with the account that the configuration names',
        )
      const stranger = membershipRefusal(user, ourTeamId)
      if (stranger) return stranger
      // Named people need no look-up of groups.
      if (isListed(allowed, userId, new Map())) return null
      const groups = new Map<string, readonly string[]>()
      for (const group of groupsIn(allowed)) groups.set(group, await membersOf(group, fresh))
      if (isListed(allowed, userId, groups)) return null
      const untold = [...groups.keys()].find((group) => unreadable.has(group))
      return untold
        ? refusalOf(
            'lookUpFailed',
            `Slack does not say who is in the group ${untold} (${unreadable.get(untold)}), and you are in no other that may do this`,
            `Slack does not say who is in the group ${untold} (${unreadable.get(untold)}), and they are in no other that may do this`,
          )
        : refusalOf(
            'notAllowed',
            'you are not among those who may do this; the configuration (access) names them',
            'they are not among those who may do this',
          )
    } catch (error) {
      if (error instanceof SlackError)
        return refusalOf(
          'lookUpFailed',
          `Slack could not say who you are (${error.code}); try again in a moment`,
          `Slack could not say who they are (${error.code})`,
        )
      throw error
    }
  }

  const check: CheckAccess = async (caller, allowed, fresh) => {
    const key = JSON.stringify([caller, allowed])
    const shared = underWay.get(key)
    const before = (shared && (await shared)) ?? recent(key)
    if (before) return before
    const looking = look(caller, allowed, fresh)
    underWay.set(key, looking)
    try {
      const refusal = await looking
      // What failed may go through at the next press.
      if (refusal && refusal.code !== 'lookUpFailed') refusals.set(key, { at: now(), refusal })
      return refusal
    } finally {
      if (underWay.get(key) === looking) underWay.delete(key)
    }
  }

  function recent(key: string): Refusal | null {
    for (const [other, { at }] of refusals) if (now() - at >= refusalStaysMs) refusals.delete(other)
    return refusals.get(key)?.refusal ?? null
  }

  return { check, unreadable: () => unreadable }
}
