import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serverTimeOf } from '../../../src/domain/history/serverTime.ts'
import { microsecondsAt } from '../../../src/domain/text/times.ts'

describe('a time of the server', () => {
  it('is the same in microseconds as it was written', () => {
    const time = fc.integer({ min: Date.UTC(1000, 0), max: Date.UTC(9999, 11, 31) })
    fc.assert(
      fc.property(time, fc.nat(999), (ms, micros) => {
        const all = 1000 * ms + micros
        expect(microsecondsAt(serverTimeOf(all))).toBe(all)
      }),
    )
  })

  it.each([
    ['1970-01-01 00:00:00+00', 0],
    ['1970-01-01 00:00:00.1+00', 100_000],
    ['1969-12-31 23:59:59.999999+00', -1],
    ['2024-02-29 23:59:59+00', 1000 * Date.UTC(2024, 1, 29, 23, 59, 59)],
    ['2000-03-01 00:00:00+00', 1000 * Date.UTC(2000, 2, 1)],
    ['12345-06-07 08:09:10.5+00', 1000 * Date.UTC(12345, 5, 7, 8, 9, 10, 500)],
    ['102345-06-07 08:09:10+00', 1000 * Date.UTC(102345, 5, 7, 8, 9, 10)],
  ])('%s', (text, expected) => {
    expect(microsecondsAt(text)).toBe(expected)
  })

  it.each([
    ...['', 'infinity', '-infinity', 'sesame', '2026-01-01', '2026-01-01 10:00:00', '2026-01-01 10:00:00+02'],
    ...[
      '2026-01-01 10:00:00+00 BC',
      '2026-01-01T10:00:00+00',
      '2026-01-01 10:00:00.+00',
      '226-01-01 10:00:00+00',
    ],
    ...[
      '2026-01-01 10:00:00.1234567+00',
      '2026-01-01 10:00:00,1+00',
      '2026-01-01 10-00:00+00',
      '2026-01-01 10:00-00+00',
    ],
    ...[
      '2026-01-01 10:00:0x+00',
      '2026-01-x1 10:00:00+00',
      '2026-x1-01 10:00:00+00',
      'x026-01-01 10:00:00+00',
    ],
    ...[
      '2026-01-01 1x:00:00+00',
      '2026-01-01 10:x0:00+00',
      '2026-01-01 10:00:00.1x+00',
      '2026:01-01 10:00:00+00',
    ],
    ...[
      '2026-01 01 10:00:00+00',
      '1002026-01-01 10:00:00+00',
      '2026-01-01 10:00:0+00',
      ' 2026-01-01 10:00:00+00',
    ],
    ...['2026-01-01 10:00:00/1+00', '2026-01-01 10:00:00.-1+00', '2026-01-01 10:00:001+00'],
  ])('is not %s', (text) => {
    expect(microsecondsAt(text)).toBe(null)
  })
})
