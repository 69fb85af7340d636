import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PastLook } from '../../src/domain/history/look.ts'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import { createLog } from '../../src/log.ts'
import { longestChunkMs } from '../../src/store/history.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { createRecorder, type Recorder } from '../../src/watch/recorder.ts'
import { looksOf, randomLooks } from '../support/looks.ts'
import { type StorePlace, storePlaces } from '../support/store.ts'

const start = Date.UTC(2026, 2, 1)
const dayMs = 86_400_000

const recorderOn = (
  store: Store,
  over: { keepMs?: number; mostBytes?: number; now?: () => number } = {},
): Recorder =>
  createRecorder({
    history: store.history,
    everyMsOf: () => 5_000,
    keepMs: 7 * dayMs,
    mostBytes: Number.POSITIVE_INFINITY,
    maskText: (text) => text,
    log: createLog({ level: 'silent' }),
    now: () => start,
    ...over,
  })

const tell = (recorder: Recorder, look: PastLook) =>
  'snapshot' in look
    ? recorder.saw(pictureOf(look.snapshot))
    : recorder.unseen('orders', look.takenAt, look.unseen)

describe.each(storePlaces)('a record in %s', (_, place) => {
  let stores: StorePlace
  beforeAll(async () => {
    stores = await place()
  })
  afterAll(() => stores.close())

  async function withStore<T>(run: (store: Store) => Promise<T>): Promise<T> {
    const store = await openStore(await stores.empty())
    try {
      return await run(store)
    } finally {
      await store.close()
    }
  }

  const all = (store: Store) => store.history.between('orders', 0, start + 30 * dayMs)

  it('gives each look back as it was, over restarts, and the last one for any time', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomLooks(start),
        fc.array(fc.boolean(), { maxLength: 12 }),
        fc.array(fc.integer({ min: -5_000, max: 300_000 }), { maxLength: 5 }),
        (looks, restarts, times) =>
          withStore(async (store) => {
            let recorder = recorderOn(store)
            for (const [index, look] of looks.entries()) {
              tell(recorder, look)
              if (!restarts[index]) continue
              await recorder.stop()
              recorder = recorderOn(store)
            }
            await recorder.stop()
            expect((await all(store)).map(({ look }) => look)).toEqual(looks)
            for (const time of times) {
              const index = looks.findLastIndex(({ takenAt }) => takenAt <= start + time)
              const { found, before, after } = await store.history.at('orders', start + time)
              expect(found?.look).toEqual(looks[index])
              expect(before).toBe(looks[index - 1]?.takenAt ?? null)
              expect(after).toBe(looks[index + 1]?.takenAt ?? null)
            }
          }),
      ),
      { numRuns: 25 },
    )
  })

  it('keeps pieces of a chunk that was never completed', () =>
    withStore(async (store) => {
      const looks = looksOf(start, 3, 4, 0.5)
      const recorder = recorderOn(store)
      for (const look of looks) {
        tell(recorder, look)
        await expect.poll(async () => (await all(store)).at(-1)?.look, { timeout: 5_000 }).toEqual(look)
      }
      // As at a SIGKILL: it is never stopped.
      expect((await all(store)).map(({ look }) => look)).toEqual(looks)
    }))

  it('begins a new chunk where the clock was set back, and puts all in order', () =>
    withStore(async (store) => {
      const looks = looksOf(start, 6, 3, 0.5)
      const recorder = recorderOn(store)
      for (const look of [...looks.slice(3), ...looks.slice(0, 3)]) tell(recorder, look)
      await recorder.stop()
      expect((await all(store)).map(({ look }) => look)).toEqual(looks)
    }))

  it('drops whole chunks that are too old, with the statements that none names any more', () =>
    withStore(async (store) => {
      const later = start + 8 * dayMs
      const old = looksOf(start, 100, 3, 0.5)
      const young = looksOf(later, 2, 3, 0)
      let now = start
      const recorder = recorderOn(store, { now: () => now })
      for (const look of old) tell(recorder, look)
      await recorder.stop()
      expect(await all(store)).toHaveLength(100)
      now = later + longestChunkMs + 7 * dayMs
      await store.history.prune(start + longestChunkMs + 2)
      const left = await all(store)
      expect(left.length).toBeGreaterThan(30)
      expect(left.length).toBeLessThan(61)
      now = later
      for (const look of young) tell(recorder, look)
      await recorder.stop()
      expect((await all(store)).map(({ look }) => look)).toEqual(young)
    }))

  it('drops the oldest chunks first where there is too much', () =>
    withStore(async (store) => {
      const recorder = recorderOn(store)
      const looks = looksOf(start, 200, 5, 0.5)
      for (const look of looks) tell(recorder, look)
      await recorder.stop()
      const size = await store.history.size()
      expect(await store.history.shrink(size)).toBe(0)
      expect(await store.history.shrink(size - 1)).toBe(1)
      const left = await all(store)
      expect(left.at(-1)?.look).toEqual(looks.at(-1))
      expect(left[0]?.look).toEqual(looks[61])
    }))

  it('finds the next look that shows another jam', () =>
    withStore(async (store) => {
      const recorder = recorderOn(store)
      const looks = looksOf(start, 8, 2, 0)
      for (const [index, look] of looks.entries())
        tell(recorder, index === 4 || index === 5 ? { takenAt: look.takenAt, unseen: 'gone' } : look)
      await recorder.stop()
      const changeAfter = (index: number) => store.history.changeAfter('orders', looks[index]?.takenAt ?? 0)
      expect(await changeAfter(0)).toBe(looks[4]?.takenAt)
      expect(await changeAfter(4)).toBe(looks[6]?.takenAt)
      expect(await changeAfter(6)).toBeNull()
    }))
})

describe('the recorder', () => {
  it('keeps what the store does not take, and says so', async () => {
    const place = storePlaces[0]?.[1]
    const stores = await place?.()
    if (!stores) throw new Error('no store')
    const store = await openStore(await stores.empty())
    let isBroken = true
    const recorder = recorderOn({
      ...store,
      history: {
        ...store.history,
        addPieces: async (pieces) => {
          if (isBroken) throw new Error('no')
          await store.history.addPieces(pieces)
        },
      },
    })
    const looks = looksOf(start, 3, 4, 0.5)
    for (const look of looks.slice(0, 2)) tell(recorder, look)
    await expect.poll(recorder.failure, { timeout: 5_000 }).not.toBeNull()
    isBroken = false
    for (const look of looks.slice(2)) tell(recorder, look)
    await recorder.stop()
    expect(recorder.failure()).toBeNull()
    expect((await store.history.between('orders', 0, start + dayMs)).map(({ look }) => look)).toEqual(looks)
    await store.close()
    await stores.close()
  })
})
