import { afterEach, beforeEach, expect, it } from 'vitest'
import { deny, expire, offer } from '../../src/domain/approvals/transitions.ts'
import { advance, begin } from '../../src/notify/advance.ts'
import type { Cards } from '../../src/notify/cards.ts'
import type { Store } from '../../src/store/store.ts'
import { cardsOf } from '../support/cards.ts'
import { proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let cards: Cards
beforeEach(async () => {
  store = await openTestStore()
  cards = cardsOf(store)
})
afterEach(async () => {
  await store.close()
})

it('takes a step and writes down what the journal says of it, unless somebody was faster', async () => {
  const open = proposal()
  await store.proposals.add(open)
  const take = (step: Parameters<typeof advance>[2]) =>
    cards.commit(open.cardId, (tx) => advance(tx, open, step))
  const denied = { ...deny(open, 'U0DANA', 'no').next, revision: open.revision + 1 }
  expect(await take(deny(open, 'U0DANA', 'no'))).toEqual(denied)
  expect(await take(expire(open))).toBeNull()
  expect(await store.proposals.get(open.id)).toEqual(denied)
  expect((await store.journal.ofCards([open.cardId], 10)).map(({ event }) => event.kind)).toEqual(['denied'])
})

it('begins with a new proposal on its card', async () => {
  const open = proposal()
  await cards.commit(open.cardId, (tx) => begin(tx, offer(open, 'pg-marshal')))
  expect(await store.proposals.ofCard(open.cardId)).toEqual([open])
  expect((await store.journal.ofCards([open.cardId], 10)).map(({ event }) => event.kind)).toEqual(['offered'])
})

it('changes nothing where the journal cannot be written', async () => {
  const open = proposal()
  await store.proposals.add(open)
  const broken: typeof store.atomically = (run) =>
    store.atomically((tables) =>
      run({
        ...tables,
        journal: { ...tables.journal, append: () => Promise.reject(new Error('disk full')) },
      }),
    )
  const failing = cardsOf({ ...store, atomically: broken })
  await expect(failing.commit(open.cardId, (tx) => advance(tx, open, expire(open)))).rejects.toThrow('disk')
  expect(await store.proposals.get(open.id)).toEqual(open)
})
