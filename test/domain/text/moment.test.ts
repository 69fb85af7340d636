import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { parsePastMoment } from '../../../src/domain/text/moment.ts'

const berlin = 'Europe/Berlin'
const noon = '2026-06-10T12:00:00Z' // 14:00 in Berlin
const read = (text: string, zone = berlin, now = noon) => {
  const parsed = parsePastMoment(text, zone, Date.parse(now))
  return 'at' in parsed ? new Date(parsed.at).toISOString().replace('.000', '') : parsed.problem
}

describe('a moment', () => {
  it.each([
    ['13:05', '2026-06-10T11:05:00Z'],
    ['9:05', '2026-06-10T07:05:00Z'],
    ['13:05:30', '2026-06-10T11:05:30Z'],
    ['14:00', noon],
    [' Yesterday 23:10 ', '2026-06-09T21:10:00Z'],
    ['20 min ago', '2026-06-10T11:40:00Z'],
    ['90s ago', '2026-06-10T11:58:30Z'],
    ['2 hours ago', '2026-06-10T10:00:00Z'],
    ['3 days ago', '2026-06-07T12:00:00Z'],
    ['2026-03-01T14:05', '2026-03-01T13:05:00Z'],
    ['2026-03-01 14:05:30', '2026-03-01T13:05:30Z'],
    ['2026-03-01T14:05Z', '2026-03-01T14:05:00Z'],
    ['2026-03-01T14:05:30.25Z', '2026-03-01T14:05:30.250Z'],
    ['13:05:30.5', '2026-06-10T11:05:30.500Z'],
    ['2026-03-01T14:05-0330', '2026-03-01T17:35:00Z'],
    ['2026-03-01 14:05:30.123456+01', '2026-03-01T13:05:30.123Z'],
    ['2026-03-01T14:05+14:00', '2026-03-01T00:05:00Z'],
  ])('%s is %s', (text, at) => expect(read(text)).toBe(at))

  it.each([
    ['14:00:01', 'yesterday 14:00:01'],
    ['2026-06-10T14:01', '20 min ago'],
    ['2026-06-10T12:01Z', '20 min ago'],
    ['', 'Write a time like'],
    ['24:00', 'Write a time like'],
    ['13:60', 'Write a time like'],
    ['13:05:60', 'Write a time like'],
    ['noon', 'Write a time like'],
    ['5 hays ago', 'Write a time like'],
    ['5 ago', 'Write a time like'],
    ['2026-02-30T10:00', 'No such day'],
    ['2026-13-01T10:00', 'No such day'],
    ['13:05Z', 'with an offset'],
    ['2026-03-01T14:05+15:00', 'with an offset'],
    ['2026-03-01T14:05+01:60', 'with an offset'],
  ])('%s is refused: %s', (text, problem) => expect(read(text)).toContain(problem))

  test('is on the day of the place, not of UTC', () => {
    expect(read('00:10', berlin, '2026-06-10T22:30:00Z')).toBe('2026-06-10T22:10:00Z')
    expect(read('yesterday 00:10', berlin, '2026-06-10T22:30:00Z')).toBe('2026-06-09T22:10:00Z')
  })

  test('that the clock shows twice is the later one that is over', () => {
    expect(read('02:30', berlin, '2026-10-25T12:00:00Z')).toBe('2026-10-25T01:30:00Z')
    expect(read('02:30', berlin, '2026-10-25T00:45:00Z')).toBe('2026-10-25T00:30:00Z')
  })

  test('says what the clock of the place did to it', () => {
    const about = (text: string, zone = berlin, now = '2026-12-01T00:00:00Z') => {
      const parsed = parsePastMoment(text, zone, Date.parse(now))
      if ('problem' in parsed) throw new Error(parsed.problem)
      const { earlier, isSkipped } = parsed
      return { earlier: earlier === null ? null : new Date(earlier).toISOString(), isSkipped }
    }
    const once = { earlier: null, isSkipped: false }
    expect(about('2026-10-25T02:30')).toEqual({ earlier: '2026-10-25T00:30:00.000Z', isSkipped: false })
    // The second one is still to come.
    expect(about('02:30', berlin, '2026-10-25T00:45:00Z')).toEqual(once)
    expect(about('2026-03-29T02:30')).toEqual({ earlier: null, isSkipped: true })
    for (const other of ['2026-10-25T02:30+01:00', '2026-10-25T03:30', '2026-06-01T02:30', '5 min ago'])
      expect(about(other)).toEqual(once)
    expect(about('2026-10-25T02:30', 'UTC')).toEqual(once)
  })

  test('that the clock leaves out is the one at which it jumped', () => {
    expect(read('02:30', berlin, '2026-03-29T12:00:00Z')).toBe('2026-03-29T01:00:00Z')
    expect(read('2011-12-30T12:00', 'Pacific/Apia')).toBe('2011-12-30T10:00:00Z')
  })

  test('is in UTC where the zone is not known', () =>
    expect(read('11:05', 'Nowhere/Else')).toBe('2026-06-10T11:05:00Z'))

  test('is the one that the clock of the place showed', () => {
    const zones = fc.constantFrom(
      berlin,
      'America/St_Johns',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'Pacific/Apia',
    )
    const seconds = fc.integer({ min: 1_300_000_000, max: 1_780_000_000 })
    fc.assert(
      fc.property(zones, seconds, (zone, second) => {
        const at = second * 1000
        const shown = new Date(at).toLocaleString('sv-SE', { timeZone: zone })
        expect(parsePastMoment(shown, zone, at)).toMatchObject({ at })
      }),
    )
  })
})
