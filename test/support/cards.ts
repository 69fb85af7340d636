import { type Cards, createCards } from '../../src/notify/cards.ts'
import type { Store } from '../../src/store/store.ts'
import type { CardState } from '../../src/views/card/cardState.ts'
import { clusterConfig } from './asking.ts'
import { madeAt } from './proposals.ts'

/** Cards of the cluster `orders`, of which nobody hears. */
export const cardsOf = (
  store: Store,
  over: Partial<Omit<Parameters<typeof createCards>[0], 'store'>> = {},
): Cards =>
  createCards({
    store,
    cardSettings: new Map([['orders', clusterConfig('orders')]]),
    nameOf: () => null,
    now: () => madeAt,
    changed: () => {},
    recorded: () => {},
    ...over,
  })

/** State of a card of `orders` that began with a request by hand, where one person decides without a code. */
export const cardState = (
  proposals: CardState['proposals'],
  over: Partial<Omit<CardState, 'proposals'>> = {},
): CardState => ({
  cluster: 'orders',
  incident: null,
  proposals,
  people: { cancel: 1, terminate: 1 },
  secondFactor: { cancel: false, terminate: false },
  approvers: [],
  breakGlass: false,
  silence: null,
  ...over,
})
