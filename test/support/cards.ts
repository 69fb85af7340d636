import { type Cards, createCards } from '../../src/notify/cards.ts'
import type { Store } from '../../src/store/store.ts'
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
