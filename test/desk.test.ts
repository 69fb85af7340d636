import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createDesk } from '../src/desk.ts'
import { deskLease } from '../src/domain/fleet/share.ts'
import { createLog } from '../src/log.ts'
import { createOutbox } from '../src/notify/outbox.ts'
import type { Membership, Round } from '../src/store/replicas.ts'
import { openStore, type Store, type StoreSettings } from '../src/store/store.ts'
import { clusterConfig } from './support/asking.ts'
import { incident } from './support/builders.ts'
import { cardsOf } from './support/cards.ts'
import { startTestServer, type TestServer } from './support/postgres.ts'
import { madeAt, proposal } from './support/proposals.ts'
import { emptyStoreOn } from './support/store.ts'

const log = createLog({ level: 'silent' })
const config = clusterConfig('orders')

let server: TestServer
let settings: StoreSettings & { kind: 'postgres' }
let now: number
const open: Store[] = []
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())
beforeEach(async () => {
  settings = await emptyStoreOn(server)
  now = madeAt
})
afterEach(async () => {
  for (const store of open.splice(0)) await store.close()
})

/** One replica, as far as it works for all. */
async function replica(name: string, over: { receivers?: string[]; known?: string[]; holdMs?: number } = {}) {
  const { known = ['orders'], receivers = [], holdMs = 3_600_000 } = over
  const store = await openStore(settings)
  open.push(store)
  const membership = store.join(name, holdMs)
  const did: string[] = []
  const kept: (readonly string[])[] = []
  let last: Round | null = null
  const webhooks = { ...store.webhooks, keepOnly: async (ids: readonly string[]) => void kept.push(ids) }
  const outbox = createOutbox({
    ...{ messages: store.messages, log, now: () => now },
    gaps: { postMs: 0, sameMs: 0, editMs: 0 },
    poster: {
      post: async (_channel, _thread, { text }) => `ts${did.push(`post ${text}`)}`,
      find: async () => null,
      update: async () => {},
    },
  })
  const cards = cardsOf(store, { now: () => now })
  const desk = createDesk({
    ...{ cards, membership, outbox, log },
    store: { ...store, webhooks },
    clusters: new Map([['orders', { config, cluster: {} as never }]]),
    receivers: new Map(receivers.map((id) => [id, {}])),
    webhooks: {
      start: () => void did.push('webhooks start'),
      stop: async () => void did.push('webhooks stop'),
    },
    stands: async () => false,
    turn: () => (last?.leases.has(deskLease) ? last : null),
    now: () => now,
  })
  return {
    ...{ store, cards, membership, outbox, desk, did, kept },
    async round() {
      last = await membership.round({ clusters: known, unseen: [] })
    },
  }
}

/** As after a hold without a word. */
const silence = ({ id }: Membership) =>
  server.admin.query(
    `UPDATE ${new URL(settings.url).username}.replicas SET seen_until = 0 WHERE id = '${id}'`,
  )

const put = (store: Store, id: string) =>
  store.messages.put(
    { ...{ id, channel: 'C0OPS', threadOf: null, priority: 1, once: false }, text: id, blocks: [] },
    now,
  )

const kindsOf = async (store: Store, cardId: string) =>
  (await store.journal.ofCards([cardId], 20)).map(({ event }) => event.kind)

describe('the duty of the desk', () => {
  it('delivers from its start on, at once where it is hurried, and ends with what is under way', async () => {
    const { desk, outbox, store, did } = await replica('one')
    await put(store, 'first')
    desk.duty.start()
    await expect.poll(() => did, { timeout: 15_000 }).toEqual(['webhooks start', 'post first'])
    await put(store, 'second')
    desk.duty.hurry()
    await expect.poll(() => did.at(-1), { timeout: 15_000 }).toBe('post second')
    await outbox.idle()
    await put(store, 'third')
    await desk.duty.stop(false)
    // Another replica brings it.
    expect(did.slice(3)).toEqual(['webhooks stop'])
  })

  it('brings what is left where nobody has taken it over yet', async () => {
    const { desk, store, did } = await replica('one')
    desk.duty.start()
    for (const id of ['first', 'second', 'third']) await put(store, id)
    await desk.duty.stop(true)
    expect(did).toEqual(['webhooks start', 'post first', 'post second', 'post third', 'webhooks stop'])
  })
})

