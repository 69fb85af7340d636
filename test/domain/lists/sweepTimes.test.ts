import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { timesOf } from '../../../src/config/sweeps.ts'
import { dueTimes } from '../../../src/domain/lists/sweepTimes.ts'

const berlin = (schedule: string) => timesOf({ schedule, timeZone: 'Europe/Berlin' })
const at = (text: string) => Date.parse(text)

describe('the times of a sweep', () => {
  test.each([
    ['nothing before its time', '2026-03-01T00:59:59Z', null, null],
    ['its time', '2026-03-01T01:00:00Z', '2026-03-01T01:00:00Z', null],
    ['its time, until the minute is over', '2026-03-01T01:00:59.999Z', '2026-03-01T01:00:00Z', null],
    ['missed, when the minute is over', '2026-03-01T01:01:00Z', null, [1, '2026-03-01T01:00:00Z']],
    ['missed three times', '2026-03-03T05:00:00Z', null, [3, '2026-03-03T01:00:00Z']],
    [
      'missed twice, and its time now',
      '2026-03-03T01:00:30Z',
      '2026-03-03T01:00:00Z',
      [2, '2026-03-02T01:00:00Z'],
    ],
  ])('%s', (_, now, run, missed) => {
    const due = dueTimes(berlin('0 2 * * *'), at('2026-02-28T12:00:00Z'), at(now))
    expect(due).toEqual({
      run: run && at(run),
      missed: missed && { count: missed[0], last: at(String(missed[1])) },
    })
  })

  it('of this minute come also after more were missed than are counted', () => {
    const next = timesOf({ schedule: '* * * * *', timeZone: 'UTC' })
    const now = at('2026-03-03T02:00:30Z')
    const { run, missed } = dueTimes(next, at('2026-03-01T00:00:00Z'), now)
    expect(run).toBe(at('2026-03-03T02:00:00Z'))
    // All before it are seen to with that, and the next look finds none of them.
    expect(missed?.last).toBe((run ?? 0) - 1)
    expect(dueTimes(next, run ?? 0, now)).toEqual({ run: null, missed: null })
    const idle = dueTimes(
      timesOf({ schedule: '* 0 * * *', timeZone: 'UTC' }),
      at('2026-01-01T00:00:00Z'),
      now,
    )
    expect([idle.run, idle.missed?.last]).toEqual([null, now])
  })

  it('are told as they were as long as they can be counted', () => {
    const next = timesOf({ schedule: '* * * * *', timeZone: 'UTC' })
    const minutes = (many: number) => at('2026-03-01T00:00:00Z') + many * 60_000
    // The one of this minute is none that was missed.
    expect(dueTimes(next, minutes(0), minutes(1001) + 1).missed).toEqual({ count: 1000, last: minutes(1000) })
    expect(dueTimes(next, minutes(0), minutes(1002) + 1).missed).toEqual({
      count: 1001,
      last: minutes(1002) - 1,
    })
  })

  it('come once when the clocks change', () => {
    const next = berlin('30 2 * * *')
    // 02:30 is not there in spring: it comes when the clocks change; and in autumn it is there twice.
    expect(next(at('2027-03-27T12:00:00Z'))).toBe(at('2027-03-28T01:00:00Z'))
    expect(next(at('2026-10-24T12:00:00Z'))).toBe(at('2026-10-25T00:30:00Z'))
    expect(next(at('2026-10-25T00:30:00Z'))).toBe(at('2026-10-26T01:30:00Z'))
  })

  /** Spring: 02:00 is 03:00, at 01:00 UTC. Autumn: 03:00 is 02:00, at 01:00 UTC. */
  const [spring, autumn] = ['2027-03-28', '2026-10-25']
  test.each([
    ['30 2 * * *', 'Europe/Berlin', spring, ['01:00']],
    ['30 2 * * *', 'Europe/Berlin', autumn, ['00:30']],
    ['*/30 2 * * *', 'Europe/Berlin', spring, ['01:00']],
    ['*/30 2 * * *', 'Europe/Berlin', autumn, ['00:00', '00:30']],
    ['0 1-3 * * *', 'Europe/Berlin', spring, ['00:00', '01:00']],
    ['0 1-3 * * *', 'Europe/Berlin', autumn, ['00:00', '02:00']],
    ['20 * * * *', 'Europe/Berlin', spring, ['00:20', '01:20', '02:20']],
    ['20 * * * *', 'Europe/Berlin', autumn, ['00:20', '01:20', '02:20']],
    ['*/30 * * * *', 'Europe/Berlin', autumn, ['00:00', '00:30', '01:00', '01:30', '02:00', '02:30']],
    ['30 1 * * *', 'America/New_York', '2026-11-01', []],
    ['0 2 * * *', 'Asia/Kathmandu', autumn, []],
  ])('of %s in %s on %s are %j', (schedule, timeZone, day, expected) => {
    const next = timesOf({ schedule, timeZone })
    const times: string[] = []
    const end = at(`${day}T02:59:59Z`)
    for (let one = next(at(`${day}T00:00:00Z`) - 1); one !== null && one <= end; one = next(one))
      times.push(new Date(one).toISOString().slice(11, 16))
    expect(times).toEqual(expected)
  })

  it('are those of the place, by half hours and quarters too, and also where a whole day is left out', () => {
    const of = (schedule: string, timeZone: string, after: string) =>
      new Date(timesOf({ schedule, timeZone })(at(after)) ?? 0).toISOString()
    expect(of('0 2 * * *', 'Asia/Kathmandu', '2026-04-04T00:00:00Z')).toBe('2026-04-04T20:15:00.000Z')
    // 02:00 is 02:30 on that day.
    expect(of('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00:00Z')).toBe('2026-10-03T15:30:00.000Z')
    expect(of('30 1 * * *', 'America/New_York', '2026-11-01T00:00:00Z')).toBe('2026-11-01T05:30:00.000Z')
    expect(of('30 1 * * *', 'America/New_York', '2026-11-01T05:30:00Z')).toBe('2026-11-02T06:30:00.000Z')
    expect(of('30 12 30 12 *', 'Pacific/Apia', '2011-12-20T00:00:00Z')).toBe('2011-12-30T10:00:00.000Z')
  })

  it('only come later, in every zone', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'),
        fc.constantFrom('30 2 * * *', '*/20 1-3 * * *', '*/20 * * * *', '15 2 * * 0'),
        fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2027-01-01T00:00:00Z') }),
        (timeZone, schedule, after) => {
          const next = timesOf({ schedule, timeZone })
          const first = next(after) ?? 0
          expect(first).toBeGreaterThan(after)
          // And none lies between.
          expect(next(first - 1)).toBe(first)
          expect(next(Math.floor((after + first) / 2))).toBe(first)
        },
      ),
    )
  })

  it('are each seen to once, whatever the clock does, and those of this minute are asked for', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -90, max: 300 }), { maxLength: 40 }), (steps) => {
        const next = timesOf({ schedule: '*/2 * * * *', timeZone: 'UTC' })
        let now = at('2026-03-01T00:00:00Z')
        let seenTo = now
        const seen: number[] = []
        for (const step of steps) {
          now += step * 1000
          const { run, missed } = dueTimes(next, seenTo, now)
          if (run !== null) expect(now - run).toBeLessThan(60_000)
          for (const time of [missed?.last, run]) if (time != null) seen.push(time)
          seenTo = Math.max(seenTo, run ?? missed?.last ?? seenTo)
        }
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b))
      }),
    )
  })
})
