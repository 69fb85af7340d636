import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { zstdCompressSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Row } from '../../src/domain/history/chunk.ts'
import type { PastLook } from '../../src/domain/history/look.ts'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import { createLog } from '../../src/log.ts'
import { openDatabase } from '../../src/store/database.ts'
import { longestChunkMs, packPiece } from '../../src/store/history/pieces.ts'
import { historyIn } from '../../src/store/history.ts'
import { readStore } from '../../src/store/reading.ts'
import { openStore, type Store, type StoreSettings } from '../../src/store/store.ts'
import { transferStore } from '../../src/store/transfer.ts'
import { createRecorder } from '../../src/watch/recorder.ts'
import { incident } from '../support/builders.ts'
import { looksOf } from '../support/looks.ts'
import { waitFor } from '../support/postgres.ts'
import { type StorePlace, storePlaces } from '../support/store.ts'

const start = Date.UTC(2026, 2, 1)
const far = start + 86_400_000

async function record(store: Store, looks: readonly PastLook[], cluster = 'orders') {
  const recorder = createRecorder({
    history: store.history,
    everyMsOf: () => 5_000,
    maskText: (text) => text,
    log: createLog({ level: 'silent' }),
    now: () => start,
  })
  for (const look of looks)
    if ('snapshot' in look) recorder.saw(pictureOf({ ...look.snapshot, cluster }))
    else recorder.unseen(cluster, look.takenAt, look.unseen)
  await recorder.stop()
  return recorder
}

/** Opens a store and records this many looks in it. */
async function openRecorded(settings: StoreSettings, count: number) {
  const store = await openStore(settings)
  const looks = looksOf(start, count, 3, 0.5)
  await record(store, looks)
  return { store, looks }
}

const looksIn = async ({ history }: Pick<Store, 'history'>) =>
  (await history.between('orders', 0, far)).map(({ look }) => look)

