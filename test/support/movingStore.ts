import pg from 'pg'
import { type PostgresOptions, startPostgres, startStandby, type TemporaryPostgres } from 'temporary-postgres'
import { mortal } from './lifeline.ts'
import { waitFor } from './postgres.ts'

/** A PostgreSQL server for stores that restarts, and that fails over to another port. */
export type MovingStore = {
  /** Port on which it is now. */
  port(): number
  /** Makes an empty schema, owned by a role of its own. Returns a connection string with the port of now. */
  empty(): Promise<string>
  /** Asks by a connection string from `empty`, wherever the server is now. */
  ask<T>(url: string, sql: string): Promise<T[]>
  restart(): Promise<void>
  /**
   * Its machine hangs, and a synchronous standby takes its place.
   * @param moved is called with the new port as soon as the standby may be written
   */
  failOver(moved: (port: number) => void): Promise<void>
  stop(): Promise<void>
}

/** The same connection string for another port of this machine. */
export function atPort(url: string, port: number): string {
  const at = new URL(url)
  at.port = String(port)
  return at.href
}

export async function startMovingStore(): Promise<MovingStore> {
  const packageDir = process.env.PG_MARSHAL_TEST_POSTGRES
  const options: PostgresOptions = packageDir ? { packageDir } : {}
  let server: TemporaryPostgres = mortal(await startPostgres(options))
  let made = 0
  return {
    port: () => server.port,
    async empty() {
      const name = `store_${++made}`
      const url = await server.createRole(name)
      await ask(server.url, `CREATE SCHEMA ${name} AUTHORIZATION ${name}`)
      return atPort(url, server.port)
    },
    ask: (url, sql) => ask(atPort(url, server.port), sql),
    restart: () => server.restart(),
    async failOver(moved) {
      const before = server
      const next = mortal(await startStandby(before, options))
      try {
        // A commit that nobody confirmed to the standby is lost with the machine: as the setup guide says.
        await ask(before.url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        await ask(before.url, 'SELECT pg_reload_conf()')
        await waitFor(async () => {
          const [one] = await ask<{ n: number }>(
            before.url,
            "SELECT count(*)::int AS n FROM pg_stat_replication WHERE sync_state = 'sync'",
          )
          return one?.n === 1
        }, 'the standby is synchronous')
        // What was committed before it was is there as soon as this is.
        await ask(before.url, 'BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_current_xact_id(); COMMIT')
        before.suspend()
        await ask(next.url, 'SELECT pg_promote()')
      } catch (error) {
        await next.stop()
        throw error
      }
      server = next
      moved(next.port)
      await before.stop()
    },
    stop: () => server.stop(),
  }
}

async function ask<T>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 20_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows as T[]
  } finally {
    await client.end()
  }
}
