import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PastLook } from '../../src/domain/history/look.ts'
import { type Picture, pictureOf } from '../../src/domain/locks/picture.ts'
import { createLog, type Log } from '../../src/log.ts'
import { StoreError } from '../../src/store/failure.ts'
import { longestChunkMs } from '../../src/store/history/pieces.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { createRecorder, type Recorder } from '../../src/watch/recorder.ts'
import { looksOf, randomLooks } from '../support/looks.ts'
import { openTestStore, type StorePlace, storePlaces } from '../support/store.ts'

const start = Date.UTC(2026, 2, 1)
const dayMs = 86_400_000

const recorderOn = (
  store: Pick<Store, 'history'>,
  over: { now?: () => number; everyMsOf?: () => number; log?: Log } = {},
): Recorder =>
  createRecorder({
    history: store.history,
    everyMsOf: () => 5_000,
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
      // The first chunk ends one second before that.
      const endsAt = (old[60]?.takenAt ?? 0) + 1
      await store.history.prune(endsAt - 1000)
      expect(await all(store)).toHaveLength(100)
      await store.history.prune(endsAt + longestChunkMs)
      const left = await all(store)
      expect(left.map(({ look }) => look)).toEqual(old.slice(61))
      now = later
      const another = recorderOn(store, { now: () => now })
      for (const look of young) tell(another, look)
      await another.stop()
      await store.history.prune(later)
      expect((await all(store)).map(({ look }) => look)).toEqual(young)
      await store.history.prune(later + 8 * dayMs)
      expect(await store.history.extent()).toEqual({ bytes: 0, oldestAt: null })
    }))

  it('drops the oldest chunks first where there is too much, of all clusters, and counts the statements', () =>
    withStore(async (store) => {
      const recorder = recorderOn(store)
      const looks = looksOf(start, 200, 5, 0.5)
      for (const look of looks) tell(recorder, look)
      await recorder.stop()
      const { bytes, oldestAt } = await store.history.extent()
      expect(oldestAt).toBe(looks[0]?.takenAt)
      expect(await store.history.shrink(bytes)).toBe(0)
      expect(await store.history.shrink(bytes - 1)).toBe(1)
      const left = await all(store)
      expect(left.map(({ look }) => look)).toEqual(looks.slice(61))
      await store.history.addTexts('stock', new Map([['long', 'x'.repeat(2 * bytes)]]), start + dayMs)
      expect((await store.history.extent()).bytes).toBeGreaterThan(2 * bytes)
      expect(await store.history.shrink(bytes)).toBe(3)
      expect(await store.history.extent()).toEqual({ bytes: 0, oldestAt: null })
    }))

  it('reads a long time in order, chunk by chunk, those of two replicas together', () =>
    withStore(async (store) => {
      const looks = looksOf(start, 180, 2, 0.5)
      const one = recorderOn(store)
      const other = recorderOn(store)
      for (const [index, look] of looks.entries()) {
        if (index < 100) tell(one, look)
        if (index > 90) tell(other, look)
        else if (index % 10 === 0) other.unseen('orders', look.takenAt, 'no way there')
      }
      await Promise.all([one.stop(), other.stop()])
      const found: PastLook[] = []
      for await (const { look } of store.history.each(
        'orders',
        looks[5]?.takenAt ?? 0,
        looks[170]?.takenAt ?? 0,
      ))
        found.push(look)
      expect(found).toEqual(looks.slice(5, 171))
    }))

  it('begins a new chunk where the interval is another one, so that each look speaks for its own time', () =>
    withStore(async (store) => {
      let everyMs = 5_000
      const recorder = recorderOn(store, { everyMsOf: () => everyMs })
      const looks = looksOf(start, 4, 2, 0.5)
      for (const look of looks.slice(0, 2)) tell(recorder, look)
      await expect.poll(async () => (await all(store)).length, { timeout: 5_000 }).toBe(2)
      everyMs = 60_000
      for (const look of looks.slice(2)) tell(recorder, look)
      await recorder.stop()
      expect((await all(store)).map(({ everyMs }) => everyMs)).toEqual([5_000, 5_000, 60_000, 60_000])
    }))

  it('completes the chunk of a cluster that is left, and goes on when it is watched again', () =>
    withStore(async (store) => {
      const recorder = recorderOn(store)
      const joined: string[] = []
      const watched = recorderOn({
        history: {
          ...store.history,
          join: async (chunk) => {
            joined.push(chunk)
            await store.history.join(chunk)
          },
        },
      })
      const looks = looksOf(start, 4, 2, 0.5)
      for (const look of looks.slice(0, 3)) {
        tell(watched, look)
        await expect.poll(async () => (await all(store)).at(-1)?.look, { timeout: 5_000 }).toEqual(look)
      }
      watched.left('orders')
      watched.left('unknown')
      await expect.poll(() => joined, { timeout: 5_000 }).toHaveLength(1)
      for (const look of looks.slice(3)) tell(watched, look)
      await watched.stop()
      await recorder.stop()
      expect((await all(store)).map(({ look }) => look)).toEqual(looks)
    }))

  it('calls nothing a change that only a restart lies before', () =>
    withStore(async (store) => {
      const looks = looksOf(start, 6, 2, 0)
      for (const some of [looks.slice(0, 2), looks.slice(2, 3), looks.slice(5)]) {
        const recorder = recorderOn(store)
        for (const look of some) tell(recorder, look)
        await recorder.stop()
      }
      // The first one of all; and one before which nothing was seen for longer than a look speaks for.
      expect(await store.history.changeAfter('orders', 0)).toBe(looks[0]?.takenAt)
      expect(await store.history.changeAfter('orders', looks[0]?.takenAt ?? 0)).toBe(looks[5]?.takenAt)
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
      const changeBefore = (at: number) => store.history.changeBefore('orders', at)
      expect(await changeBefore(start + 365 * dayMs)).toBe(looks[6]?.takenAt)
      expect(await changeBefore(looks[6]?.takenAt ?? 0)).toBe(looks[6]?.takenAt)
      expect(await changeBefore((looks[6]?.takenAt ?? 0) - 1)).toBe(looks[4]?.takenAt)
      expect(await changeBefore(looks[3]?.takenAt ?? 0)).toBe(looks[0]?.takenAt)
      expect(await changeBefore(start)).toBeNull()
      expect(await store.history.changeBefore('billing', start + 365 * dayMs)).toBeNull()
    }))
})

