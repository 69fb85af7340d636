import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration, writeDuration } from '../../../src/domain/text/duration.ts'

describe('writeDuration', () => {
  it('writes what parseDuration reads', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 * 86_400_000 }), (ms) => {
        expect(parseDuration(writeDuration(ms))).toEqual({ ms })
      }),
    )
    expect(writeDuration(43_200_000)).toBe('12h')
  })
})

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1h30m', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    [' 5s ', 5_000],
    ['0s', 0],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ms })
  })

  it('asks for a unit where there is a bare number', () => {
    expect(parseDuration('30')).toEqual({
      problem: 'A duration needs a unit (ms, s, m, h or d): write 30s, 5m or 1h30m.',
    })
  })

  it.each(['', ' ', 's', '5 m', '1.5h', '-5s', '30m1h', '5m5m', '5x', '5M', '1e3s', 'soon', '9999999999s'])(
    'refuses %j',
    (text) => {
      expect(parseDuration(text)).toEqual({
        problem: 'This is not a duration: write 250ms, 30s, 5m, 1h, 2d or 1h30m.',
      })
    },
  )
})

describe('formatDuration', () => {
  it.each([
    [-3, '0 s'],
    [0, '0 s'],
    [Number.NaN, '0 s'],
    [0.0001, '1 ms'],
    [0.04, '40 ms'],
    [0.4, '400 ms'],
    [0.9996, '1 s'],
    [1.4, '1 s'],
    [40, '40 s'],
    [59.4, '59 s'],
    [59.6, '1 min'],
    [90, '1 min 30 s'],
    [300, '5 min'],
    [599.7, '10 min'],
    [1510, '25 min'],
    [3599.6, '1 h'],
    [7500, '2 h 5 min'],
    [7559, '2 h 5 min'],
    [86_399.6, '1 d'],
    [273_600, '3 d 4 h'],
    [864_000 + 7200, '10 d'],
  ])('%d s is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text)
  })

  it('never overflows a unit and never says a time much different', () => {
    const limits: Record<string, number> = { ms: 1000, s: 60, min: 60, h: 24, d: Number.POSITIVE_INFINITY }
    const inSeconds: Record<string, number> = { ms: 0.001, s: 1, min: 60, h: 3600, d: 86_400 }
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e8, noNaN: true }), (seconds) => {
        const parts = [...formatDuration(seconds).matchAll(/(\d+) (ms|s|min|h|d)/g)]
        expect(parts.length).toBeGreaterThanOrEqual(1)
        expect(parts.length).toBeLessThanOrEqual(2)
        let told = 0
        for (const [, count = '', unit = ''] of parts) {
          expect(Number(count)).toBeLessThan(limits[unit] ?? 0)
          told += Number(count) * (inSeconds[unit] ?? 0)
        }
        expect(Math.abs(told - seconds)).toBeLessThanOrEqual(Math.max(0.5, seconds * 0.1))
      }),
    )
  })
})
