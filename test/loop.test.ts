import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createLog } from '../src/log.ts'
import { createLoop } from '../src/loop.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const everyMs = 1000
const loops = (count: number) => {
  const ran: { readonly loop: number; readonly at: number }[] = []
  const start = Date.now()
  const made = Array.from({ length: count }, (_, loop) =>
    createLoop({
      name: `loop ${loop}`,
      everyMs,
      phase: loop / count,
      runOnce: async () => {
        ran.push({ loop, at: Date.now() - start })
      },
      steady: Date.now,
      log: createLog({ level: 'silent' }),
    }),
  )
  return { made, ran, timesOf: (loop: number) => ran.filter((one) => one.loop === loop).map(({ at }) => at) }
}

it('begins at once, and is spread over the interval from the second round on', async () => {
  const { made, timesOf } = loops(4)
  for (const loop of made) loop.start()
  await vi.advanceTimersByTimeAsync(2 * everyMs + 900)
  expect([0, 1, 2, 3].map(timesOf)).toEqual([
    [0, 1000, 2000],
    [0, 1250, 2250],
    [0, 500, 1500, 2500],
    [0, 750, 1750, 2750],
  ])
})

it('is spread again after all were in a hurry', async () => {
  const { made, timesOf } = loops(4)
  for (const loop of made) loop.start()
  await vi.advanceTimersByTimeAsync(100)
  for (const loop of made) loop.hurry()
  await vi.advanceTimersByTimeAsync(everyMs + 450)
  expect([0, 1, 2, 3].map(timesOf)).toEqual([
    [0, 100, 1100],
    [0, 100, 1350],
    [0, 100, 600],
    [0, 100, 850],
  ])
  for (const loop of made) await loop.stop()
  await vi.advanceTimersByTimeAsync(3 * everyMs)
  expect(timesOf(0)).toHaveLength(3)
})
