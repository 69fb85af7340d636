import { readdirSync, readFileSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import pg from 'pg'
import type { StoreSettings } from '../../src/store/store.ts'

/** Statement of a version, and what came back. */
export type Played = {
  readonly sql: string
  readonly parameters: readonly unknown[]
  /** Rows that were returned, and number of those that were changed or returned; null where it has none. */
  readonly rows: readonly unknown[] | null
  readonly count: number | null
}

/** Statements of a released version on each kind of store that it knew, in the order in which it ran them. */
export type Released = {
  readonly version: string
  /** Its last migration. */
  readonly migration: string
  readonly sqlite?: readonly Played[]
  readonly postgres?: readonly Played[]
}

export const releasedDirectory = new URL('../store/released/', import.meta.url)

export const readReleased = (): Released[] =>
  readdirSync(releasedDirectory)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, releasedDirectory), 'utf8'), fromJson))

const bytesKey = '$base64'
/** In the place of what is another one each time, as a time of the server. */
export const varies = { $varies: true }

export const toJson = (_: string, value: unknown): unknown =>
  isBytes(value) ? { [bytesKey]: Buffer.from(bytesOf(value)).toString('base64') } : value

const fromJson = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && bytesKey in value
    ? new Uint8Array(Buffer.from(String(value[bytesKey]), 'base64'))
    : value

// A Buffer has made JSON of itself before it gets here.
type Bytes = Uint8Array | { readonly type: 'Buffer'; readonly data: number[] }
const isBytes = (value: unknown): value is Bytes =>
  value instanceof Uint8Array ||
  (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer')
const bytesOf = (value: Bytes) => (value instanceof Uint8Array ? value : Uint8Array.from(value.data))

type Query = (sql: unknown, values?: unknown) => unknown

/** Notes every statement that this process runs on a store for the time of `run`, on connections that were made since. */
export type Recording = {
  during(run: () => Promise<void>): Promise<readonly Played[]>
  stop(): void
}

/** Begins to look at each new connection to a store. */
export function recordStatements(): Recording {
  let isOn = false
  const played: Played[] = []
  const note = (one: Played) => {
    if (isOn) played.push(one)
  }
  const { query } = pg.Client.prototype
  const { prepare } = DatabaseSync.prototype
  pg.Client.prototype.query = async function (this: pg.Client, sql: unknown, values?: unknown) {
    const result = await (query as Query).call(this, sql, values)
    if (typeof sql === 'string')
      note({ sql, parameters: (values as unknown[]) ?? [], ...answerOf(result as pg.QueryResult) })
    return result
  } as typeof query
  DatabaseSync.prototype.prepare = function (sql) {
    const statement = prepare.call(this, sql)
    return new Proxy(statement, {
      get(target, name) {
        if (name === 'columns') return () => target.columns()
        return (...parameters: SQLInputValue[]) => {
          const result = target[name as 'all' | 'run'](...parameters)
          note({
            sql,
            parameters,
            ...(Array.isArray(result)
              ? { rows: structuredClone(result), count: result.length }
              : { rows: null, count: changesOf(sql, result) }),
          })
          return result
        }
      },
    })
  }
  return {
    async during(run) {
      isOn = true
      await run()
      isOn = false
      return played
    },
    stop() {
      pg.Client.prototype.query = query
      DatabaseSync.prototype.prepare = prepare
    },
  }
}

/** SQLite names the number of before for what changes nothing. */
const changesOf = (sql: string, { changes }: { readonly changes: number | bigint }): number | null =>
  /^(?:insert|update|delete)\b/i.test(sql) ? Number(changes) : null

/** Several statements in one have no answer that counts. */
const answerOf = (result: pg.QueryResult | pg.QueryResult[]): Pick<Played, 'rows' | 'count'> =>
  Array.isArray(result)
    ? { rows: null, count: null }
    : { rows: result.fields.length > 0 ? structuredClone(result.rows) : null, count: result.rowCount }

/** One connection to a store, which runs statements as they are. */
export type Player = {
  /** @returns what came back, or the code of the error */
  play(
    statement: Pick<Played, 'sql' | 'parameters'>,
  ): Promise<Pick<Played, 'rows' | 'count'> | { error: string }>
  close(): Promise<void>
}

export async function openPlayer(settings: StoreSettings): Promise<Player> {
  if (settings.kind === 'sqlite') {
    const database = new DatabaseSync(settings.path)
    return {
      async play({ sql, parameters }) {
        try {
          const statement = database.prepare(sql)
          const values = parameters as SQLInputValue[]
          if (statement.columns().length === 0)
            return { rows: null, count: changesOf(sql, statement.run(...values)) }
          const rows = statement.all(...values)
          return { rows, count: rows.length }
        } catch (error) {
          return { error: String(error) }
        }
      },
      close: async () => database.close(),
    }
  }
  const client = new pg.Client({ connectionString: settings.url })
  client.setTypeParser(pg.types.builtins.INT8, Number)
  await client.connect()
  return {
    play: ({ sql, parameters }) =>
      client.query(sql, [...parameters]).then(answerOf, (error: pg.DatabaseError) => ({
        error: `${error.code} ${error.message}`,
      })),
    close: () => client.end(),
  }
}

/**
 * Compares what came back with what must: those rows, in that order, with those columns. There may be new ones beside them.
 * @returns null where it fits, else what came instead
 */
export function differs(must: Played, came: Awaited<ReturnType<Player['play']>>): string | null {
  if ('error' in came) return came.error
  const fits =
    came.count === must.count &&
    (must.rows === null) === (came.rows === null) &&
    (must.rows ?? []).every((row, place) => has(came.rows?.[place], row))
  return fits ? null : JSON.stringify(came, toJson)
}

function has(whole: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null || part instanceof Uint8Array)
    return JSON.stringify(whole, toJson) === JSON.stringify(part, toJson)
  if (JSON.stringify(part) === JSON.stringify(varies)) return whole !== undefined
  return (
    typeof whole === 'object' &&
    whole !== null &&
    Object.entries(part).every(([name, value]) => has(Reflect.get(whole, name), value))
  )
}

/** Puts `varies` where the same statement returned another value. */
export const withVarying = (played: Played, again: Pick<Played, 'rows'>): Played => ({
  ...played,
  rows:
    played.rows?.map((row, place) =>
      Object.fromEntries(
        Object.entries(row as object).map(([name, value]) => [
          name,
          has(Reflect.get((again.rows?.[place] ?? {}) as object, name), value) ? value : varies,
        ]),
      ),
    ) ?? null,
})
