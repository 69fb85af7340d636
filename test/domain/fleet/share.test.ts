import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chosen, holdFor, type Member, share } from '../../../src/domain/fleet/share.ts'

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']
const replicas = ['r1', 'r2', 'r3', 'r4', 'r5']
const clusters = fc.uniqueArray(fc.constantFrom(...names))
const ids = fc.uniqueArray(fc.constantFrom(...replicas), { minLength: 1 })
const holders = fc.dictionary(fc.constantFrom(...names), fc.constantFrom(...replicas, null))
const counts = (shares: ReadonlyMap<string, string>, members: readonly Member[]) =>
  members.map(({ id }) => [...shares.values()].filter((replica) => replica === id).length)

describe('what replicas that know the same share', () => {
  it('is all of it, even within one, and the same again when it is shared so already', () => {
    fc.assert(
      fc.property(clusters, ids, holders, (all, living, before) => {
        const members = living.map((id) => ({ id, clusters: all }))
        const shares = share(members, new Map(Object.entries(before)))
        expect([...shares.keys()].sort()).toEqual([...all].sort())
        const has = counts(shares, members)
        expect(Math.max(...has) - Math.min(...has)).toBeLessThanOrEqual(1)
        expect(share(members.toReversed(), shares)).toEqual(shares)
        // The order in which the store lists them does not matter.
        expect(share(members.toReversed(), new Map(Object.entries(before)))).toEqual(shares)
      }),
    )
  })

  it('takes nothing from anybody that they could keep', () => {
    fc.assert(
      fc.property(clusters, ids, holders, (all, living, before) => {
        const members = living.map((id) => ({ id, clusters: all }))
        const held = new Map(
          Object.entries(before).filter(
            ([cluster, id]) => all.includes(cluster) && living.includes(id ?? ''),
          ),
        )
        const shares = share(members, held)
        const moved = [...held].filter(([cluster, id]) => shares.get(cluster) !== id)
        const least = Math.floor(all.length / living.length)
        const withOneMore = all.length % living.length
        const tooMany = living
          .map((id) => [...held.values()].filter((holder) => holder === id).length)
          .sort((a, b) => b - a)
          .map((has, place) => Math.max(0, has - least - (place < withOneMore ? 1 : 0)))
        expect(moved).toHaveLength(tooMany.reduce((sum, one) => sum + one, 0))
      }),
      { numRuns: 1000 },
    )
  })

  it('moves no more than it has to when one joins or leaves', () => {
    fc.assert(
      fc.property(clusters, ids, fc.nat(), (all, living, pick) => {
        const members = living.map((id) => ({ id, clusters: all }))
        const before = share(members, new Map())
        const left = members.filter((_, index) => index !== pick % members.length)
        if (left.length === 0) return
        const gone = members[pick % members.length]?.id
        const after = share(left, before)
        for (const [cluster, replica] of before)
          if (replica !== gone) expect(after.get(cluster)).toBe(replica)
        const back = share(members, after)
        const moved = [...back].filter(([cluster, replica]) => after.get(cluster) !== replica)
        expect(moved.length).toBeLessThanOrEqual(Math.ceil(all.length / members.length))
      }),
    )
  })
})

it('gives a cluster only to who knows it, and to nobody where nobody does', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...replicas), clusters), holders, (known, before) => {
      const members = Object.entries(known).map(([id, clusters]) => ({ id, clusters }))
      const shares = share(members, new Map(Object.entries(before)))
      expect([...shares.keys()].sort()).toEqual([...new Set(Object.values(known).flat())].sort())
      for (const [cluster, replica] of shares) expect(known[replica]).toContain(cluster)
    }),
  )
})

it('lets the work for all stay where it is, as long as that one lives', () => {
  const members = replicas.map((id) => ({ id, clusters: [] }))
  expect(chosen(members, 'r4')).toBe('r4')
  expect(chosen(members.toReversed(), 'r9')).toBe('r1')
  expect(chosen(members, null)).toBe('r1')
  expect(chosen([], 'r1')).toBeNull()
})

describe('what a silent replica has', () => {
  it('goes to another one within two of the shortest intervals, and never for a short pause', () => {
    expect(holdFor([5000, 60_000])).toBe(7000)
    expect(holdFor([500])).toBe(1500)
    expect(holdFor([60_000])).toBe(10_000)
  })
})
