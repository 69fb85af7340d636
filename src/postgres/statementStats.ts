import pg from 'pg'
import { z } from 'zod'
import { isHousekeeping } from '../domain/lists/housekeeping.ts'
import { type StatementReading, type StatementStats, textKeyOf } from '../domain/lists/statements.ts'
import { grantorOn, type Platform, settingsOf } from '../domain/session/platform.ts'
import { sqlIdentifier } from '../domain/text/literal.ts'
import { checked } from './checked.ts'
import type { Connection } from './connection.ts'
import { clusterErrorOf } from './errors.ts'
import type { MissingPrivilege } from './missingPrivileges.ts'
import { namesFrom } from './rows.ts'
import { type Statement, statements } from './statements.ts'

/**
 * `missing`: it is not there for us, and what makes it be. `isRecording` is false where it counts nothing at the moment
 * (`compute_query_id` or `pg_stat_statements.track` says so).
 */
export type StatementStatsRead =
  | {
      readonly kind: 'read'
      readonly reading: StatementReading
      readonly isRecording: boolean
      /** The role of the bot. */
      readonly role: string
    }
  | { readonly kind: 'missing'; readonly missing: MissingPrivilege }

export type StatementText = {
  /** Masked; null where it is hidden. */
  readonly shown: string | null
  readonly isHousekeeping: boolean
}

export type StatementStatsReader = {
  /** Every statement that is counted, without texts. Throws ClusterError. */
  read(): Promise<StatementStatsRead>
  /** The texts of some statements of the last reading, by `textKeyOf`. Throws ClusterError. */
  texts(of: readonly StatementStats[], maxLength: number): Promise<Map<string, StatementText>>
}

/**
 * The oldest version of the extension whose columns we ask for: 1.9 came with PostgreSQL 14 and brought `toplevel` and
 * `pg_stat_statements_info`. An older one lives on in a database that was upgraded from 13 or before. Later versions
 * renamed only columns that we do not read (1.11 with 17: `blk_read_time`; 1.12 with 18: none).
 */
const oldestVersion = [1, 9] as const

/** The cheapest of so many are left out: more than `pg_stat_statements.max` is on almost every server. */
const mostStatements = 10_000

/** Characters of a statement by which it is decided whether a driver sends it on its own. */
const decidesUpTo = 4_000

const factsRow = z.object({
  is_loaded: z.boolean(),
  libraries: z.string().nullable(),
  compute_query_id: z.string().nullable(),
  track: z.string().nullable(),
  database: z.string(),
  role: z.string(),
  in_recovery: z.boolean(),
  version: z.string().nullable(),
  schema: z.string().nullable(),
  may_use_schema: z.boolean().nullable(),
})
type StatsFacts = z.infer<typeof factsRow>

const infoRows = z.tuple([z.object({ reset_at: z.number(), evictions: z.number(), read_at: z.number() })])
const statRows = z.array(
  z.object({
    userid: z.number(),
    dbid: z.number(),
    toplevel: z.boolean(),
    queryid: z.string().nullable(),
    calls: z.number(),
    total_exec_time: z.number(),
    max_exec_time: z.number(),
  }),
)
const statementTextRows = z.array(
  z.object({ userid: z.number(), dbid: z.number(), queryid: z.string(), query: z.string().nullable() }),
)

/**
 * @param connection the one for locks: it may stall, and nothing else waits for it
 * @param platform who runs the server, as far as it is known: other hands make its settings
 */
export function createStatementStats({
  connection,
  maskText,
  platform,
}: {
  readonly connection: Pick<Connection, 'query'>
  readonly maskText: (text: string) => string | null
  readonly platform: () => Platform
}): StatementStatsReader {
  /** Schema of the extension at the last reading. */
  let schema = ''

  return {
    read: async () => {
      const [found] = checked(z.tuple([factsRow]), await connection.query(statements.statementStatsFacts, []))
      const missing = missingIn(found, platform())
      if (missing) return { kind: 'missing', missing }
      schema = found.schema ?? ''
      try {
        const isRecording = found.compute_query_id !== 'off' && found.track !== 'none'
        return { kind: 'read', reading: await readAll(connection, schema), isRecording, role: found.role }
      } catch (error) {
        if (clusterErrorOf(error).code !== '42501') throw error
        return { kind: 'missing', missing: notAllowed(found) }
      }
    },
    texts: async (of, maxLength) => {
      const wanted = of.filter(({ queryId }) => queryId !== null)
      if (wanted.length === 0) return new Map()
      const rows = checked(
        statementTextRows,
        await connection.query(inSchema(statements.statementStatsTexts, schema), [
          wanted.map(({ userid }) => userid),
          wanted.map(({ dbid }) => dbid),
          wanted.map(({ queryId }) => queryId),
          Math.max(maxLength, decidesUpTo),
        ]),
      )
      return new Map(
        rows.flatMap((row): [string, StatementText][] =>
          row.query === null
            ? []
            : [
                [
                  textKeyOf({ ...row, queryId: row.queryid }),
                  {
                    shown: maskText(row.query.slice(0, maxLength)),
                    isHousekeeping: isHousekeeping(row.query),
                  },
                ],
              ],
        ),
      )
    },
  }
}

