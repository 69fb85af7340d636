import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

it('a time of a sweep is taken once, whoever tries', async () => {
  const { sweeps } = store
  expect(await sweeps.seenTo('idle', 'orders', '* * * * * UTC', 100)).toBe(100)
  expect(await sweeps.seenTo('idle', 'orders', '* * * * * UTC', 500)).toBe(100)
  expect(await sweeps.take('idle', 'orders', '* * * * * UTC', 200)).toBe(true)
  expect(await sweeps.take('idle', 'orders', '* * * * * UTC', 200)).toBe(false)
  expect(await sweeps.take('idle', 'orders', '* * * * * UTC', 150)).toBe(false)
  expect(await sweeps.seenTo('idle', 'orders', '* * * * * UTC', 500)).toBe(200)
  expect(await sweeps.take('other', 'orders', '* * * * * UTC', 300)).toBe(false)
  expect(await sweeps.take('idle', 'shop', '* * * * * UTC', 300)).toBe(false)
})

it('what is not kept begins when it comes back', async () => {
  const { sweeps } = store
  for (const [sweep, cluster] of [
    ['idle', 'orders'],
    ['idle', 'shop'],
    ['long', 'orders'],
  ] as const)
    await sweeps.seenTo(sweep, cluster, '* * * * * UTC', 100)
  await sweeps.keepOnly([
    { sweep: 'idle', cluster: 'orders' },
    { sweep: 'new', cluster: 'shop' },
  ])
  expect(await sweeps.seenTo('idle', 'orders', '* * * * * UTC', 500)).toBe(100)
  expect(await sweeps.seenTo('idle', 'shop', '* * * * * UTC', 500)).toBe(500)
  expect(await sweeps.seenTo('long', 'orders', '* * * * * UTC', 500)).toBe(500)
  await sweeps.keepOnly([])
  expect(await sweeps.seenTo('idle', 'orders', '* * * * * UTC', 900)).toBe(900)
})

it('one with another schedule counts from now on', async () => {
  const { sweeps } = store
  await sweeps.seenTo('idle', 'orders', '* * * * * UTC', 100)
  expect(await sweeps.take('idle', 'orders', '0 * * * * UTC', 200)).toBe(false)
  expect(await sweeps.seenTo('idle', 'orders', '0 * * * * UTC', 700)).toBe(700)
  expect(await sweeps.take('idle', 'orders', '0 * * * * UTC', 800)).toBe(true)
})
