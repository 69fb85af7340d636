import { afterEach, beforeEach, expect, it } from 'vitest'
import { createCards } from '../../src/notify/cards.ts'
import type { Store } from '../../src/store/store.ts'
import { createVisibility, type Loss } from '../../src/watch/visibility.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let time: number

beforeEach(async () => {
  store = await openTestStore()
  time = 1_000_000
})
afterEach(async () => {
  await store.close()
})

const visibility = () =>
  createVisibility({
    cluster: 'orders',
    journal: store.journal,
    cards: createCards({
      store,
      cardSettings: new Map(),
      nameOf: () => null,
      now: () => time,
      changed: () => {},
      recorded: () => {},
    }),
    now: () => time,
  })
const told = async () =>
  (await store.journal.latestAbout('orders', ['blind', 'seesAgain']))
    .toReversed()
    .map(({ event }) => event.kind)
const refused: Loss = { reason: 'Nothing listens there.', retryable: true, isInterruption: false }
const ended: Loss = { reason: 'It was ended.', retryable: true, isInterruption: true }

it('reports a refusal at once, and a connection that ended only when it does not come back', async () => {
  const { lost, back } = visibility()
  await lost(ended)
  time += 2_000
  await lost(ended)
  await back()
  expect(await told()).toEqual([])
  await lost(refused)
  expect(await told()).toEqual(['blind'])
  await back()
  expect(await told()).toEqual(['blind', 'seesAgain'])
})

it('reports a server that flaps once, and again when it stays away or is lost much later', async () => {
  const { lost, back } = visibility()
  await lost(refused)
  await back()
  for (let flap = 0; flap < 5; flap++) {
    time += 4_000
    await lost(refused)
    time += 4_000
    await lost(refused)
    await back()
  }
  expect(await told()).toEqual(['blind', 'seesAgain'])
  await lost(refused)
  time += 10_000
  await lost(refused)
  await back()
  expect(await told()).toEqual(['blind', 'seesAgain', 'blind', 'seesAgain'])
  time += 60_000
  await lost(refused)
  expect(await told()).toHaveLength(5)
})
