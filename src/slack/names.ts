import type { Log } from '../log.ts'
import type { Slack } from './client.ts'

export type Names = {
  /** The name of a person, or the handle of a user group; null while it is not known. */
  of(id: string): string | null
  /** Asks Slack for the time zone of a person, as `Europe/Berlin`; UTC where it has none. */
  timeZoneOf(user: string): Promise<string>
  /** Asks Slack for all of them. What cannot be looked up keeps its last name. */
  look(): Promise<void>
}

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
  readonly ids: ReadonlySet<string>
  readonly log: Log
}): Names {
  const names = new Map<string, string>()

  async function people() {
    for (const id of ids) {
      if (id.startsWith('S')) continue
      const { user } = await slack.call((client) => client.users.info({ user: id }))
      const name = user?.profile?.display_name || user?.real_name || user?.name
      if (name) names.set(id, name)
    }
  }

  async function groups() {
    if (![...ids].some((id) => id.startsWith('S'))) return
    const { usergroups = [] } = await slack.call((client) => client.usergroups.list({}))
    for (const { id, handle } of usergroups) if (id && handle) names.set(id, `@${handle}`)
  }

  return {
    of: (id) => names.get(id) ?? null,
    timeZoneOf: async (user) => (await slack.call((client) => client.users.info({ user }))).user?.tz ?? 'UTC',
    async look() {
      for (const run of [people, groups])
        await run().catch((error: unknown) => log.info({ err: error }, 'names could not be looked up'))
    },
  }
}
