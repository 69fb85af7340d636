import { z } from 'zod'
import type { Session } from '../domain/session/session.ts'
import { checked } from './checked.ts'
import type { Connection } from './connection.ts'
import { attempt } from './errors.ts'
import type { ServerFacts } from './serverFacts.ts'
import { statements } from './statements.ts'

const waitEventRows = z.array(
  z.object({ type: z.string(), name: z.string(), description: z.string().nullable() }),
)

/** Explanations by type and name, of one start of a server. */
type Explained = { readonly startedAt: string; readonly words: Promise<ReadonlyMap<string, string>> }

/**
 * Explains what a session waits for, in the words of its server, which are read once for each of its starts.
 * @param connection the one for locks: functions of the catalogs are looked up at the first use
 * @returns null where it does not wait, or the server does not say. Never throws.
 */
export function createWaitEvents({
  connection,
  facts,
}: {
  readonly connection: Pick<Connection, 'query'>
  readonly facts: Pick<ServerFacts, 'latest'>
}): (session: Session) => Promise<string | null> {
  let explained: Explained | null = null

  const read = async () => {
    const rows = checked(waitEventRows, await connection.query(statements.waitEvents, []))
    return new Map(rows.map(({ type, name, description }) => [keyOf(type, name), description ?? '']))
  }

  return async ({ waitEventType, waitEvent }) => {
    const server = facts.latest()
    if (waitEventType === null || waitEvent === null || !server?.functions.includes('pg_get_wait_events'))
      return null
    if (explained?.startedAt !== server.started_at)
      explained = { startedAt: server.started_at, words: read() }
    const asked = explained
    return attempt(
      async () => (await asked.words).get(keyOf(waitEventType, waitEvent)) || null,
      () => {
        // It is read again for who asks next.
        if (explained === asked) explained = null
        return null
      },
    )
  }
}

const keyOf = (type: string, name: string): string => `${type}/${name}`
