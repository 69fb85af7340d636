import type { Config, Env } from '../config/config.ts'
import { isTooOld, oldestMajor, versionWords } from '../domain/session/versions.ts'
import { readDatabaseUrl, urlAdvice } from '../domain/text/databaseUrl.ts'
import { ClusterError } from '../postgres/errors.ts'
import { createPool } from '../postgres/pool.ts'
import { type Check, fine } from './doctorCheck.ts'

/** Looks at a store in PostgreSQL: whether it answers, whether the role may work there, and where it should rather be. */
export async function checkStore({ store, clusters }: Config, env: Env): Promise<Check[]> {
  if (store.kind === 'sqlite') return [fine(`a file of SQLite: ${store.path}`)]
  const [facts, ...watched] = await Promise.all([factsOf(store), ...clusters.map(factsOf)])
  if ('failure' in facts) return [{ what: 'cannot be used', fix: facts.failure }]
  const isShared = (other: Facts | Failure | undefined) =>
    other !== undefined && !('failure' in other) && other.systemIdentifier === facts.systemIdentifier
  const shared = clusters.filter((_, index) => isShared(watched[index]))
  const read = readDatabaseUrl(store.url)
  const advice = 'problem' in read ? null : urlAdvice(read, env.PGSSLMODE)
  return [
    isTooOld(facts.versionNum)
      ? { what: `is PostgreSQL ${versionWords(facts.versionNum)}`, fix: `Use ${oldestMajor} or newer.` }
      : fine(`answers: PostgreSQL ${versionWords(facts.versionNum)}`),
    facts.readOnly
      ? { what: 'takes no writes', fix: 'It is a standby, or read only: let store.url lead to the primary.' }
      : fine('takes writes'),
    facts.mayCreate
      ? fine('the role has what it needs')
      : {
          what: 'the role may not make its tables',
          fix:
            facts.schema === null
              ? `CREATE SCHEMA ${facts.role} AUTHORIZATION ${facts.role};`
              : `GRANT USAGE, CREATE ON SCHEMA ${facts.schema} TO ${facts.role};`,
        },
    ...(advice ? [{ what: 'the url leaves the connection open to others', fix: advice, needed: false }] : []),
    ...shared.map(({ name }) => ({
      what: `is on the watched server ${name}, or a copy of it`,
      fix: 'When that one is in trouble, I could approve and log nothing: give the store a server of its own.',
      needed: false,
    })),
  ]
}

type Facts = {
  /** The same for a server and its standbys. */
  readonly systemIdentifier: string
  readonly versionNum: number
  readonly readOnly: boolean
  /** Names are quoted as in SQL. */
  readonly role: string
  readonly schema: string | null
  readonly mayCreate: boolean
}

const question = `SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS "systemIdentifier",
  pg_catalog.current_setting('server_version_num')::int AS "versionNum",
  pg_catalog.pg_is_in_recovery() OR pg_catalog.current_setting('default_transaction_read_only')::bool AS "readOnly",
  pg_catalog.quote_ident(current_user) AS role,
  pg_catalog.quote_ident(pg_catalog.current_schema()) AS schema,
  COALESCE(pg_catalog.has_schema_privilege(pg_catalog.current_schema(), 'CREATE'), false) AS "mayCreate"`

type Failure = { readonly failure: string }

async function factsOf({
  url,
  passwordFile = null,
}: {
  readonly url: string
  readonly passwordFile?: string | null
}): Promise<Facts | Failure> {
  const pool = createPool({ url, passwordFile, applicationName: 'pg-marshal doctor', most: 1 })
  try {
    const connection = await pool.connect()
    try {
      const { rows } = await connection.query(question, [])
      return rows[0] as Facts
    } finally {
      connection.release()
    }
  } catch (error) {
    if (error instanceof ClusterError) return { failure: error.reason }
    throw error
  } finally {
    await pool.end()
  }
}
