import type { PostgresOptions } from 'temporary-postgres'
import { startStandby as startServer } from 'temporary-postgres'
import { openSession, type TestServer, type TestSession } from './postgres.ts'

export type Standby = {
  readonly url: string
  readonly marshalUrl: string
  /** Opens a session by a connection string of the primary. */
  open(name: string, url: string): Promise<TestSession>
  /** Ends every session that `open` made. */
  closeAll(): Promise<void>
  stop(): Promise<void>
}

export async function startStandby(
  primary: TestServer,
  settings: NonNullable<PostgresOptions['settings']> = {},
): Promise<Standby> {
  const packageDir = process.env.PG_MARSHAL_TEST_POSTGRES
  const server = await startServer(primary, { settings, ...(packageDir ? { packageDir } : {}) })
  const here = (url: string) => {
    const at = new URL(url)
    at.port = String(server.port)
    return at.href
  }
  const opened: TestSession[] = []
  const closeAll = async () => {
    await Promise.all(opened.splice(0).map((session) => session.close()))
  }
  return {
    url: here(primary.url),
    marshalUrl: here(primary.marshalUrl),
    open: async (name, url) => {
      const session = await openSession(name, here(url))
      opened.push(session)
      return session
    },
    closeAll,
    stop: async () => {
      await closeAll()
      await server.stop()
    },
  }
}
