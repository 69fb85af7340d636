import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expire, finish, withdraw } from '../../src/domain/approvals/transitions.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import { receiversIn, type Webhook, webhookId } from '../../src/domain/incidents/webhook.ts'
import { maskQuery } from '../../src/domain/text/mask.ts'
import { advance } from '../../src/notify/advance.ts'
import type { Cards } from '../../src/notify/cards.ts'
import { createWebhookQueue } from '../../src/notify/webhookQueue.ts'
import type { Store } from '../../src/store/store.ts'
import { documentSchema } from '../../src/views/webhooks/document.ts'
import { clusterConfig } from '../support/asking.ts'
import { incident as incidentOf, session, takenAt } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { madeAt, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const json: Webhook = { kind: 'json', url: 'https://h.example.com/a', secret: 'geheim', from: 'warning' }
const pager: Webhook = { kind: 'pagerduty', url: 'https://p.example.com/', routingKey: 'R', from: 'warning' }
const id = '3f2a9c1b-0000-4000-8000-000000000001'

let store: Store
let clock: number
beforeEach(async () => {
  store = await openTestStore()
  clock = takenAt
})
afterEach(() => store.close())

/** The cards of a bot with these receivers for the cluster `orders`, and others for `billing`. */
function start(orders: readonly Webhook[] | null, billing: readonly Webhook[] = []): Cards {
  const of = (name: string, webhooks: readonly Webhook[]) => {
    const config = clusterConfig(name)
    return [name, { ...config, notify: { ...config.notify, webhooks } }] as const
  }
  const settings = new Map([...(orders ? [of('orders', orders)] : []), of('billing', billing)])
  const now = () => clock
  return cardsOf(store, {
    cardSettings: settings,
    now,
    webhooks: createWebhookQueue({
      settings,
      receivers: receiversIn(settings.values()),
      maskText: (text) => text && maskQuery(text),
      now,
    }),
  })
}

const incident = (over: Partial<Incident> = {}): Incident =>
  incidentOf({
    id,
    finding: { kind: 'longQuery', session: session(7, { query: "SELECT 'geheim'" }), seconds: 4000 },
    beganAt: takenAt - 4_000_000,
    ...over,
  })
const over = { resolvedAt: takenAt, resolution: 'The statement ended.' }

const follow = (cards: Cards, as: Incident) => cards.commit(as.cardId, ({ incidents }) => incidents.put(as))

/** What waits for a receiver, in order; it is taken out. */
async function waiting(webhook: Webhook) {
  const found = []
  for (;;) {
    const head = (await store.webhooks.heads()).find(({ receiver }) => receiver === webhookId(webhook))
    if (!head) return found
    found.push(documentSchema.strict().parse(JSON.parse((await store.webhooks.document(head.id)) ?? '')))
    await store.webhooks.remove(head.id)
  }
}
const eventsFor = async (webhook: Webhook) => (await waiting(webhook)).map(({ event }) => event)

describe('an incident', () => {
  it('is news for each receiver once, under ids of their own and without constants', async () => {
    const cards = start([json, pager])
    await follow(cards, incident())
    await follow(cards, incident({ changedAt: takenAt + 1 }))
    const [first, ...more] = await waiting(json)
    expect(more).toEqual([])
    expect(first).toMatchObject({
      event: 'opened',
      cluster: 'orders',
      card: { id, channel: 'C0OPS', permalink: null },
      incident: { id, silenced: false, session: { pid: 7, statement: 'SELECT ?' } },
    })
    const [page] = await waiting(pager)
    expect(page?.event).toBe('opened')
    expect(page?.id).not.toBe(first?.id)
  })

  it('says what its application says of itself, and nothing where its statement does not leave', async () => {
    const tags = { route: '/orders' }
    const told = async (query: string | null) => {
      const finding = { kind: 'longQuery', session: session(7, { query, tags }), seconds: 4000 } as const
      await follow(start([json]), incident({ finding, id: `${id}-${query}`, cardId: `${id}-${query}` }))
      return (await waiting(json))[0]?.incident?.session
    }
    expect(await told('SELECT 1')).toMatchObject({ statement: 'SELECT ?', tags })
    expect(await told(null)).not.toHaveProperty('tags')
  })

  it('is acknowledged and over for both', async () => {
    const cards = start([json, pager])
    await follow(cards, incident())
    expect(await eventsFor(pager)).toEqual(['opened'])
    await follow(cards, incident({ acknowledgedBy: 'U0DANA' }))
    expect((await waiting(pager)).map(({ event, by }) => [event, by])).toEqual([['acknowledged', 'U0DANA']])
    await follow(cards, incident({ acknowledgedBy: 'U0DANA', ...over }))
    expect(await eventsFor(pager)).toEqual(['resolved'])
    expect(await eventsFor(json)).toEqual(['opened', 'acknowledged', 'resolved'])
    await follow(cards, incident())
    expect(await eventsFor(pager)).toEqual(['opened'])
  })

  it('is said once in each state, however often it is looked at', async () => {
    const cards = start([json, pager])
    const critical = { finding: { kind: 'lockStorm', waiting: 9, why: '', suspects: [] } } as const
    for (const state of [{}, { acknowledgedBy: 'U0DANA' }, { acknowledgedBy: 'U0DANA', ...critical }])
      for (let looks = 0; looks < 3; looks++) await follow(cards, incident(state))
    for (const webhook of [json, pager])
      expect(await eventsFor(webhook)).toEqual(['opened', 'acknowledged', 'gotWorse'])
  })

  it('that one receiver has heard of is news for another one still', async () => {
    await follow(start([json]), incident())
    await follow(start([json, pager]), incident())
    expect(await eventsFor(json)).toEqual(['opened'])
    expect(await eventsFor(pager)).toEqual(['opened'])
  })

  it('that is over calls nobody whom the pager has not called yet', async () => {
    const cards = start([json, pager])
    await follow(cards, incident())
    await follow(cards, incident(over))
    expect(await eventsFor(pager)).toEqual(['resolved'])
    expect(await eventsFor(json)).toEqual(['opened', 'resolved'])
  })

  it('of another cluster is not news here', async () => {
    const cards = start([json], [pager])
    await follow(cards, incident())
    expect(await eventsFor(pager)).toEqual([])
    expect(await eventsFor(json)).toEqual(['opened'])
  })

  it('is over also for who heard of it while it was configured otherwise', async () => {
    await follow(start([json, pager]), incident())
    expect(await eventsFor(json)).toEqual(['opened'])
    for (const orders of [[], null]) {
      await follow(start(orders, [json]), incident(over))
      expect(await eventsFor(json)).toEqual(['resolved'])
      await store.webhooks.tell(webhookId(json), id, { severity: 'warning', acknowledgedBy: null })
    }
  })

  it.each([
    ['while a silence lasts', 60_000, [], true],
    ['when its time is up', 0, ['opened'], false],
  ])('is no call %s, and says so in a document', async (_when, forMs, calls, silenced) => {
    const cards = start([json, pager])
    const scope = { kind: 'cluster' } as const
    await store.silences.add({
      id: 's',
      cluster: 'orders',
      scope,
      since: takenAt,
      until: takenAt + forMs,
      by: 'U0DANA',
      reason: 'planned',
    })
    await follow(cards, incident())
    expect(await eventsFor(pager)).toEqual(calls)
    expect((await waiting(json)).map(({ incident }) => incident?.silenced)).toEqual([silenced])
  })

  it('leaves no news when its transaction fails', async () => {
    const cards = start([json])
    await expect(
      cards.commit(id, async ({ incidents }) => {
        await incidents.put(incident())
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await eventsFor(json)).toEqual([])
    await follow(cards, incident())
    expect(await eventsFor(json)).toEqual(['opened'])
  })
})

describe('a proposal', () => {
  const take = async (
    cards: Cards,
    made: ReturnType<typeof proposal>,
    step: Parameters<typeof advance>[2],
  ) => {
    await store.proposals.add(made)
    await cards.commit(made.cardId, (tx) => advance(tx, made, step))
  }

  it('is sent to programs and not to a pager', async () => {
    const open = proposal()
    await take(start([json, pager]), open, expire(open))
    expect(await eventsFor(pager)).toEqual([])
    const [said] = await waiting(json)
    expect(said).toMatchObject({
      event: 'decided',
      by: 'pg-marshal',
      incident: null,
      decision: { kind: 'expired', reason: null, have: null, needed: null },
      proposal: { state: 'expired', expiresAt: new Date(madeAt + 60_000).toISOString() },
    })
  })

  it('comes with the incident on whose card it stands', async () => {
    const cards = start([json])
    await follow(cards, incident())
    const open = proposal({ cardId: id })
    await take(cards, open, expire(open))
    const [, said] = await waiting(json)
    expect(said).toMatchObject({ event: 'decided', card: { id }, incident: { id } })
  })

  it.each([
    ['that nobody asked for is no decision when it is taken back', {}, []],
    ['that somebody asked for is', { requestedBy: 'U0RIA' }, ['decided']],
    ['that somebody approved is', { approvals: [{ userId: 'U0DANA', at: 1 }] }, ['decided']],
  ])('%s', async (_what, fields, events) => {
    const open = proposal(fields)
    await take(start([json]), open, withdraw(open, 'it is gone'))
    expect(await eventsFor(json)).toEqual(events)
  })

  it('has its outcome in a sentence', async () => {
    const claimed = proposal({ state: 'claimed' })
    await store.proposals.add(claimed)
    const cards = start([json])
    await cards.commit(claimed.cardId, (tx) =>
      advance(
        tx,
        claimed,
        finish(claimed, { outcome: { kind: 'refused', why: 'No.' }, sql: null, returned: null }),
      ),
    )
    expect((await waiting(json))[0]).toMatchObject({
      event: 'outcome',
      decision: null,
      proposal: { outcome: { kind: 'refused', sentence: 'Nothing was sent. No.' } },
    })
  })

  it('on another cluster is not sent', async () => {
    const open = proposal()
    await take(start([], [json]), open, expire(open))
    expect(await eventsFor(json)).toEqual([])
  })
})
