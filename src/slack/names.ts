import type { Called, Notify } from '../domain/incidents/ladder.ts'
import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Slack } from './client.ts'

export type Names = {
  /** The name of a person, or the handle of a user group; null while it is not known. */
  of(id: string): string | null
  /** Asks Slack for the time zone of a person, as `Europe/Berlin`; UTC where it has none. */
  timeZoneOf(user: string): Promise<string>
  /** Asks Slack who somebody is, and who is in a user group now. */
  who(id: string): Promise<Called>
  /** Asks Slack for all of them. What cannot be looked up keeps its last name. */
  look(): Promise<void>
}

/** Lists everybody whom a card may name: those who approve, and those who are called. */
export const namedBy = (
  clusters: readonly {
    readonly access: { readonly approvers: readonly string[] }
    readonly notify: Notify
  }[],
): ReadonlySet<string> =>
  new Set(
    clusters.flatMap(({ access, notify }) => [
      ...access.approvers,
      ...notify.escalate.flatMap(({ mention }) => mention),
      ...notify.mention,
    ]),
  )

/**
 * Knows the names of people and user groups, so that a card can name who may approve without notifying them: a mention in a new
 * message would.
 */
export function createNames({
  slack,
  ids,
  log,
}: {
  readonly slack: Slack
  /** Returns everybody who may have to be named now. */
  readonly ids: () => ReadonlySet<string>
  readonly log: Log
}): Names {
  const names = new Map<string, string>()

  async function people() {
    for (const id of ids()) if (!isGroup(id)) await person(id)
  }

  async function person(id: string): Promise<string> {
    const { user } = await slack.call((client) => client.users.info({ user: id }))
    const name = user?.profile?.display_name || user?.real_name || user?.name
    if (name) names.set(id, name)
    return name || id
  }

  async function groups() {
    if (![...ids()].some(isGroup)) return
    const { usergroups = [] } = await slack.call((client) => client.usergroups.list({}))
    for (const { id, handle } of usergroups) if (id && handle) names.set(id, `@${handle}`)
  }

  return {
    of: (id) => names.get(id) ?? null,
    timeZoneOf: async (user) => (await slack.call((client) => client.users.info({ user }))).user?.tz ?? 'UTC',
    async who(id) {
      try {
        if (!isGroup(id)) return { name: await person(id), members: null, unread: null }
        if (!names.has(id)) await groups()
        const { users = [] } = await slack.call((client) => client.usergroups.users.list({ usergroup: id }))
        const members: string[] = []
        for (const user of users.slice(0, mostMembers)) members.push(names.get(user) ?? (await person(user)))
        return {
          name: names.get(id) ?? id,
          members: users.length > mostMembers ? [...members, `${users.length - mostMembers} more`] : members,
          unread: null,
        }
      } catch (error) {
        if (!(error instanceof SlackError)) throw error
        return { name: names.get(id) ?? id, members: null, unread: error.code }
      }
    },
    async look() {
      for (const run of [people, groups])
        await run().catch((error: unknown) => log.info({ err: error }, 'names could not be looked up'))
    },
  }
}

const isGroup = (id: string): boolean => id.startsWith('S')

/** Members of a group that are looked up by name: each is a call to Slack. */
const mostMembers = 10