describe.each(storePlaces)('the record in %s', (_, place) => {
  let stores: StorePlace
  beforeAll(async () => {
    stores = await place()
  })
  afterAll(() => stores.close())

  it('counts as no change of what is remembered, so that nobody asks again for it', async () => {
    const store = await openStore(await stores.empty())
    const before = [store.writes(), await store.changes()]
    await record(store, looksOf(start, 100, 3, 0.5))
    await store.history.prune(far)
    expect([store.writes(), await store.changes()]).toEqual(before)
    await store.incidents.put(incident())
    expect(store.writes()).toBeGreaterThan(before[0] ?? 0)
    await store.close()
  })

  it('can be read beside the bot that writes it', async () => {
    const settings = await stores.empty()
    const { store, looks } = await openRecorded(settings, 70)
    expect(await readStore(settings, looksIn)).toEqual(looks)
    await store.close()
    expect(await readStore(settings, looksIn)).toEqual(looks)
  })

  it('finds the nearest change on either side, among many and among few', async () => {
    const store = await openStore(await stores.empty())
    const { addPieces, changeAfter, changeBefore } = store.history
    const fromAt = (index: number) => start + index * 20_000
    const changeIn = (index: number) => fromAt(index) + 5_000
    const piecesOf = (cluster: string, hasChange: (index: number) => boolean) =>
      Array.from({ length: 60 }, (_, index) => ({
        ...{ chunk: `${cluster} ${index}`, piece: 0, cluster, data: packPiece([]) },
        ...{ fromAt: fromAt(index), toAt: fromAt(index) + 15_000 },
        changes: hasChange(index) ? [changeIn(index)] : [],
      }))
    await addPieces(piecesOf('orders', () => true))
    await addPieces(piecesOf('billing', (index) => index % 40 === 5))
    for (const [cluster, at, before, after] of [
      ['orders', fromAt(30), 29, 30],
      ['orders', changeIn(30), 30, 31],
      ['orders', changeIn(30) - 1, 29, 30],
      ['billing', fromAt(30), 5, 45],
      ['billing', changeIn(45), 45, null],
      ['billing', changeIn(5) - 1, null, 5],
    ] as const) {
      const found = [await changeBefore(cluster, at), await changeAfter(cluster, at)]
      expect(found).toEqual([before, after].map((index) => (index === null ? null : changeIn(index))))
    }
    await store.close()
  })

  it('keeps a piece that is written again as it was', async () => {
    const { store, looks } = await openRecorded(await stores.empty(), 3)
    const head = { cluster: 'orders', everyMs: 5_000, startedAt: far - 2 }
    const piece = (piece: number, rows: readonly Row[]) => ({
      ...{ chunk: 'c1', piece, cluster: 'orders', fromAt: far - 2 + piece, toAt: far - 2 + piece },
      ...{ changes: [], data: packPiece(rows) },
    })
    const first = piece(0, [head, [0, 'no answer']])
    await store.history.addPieces([first])
    await store.history.addPieces([{ ...first, changes: [far - 2] }, piece(1, [[1, 'no answer']])])
    const unseen = [far - 2, far - 1].map((takenAt) => ({ takenAt, unseen: 'no answer' }))
    expect(await looksIn(store)).toEqual([...looks, ...unseen])
    expect(await store.history.changeAfter('orders', far - 1_000)).toBeNull()
    await store.close()
  })

  it('leaves out, and says once, what another version wrote in a format of its own', async () => {
    const settings = await stores.empty()
    const { store, looks } = await openRecorded(settings, 130)
    await store.close()
    const { history, close } = await openDatabase(settings, null)
    const other = zstdCompressSync('[{"version":1,"cluster":"orders"}]')
    await history((db) =>
      db
        .updateTable('history_chunks')
        .set({ data: other })
        .where('from_at', '=', start + 1)
        .execute(),
    )
    await close()

    const warnings: string[] = []
    const again = await openStore(settings, null, (sentence) => warnings.push(sentence))
    const left = looks.filter(({ takenAt }) => takenAt > start + longestChunkMs + 1)
    expect(await looksIn(again)).toEqual(left)
    expect(await looksIn(again)).toEqual(left)
    const { found, after } = await again.history.at('orders', start + 60_000)
    expect({ found, after }).toEqual({ found: null, after: left[0]?.takenAt })
    expect(warnings).toEqual([expect.stringContaining('Another version')])
    await again.close()
    await readStore(settings, looksIn, (sentence) => warnings.push(sentence))
    expect(warnings).toHaveLength(2)
  })

  it('leaves the pieces of such a chunk as they are', async () => {
    const settings = await stores.empty()
    const { history, close } = await openDatabase(settings, null)
    const data = zstdCompressSync('[]')
    const piece = (piece: number) => ({
      ...{ chunk: 'c1', piece, cluster: 'orders', from_at: start + piece, to_at: start + piece },
      ...{ changes: '[]', bytes: data.length, data },
    })
    const pieces = () => history((db) => db.selectFrom('history_chunks').select('piece').execute())
    await history((db) =>
      db
        .insertInto('history_chunks')
        .values([piece(0), piece(1)])
        .execute(),
    )
    await historyIn(history).join('c1')
    expect(await pieces()).toHaveLength(2)
    await close()
  })

  it('goes along when the store moves to another place', async () => {
    const looks = looksOf(start, 130, 3, 0.5)
    for (const [, another] of storePlaces) {
      const place = await another()
      const [from, to] = [await stores.empty(), await place.empty()]
      const store = await openStore(from)
      await record(store, looks)
      await store.close()
      await transferStore(from, to, () => {})
      const moved = await openStore(to)
      expect(await looksIn(moved)).toEqual(looks)
      await moved.close()
      await place.close()
    }
  })

  it('gives what a process wrote that was killed, but for the last seconds', async () => {
    const settings = await stores.empty()
    await (await openStore(settings)).close()
    const child = spawn(
      process.execPath,
      [resolve(import.meta.dirname, 'fixtures/recording.ts'), JSON.stringify(settings), String(start)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let told = 0
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      told = Number(text.trim().split('\n').at(-1))
    })
    const ended = once(child, 'exit')
    const seen = async () => (await readStore(settings, looksIn)) ?? []
    await waitFor(async () => (await seen()).length > 20, 'looks of another process')
    const toldBefore = told
    child.kill('SIGKILL')
    await ended
    const looks = await seen()
    // It tells ten looks a second, and what it has told is written after one.
    expect(looks.length).toBeGreaterThan(toldBefore - 30)
    expect(looks).toEqual(looksOf(start, looks.length, 3, 0.5))
  })
})

