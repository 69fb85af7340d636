import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { createVerifier } from '../../src/domain/approvals/journal.ts'
import { StoreError } from '../../src/store/failure.ts'
import { lockStore } from '../../src/store/lock.ts'
import { openStore, type Store, type StoreSettings } from '../../src/store/store.ts'
import { transferStore } from '../../src/store/transfer.ts'
import { type StorePlace, storePlaces } from '../support/store.ts'

const places = new Map<string, StorePlace>()
beforeAll(async () => {
  for (const [kind, make] of storePlaces) places.set(kind, await make())
})
afterEach(() => void vi.unstubAllEnvs())
afterAll(() => Promise.all([...places.values()].map((place) => place.close())))

const empty = (kind: StoreSettings['kind']): Promise<StoreSettings> => {
  const place = places.get(kind)
  if (!place) throw new Error(kind)
  return place.empty()
}

/** A store of 0.1.0 with something of everything. */
async function old(): Promise<StoreSettings> {
  const settings = await empty('sqlite')
  if (settings.kind !== 'sqlite') throw new Error('no file')
  await mkdir(dirname(settings.path), { recursive: true })
  const database = new DatabaseSync(settings.path)
  database.exec(await readFile(new URL('fixtures/0.1.0.sql', import.meta.url), 'utf8'))
  database.close()
  return settings
}

async function contentOf(settings: StoreSettings) {
  const store = await openStore(settings)
  try {
    const verifier = createVerifier()
    for await (const row of store.journal.all()) expect(verifier.check(row)).toBeNull()
    return { head: verifier.head(), ...(await seen(store)) }
  } finally {
    await store.close()
  }
}

const seen = async ({ incidents, proposals, silences, messages, journal }: Store) => {
  const known = await incidents.recent('orders', 0)
  return {
    incidents: known,
    proposals: await Promise.all(known.map(({ cardId }) => proposals.ofCard(cardId))),
    silences: await silences.ofCluster('orders'),
    pending: await messages.pending(),
    standing: await messages.standing(known.map(({ cardId }) => cardId)),
    latest: await journal.latest(1000),
  }
}

const silent = () => {}

it('moves all of it from a file to PostgreSQL and back, with the chain of the journal', async () => {
  const from = await old()
  const server = await empty('postgres')
  const back = await empty('sqlite')
  const tables: string[] = []
  const rows = await transferStore(from, server, (table) => tables.push(table))
  expect(rows).toBeGreaterThan(20)
  expect(tables).toContain('journal')
  expect(await transferStore(server, back, silent)).toBe(rows)
  const was = await contentOf(from)
  expect(was.head?.seq).toBeGreaterThan(5)
  expect(await contentOf(server)).toEqual(was)
  expect(await contentOf(back)).toEqual(was)
  // Nobody has them any more.
  for (const settings of [from, server, back]) await (await takeNow(settings)).close()
})

it.each(storePlaces)(
  'refuses a target in %s that has something already, and changes nothing there',
  async (kind) => {
    const from = await old()
    const to = await empty(kind)
    const store = await openStore(to)
    await store.messages.put(
      { id: 'one', channel: 'C1', threadOf: null, priority: 1, once: false, text: 'x', blocks: [] },
      1,
    )
    await store.close()
    await expect(transferStore(from, to, silent)).rejects.toThrow('not empty: its table messages has rows')
    const after = await contentOf(to)
    expect(after).toMatchObject({ head: null, incidents: [] })
    expect(after.pending).toHaveLength(1)
  },
)

/** Takes a store at once, or says that somebody has it. */
const takeNow = (settings: StoreSettings) => openStore(settings, { signal: AbortSignal.abort() })

it.each(storePlaces)(
  'lets go of a source in %s when the target cannot be opened, and leaves no copy of it behind',
  async (kind) => {
    const from = await empty(kind)
    await (await openStore(from, {})).close()
    const temporary = await mkdtemp(join(tmpdir(), 'pg-marshal-transfer-'))
    vi.stubEnv('TMPDIR', temporary)
    const to = { kind: 'sqlite', path: '/dev/null/store.db' } as const
    await expect(transferStore(from, to, silent)).rejects.toThrow(
      'The store /dev/null/store.db cannot be opened',
    )
    expect(await readdir(temporary)).toEqual([])
    await rm(temporary, { recursive: true })
    await (await takeNow(from)).close()
  },
)

it('lets go of a source that is no store', async () => {
  const from = await empty('sqlite')
  if (from.kind !== 'sqlite') throw new Error('no file')
  await mkdir(dirname(from.path))
  await writeFile(from.path, 'not a store'.repeat(500))
  await expect(transferStore(from, await empty('sqlite'), silent)).rejects.toThrow(
    `The store ${from.path} cannot be opened`,
  )
  const unlock = await lockStore(from.path, { signal: AbortSignal.abort() })
  unlock()
})

it('says in one sentence that there is no source, and makes none', async () => {
  const from = await empty('sqlite')
  if (from.kind !== 'sqlite') throw new Error('no file')
  const failure = transferStore(from, await empty('sqlite'), silent)
  await expect(failure).rejects.toThrow(
    `The store ${from.path} cannot be read (ENOENT). Check store.url and its permissions.`,
  )
  await expect(failure).rejects.toBeInstanceOf(StoreError)
  await expect(readdir(dirname(from.path))).rejects.toMatchObject({ code: 'ENOENT' })
})
