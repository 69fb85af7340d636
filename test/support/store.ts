import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely } from 'kysely'
import { migrate } from '../../src/store/migrate.ts'
import { openPostgres } from '../../src/store/postgres.ts'
import type { Schema } from '../../src/store/schema.ts'
import { openSqlite, prepareFile } from '../../src/store/sqlite.ts'
import { openStore, type Store, type StoreSettings } from '../../src/store/store.ts'
import { startTestServer, type TestServer } from './postgres.ts'

/** A store on disk, which is gone when it is closed. */
export async function openTestStore(): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-store-'))
  const store = await openStore({ kind: 'sqlite', path: join(directory, 'store.db') })
  const close = async () => {
    await store.close()
    await rm(directory, { recursive: true })
  }
  return { ...store, close }
}

/** A place for stores of one kind, which is gone when it is closed. */
export type StorePlace = {
  /** Settings of a new, empty store. */
  readonly empty: () => Promise<StoreSettings>
  readonly close: () => Promise<void>
}

/** One way to make such a place for each kind of store, by its name. */
export const storePlaces: readonly [StoreSettings['kind'], () => Promise<StorePlace>][] = [
  [
    'sqlite',
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-store-'))
      let made = 0
      return {
        empty: async () => ({ kind: 'sqlite', path: join(directory, String(++made), 'store.db') }),
        close: () => rm(directory, { recursive: true }),
      }
    },
  ],
  [
    'postgres',
    async () => {
      const server = await startTestServer()
      return { empty: () => emptyStoreOn(server), close: server.stop }
    },
  ],
]

let schemas = 0

/** A schema of its own on a server, owned by a role that may do nothing else. */
export async function emptyStoreOn(server: TestServer): Promise<StoreSettings & { kind: 'postgres' }> {
  const name = `store_${++schemas}`
  const url = new URL(await server.createRole(name))
  await server.admin.query(`CREATE SCHEMA ${name} AUTHORIZATION ${name}`)
  // The search path begins with the schema that has the name of the role.
  return { kind: 'postgres', url: url.href }
}

/** Tables of a store as they are: nothing was brought up to date. */
export type BareStore = {
  readonly db: Kysely<Schema>
  /** Name of the schema in PostgreSQL; null in SQLite. */
  readonly schema: string | null
  /** Brings its tables up to this migration. */
  migrate(upTo: string): Promise<void>
  close(): Promise<void>
}

export function openBare(settings: StoreSettings): BareStore {
  const server = settings.kind === 'postgres' ? openPostgres(settings.url) : null
  if (settings.kind === 'sqlite') prepareFile(settings.path)
  const dialect = settings.kind === 'sqlite' ? openSqlite(settings.path).dialect : server?.dialect(false)
  if (!dialect) throw new Error('a store is in one of both')
  const db = new Kysely<Schema>({ dialect })
  const schema = settings.kind === 'postgres' ? new URL(settings.url).username : null
  return {
    db,
    schema,
    migrate: (upTo) => migrate(db, schema, { upTo }),
    async close() {
      await db.destroy()
      await server?.end()
    },
  }
}
