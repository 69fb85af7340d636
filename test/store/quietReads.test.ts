import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { quietReads } from '../../src/store/quietReads.ts'
import type { Store } from '../../src/store/store.ts'
import { incident } from '../support/builders.ts'
import { madeAt, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

const silence = (id: string, cluster: string) => ({
  id,
  cluster,
  scope: { kind: 'cluster' as const },
  since: madeAt,
  until: madeAt + 60_000,
  by: 'U0DANA',
  reason: '',
})
const clusters = ['orders', 'stock'] as const
const cluster = fc.constantFrom(...clusters)
const since = fc.integer({ min: madeAt - 5, max: madeAt + 5 })

it('finds what the store finds, whatever is written in between', async () => {
  let made = 0
  const writes = fc.oneof(
    fc.record({ what: fc.constant('incident' as const), cluster, resolvedAt: fc.option(since) }),
    fc.record({
      what: fc.constant('proposal' as const),
      state: fc.constantFrom('open', 'claimed', 'denied'),
    }),
    fc.record({ what: fc.constant('silence' as const), cluster }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(writes, since), { maxLength: 15 }), async (steps) => {
      const fresh = await openTestStore()
      const quiet = quietReads(fresh, () => String(fresh.writes()))
      const all = (of: typeof quiet, at: number) =>
        Promise.all([
          ...clusters.flatMap((name) => [
            of.incidents.open(name),
            of.incidents.recent(name, at),
            of.silences.ofCluster(name),
          ]),
          of.proposals.inState('open'),
          of.proposals.inState('claimed'),
          of.proposals.decidedSince(at),
          of.proposals.doneSince(at),
        ])
      for (const step of steps) {
        const id = `id-${++made}`
        if (typeof step === 'number') expect(await all(quiet, step)).toEqual(await all(fresh, step))
        else if (step.what === 'silence') await fresh.silences.add(silence(id, step.cluster))
        else if (step.what === 'proposal')
          await fresh.proposals.add(
            proposal({ id, state: step.state as 'open', createdAt: madeAt + (made % 3) }),
          )
        else
          await fresh.incidents.put({
            ...incident({ id, cluster: step.cluster, cardId: id, openedAt: madeAt }),
            resolvedAt: step.resolvedAt,
          })
      }
      await fresh.close()
    }),
    { numRuns: 60 },
  )
})

it('asks for nothing again before something was written', async () => {
  let asked = 0
  const counting = {
    ...store,
    silences: {
      ...store.silences,
      ofCluster: (name: string) => {
        asked++
        return store.silences.ofCluster(name)
      },
    },
  }
  const quiet = quietReads(counting, () => String(store.writes()))
  for (let look = 0; look < 3; look++) expect(await quiet.silences.ofCluster('orders')).toEqual([])
  expect(asked).toBe(1)
  await store.silences.add(silence('s', 'orders'))
  for (let look = 0; look < 3; look++) expect(await quiet.silences.ofCluster('orders')).toHaveLength(1)
  expect(asked).toBe(4)
})
