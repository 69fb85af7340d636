import { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrations } from '../../src/store/migrations.ts'
import type { StoreSettings } from '../../src/store/store.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { type BareStore, emptyStoreOn, openBare, type StorePlace, storePlaces } from '../support/store.ts'
import { breaksOf, type Structure, structureInPostgres, structureInSqlite } from '../support/structure.ts'

/** Migration of the first release: the tables were made with it. */
const baseline = '001_start'

/**
 * Breaks that are allowed, by migration: a later release may take away what the release before it asks for no more
 * (test/store/released.test.ts), and says so here.
 */
const contracted: Readonly<Record<string, readonly string[]>> = {}

const names = Object.keys(migrations).sort()
let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

async function structureOf(settings: StoreSettings): Promise<Structure> {
  if (settings.kind === 'postgres') return structureInPostgres(server.admin, new URL(settings.url).username)
  const database = new DatabaseSync(settings.path, { readOnly: true })
  try {
    return structureInSqlite(database)
  } finally {
    database.close()
  }
}

describe.each(storePlaces)('in %s', (kind, makePlace) => {
  let place: Pick<StorePlace, 'empty' | 'close'>
  beforeAll(async () => {
    place =
      kind === 'postgres' ? { empty: () => emptyStoreOn(server), close: async () => {} } : await makePlace()
  })
  afterAll(() => place.close())

  it('each migration after the first release only adds, so that the version before goes on working', async () => {
    const settings = await place.empty()
    const store = openBare(settings)
    const breaks: Record<string, readonly string[]> = {}
    try {
      let before: Structure | null = null
      for (const name of names) {
        await store.migrate(name)
        const after = await structureOf(settings)
        if (before && name > baseline) breaks[name] = breaksOf(before, after)
        before = after
      }
    } finally {
      await store.close()
    }
    expect(names[0]).toBe(baseline)
    expect(breaks).toEqual(Object.fromEntries(names.slice(1).map((name) => [name, contracted[name] ?? []])))
  })

  /** Changes a store as a migration would. */
  const changed = async (statement: string, both: (before: Structure, after: Structure) => void) => {
    const settings = await place.empty()
    const store: BareStore = openBare(settings)
    try {
      await store.migrate('005_calls')
      await sql`CREATE TABLE other (id text PRIMARY KEY, one text, two text DEFAULT 'x' NOT NULL, three integer)`.execute(
        store.db,
      )
      await sql`CREATE UNIQUE INDEX other_three ON other (three)`.execute(store.db)
      const before = await structureOf(settings)
      for (const one of statement.split('; ')) await sql.raw(one).execute(store.db)
      both(before, await structureOf(settings))
    } finally {
      await store.close()
    }
  }

  const inBoth = [
    ['DROP TABLE other', 'table other is gone'],
    ['ALTER TABLE other RENAME TO another', 'table other is gone'],
    ['ALTER TABLE other DROP COLUMN one', 'column other.one is gone'],
    ['ALTER TABLE other RENAME COLUMN one TO uno', 'column other.one is gone'],
    ["ALTER TABLE other ADD COLUMN four text NOT NULL DEFAULT 'x'", null],
    ['ALTER TABLE other ADD COLUMN four text', null],
    ['CREATE TABLE another (id text NOT NULL)', null],
    ['CREATE INDEX other_one ON other (one)', null],
    ['CREATE UNIQUE INDEX other_one ON other (one)', 'other has a new rule'],
    ['DROP INDEX other_three', 'other lost the rule'],
    [
      'CREATE TABLE y (id text PRIMARY KEY); ALTER TABLE other ADD COLUMN z text REFERENCES y',
      'other has a new rule',
    ],
  ] as const
  const inPostgres = [
    ['ALTER TABLE other ALTER one SET NOT NULL', 'column other.one may not be null any more'],
    ['ALTER TABLE other ALTER two DROP NOT NULL', 'column other.two may be null now'],
    ['ALTER TABLE other ALTER two DROP DEFAULT', 'column other.two has another default'],
    ["ALTER TABLE other ALTER two SET DEFAULT 'y'", 'column other.two has another default'],
    ['ALTER TABLE other ALTER three TYPE bigint', 'column other.three is bigint, it was integer'],
    ['ALTER TABLE other ADD COLUMN four text NOT NULL', 'column other.four is new and must be given'],
    ['ALTER TABLE other ADD COLUMN four bigint GENERATED ALWAYS AS IDENTITY', null],
    ["ALTER TABLE other ADD CHECK (one <> '')", 'other has a new rule'],
    ['ALTER TABLE other DROP CONSTRAINT other_pkey', 'other lost the rule'],
    ['ALTER TABLE other ENABLE ROW LEVEL SECURITY', 'other has a new rule'],
    ['CREATE RULE no_more AS ON INSERT TO other DO INSTEAD NOTHING', 'other has a new rule'],
    [
      'CREATE TRIGGER t BEFORE UPDATE ON other FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
      'other has a new rule',
    ],
  ] as const

  it.each(kind === 'postgres' ? [...inBoth, ...inPostgres] : inBoth)(
    '%s: %s',
    async (statement, expected) => {
      await changed(statement, (before, after) => {
        const breaks = breaksOf(before, after)
        if (expected === null) expect(breaks).toEqual([])
        else expect(breaks[0]).toContain(expected)
      })
    },
  )
})
