import { afterEach, expect, it, vi } from 'vitest'
import { backoff } from '../src/backoff.ts'

const times = { firstMs: 250, longestMs: 5000 }

afterEach(() => void vi.restoreAllMocks())

it('waits twice as long each time, up to the longest', () => {
  expect([0, 1, 2, 3, 4, 5, 6].map((attempt) => backoff(attempt, times))).toEqual([
    250, 500, 1000, 2000, 4000, 5000, 5000,
  ])
})

it('has a longest wait after any number of attempts', () => {
  expect([50, 5000].map((attempt) => backoff(attempt, times))).toEqual([5000, 5000])
})

it.each([
  [0, 2500],
  [0.5, 3750],
  [1, 5000],
])('takes off up to half of the longest wait too, with jitter (%s)', (random, wait) => {
  vi.spyOn(Math, 'random').mockReturnValue(random)
  expect(backoff(9, { ...times, jitter: true })).toBe(wait)
})
