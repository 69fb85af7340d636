import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import { receiversIn, type Webhook } from '../../src/domain/incidents/webhook.ts'
import type { Cards } from '../../src/notify/cards.ts'
import { createWebhookQueue } from '../../src/notify/webhookQueue.ts'
import type { Store } from '../../src/store/store.ts'
import { readDocument } from '../../src/views/webhooks/document.ts'
import { clusterConfig } from '../support/asking.ts'
import { cardsOf } from '../support/cards.ts'
import { incident } from '../support/nights.ts'
import { openTestStore } from '../support/store.ts'

const webhook: Webhook = { kind: 'json', url: 'http://127.0.0.1:9/', secret: 'geheim', from: 'warning' }
const settings = clusterConfig('orders', {
  channel: 'C0INCIDENTS',
  notify: {
    mention: ['S0DBAONCALL'],
    from: 'warning',
    remindAfterMs: Number.POSITIVE_INFINITY,
    escalate: [],
    webhooks: [webhook],
  },
})

let store: Store
let cards: Cards
let time = 1000
let changed: () => void
beforeEach(async () => {
  store = await openTestStore()
  const now = () => ++time
  changed = vi.fn()
  const cardSettings = new Map([[incident('warning').cluster, settings]])
  cards = cardsOf(store, {
    cardSettings,
    now,
    changed,
    webhooks: createWebhookQueue({
      settings: cardSettings,
      receivers: receiversIn(cardSettings.values()),
      maskText: () => null,
      now,
    }),
  })
})
afterEach(() => store.close())

const put = (one: Incident) => cards.commit(one.cardId, (tx) => tx.incidents.put(one))

/** What receivers were sent, which takes it away. */
async function sent() {
  const documents = []
  for (;;) {
    const [head] = await store.webhooks.heads()
    if (!head) return documents
    documents.push(readDocument((await store.webhooks.document(head.id)) ?? ''))
    await store.webhooks.remove(head.id)
  }
}

it('takes an acknowledgement back when it gets worse, and receivers hear of the next one', async () => {
  const warning = incident('warning')
  await put(warning)
  await put({ ...warning, acknowledgedBy: 'U0DANA' })
  await put({ ...incident('critical'), acknowledgedBy: 'U0DANA' })
  expect((await store.incidents.get(warning.id))?.acknowledgedBy).toBeNull()
  await put({ ...incident('critical'), acknowledgedBy: 'U0DANA' })
  const heard = (await sent()).map((one) => [one?.event, one?.incident?.acknowledgedBy])
  expect(heard).toEqual([
    ['opened', null],
    ['acknowledged', 'U0DANA'],
    ['gotWorse', null],
    ['acknowledged', 'U0DANA'],
  ])
})

it('calls who acknowledged what gets worse, also right after the call of another card', async () => {
  const mine = incident('warning')
  await put(mine)
  await put({ ...mine, acknowledgedBy: 'U0DANA' })
  await put({ ...incident('critical'), id: 'other', cardId: 'other' })
  await put({ ...incident('critical'), acknowledgedBy: 'U0DANA' })
  const rows = await store.journal.ofCards([mine.cardId], 10)
  expect(rows.flatMap(({ event }) => (event.kind === 'called' ? [event.people] : []))).toEqual([
    ['S0DBAONCALL'],
    ['S0DBAONCALL', 'U0DANA'],
  ])
})

it('writes and draws nothing where the time brought no call', async () => {
  const one = incident('critical')
  await put(one)
  await put({ ...one, acknowledgedBy: 'U0DANA' })
  vi.mocked(changed).mockClear()
  const writes = vi.spyOn(store, 'atomically')
  await cards.call(one.cardId)
  expect(writes).not.toHaveBeenCalled()
  expect(changed).not.toHaveBeenCalled()
})
