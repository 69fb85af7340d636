import { expect, it } from 'vitest'
import { placeTime } from '../../../src/domain/text/placeTime.ts'

const at = Date.UTC(2026, 2, 1, 23, 5, 30)
const hour = 3_600_000

it.each([
  ['UTC', 300_000, hour, '23:05'],
  ['Europe/Berlin', 300_000, hour, '00:05'],
  ['Asia/Kolkata', 30_000, hour, '04:35:30'],
  ['UTC', 60_000, 20 * hour, '23:05'],
  ['Europe/Berlin', 7_200_000, 24 * hour, '2 Mar 00:05'],
  ['nowhere', 0, 24 * hour, '1 Mar 23:05:30'],
])('a moment in %s, %d ms from the next, in a time of %d ms: %s', (timeZone, stepMs, spanMs, expected) => {
  expect(placeTime(timeZone, { stepMs, spanMs })(at)).toBe(expected)
})
