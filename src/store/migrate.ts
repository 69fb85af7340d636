import { setTimeout as pause } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { ClusterError } from '../postgres/errors.ts'
import { StoreError } from './failure.ts'
import { migrations } from './migrations.ts'
import type { Schema } from './schema.ts'

/** Name of the newest migration. */
export const newest = Object.keys(migrations).sort().at(-1) ?? ''

/** Attempts to get at the tables when somebody else holds them: about half a minute. */
const mostAttempts = 25
/** Longest pause between two of them. */
const longestPauseMs = 1000
/**
 * Time for which an attempt waits for a lock: all who want the table wait behind it meanwhile. Shorter than `deadlock_timeout`
 * (1 s), so that in a deadlock it is the attempt that gives way.
 */
const lockWaitMs = 800

/**
 * Brings the tables up to date, all at once or not at all, while other replicas work with them. A newer version may have
 * done that already, and works beside us: each migration only adds (docs/decisions/0016), so there is nothing to do.
 * @param schema the one of PostgreSQL in which they are
 * @param upTo name of the last migration, for tests
 */
export async function migrate(
  db: Kysely<Schema>,
  schema: string | null,
  { upTo = newest, attempts = mostAttempts }: { readonly upTo?: string; readonly attempts?: number } = {},
): Promise<void> {
  if ((await stateOfTables(db, schema, upTo)) === 'current') return
  const run = () => db.transaction().execute((db) => runPending(db, schema, upTo))
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (!isBusy(error)) throw error
      if (attempt >= attempts)
        throw new StoreError(
          'Somebody else holds the tables of the store, perhaps a backup, so they cannot be brought up to date. Start me again when it has ended; the replicas of before go on meanwhile.',
          error,
        )
      await pause(Math.random() * longestPauseMs)
    }
  }
}

/** Looks how far the tables are, and changes nothing. */
export async function stateOfTables(
  db: Kysely<Schema>,
  schema: string | null,
  upTo = newest,
): Promise<'none' | 'older' | 'current'> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  // Without the schema, those of somebody else in another one are taken for ours.
  if (!tables.some((table) => table.name === bookName && (schema === null || table.schema === schema)))
    return 'none'
  const done = await doneIn(db, schema)
  return pendingAfter(done, upTo).length === 0 ? 'current' : done.size > 0 ? 'older' : 'none'
}

async function runPending(db: Kysely<Schema>, schema: string | null, upTo: string) {
  if (schema !== null) {
    await sql`SET LOCAL lock_timeout = ${sql.lit(lockWaitMs)}`.execute(db)
    // One at a time. It ends with the transaction, so a pooler may stand between.
    await sql`SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pg-marshal', 0))`.execute(
      db,
    )
  }
  await bookIn(db, schema)
    .schema.createTable(bookName)
    .ifNotExists()
    .addColumn('name', 'varchar(255)', (column) => column.notNull().primaryKey())
    .addColumn('timestamp', 'varchar(255)', (column) => column.notNull())
    .execute()
  const done = await doneIn(db, schema)
  // Who writes begins with its row, and goes from table to table after that: without it we would meet half-way. The row
  // itself is not enough, since who waits for that has a lock on the table already.
  if (schema !== null && done.has('002_writer'))
    await sql`LOCK TABLE writer IN ACCESS EXCLUSIVE MODE`.execute(db)
  for (const name of pendingAfter(done, upTo)) {
    await migrations[name]?.up(db)
    await bookIn(db, schema)
      .insertInto(bookName)
      .values({ name, timestamp: sql<string>`CAST(CURRENT_TIMESTAMP AS varchar(255))` })
      .execute()
  }
}

/** Table with the names of the migrations that were done: Kysely's own migrator made it in older versions. */
const bookName = 'kysely_migration'
type Book = { [bookName]: { name: string; timestamp: string } }

function bookIn(db: Kysely<Schema>, schema: string | null): Kysely<Schema & Book> {
  const book = db.withTables<Book>()
  return schema === null ? book : book.withSchema(schema)
}

async function doneIn(db: Kysely<Schema>, schema: string | null): Promise<ReadonlySet<string>> {
  const rows = await bookIn(db, schema).selectFrom(bookName).select('name').execute()
  return new Set(rows.map(({ name }) => name))
}

const pendingAfter = (done: ReadonlySet<string>, upTo: string): string[] =>
  Object.keys(migrations)
    .sort()
    .filter((name) => name <= upTo && !done.has(name))

/** Codes of a lock that was not to be had, and of a deadlock that we lost. */
const busyCodes: readonly string[] = ['55P03', '40P01']

function isBusy(error: unknown): boolean {
  if (error instanceof ClusterError) return busyCodes.includes(error.code)
  return error instanceof StoreError && isBusy(error.cause)
}
