import { Kysely } from 'kysely'
import { openDatabase, type StoreSettings } from './database.ts'
import { StoreError } from './failure.ts'
import { lockStore } from './lock.ts'
import { atomically, type Schema } from './schema.ts'
import { openSqlite, prepareFile } from './sqlite.ts'
import { type Tables, tablesIn } from './store.ts'

/**
 * Runs all of it or nothing on a store that a bot may be working with, which waits for its end.
 * @throws StoreError when the store cannot be opened
 */
export async function besideBot<T>(settings: StoreSettings, run: (tables: Tables) => Promise<T>): Promise<T> {
  const { db, close } =
    settings.kind === 'sqlite' && (await botWorksWith(settings.path))
      ? openGuest(settings.path)
      : await openDatabase(settings, settings.kind === 'sqlite' ? {} : null)
  try {
    return await atomically(db, async (db) => {
      // Whoever writes holds this row, or the whole file of SQLite: so nothing that is read here changes any more.
      await db
        .updateTable('writer')
        .set(({ ref }) => ({ changes: ref('changes') }))
        .execute()
      return run(tablesIn(db))
    })
  } finally {
    await close()
  }
}

/** Tries the lock that a bot keeps for as long as it runs. */
async function botWorksWith(path: string): Promise<boolean> {
  try {
    prepareFile(path)
    const unlock = await lockStore(path, { signal: AbortSignal.abort() })
    unlock()
    return false
  } catch (error) {
    if (error instanceof StoreError) return true
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    throw new StoreError(`The store ${path} cannot be opened (${code}). Check store.url.`, error)
  }
}

/** As the bot has it: its schema is up to date, and the count that tells it about other writers stays. */
function openGuest(path: string) {
  const db = new Kysely<Schema>({ dialect: openSqlite(path, true).dialect })
  return { db, close: () => db.destroy() }
}