describe('the record beside a store in a file', () => {
  let directory: string
  let path: string
  let settings: StoreSettings
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pg-marshal-store-'))
    path = join(directory, 'store.db')
    settings = { kind: 'sqlite', path }
  })
  afterEach(() => rm(directory, { recursive: true }))

  it('has a file of its own, which no other user may read, and leaves that of the store alone', async () => {
    const store = await openStore(settings)
    const stamp = async () => {
      const { mtimeNs, size } = await stat(`${path}-wal`, { bigint: true })
      return `${mtimeNs} ${size}`
    }
    const before = await stamp()
    await record(store, looksOf(start, 70, 3, 0.5))
    expect(await stamp()).toBe(before)
    expect((await stat(`${path}-history`)).mode & 0o777).toBe(0o600)
    await store.close()
  })

  it('fails alone where its file is damaged or gone', async () => {
    await writeFile(`${path}-history`, 'no database at all, and long enough for a page of one'.repeat(100))
    const damaged = await openStore(settings)
    expect((await record(damaged, looksOf(start, 2, 3, 0.5))).failure()).toContain('store.db-history')
    await damaged.incidents.put(incident())
    await damaged.close()

    await rm(`${path}-history`)
    const store = await openStore(settings)
    expect((await record(store, looksOf(start, 2, 3, 0.5))).failure()).toBeNull()
    await rm(`${path}-history`)
    expect((await record(store, looksOf(start, 2, 3, 0.5))).failure()).toContain('cannot be found')
    await store.incidents.put(incident())
    await store.close()
  })

  it('finds what it needs by an index', async () => {
    const { store } = await openRecorded(settings, 130)
    await store.close()
    const database = new DatabaseSync(`${path}-history`)
    const plan = (sql: string) =>
      database
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => String(detail))
        .join('; ')
    const inTime =
      /SEARCH history_chunks USING (?:COVERING )?INDEX history_chunks_time \(cluster=\? AND from_at/
    expect(
      plan(
        "SELECT from_at FROM history_chunks WHERE cluster = 'a' AND from_at <= 5 ORDER BY from_at DESC LIMIT 1",
      ),
    ).toMatch(inTime)
    expect(
      plan(
        "SELECT chunk, min(from_at) AS s, max(to_at) FROM history_chunks WHERE cluster = 'a' AND from_at >= 1 AND from_at <= 5 AND to_at >= 3 GROUP BY chunk ORDER BY s",
      ),
    ).toMatch(/COVERING INDEX history_chunks_time \(cluster=\? AND from_at/)
    expect(
      plan(
        "SELECT changes FROM history_chunks WHERE cluster = 'a' AND from_at >= 1 AND to_at > 3 AND changes != '[]' ORDER BY from_at LIMIT 10",
      ),
    ).toMatch(inTime)
    expect(plan('SELECT chunk FROM history_chunks WHERE from_at < 5 ORDER BY from_at LIMIT 50')).toMatch(
      /COVERING INDEX history_chunks_age \(from_at/,
    )
    expect(plan('SELECT sum(bytes) FROM history_chunks')).toMatch(/COVERING INDEX history_chunks_age/)
    expect(plan('SELECT sum(bytes) FROM history_texts')).toMatch(/COVERING INDEX history_texts_used/)
    expect(plan('DELETE FROM history_texts WHERE used_at < 5')).toMatch(/INDEX history_texts_used/)
    database.close()
  })
})
