import { describe, expect, it } from 'vitest'
import { repeatsAmong, repeatWith } from '../../../src/domain/incidents/repeats.ts'
import * as of from '../../support/builders.ts'

const zone = 'Europe/Berlin'
const dayMs = 86_400_000
const ten = Date.UTC(2026, 2, 2, 9, 0)

const at = (
  id: string,
  time: number,
  over: { app?: string; user?: string | null; cluster?: string } = {},
) => {
  const session = of.idleInTransaction(7, 90, {
    applicationName: over.app ?? 'checkout',
    usename: over.user === undefined ? 'shop' : over.user,
  })
  return of.incident({
    ...{ id, cluster: over.cluster ?? 'orders', openedAt: time, beganAt: time },
    finding: { kind: 'idleInTransaction', session, seconds: 90 },
  })
}

describe('who makes trouble again and again', () => {
  const three = [at('a', ten), at('b', ten + dayMs), at('c', ten + 2 * dayMs)]

  it('is one who did it three times, and not twice', () => {
    expect(repeatsAmong(three.slice(0, 2), zone)).toEqual([])
    expect(repeatsAmong(three.toReversed(), zone)).toEqual([
      { cluster: 'orders', kind: 'idleInTransaction', who: 'checkout', incidents: three, aboutMinute: 600 },
    ])
  })

  it('is another one on another cluster, and nobody where there is no name', () => {
    expect(repeatsAmong([...three.slice(0, 2), at('c', ten, { cluster: 'stock' })], zone)).toEqual([])
    expect(
      repeatsAmong(
        three.map(({ id }) => at(id, ten, { app: '', user: null })),
        zone,
      ),
    ).toEqual([])
    expect(
      repeatsAmong(
        three.map(({ id, beganAt }) => at(id, beganAt, { app: '' })),
        zone,
      )[0]?.who,
    ).toBe('shop')
  })

  it('has a time of the day where all fit into an hour, on more than one day', () => {
    const minutes = (...each: number[]) =>
      repeatsAmong(
        each.map((minute, day) => at(String(day), ten + day * dayMs + minute * 60_000)),
        zone,
      )[0]?.aboutMinute
    expect(minutes(-30, 0, 30)).toBe(600)
    expect(minutes(-30, 0, 31)).toBeNull()
    // Around midnight.
    expect(minutes(830, 840, 850)).toBe(0)
    const hourMs = 3_600_000
    const oneDay = [at('a', ten), at('b', ten + hourMs / 4), at('c', ten + hourMs / 2)]
    expect(repeatsAmong(oneDay, zone)[0]?.aboutMinute).toBeNull()
  })

  it('is no habit where all came at one occasion', () => {
    const minute = 60_000
    const apart = (...minutes: number[]) =>
      repeatsAmong(
        minutes.map((after, index) => at(String(index), ten + after * minute)),
        zone,
      )
    expect(apart(0, 0, 0)).toEqual([])
    expect(apart(0, 10, 20)).toEqual([])
    expect(apart(0, 11, 22)).toHaveLength(1)
    // What began while the last one still lasted, too.
    const long = { ...at('l', ten), resolvedAt: ten + 90 * minute }
    const later = [30, 99].map((after) => at(String(after), ten + after * minute))
    expect(repeatsAmong([long, ...later], zone)).toEqual([])
  })

  it('counts for a card itself and what was before it', () => {
    const [first, second, third] = three
    if (!first || !second || !third) throw new Error('no incidents')
    expect(repeatWith(third, three, zone)?.incidents).toEqual(three)
    expect(repeatWith(second, three, zone)).toBeNull()
    expect(repeatWith(at('d', ten, { app: '', user: null }), three, zone)).toBeNull()
  })
})
