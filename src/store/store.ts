import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { StoreError } from './failure.ts'
import { type Incidents, incidentsIn } from './incidents.ts'
import { type Journal, journalIn } from './journal.ts'
import { lockStore, type StoreWait } from './lock.ts'
import { type Messages, messagesIn } from './messages.ts'
import { type Proposals, proposalsIn } from './proposals.ts'
import { atomically, migrations, type Schema } from './schema.ts'
import { type Silences, silencesIn } from './silences.ts'
import { openSqlite, prepareFile } from './sqlite.ts'

/** Place of the store; the kind decides the dialect. */
export type StoreSettings = { readonly kind: 'sqlite'; readonly path: string }

export type Tables = {
  readonly proposals: Proposals
  readonly incidents: Incidents
  readonly journal: Journal
  readonly messages: Messages
  readonly silences: Silences
}

/** The bot's own memory: everything that has to survive a crash. */
export type Store = Tables & {
  /** Runs all of it or nothing. Inside, use only the tables that are handed in. */
  atomically<T>(run: (tables: Tables) => Promise<T>): Promise<T>
  /** Resolves when something could be written just now, and what is open be read; throws why not: see `storeFailureOf`. */
  probe(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the store and brings its schema up to date.
 * @param settings a path of SQLite; a missing directory is made
 * @param alone keeps other processes from working with it at the same time
 * @throws StoreError when it cannot be opened, or when another process keeps it
 */
export async function openStore(settings: StoreSettings, alone: StoreWait | null = null): Promise<Store> {
  const { path } = settings
  let unlock = () => {}
  try {
    prepareFile(path)
    if (alone) unlock = await lockStore(path, alone)
    const file = openSqlite(path)
    const db = new Kysely<Schema>({ dialect: file.dialect })
    const { error } = await new Migrator({
      db,
      provider: { getMigrations: async () => migrations },
    }).migrateToLatest()
    if (error) {
      await db.destroy()
      throw error
    }
    const records = tablesIn(db)
    return {
      ...records,
      atomically: (run) => atomically(db, (db) => run(tablesIn(db))),
      async probe() {
        file.probe()
        await records.incidents.openOutside([])
        await records.proposals.inState('open')
      },
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

const tablesIn = (db: Kysely<Schema>): Tables => ({
  proposals: proposalsIn(db),
  incidents: incidentsIn(db),
  journal: journalIn(db),
  messages: messagesIn(db),
  silences: silencesIn(db),
})
