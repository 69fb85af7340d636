import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isServerTimeOf,
  microsecondsAt,
  microsecondsOf,
  serverTimeOf,
} from '../../../src/domain/text/serverTime.ts'

const at = Date.UTC(2026, 2, 1, 14, 5, 7) * 1000
const minute = '2026-03-01 14:05:'

/** Texts that are nearly such a time of this minute. */
const nearly = fc
  .tuple(
    fc.constantFrom(minute, '2026-03-01 14:06:', '2026-13-01 14:05:', '12026-03-01 14:05:', ''),
    fc.constantFrom('07', '00', '60', '7', '0a', '+1', '007'),
    fc.constantFrom('', '.5', '.50', '.000001', '.0000001', '.', '.5.', ':5', '.1234567', '.12345x'),
    fc.constantFrom('+00', '+01', '', '-00', '+00 BC'),
  )
  .map((parts) => parts.join(''))

describe('times of the server', () => {
  it('are read and written to the microsecond, as JavaScript does to the millisecond', () => {
    expect(serverTimeOf(at)).toBe('2026-03-01 14:05:07+00')
    expect(serverTimeOf(at + 120)).toBe('2026-03-01 14:05:07.00012+00')
    expect(microsecondsOf('2026-03-01 14:05:07.123456+00')).toBe(at + 123_456)
    expect(microsecondsAt('12026-03-01 14:05:07.5+00')).toBe(Date.UTC(12026, 2, 1, 14, 5, 7, 500) * 1000)
    const years = { min: Date.UTC(0, 0, 1) * 1000, max: Number.MAX_SAFE_INTEGER - 1 }
    const oneOf = fc.oneof(fc.integer(years), fc.integer({ min: at - 200_000_000, max: at }))
    fc.assert(
      fc.property(fc.array(oneOf, { maxLength: 5 }), (all) => {
        for (const micros of all) {
          const text = serverTimeOf(micros)
          expect(text.slice(0, 19)).toBe(
            new Date(Math.floor(micros / 1000)).toISOString().slice(0, 19).replace('T', ' '),
          )
          expect([microsecondsAt(text), microsecondsOf(text), isServerTimeOf(micros, text)]).toEqual([
            micros,
            micros,
            true,
          ])
          expect(isServerTimeOf(micros + 1, text)).toBe(false)
        }
      }),
    )
  })

  it('are the same whatever was read before, and none where one character is another', () => {
    const other = '2020-01-01 00:00:00+00'
    fc.assert(
      fc.property(nearly, (text) => {
        const afterOther = [microsecondsAt(other), microsecondsAt(text)]
        const afterNear = [microsecondsAt(`${minute}00+00`), microsecondsAt(text)]
        expect(afterNear[1]).toBe(afterOther[1])
        const micros = afterOther[1] ?? at
        expect(isServerTimeOf(micros, text)).toBe(serverTimeOf(micros) === text)
        expect(microsecondsOf(text)).toBe(serverTimeOf(micros) === text ? micros : null)
      }),
      { numRuns: 1_000 },
    )
  })

  it('are none before and after the years of four digits', () => {
    for (const micros of [
      Date.UTC(10000, 0, 1) * 1000,
      Date.UTC(-1, 11, 31) * 1000,
      8.65e18,
      -8.65e18,
      Number.NaN,
    ]) {
      expect(serverTimeOf(micros)).toBe('')
      expect(isServerTimeOf(micros, '')).toBe(false)
    }
    expect(microsecondsOf('10000-01-01 00:00:00+00')).toBeNull()
    expect(microsecondsAt('infinity')).toBeNull()
  })
})

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
