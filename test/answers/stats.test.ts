import { afterEach, beforeEach, expect, it } from 'vitest'
import { answerStats, createFiguresReader } from '../../src/answers/stats.ts'
import type { StatsQuestion } from '../../src/commands/pastCommand.ts'
import type { Store } from '../../src/store/store.ts'
import { proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

const hour = 3_600_000
const madeAt = 1_000_000_000_000
const now = madeAt + hour
const ask = async (over: Partial<StatsQuestion> = {}, clusters = ['orders', 'billing']) =>
  (
    await answerStats(
      { kind: 'stats', sinceMs: 12 * hour, ...over },
      { past: { ...store, linkTo: async () => null }, clusters, now },
    )
  ).text.replaceAll('\u00a0', ' ')

it('counts what was asked on the clusters that the reader may see, since then', async () => {
  const { key } = proposal()
  const on = (cluster: string) => ({ ...key, cluster })
  await store.proposals.add(
    proposal({ id: 'a', createdAt: madeAt, key: on('orders'), claimedAt: madeAt + 90_000, state: 'done' }),
  )
  await store.proposals.add(
    proposal({ id: 'b', cardId: 'b', createdAt: madeAt, key: on('billing'), state: 'denied' }),
  )
  await store.proposals.add(
    proposal({ id: 'old', cardId: 'old', key: on('orders'), state: 'denied', createdAt: madeAt - 24 * hour }),
  )
  const all = await ask()
  expect(all).toContain('Response in the last 12 h')
  expect(all).toContain('Proposals: 2')
  expect(all).toContain('Denied: 1')
  expect(all).toMatch(/to approved.*1.*1 min 30 s/)
  expect(await ask({ cluster: 'orders' })).toContain('Denied: 0')
  expect(await ask({ cluster: 'ORDERS' })).toContain('Denied: 0')
  expect(await ask({ cluster: '<!channel>`' })).not.toMatch(/[<`]!?channel/)
  expect(await ask({}, ['billing'])).toContain('Proposals: 1')
  expect(await ask({ cluster: 'billing' }, ['orders'])).toContain('no cluster billing that you may see')
  expect(await ask({ sinceMs: 1000 })).toContain('Nothing happened')
})

it('reads the figures for a scrape at most once a minute', async () => {
  let at = now
  const figures = createFiguresReader({ past: store, clusters: () => ['orders'], now: () => at })
  const proposals = async () => (await figures()).counts.proposals
  expect(await proposals()).toBe(0)
  await store.proposals.add(proposal({ createdAt: madeAt, key: { ...proposal().key, cluster: 'orders' } }))
  at += 59_999
  expect(await proposals()).toBe(0)
  at += 1
  expect(await proposals()).toBe(1)
})

it('asks again after a look that failed', async () => {
  let fails = true
  const past = {
    ...store,
    incidents: {
      ...store.incidents,
      recent: async (...args: Parameters<Store['incidents']['recent']>) => {
        if (fails) throw new Error('disk')
        return store.incidents.recent(...args)
      },
    },
  }
  const figures = createFiguresReader({ past, clusters: () => ['orders'], now: () => now })
  await expect(figures()).rejects.toThrow('disk')
  fails = false
  expect((await figures()).counts.incidents).toBe(0)
})
