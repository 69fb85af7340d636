import { mkdir, readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import type { JournalEvent } from '../../src/domain/approvals/journal.ts'
import { readStore } from '../../src/store/reading.ts'
import { openStore, type StoreSettings, type Tables } from '../../src/store/store.ts'
import { auditVerify } from '../../src/terminal/audit.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { emptyStoreOn, type StorePlace, storePlaces } from '../support/store.ts'

/** What looks at a store, beside a bot or without one: it changes nothing there. */

let server: TestServer
const places = new Map<string, StorePlace>()
beforeAll(async () => {
  server = await startTestServer()
  for (const [kind, make] of storePlaces.filter(([kind]) => kind === 'sqlite')) places.set(kind, await make())
  places.set('postgres', { empty: () => emptyStoreOn(server), close: () => server.stop() })
})
afterAll(() => Promise.all([...places.values()].map((place) => place.close())))

const event: JournalEvent = { kind: 'expired', actor: 'pg-marshal', proposalId: 'p' }
const countRows = async ({ journal }: Tables) => (await journal.latest(9)).length

async function filled(empty: () => Promise<StoreSettings>) {
  const settings = await empty()
  const store = await openStore(settings, {})
  await store.journal.append(1, null, event)
  await store.close()
  return settings
}

const schemaOf = (settings: StoreSettings) =>
  settings.kind === 'postgres' ? new URL(settings.url).username : ''

async function verify(store: StoreSettings) {
  let said = ''
  const out = { write: (text: string) => (said += text) }
  const code = await auditVerify({ config: { store } as Config, head: null, out, err: out })
  return { code, said }
}

it.each(['sqlite', 'postgres'])('reads what is there, in %s, and null where nothing is', async (kind) => {
  const place = places.get(kind)
  if (!place) throw new Error(kind)
  expect(await readStore(await filled(place.empty), countRows)).toBe(1)
  const nothing = await place.empty()
  if (nothing.kind === 'sqlite') await mkdir(dirname(nothing.path))
  expect(await readStore(nothing, countRows)).toBeNull()
  expect(await verify(nothing)).toEqual({
    code: 2,
    said: expect.stringMatching(/^There is no store (at|in)/),
  })
  if (nothing.kind === 'sqlite') expect(await readdir(dirname(nothing.path))).toEqual([])
  const made = 'SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = $1'
  expect((await server.admin.query(made, [schemaOf(nothing)])).rows).toEqual([{ n: 0 }])
})

it('asks no more of a role in PostgreSQL than that it may read, and says so where it may not', async () => {
  const settings = await filled(() => emptyStoreOn(server))
  const schema = schemaOf(settings)
  const auditor = { kind: 'postgres', url: await server.createRole('auditor') } as const
  await server.admin.query(`ALTER ROLE auditor SET search_path = ${schema}`)
  await server.admin.query(`GRANT USAGE ON SCHEMA ${schema} TO auditor`)
  await expect(readStore(auditor, countRows)).rejects.toThrow('USAGE there and SELECT on its tables')
  await server.admin.query(`GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO auditor`)
  await server.admin.query('ALTER ROLE auditor SET default_transaction_read_only = on')
  expect(await readStore(auditor, countRows)).toBe(1)
  expect(await verify(auditor)).toMatchObject({ code: 0, said: expect.stringContaining('1 rows, head') })
})

it('leaves the tables of an older version as they are, and says what brings them up to date', async () => {
  const settings = await filled(() => emptyStoreOn(server))
  const schema = schemaOf(settings)
  await server.admin.query(`DROP TABLE ${schema}.refused_blocks`)
  await server.admin.query(`DELETE FROM ${schema}.kysely_migration WHERE name >= '006'`)
  await expect(readStore(settings, countRows)).rejects.toThrow(
    /^The tables of the store are those of an older version\. Start this version of the bot once/,
  )
  const { rows } = await server.admin.query(`SELECT count(*)::int AS n FROM ${schema}.kysely_migration`)
  expect(rows).toEqual([{ n: 5 }])
  await server.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pg-marshal store'")
})
