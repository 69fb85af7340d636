import { Kysely, sql } from 'kysely'
import { StoreError } from './failure.ts'
import { lockStore, type StoreWait } from './lock.ts'
import { openPostgres } from './postgres.ts'
import { migrate, type Schema } from './schema.ts'
import { openSqlite, prepareFile } from './sqlite.ts'

/** Place of the store; the kind decides the dialect. */
export type StoreSettings =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string }

/** An open store, whatever it is in. */
export type Database = {
  readonly db: Kysely<Schema>
  /** Writes something small, so that a store that takes nothing any more is noticed. */
  probe(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens what a store is in, with its schema up to date.
 * @throws StoreError when it cannot be opened, or when another process keeps a file
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
    await migrate(db).catch(async (error) => {
      await db.destroy()
      throw error
    })
    return {
      db,
      probe: async () => file.probe(),
      close: async () => {
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

async function inPostgres(url: string): Promise<Database> {
  const server = openPostgres(url)
  try {
    await migrate(new Kysely<Schema>({ dialect: server.bare }))
  } catch (error) {
    await server.end()
    if (!(error instanceof StoreError)) throw error
    throw new StoreError(`The store cannot be opened: ${error.message}. Check store.url.`, error)
  }
  const db = new Kysely<Schema>({ dialect: server.dialect })
  return {
    db,
    probe: async () => {
      await db.updateTable('writer').set({ probes: sql<number>`probes + 1` }).execute()
    },
    close: async () => {
      await db.destroy()
      await server.end()
    },
  }
}
