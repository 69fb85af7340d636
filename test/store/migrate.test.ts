import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createVerifier, type JournalEvent } from '../../src/domain/approvals/journal.ts'
import { migrate, stateOfTables } from '../../src/store/migrate.ts'
import { migrations } from '../../src/store/migrations.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'
import { emptyStoreOn, openBare, type StorePlace, storePlaces } from '../support/store.ts'

const event: JournalEvent = { kind: 'expired', actor: 'pg-marshal', proposalId: 'p' }
const names = Object.keys(migrations).sort()
/** One that adds a table to what 008 left, and 005 a column to a table that is in use. */
const [old, beforeCalls] = ['008_replicas', '004_webhooks']

describe.each(storePlaces)('bringing a store in %s up to date', (_, makePlace) => {
  let place: StorePlace
  beforeAll(async () => {
    place = await makePlace()
  })
  afterAll(() => place.close())

  it('leaves nothing behind where it fails in the middle, and does it all the next time', async () => {
    const settings = await place.empty()
    const before = openBare(settings)
    await before.migrate(old)
    await sql`CREATE TABLE history_texts (id text)`.execute(before.db)
    await before.close()
    await expect(openStore(settings)).rejects.toThrow()
    const store = openBare(settings)
    const tables = await store.db.introspection.getTables()
    expect(tables.map(({ name }) => name)).not.toContain('history_chunks')
    expect(await stateOfTables(store.db, store.schema)).toBe('older')
    await sql`DROP TABLE history_texts`.execute(store.db)
    await store.close()
    const opened = await openStore(settings)
    expect((await opened.history.extent()).bytes).toBe(0)
    await opened.close()
  })

  it('notes what it did, so that it is done once', async () => {
    const store = openBare(await place.empty())
    expect(await stateOfTables(store.db, store.schema)).toBe('none')
    await store.migrate(old)
    expect(await stateOfTables(store.db, store.schema)).toBe('older')
    expect(await stateOfTables(store.db, store.schema, old)).toBe('current')
    await store.migrate(names.at(-1) ?? '')
    await store.migrate(names.at(-1) ?? '')
    expect(await stateOfTables(store.db, store.schema)).toBe('current')
    const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`.execute(
      store.db,
    )
    expect(rows.map(({ name }) => name)).toEqual(names)
    await store.close()
  })
})

describe('in PostgreSQL, where others work meanwhile', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startTestServer()
  })
  afterAll(() => server.stop())

  it('is done by one of many that start at once, and keeps no lock of a session', async () => {
    const settings = await emptyStoreOn(server)
    const stores = await Promise.all(Array.from({ length: 6 }, () => openStore(settings)))
    const { rows } = await server.admin.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
    expect(rows).toEqual([])
    for (const store of stores) await store.close()
  })

  it('loses nothing of what a replica of the version before writes and reads without a pause', async () => {
    const settings = await emptyStoreOn(server)
    const bare = openBare(settings)
    await bare.migrate(beforeCalls)
    // What that version knew of the tables: a transaction begins with the row of the writers, and goes from one to the other.
    let seq = 0
    let isOver = false
    const write = () =>
      bare.db.transaction().execute(async (db) => {
        await sql`UPDATE writer SET epoch = epoch + 1`.execute(db)
        seq++
        await sql`INSERT INTO journal VALUES (${seq}, 1, NULL, 'expired', '{}', '', '')`.execute(db)
        await sql`INSERT INTO messages (id, seq, channel, priority, once, text, blocks, revision, sent_revision, urgent, wanted_at, sent_at, attempts, not_before, created_at)
          VALUES (${randomUUID()}, ${seq}, 'C1', 1, 0, 'x', '[]', 1, 0, 0, 0, 0, 0, 0, 0)`.execute(db)
      })
    const read = () => sql`SELECT * FROM messages m JOIN journal j ON j.seq = m.seq`.execute(bare.db)
    const work = async (turn: () => Promise<unknown>) => {
      let turns = 0
      for (; !isOver; turns++) await turn()
      return turns
    }
    const working = Promise.all([work(write), work(read), work(read)])
    const more = async () => {
      const before = seq
      await waitFor(() => seq > before + 20, 'it writes more')
    }
    await more()
    const newer = await openStore(settings)
    await more()
    isOver = true
    const [written] = await working
    expect(written).toBe(seq)
    expect(await newer.messages.backlog()).toMatchObject({ count: written })
    await newer.close()
    await bare.close()
  })

  it('waits in short pieces for who holds a table, so that the others go on, and says who it may be when that lasts', async () => {
    const settings = await emptyStoreOn(server)
    const bare = openBare(settings)
    await bare.migrate(beforeCalls)
    const dump = await server.open('pg_dump')
    await dump.query('BEGIN')
    await dump.query(`LOCK TABLE ${bare.schema}.messages IN ACCESS SHARE MODE`)
    await expect(migrate(bare.db, bare.schema, { attempts: 1 })).rejects.toThrow(
      /^Somebody else holds the tables of the store/,
    )
    const opening = openStore(settings)
    await server.until(
      "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'pg-marshal store' AND wait_event_type = 'Lock'",
    )
    // A reader that came behind it has its turn long before the dump ends.
    await sql`SELECT count(*) FROM messages`.execute(bare.db)
    await dump.query('COMMIT')
    const store: Store = await opening
    await store.journal.append(1, null, event)
    const verifier = createVerifier()
    for await (const row of store.journal.all()) expect(verifier.check(row)).toBeNull()
    await store.close()
    await bare.close()
  })
})
