import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { type Incidents, incidentsIn } from './incidents.ts'
import { type Journal, journalIn } from './journal.ts'
import { type Messages, messagesIn } from './messages.ts'
import { type Proposals, proposalsIn } from './proposals.ts'
import { atomically, migrations, type Schema } from './schema.ts'
import { type Silences, silencesIn } from './silences.ts'
import { sqliteDialect } from './sqlite.ts'

/** Where the store is; the kind decides the dialect. */
export type StoreSettings = { readonly kind: 'sqlite'; readonly path: string }

export type Records = {
  readonly proposals: Proposals
  readonly incidents: Incidents
  readonly journal: Journal
  readonly messages: Messages
  readonly silences: Silences
}

/** The bot's own memory: everything that has to survive a crash. */
export type Store = Records & {
  /** Runs all of it or nothing. Inside, use only the records that are handed in. */
  atomically<T>(run: (records: Records) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * Opens the store and brings its schema up to date.
 * @param settings a path of SQLite; a missing directory is made
 * @throws when the file cannot be opened or its schema is newer than this program
 */
export async function openStore(settings: StoreSettings): Promise<Store> {
  const db = new Kysely<Schema>({ dialect: sqliteDialect(settings.path) })
  const { error } = await new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
  }).migrateToLatest()
  if (error) {
    await db.destroy()
    throw error
  }
  return {
    ...recordsIn(db),
    atomically: (run) => atomically(db, (db) => run(recordsIn(db))),
    close: () => db.destroy(),
  }
}

const recordsIn = (db: Kysely<Schema>): Records => ({
  proposals: proposalsIn(db),
  incidents: incidentsIn(db),
  journal: journalIn(db),
  messages: messagesIn(db),
  silences: silencesIn(db),
})
