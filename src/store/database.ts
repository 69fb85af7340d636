import { existsSync } from 'node:fs'
import { type Dialect, Kysely, sql } from 'kysely'
import { StoreError, unreadableFile } from './failure.ts'
import { lockStore, type StoreWait } from './lock.ts'
import { migrate, stateOfTables } from './migrate.ts'
import { openPostgres } from './postgres.ts'
import { aloneWith, joinFleet, type Membership } from './replicas.ts'
import type { Schema } from './schema.ts'
import { memory, openLightSqlite, openSqlite, prepareFile } from './sqlite.ts'

/** Place of the store; the kind decides the dialect. */
export type StoreSettings =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string }

/** Runs something with the tables of the record of looks, all of it or nothing. */
export type HistoryDatabase = <T>(run: (db: Kysely<Schema>) => Promise<T>) => Promise<T>

/** An open store, whatever it is in. */
export type Database = {
  readonly db: Kysely<Schema>
  /** It is opened when first used, and a failure of it is its own: nobody who wants something else of the store waits for it. */
  readonly history: HistoryDatabase
  /** Writes something small, so that a store that takes nothing any more is noticed. */
  probe(): Promise<void>
  /**
   * Makes this process one of those that work with the store.
   * @param name for people
   * @param holdMs time for which a replica that says nothing keeps what it has
   */
  join(name: string, holdMs: number): Membership
  /** Counts what this process has written. */
  writes(): number
  /** Counts the changes by any process; null where no other one can make any. */
  changes(): Promise<number | null>
  close(): Promise<void>
}

/**
 * Opens what a store is in, with its schema up to date.
 * @param alone keeps other processes from a store in SQLite
 * @throws StoreError when it cannot be opened, or when another process keeps it
 */
export const openDatabase = (settings: StoreSettings, alone: StoreWait | null): Promise<Database> =>
  settings.kind === 'sqlite' ? inSqlite(settings.path, alone) : inPostgres(settings.url)

/** @param path a missing directory is made */
async function inSqlite(path: string, alone: StoreWait | null): Promise<Database> {
  let unlock = () => {}
  try {
    prepareFile(path)
    if (alone) unlock = await lockStore(path, alone)
    const file = openSqlite(path)
    const db = new Kysely<Schema>({ dialect: file.dialect })
    await migrate(db, null).catch(async (error) => {
      await db.destroy()
      throw error
    })
    const history = openHistoryBeside(path)
    return {
      db,
      history: history.run,
      probe: async () => file.probe(),
      join: () => aloneWith(async () => file.probe()),
      writes: file.writes,
      changes: async () => null,
      close: async () => {
        await history.close()
        await db.destroy()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    if (error instanceof StoreError) throw error
    const why =
      error instanceof Error && 'code' in error ? String(error.code) : 'it is no store of pg-marshal'
    throw new StoreError(
      `The store ${path} cannot be opened (${why}). Check store.url, the directory and its permissions.`,
      error,
    )
  }
}

/** Path of the file with the record of looks that belongs to a store in SQLite. */
export const historyBeside = (path: string): string => `${path}-history`

/**
 * The record of looks has a file of its own: it is large, written all the time, and may be lost. Both have all tables, so that
 * there is one list of migrations; each uses its own.
 */
const openHistoryBeside = (path: string) =>
  openedLate(historyBeside(path), (file) => {
    prepareFile(file)
    return withTables(openLightSqlite(file, false))
  })

/** Opens the record of a store in SQLite beside a bot that may be writing there; one that is missing is empty. */
export const openHistoryToRead = (path: string) =>
  openedLate(historyBeside(path), async (file) => {
    if (!existsSync(file)) return withTables(openLightSqlite(memory, false))
    const db = new Kysely<Schema>({ dialect: openLightSqlite(file, true) })
    if ((await stateOfTables(db, null)) === 'current') return db
    // It was made just now, or by an older version.
    await db.destroy()
    return withTables(openLightSqlite(memory, false))
  })

async function withTables(dialect: Dialect): Promise<Kysely<Schema>> {
  const db = new Kysely<Schema>({ dialect })
  await migrate(db, null).catch(async (error) => {
    await db.destroy()
    throw error
  })
  return db
}

function openedLate(file: string, open: (file: string) => Promise<Kysely<Schema>>) {
  let opened: Promise<Kysely<Schema>> | null = null
  const openNow = async () => {
    try {
      return await open(file)
    } catch (error) {
      opened = null
      throw error instanceof StoreError ? error : unreadableFile(file, error)
    }
  }
  return {
    run: async <T>(run: (db: Kysely<Schema>) => Promise<T>): Promise<T> => {
      opened ??= openNow()
      return (await opened).transaction().execute(run)
    },
    close: async () => {
      const db = await opened?.catch(() => null)
      await db?.destroy()
    },
  }
}

async function inPostgres(url: string): Promise<Database> {
  const server = openPostgres(url)
  try {
    const bare = new Kysely<Schema>({ dialect: server.dialect(false) })
    await migrate(bare, await schemaOf(bare))
    const db = new Kysely<Schema>({ dialect: server.dialect(true) })
    return {
      db,
      history: (run) => bare.transaction().execute(run),
      probe: async () => {
        await db
          .updateTable('writer')
          .set(({ ref }) => ({ changes: ref('changes') }))
          .execute()
      },
      writes: server.writes,
      join: (name, holdMs) => joinFleet(bare, { name, holdMs }),
      async changes() {
        const { changes } = await bare.selectFrom('writer').select('changes').executeTakeFirstOrThrow()
        return Number(changes)
      },
      close: async () => {
        await db.destroy()
        await server.end()
      },
    }
  } catch (error) {
    await server.end()
    throw explained(error)
  }
}

/**
 * Opens a store in PostgreSQL without a change to it, not even to its tables: a role that may only read can do that.
 * @returns null when there are no tables of ours, since no bot has worked with it yet
 */
export async function openPostgresToRead(
  url: string,
): Promise<Pick<Database, 'db' | 'history' | 'close'> | null> {
  const server = openPostgres(url)
  const db = new Kysely<Schema>({ dialect: server.dialect(false) })
  try {
    const state = await stateOfTables(db, await schemaOf(db))
    if (state === 'older')
      throw new StoreError(
        'The tables of the store are those of an older version. Start this version of the bot once: it brings them up to date.',
        null,
      )
    if (state === 'current')
      return {
        db,
        history: (run) => db.transaction().execute(run),
        close: async () => {
          await db.destroy()
          await server.end()
        },
      }
    await server.end()
    return null
  } catch (error) {
    await server.end()
    throw explained(error)
  }
}

/** Makes a sentence of a clause about the store. */
function explained(error: unknown): unknown {
  if (!(error instanceof StoreError) || /^[A-Z]/.test(error.message)) return error
  return new StoreError(`The store cannot be opened: ${error.message}. Check store.url.`, error)
}

/** Name of the schema in which new tables are made, by search_path and the role's privileges. */
async function schemaOf(db: Kysely<Schema>): Promise<string> {
  const { rows } = await sql<{ name: string | null }>`SELECT pg_catalog.current_schema() AS name`.execute(db)
  const name = rows[0]?.name ?? null
  if (name === null) throw new StoreError('its role has no schema to make tables in (doctor shows how)', null)
  return name
}