describe('the chores', () => {
  it('are done by who has the desk, and by nobody else', async () => {
    const [one, two] = [await replica('one'), await replica('two')]
    await one.store.proposals.add(proposal())
    await put(one.store, 'card-1')
    await one.store.messages.delivered('card-1', 1, 'ts1', now)
    const calls = one.store.idempotencyKeys
    const week = 7 * 86_400_000
    now = 2 * week
    const call = (key: string) => ({ token: 'ci', key, fingerprint: 'f' })
    await calls.put(call('old'), 'p1', week - 1)
    await calls.put(call('younger'), 'p2', week)
    await one.round()
    await two.round()
    await two.desk.chores()
    await two.desk.checkCards()
    await two.desk.forgetCalls()
    expect((await one.store.proposals.inState('open')).length).toBe(1)
    expect(await one.store.messages.standing(['card-1'])).toHaveLength(1)
    expect(await calls.find(call('old'))).not.toBeNull()
    await one.desk.forgetCalls()
    expect([await calls.find(call('old')), (await calls.find(call('younger')))?.proposalId]).toEqual([
      null,
      'p2',
    ])
    await one.desk.checkCards()
    expect(await one.store.messages.standing(['card-1'])).toEqual([])
    await one.desk.chores()
    expect(await kindsOf(one.store, 'card-1')).toEqual(['expired'])
    expect([one.kept.length, two.kept.length]).toEqual([1, 0])
  })

  it('forget other receivers once for each start, and again where they are others', async () => {
    const { desk, kept, round } = await replica('one', { receivers: ['r1'] })
    await round()
    await desk.chores()
    await desk.chores()
    expect(kept).toEqual([['r1']])
    desk.reconfigured()
    await desk.chores()
    desk.duty.start()
    await desk.chores()
    await desk.duty.stop(false)
    expect(kept).toEqual([['r1'], ['r1'], ['r1']])
  })

  it('end what a process had claimed that is gone', async () => {
    const { desk, round, store } = await replica('one', { holdMs: 300 })
    await store.proposals.add(proposal({ state: 'claimed', claimedAt: madeAt, claimedBy: 'gone' }))
    await round()
    await desk.chores()
    // It has not been there itself for long enough to know.
    expect(await kindsOf(store, 'card-1')).toEqual([])
    const chores = async () => {
      await round()
      await desk.chores()
      return kindsOf(store, 'card-1')
    }
    await expect.poll(chores, { interval: 50, timeout: 15_000 }).toEqual(['outcome'])
  })

  it('close what no replica knows any more, and nothing that another one knows', async () => {
    const [one, two] = [await replica('one'), await replica('two', { known: ['orders', 'stock'] })]
    for (const cluster of ['stock', 'gone'])
      await one.store.incidents.put(incident({ id: cluster, cardId: cluster, cluster }))
    await one.round()
    await two.round()
    await one.round()
    await one.desk.chores()
    expect((await one.store.incidents.openOutside([])).map(({ id }) => id)).toEqual(['stock'])
  })

  it('are left to another one by who was stopped, and does not know yet', async () => {
    const [one, two] = [await replica('one'), await replica('two', { known: ['orders', 'stock'] })]
    await one.round()
    await silence(one.membership)
    await two.round()
    await one.store.incidents.put(incident({ id: 'stock', cardId: 'stock', cluster: 'stock' }))
    await one.store.proposals.add(proposal())
    now += 60_000
    await one.desk.chores()
    expect(await kindsOf(one.store, 'stock')).toEqual([])
    expect(await kindsOf(one.store, 'card-1')).toEqual([])
    // It keeps nobody from a press.
    expect(one.cards.isWritable()).toBe(true)
    await two.desk.chores()
    expect(await kindsOf(one.store, 'card-1')).toEqual(['expired'])
    expect(await one.store.incidents.openOutside([])).toHaveLength(1)
  })
})