describe('the recorder', () => {
  let store: Store
  beforeEach(async () => {
    store = await openTestStore()
  })
  afterEach(() => store.close())
  const read = async () => (await store.history.between('orders', 0, start + dayMs)).map(({ look }) => look)
  const lines: string[] = []
  const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } })
  const broken = (isBroken: () => boolean) => ({
    history: {
      ...store.history,
      async addPieces(pieces: Parameters<Store['history']['addPieces']>[0]) {
        if (isBroken()) throw new StoreError('its disk is full', null)
        await store.history.addPieces(pieces)
      },
    },
  })

  it('keeps what the store does not take, says so once, and loses the oldest looks where memory has no room', async () => {
    let isBroken = true
    lines.length = 0
    const recorder = recorderOn(
      broken(() => isBroken),
      { log },
    )
    // Four of them fill a chunk, and each takes a megabyte and a half.
    const looks = Array.from({ length: 24 }, (_, index) => ({
      takenAt: start + index * 100_000,
      unseen: randomBytes(1_500_000).toString('base64'),
    }))
    for (const look of looks.slice(0, 2)) tell(recorder, look)
    await expect.poll(recorder.failure, { timeout: 5_000 }).toBe('its disk is full')
    for (const look of looks.slice(2)) tell(recorder, look)
    expect(recorder.counts()).toEqual({ written: 0, lost: 8 })
    isBroken = false
    await expect.poll(recorder.failure, { timeout: 10_000 }).toBeNull()
    await recorder.stop()
    expect((await read()).map(({ takenAt }) => takenAt)).toEqual(looks.slice(8).map(({ takenAt }) => takenAt))
    expect(recorder.counts()).toEqual({ written: 16, lost: 8 })
    expect(await store.history.changeAfter('orders', 0)).toBe(looks[8]?.takenAt)
    expect(lines.filter((line) => line.includes('cannot be recorded'))).toHaveLength(1)
    expect(lines.filter((line) => line.includes('"lost":8'))).toHaveLength(1)
  })

  it('begins again where the chunk is lost that the looks go into', async () => {
    let isBroken = true
    const recorder = recorderOn(broken(() => isBroken))
    const [first, second, ...others] = looksOf(start, 6, 2, 0.5)
    if (!first || !second) throw new Error('no looks')
    tell(recorder, first)
    const much = { takenAt: second.takenAt, unseen: randomBytes(24_000_000).toString('base64') }
    tell(recorder, much)
    expect(recorder.counts().lost).toBe(0)
    recorder.unseen('stock', start, randomBytes(9_000_000).toString('base64'))
    expect(recorder.counts().lost).toBe(2)
    for (const look of others) tell(recorder, look)
    await recorder.settle()
    expect(recorder.failure()).toBe('its disk is full')
    isBroken = false
    await recorder.stop()
    expect(await read()).toEqual(others)
    expect(await store.history.changeAfter('orders', 0)).toBe(others[0]?.takenAt)
  })

  it('writes nothing twice where it is not known whether it was written', async () => {
    let isUnclear = true
    const recorder = recorderOn({
      history: {
        ...store.history,
        async addPieces(pieces) {
          await store.history.addPieces(pieces)
          if (isUnclear) throw new StoreError('the connection was lost', null)
        },
      },
    })
    const looks = looksOf(start, 6, 2, 0.5)
    for (const look of looks.slice(0, 3)) tell(recorder, look)
    await recorder.settle()
    expect(recorder.failure()).toBe('the connection was lost')
    isUnclear = false
    for (const look of looks.slice(3)) tell(recorder, look)
    await recorder.stop()
    expect(recorder.counts()).toEqual({ written: 6, lost: 0 })
    expect(await read()).toEqual(looks)
  })

  it('tries again by itself, also when no look comes any more', async () => {
    let isBroken = true
    lines.length = 0
    const recorder = recorderOn(
      broken(() => isBroken),
      { log },
    )
    const looks = looksOf(start, 2, 2, 0.5)
    for (const look of looks) tell(recorder, look)
    await expect.poll(recorder.failure, { timeout: 5_000 }).toBe('its disk is full')
    isBroken = false
    await expect.poll(recorder.failure, { timeout: 10_000 }).toBeNull()
    expect(await read()).toEqual(looks)
    expect(lines.filter((line) => line.includes('looks are recorded again"'))).toHaveLength(1)
    await recorder.stop()
  })

  describe('with more looks than one write takes', () => {
    /** Looks that each write took. */
    const sizes: number[] = []
    const recorderOfMany = () => {
      sizes.length = 0
      const recorder = recorderOn({
        history: {
          ...store.history,
          at: async () => ({ found: null, before: null, after: null }),
          addPieces: async (pieces) => void sizes.push(pieces.length),
        },
      })
      for (let index = 0; index < 450; index++) recorder.unseen(`cluster-${index}`, start, 'down')
      return recorder
    }
    afterEach(() => void vi.useRealTimers())

    it('writes all of them for who wants to read', async () => {
      const recorder = recorderOfMany()
      await recorder.settle()
      expect(sizes).toEqual([200, 200, 50])
      await recorder.stop()
    })

    it('goes on at once, and waits for more where less is left', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const recorder = recorderOfMany()
      await vi.advanceTimersByTimeAsync(999)
      expect(sizes).toEqual([])
      await vi.advanceTimersByTimeAsync(1)
      await vi.advanceTimersByTimeAsync(1)
      expect(sizes).toEqual([200, 200])
      await vi.advanceTimersByTimeAsync(990)
      expect(sizes).toEqual([200, 200])
      await vi.advanceTimersByTimeAsync(10)
      expect(sizes).toEqual([200, 200, 50])
      await recorder.stop()
    })
  })

  it('goes on in the chunk of a cluster that is left and watched again at once', async () => {
    const joined: string[] = []
    const recorder = recorderOn({
      history: { ...store.history, join: async (chunk) => void joined.push(chunk) },
    })
    for (const look of looksOf(start, 3, 2, 0.5)) {
      recorder.left('orders')
      tell(recorder, look)
      await recorder.settle()
    }
    expect(joined).toEqual([])
    await recorder.stop()
    expect(joined).toHaveLength(1)
  })

  it('keeps nobody waiting while the store hangs, not even the one who stops it', async () => {
    const never = new Promise<void>(() => {})
    const recorder = recorderOn({ history: { ...store.history, addPieces: () => never } })
    for (const look of looksOf(start, 3, 3, 0.5)) tell(recorder, look)
    const begun = performance.now()
    for (const look of looksOf(start, 300, 1, 0.5)) tell(recorder, look)
    expect(performance.now() - begun).toBeLessThan(1_000)
    await recorder.stop()
  }, 10_000)

  it('writes at once what somebody wants to read, and lets nobody wait for a store that hangs', async () => {
    const recorder = recorderOn(store)
    const looks = looksOf(start, 2, 2, 0.5)
    for (const look of looks) tell(recorder, look)
    await recorder.settle()
    expect(await read()).toEqual(looks)
    await recorder.stop()
    const never = new Promise<void>(() => {})
    const hanging = recorderOn({ history: { ...store.history, addPieces: () => never } })
    for (const look of looks) tell(hanging, look)
    const begun = performance.now()
    await hanging.settle()
    expect(performance.now() - begun).toBeLessThan(4_000)
  })

  it('ends also when a look comes while it is being stopped', async () => {
    const recorder = recorderOn(store)
    const looks = looksOf(start, 3, 2, 0.5)
    for (const look of looks.slice(0, 2)) tell(recorder, look)
    const stopped = recorder.stop()
    for (const look of looks.slice(2)) tell(recorder, look)
    await stopped
    expect((await read()).slice(0, 2)).toEqual(looks.slice(0, 2))
  })

  it('leaves out a look that it cannot keep, and throws nothing at who looks', async () => {
    const recorder = recorderOn(store)
    const looks = looksOf(start, 5, 2, 0.5)
    const [, , third] = looks
    if (!third || !('snapshot' in third)) throw new Error('no look')
    const odd = {
      takenAt: third.takenAt,
      snapshot: { ...third.snapshot, server: { ...third.snapshot.server } },
    }
    Object.defineProperty(odd.snapshot.server, 'toJSON', {
      value: () => {
        throw new Error('odd')
      },
      enumerable: true,
    })
    for (const look of looks) tell(recorder, look === third ? odd : look)
    expect(() => recorder.saw({ snapshot: { cluster: 'orders' } } as Picture)).not.toThrow()
    await recorder.stop()
    expect(await read()).toEqual(looks.filter((look) => look !== third))
    expect(recorder.counts()).toEqual({ written: 4, lost: 2 })
  })
})
