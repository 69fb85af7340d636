import { afterEach, beforeEach, expect, it } from 'vitest'
import { openedWith } from '../../src/domain/incidents/incident.ts'
import type { Cards } from '../../src/notify/cards.ts'
import { ClusterError } from '../../src/postgres/cluster.ts'
import type { Store } from '../../src/store/store.ts'
import { createReachability } from '../../src/watch/unreachable.ts'
import { clusterConfig } from '../support/asking.ts'
import * as of from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { openTestStore } from '../support/store.ts'

const refused = new ClusterError('Nothing listens there.', 'ECONNREFUSED', true)
const noLogin = new ClusterError('The password is wrong.', '28P01', false)
const ended = new ClusterError('The connection was ended.', '57P01', true)

let store: Store
let cards: Cards
let time: number
let events: string[]

beforeEach(async () => {
  store = await openTestStore()
  time = of.takenAt
  events = []
  cards = cardsOf(store, {
    cardSettings: new Map(['orders', 'billing'].map((name) => [name, clusterConfig(name)])),
    now: () => time,
    recorded: (event) => events.push(`${event.kind}: ${'what' in event ? event.what : ''}`),
  })
})
afterEach(() => store.close())

/** A bot that was just started. */
const start = (cluster = 'orders', cardsPerMinute = 6) =>
  createReachability({
    cluster,
    neighbours: () => ['orders', 'billing'],
    cardsPerMinute,
    store,
    cards,
    now: () => time,
  })
const open = async (cluster = 'orders') => {
  const [incident, ...more] = await store.incidents.open(cluster)
  expect(more).toEqual([])
  return incident
}
const seen = of.picture([of.session(1), of.waiting(2, 5)]).snapshot

it('keeps what was seen last, and ends when the server answers', async () => {
  const { lost, back } = start()
  await back(seen)
  await lost(refused)
  const incident = await open()
  expect(incident?.finding).toMatchObject({
    code: 'ECONNREFUSED',
    last: { at: seen.takenAt, sessions: 2, waiting: 1, openIncidents: 0 },
  })
  expect(incident?.cardId).toBe(incident?.id)
  await back(seen)
  expect(await open()).toBeUndefined()
  expect(events).toEqual([
    'incidentOpened: Nothing listens there.',
    'incidentResolved: The server answers again.',
  ])
})

it('does not call counted what a role without privileges saw', async () => {
  const { lost, back } = start()
  await back({ ...seen, server: of.server({ seesOthers: false }) })
  await lost(refused)
  expect((await open())?.finding).toMatchObject({ last: null })
})

it('is the same incident when it comes back within a minute, and another later', async () => {
  const { lost, back } = start()
  await lost(refused)
  const first = await open()
  await back(seen)
  time += 30_000
  await lost(refused)
  time += 10_000
  await lost(refused)
  const again = await open()
  expect([again?.id, again?.beganAt, again?.resolution]).toEqual([first?.id, first?.beganAt, null])
  expect(again?.finding).toMatchObject({ seconds: 40 })
  expect(events.at(-1)).toBe('incidentReopened: It is back.')
  await back(seen)
  time += 120_000
  await lost(refused)
  expect((await open())?.id).not.toBe(first?.id)
  expect(events.at(-1)).toBe('incidentOpened: Nothing listens there.')
})

it('tells another reason where somebody has to mend it, and takes no interruption for one', async () => {
  const { lost } = start()
  await lost(refused)
  await lost(noLogin)
  expect((await open())?.finding).toMatchObject({ code: '28P01', reason: noLogin.reason })
  await lost(ended)
  expect((await open())?.finding).toMatchObject({ code: '28P01', reason: noLogin.reason })
  // It may pass by itself: the card shows it, and nobody is disturbed.
  await lost(refused)
  expect((await open())?.finding).toMatchObject({ code: 'ECONNREFUSED' })
  expect(events).toEqual([
    'incidentOpened: Nothing listens there.',
    'incidentChanged: The password is wrong.',
  ])
})

it('goes on after a restart, with who acknowledged it, and ends after one', async () => {
  await start().lost(refused)
  const before = await open()
  if (!before) return expect.fail('no incident')
  await store.incidents.put({ ...before, acknowledgedBy: 'U0DANA' })
  time += 600_000
  await start().lost(noLogin)
  const after = await open()
  expect([after?.id, after?.acknowledgedBy]).toEqual([before.id, 'U0DANA'])
  expect(after?.finding).toMatchObject({ reason: noLogin.reason, seconds: 600 })
  await start().back(seen)
  expect(await open()).toBeUndefined()
})

it('shares a digest with its neighbours, and has a card of its own once they are back', async () => {
  const orders = start('orders', 1)
  const billing = start('billing', 1)
  await orders.lost(refused)
  await billing.lost(refused)
  const listed = await open('billing')
  expect([listed?.cardId, listed?.cardId === listed?.id]).toEqual([listed?.digestId, false])
  expect(events.at(-1)).toMatch(/: Nothing listens there\.$/)
  expect(events.at(-1)).not.toBe('incidentOpened: Nothing listens there.')
  await orders.back(seen)
  // By the time that its card would be drawn again.
  time += 60_000
  await billing.lost(refused)
  const own = await open('billing')
  expect(own?.cardId).toBe(own?.id)
})

it('counts neither a blind cluster of another channel nor other trouble of a neighbour among those that went blind', async () => {
  await start('elsewhere', 1).lost(refused)
  const [far] = await store.incidents.open('elsewhere')
  expect(far?.cardId).toBe(far?.id)
  await store.incidents.put(
    openedWith(
      { kind: 'connections', used: 9, max: 10, reserved: 0, holders: [] },
      null,
      { cluster: 'billing', takenAt: of.takenAt },
      'c1000000-0000-4000-8000-000000000001',
    ),
  )
  await start('orders', 1).lost(refused)
  const incident = await open()
  expect(incident?.cardId).toBe(incident?.id)
  expect(incident?.digestId).toBeNull()
})
