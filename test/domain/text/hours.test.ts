import { describe, expect, it, test } from 'vitest'
import { hoursText, inHours, isTimeZone, nextTime, parseHours } from '../../../src/domain/text/hours.ts'

const hoursOf = (text: string, timeZone = 'UTC') => {
  const parsed = parseHours(text, timeZone)
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed.hours
}
const isIn = (text: string, at: string, timeZone?: string) => inHours(hoursOf(text, timeZone), Date.parse(at))

describe('hours', () => {
  it.each([
    ['Mon-Fri 08:00-18:00', 'Mon-Fri 08:00-18:00 (UTC)'],
    ['mon - fri, sun 8:00 - 18:30', 'Mon-Fri,Sun 08:00-18:30 (UTC)'],
    ['Sat,Sun 00:00-24:00', 'Sat,Sun 00:00-24:00 (UTC)'],
    ['Fri-Mon 22:00-06:00', 'Mon,Fri-Sun 22:00-06:00 (UTC)'],
    ['22:00-06:00', '22:00-06:00 (UTC)'],
    ['Wed 00:00-24:00', 'Wed 00:00-24:00 (UTC)'],
  ])('%s is read as %s', (text, said) => {
    expect(hoursText(hoursOf(text))).toBe(said)
  })

  it.each([
    ['', 'Write days and times of day'],
    ['Mon-Fri', 'Write days and times of day'],
    ['8-18', 'Write times of day'],
    ['Mo 08:00-18:00', 'Write days as Mon'],
    ['Mon-Wed-Fri 08:00-18:00', 'Write days as Mon'],
    ['Mon-Fri 08:60-18:00', 'Write times of day'],
    ['Mon-Fri 08:00-24:01', 'Write times of day'],
    ['Mon-Fri 24:00-08:00', 'Write times of day'],
    ['Mon-Fri 08:00-08:00', 'Write two different times'],
  ])('%j is not understood', (text, start) => {
    const parsed = parseHours(text, 'UTC')
    expect('problem' in parsed && parsed.problem.slice(0, start.length)).toBe(start)
  })

  // 2026-03-02 is a Monday.
  it.each([
    ['Mon-Fri 08:00-18:00', '2026-03-02T08:00:00Z', true],
    ['Mon-Fri 08:00-18:00', '2026-03-02T07:59:59Z', false],
    ['Mon-Fri 08:00-18:00', '2026-03-02T17:59:59Z', true],
    ['Mon-Fri 08:00-18:00', '2026-03-02T18:00:00Z', false],
    ['Mon-Fri 08:00-18:00', '2026-03-01T12:00:00Z', false],
    ['Sat,Sun 00:00-24:00', '2026-03-01T23:59:59Z', true],
    ['Fri 22:00-06:00', '2026-03-06T23:00:00Z', true],
    ['Fri 22:00-06:00', '2026-03-07T05:59:00Z', true],
    ['Fri 22:00-06:00', '2026-03-07T06:00:00Z', false],
    ['Fri 22:00-06:00', '2026-03-06T05:00:00Z', false],
    ['Sun 22:00-06:00', '2026-03-02T05:00:00Z', true],
    ['00:00-00:01', '2026-03-02T00:00:30Z', true],
  ])('%s at %s: %s', (text, at, expected) => {
    expect(isIn(text, at)).toBe(expected)
  })

  it('are told by the clock of their zone, in summer as in winter', () => {
    expect(isIn('08:00-18:00', '2026-01-15T07:30:00Z', 'Europe/Berlin')).toBe(true)
    expect(isIn('08:00-18:00', '2026-01-15T06:30:00Z', 'Europe/Berlin')).toBe(false)
    expect(isIn('08:00-18:00', '2026-07-15T06:30:00Z', 'Europe/Berlin')).toBe(true)
    // Still Sunday in New York.
    expect(isIn('Sun 20:00-24:00', '2026-03-02T02:00:00Z', 'America/New_York')).toBe(true)
  })

  it('know the zones', () => {
    expect(['UTC', 'Europe/Berlin', 'Asia/Kolkata'].every(isTimeZone)).toBe(true)
    expect(['Mars/Olympus', '', 'Berlin'].some(isTimeZone)).toBe(false)
  })
})

describe('the next morning', () => {
  test.each([
    ['2026-03-02T05:00:00Z', 'UTC', '2026-03-02T08:00:00Z'],
    ['2026-03-02T08:00:00Z', 'UTC', '2026-03-03T08:00:00Z'],
    ['2026-03-02T07:59:59Z', 'UTC', '2026-03-02T08:00:00Z'],
    ['2026-03-02T23:30:00Z', 'Europe/Berlin', '2026-03-03T07:00:00Z'],
    // Clocks go forward in this night.
    ['2026-03-28T22:00:00Z', 'Europe/Berlin', '2026-03-29T06:00:00Z'],
    ['2026-03-02T05:00:00Z', 'Asia/Kathmandu', '2026-03-03T02:15:00Z'],
    ['2026-03-02T05:00:00Z', 'No/Such', '2026-03-02T08:00:00Z'],
  ])('after %s in %s is %s', (now, place, expected) => {
    expect(nextTime(Date.parse(now), 8, place)).toBe(Date.parse(expected))
  })
})
