import pg from 'pg'

/** The practice room's own superuser connection: made when it is needed, and made again when it was lost. */
export type Admin = {
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  close(): void
}

/** The name under which the practice room itself is seen on the server. */
export const ownName = 'practice-room'

/** The bot's role on the server. */
export const botUser = 'marshal'

const patienceMs = 3_000

export function createAdmin(url: string): Admin {
  let client: Promise<pg.Client> | null = null
  let closed = false

  const connect = async (): Promise<pg.Client> => {
    const made = new pg.Client({
      connectionString: url,
      application_name: ownName,
      connectionTimeoutMillis: patienceMs,
      query_timeout: patienceMs,
      lock_timeout: 2_000,
    })
    const forget = () => {
      client = null
    }
    made.on('error', forget)
    made.once('end', forget)
    try {
      await made.connect()
    } catch (error) {
      forget()
      made.connection.stream.destroy()
      throw error
    }
    return made
  }

  const run = async (sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> => {
    if (closed) throw new Error('the practice room is closed')
    client ??= connect()
    const at = await client
    try {
      return (await at.query(sql, [...values])).rows
    } catch (error) {
      // Only the server's own refusals come with a code; after anything else the connection is in doubt.
      if (!(error as { code?: string }).code) {
        client = null
        at.connection.stream.destroy()
      }
      throw error
    }
  }
  let tail: Promise<unknown> = Promise.resolve()

  return {
    query: (sql, values = []) => {
      const result = tail.then(() => run(sql, values))
      tail = result.catch(() => {})
      return result
    },
    close: () => {
      closed = true
      client?.then(
        (at) => at.connection.stream.destroy(),
        () => {},
      )
    },
  }
}