async function readAll(connection: Pick<Connection, 'query'>, schema: string): Promise<StatementReading> {
  const [info] = checked(
    infoRows,
    await connection.query(inSchema(statements.statementStatsInfo, schema), []),
  )
  const rows = checked(
    statRows,
    await connection.query(inSchema(statements.statementStats, schema), [mostStatements]),
  )
  const { databases, roles } = namesFrom(
    await connection.query(statements.statementStatsNames, [
      [...new Set(rows.map(({ dbid }) => dbid))],
      [...new Set(rows.map(({ userid }) => userid))],
    ]),
  )
  return {
    readAt: info.read_at,
    resetAt: info.reset_at,
    evictions: info.evictions,
    statements: rows.map((row) => ({
      userid: row.userid,
      dbid: row.dbid,
      usename: roles.get(row.userid)?.name ?? null,
      datname: databases.get(row.dbid) ?? null,
      toplevel: row.toplevel,
      queryId: row.queryid,
      calls: row.calls,
      totalMs: row.total_exec_time,
      longestMs: row.max_exec_time,
    })),
  }
}

/** Without a name it is not kept prepared: the extension may move to another schema. */
const inSchema = ({ text }: Statement, schema: string): Statement => ({
  name: '',
  text: text.replaceAll('extension_schema', pg.escapeIdentifier(schema)),
})

function missingIn(facts: StatsFacts, platform: Platform): MissingPrivilege | null {
  const { is_loaded, version, schema, database, role, may_use_schema } = facts
  const where = `in the database ${sqlIdentifier(database)}${facts.in_recovery ? ', on the primary' : ''}`
  const as = platform === 'own' ? '' : `, as ${grantorOn(platform)}`
  const make = `CREATE EXTENSION pg_stat_statements; -- ${where}${as}`
  if (!is_loaded)
    return missing(
      'pg_stat_statements is not loaded by the server, so nothing counts what runs.',
      preload(facts.libraries, settingsOf(platform)),
      ...(version === null ? [make] : []),
    )
  if (version === null || schema === null)
    return missing(
      `pg_stat_statements counts what runs, but its extension is missing in the database of the bot, ${database}. One in another database does not help; one here shows all databases.`,
      make,
    )
  if (isOlder(version))
    return missing(
      `The extension pg_stat_statements is still of version ${version}, from before an upgrade of the server.`,
      `ALTER EXTENSION pg_stat_statements UPDATE; -- ${where}`,
    )
  if (may_use_schema === false)
    return missing(
      `The role ${sqlIdentifier(role)} may not look into the schema of pg_stat_statements.`,
      `GRANT USAGE ON SCHEMA ${sqlIdentifier(schema)} TO ${sqlIdentifier(role)}; -- ${where}`,
    )
  return null
}

function notAllowed({ schema, role }: StatsFacts): MissingPrivilege {
  const at = sqlIdentifier(schema ?? '')
  return missing(
    `The role ${sqlIdentifier(role)} may not call pg_stat_statements.`,
    `GRANT EXECUTE ON FUNCTION ${at}.pg_stat_statements(boolean), ${at}.pg_stat_statements_info() TO ${sqlIdentifier(role)};`,
  )
}

/** The bot works without it: only `/pg top` needs it. */
const missing = (what: string, ...fixes: readonly string[]): MissingPrivilege => ({
  what,
  fix: fixes.join('\n'),
  needed: false,
})

const isOlder = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1])
}

/**
 * Writes how to preload the library. Libraries that are loaded already must stay. Each is a literal of its own: a list
 * in one literal is taken for one name, and then the server does not start any more.
 * @param place where a managed server's settings are made; null where ALTER SYSTEM makes them
 */
function preload(libraries: string | null, place: string | null): string {
  const loaded = (libraries ?? '').split(',').map((library) => library.trim().replaceAll(/^"|"$/g, ''))
  const all = [...loaded.filter((library) => library !== ''), 'pg_stat_statements']
  const keep =
    libraries === null ? ', beside those of SHOW shared_preload_libraries, each in quotes of its own' : ''
  return place === null
    ? `ALTER SYSTEM SET shared_preload_libraries = ${all.map((library) => pg.escapeLiteral(library)).join(', ')}; -- then restart${keep}`
    : `shared_preload_libraries = ${all.join(',')} -- in ${place}; then restart${keep}`
}
