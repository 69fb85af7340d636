import { type Dialect, PostgresDialect, type PostgresPoolClient } from 'kysely'
import { ClusterError } from '../postgres/errors.ts'
import { createPool, type PooledConnection } from '../postgres/pool.ts'
import { StoreError } from './failure.ts'
import { isWrite } from './schema.ts'

export type PostgresStore = {
  /**
   * @param writes false: transactions that do not exclude each other, for reading, for what is of no weight, and before there
   * are tables
   */
  dialect(writes: boolean): Dialect
  /** Counts the statements that wrote something, but for those. */
  writes(): number
  end(): Promise<void>
}

/** Connections of one process to the store. */
const mostConnections = 5

/**
 * Kysely's dialect for a store in PostgreSQL. What is read in a transaction must still be so when it writes, as in
 * SQLite, so each transaction begins with a lock on one row: one writer at a time among all replicas, and a chain of the
 * journal without gaps. The row counts them, so that the others notice that there is something new. The limits hold for
 * the transaction alone, so that a pooler may stand between. A process that stops in the middle of one loses it, and the
 * row, after a few seconds.
 */
export function openPostgres(url: string): PostgresStore {
  let written = 0
  const wrote = () => {
    written++
  }
  const pool = createPool({ url, applicationName: 'pg-marshal store', most: mostConnections })
  return {
    dialect: (writes) =>
      new PostgresDialect({
        pool: {
          options: {},
          connect: async () =>
            clientOf(await pool.connect().catch(thrown), writes, writes ? wrote : () => {}),
          end: async () => {},
        },
      }),
    writes: () => written,
    end: () => pool.end(),
  }
}

/** Settings of a transaction. What is written is on disk before the next step, whatever the role or the database have. */
const begin = [
  'BEGIN',
  "SET LOCAL lock_timeout = '5s'",
  "SET LOCAL statement_timeout = '6s'",
  "SET LOCAL idle_in_transaction_session_timeout = '5s'",
  'SET LOCAL synchronous_commit = on',
].join('; ')

function clientOf(connection: PooledConnection, writes: boolean, wrote: () => void): PostgresPoolClient {
  let isLost = false
  const query = async (sql: string, parameters: readonly unknown[]) => {
    // The server has rolled back by itself where the connection is lost: that must not hide why.
    if (isLost && sql === 'rollback') return { command: 'ROLLBACK' as const, rowCount: 0, rows: [] }
    // Before it is sent and when it is through: what is read in between may be of before.
    if (isWrite(sql)) wrote()
    try {
      return await (sql === 'begin' ? beginOn(connection, writes) : connection.query(sql, parameters))
    } catch (error) {
      isLost ||= error instanceof ClusterError && !isSqlState(error.code)
      return thrown(error)
    } finally {
      if (isWrite(sql)) wrote()
    }
  }
  // Kysely asks with a cursor only where somebody streams, which nobody does here.
  return { query: query as unknown as PostgresPoolClient['query'], release: connection.release }
}

/** Begins a transaction, wholly or not at all: Kysely gives the connection back without a rollback where this fails. */
async function beginOn(connection: PooledConnection, writes: boolean) {
  try {
    const begun = await connection.query(begin, [])
    if (writes) await connection.query('UPDATE writer SET changes = changes + 1', [])
    return begun
  } catch (error) {
    await connection.query('ROLLBACK', []).catch(() => {})
    throw error
  }
}

const isSqlState = (code: string): boolean => /^[0-9A-Z]{5}$/.test(code)

/** Classes of SQLSTATE that tell of a fault in the statement, so of ours, and nothing about the server. */
const ownFaults = /^(?:0A|2[1-367]|34|42)/

function thrown(error: unknown): never {
  if (!(error instanceof ClusterError)) throw error
  const { code } = error
  // As an error of a cluster it would say that the one which was asked about cannot be seen.
  if (isSqlState(code) && ownFaults.test(code) && !Object.hasOwn(reasons, code))
    throw new Error('a statement for my own store is wrong', { cause: error })
  throw new StoreError(reasons[code] ?? `its server: ${clause(error.reason)}`, error)
}

/** Clauses for codes that mean something else for a store than for a server that is watched. */
const reasons: Readonly<Record<string, string>> = {
  '25006':
    'its server takes no writes: it is a standby or set to read only, so let store.url lead to the primary',
  '42501':
    'its role may not write there: let it own its schema (doctor shows how), or, to read alone, have USAGE there and SELECT on its tables',
  '55P03': 'its server is busy: another replica, or somebody else, holds its tables for more than 5 s',
  '42P01': 'a table of it is missing, so restore it, or restart me with an empty database',
}

/** A sentence as a part of another one. */
const clause = (sentence: string): string =>
  sentence.replace(/^[A-Z](?=[a-z])/, (first) => first.toLowerCase()).replace(/\.$/, '')
