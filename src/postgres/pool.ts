import pg from 'pg'
import { createClient } from './client.ts'
import { clusterErrorOf } from './errors.ts'

const deadlines = { connectMs: 5000, answerMs: 8000 }

export type PooledConnection = {
  /** @throws ClusterError as `thrown` has it */
  query(text: string, values: readonly unknown[]): Promise<pg.QueryResult>
  release(): void
}

export type Pool = {
  /** @throws ClusterError when no connection comes about in time */
  connect(): Promise<PooledConnection>
  end(): Promise<void>
}

/**
 * Opens a few connections to a server that is ours to write to, with the same care as to a watched one. Numbers of
 * eight bytes come as numbers. A connection that failed in any way but by an answer of the server is not used again.
 * @param most connections at the same time
 */
export function createPool(deps: {
  readonly url: string
  /** A file that holds the password. */
  readonly passwordFile?: string | null
  readonly applicationName: string
  readonly most: number
}): Pool {
  const { url, passwordFile = null, applicationName, most } = deps
  const pool = new pg.Pool({
    max: most,
    connectionTimeoutMillis: deadlines.connectMs,
    idleTimeoutMillis: 30_000,
    // A function that returns an object is a constructor of it.
    Client: function create() {
      const client = createClient({ url, passwordFile, applicationName, deadlines })
      client.setTypeParser(pg.types.builtins.INT8, Number)
      // One that ends while nobody waits for it: the next statement takes another one.
      client.on('error', () => {})
      return client
    } as unknown as new () => pg.Client,
  })
  pool.on('error', () => {})
  return {
    async connect() {
      const client = await pool.connect().catch(thrown)
      let isBroken = false
      return {
        query: (text, values) =>
          client.query(text, [...values]).catch((error: unknown) => {
            isBroken ||= !isAnswer(error)
            return thrown(error)
          }),
        release: () => client.release(isBroken),
      }
    },
    end: () => pool.end(),
  }
}

/** The server said no to this statement, and goes on with the connection. */
const isAnswer = (error: unknown): boolean => error instanceof pg.DatabaseError && error.severity === 'ERROR'

function thrown(error: unknown): never {
  throw clusterErrorOf(error)
}
