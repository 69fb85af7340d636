import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Webhook, webhookId, webhookName } from '../../src/domain/incidents/webhook.ts'
import { createLog } from '../../src/log.ts'
import { signatureOf } from '../../src/notify/webhookCall.ts'
import { createWebhookDelivery, type GivenUp, type WebhookDelivery } from '../../src/notify/webhooks.ts'
import type { Store } from '../../src/store/store.ts'
import type { WebhookDocument } from '../../src/views/webhooks/document.ts'
import { openReceiver, type Receiver, status } from '../support/receiver.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let receiver: Receiver
let delivery: WebhookDelivery | undefined
let lines: string[]
let gaveUp: GivenUp[]
let results: string[]

beforeEach(async () => {
  store = await openTestStore()
  receiver = await openReceiver()
  lines = []
  gaveUp = []
  results = []
})
afterEach(async () => {
  await delivery?.stop()
  await receiver.close()
  await store.close()
})

const at = (url: string): Webhook => ({ kind: 'json', url, secret: 'sehr-geheim', from: 'warning' })
const pagerAt = (url: string): Webhook => ({
  kind: 'pagerduty',
  url,
  routingKey: 'R0UTING',
  from: 'critical',
})

const incident: NonNullable<WebhookDocument['incident']> = {
  id: 'i1',
  kind: 'blocking',
  severity: 'critical',
  summary: 'checkout blocks 12 sessions on orders',
  victims: 12,
  session: null,
  beganAt: '2026-03-01T03:00:00.000Z',
  openedAt: '2026-03-01T03:00:00.000Z',
  resolvedAt: null,
  resolution: null,
  acknowledgedBy: null,
  silenced: false,
}

const documentOf = (id: string, over: Partial<WebhookDocument> = {}): WebhookDocument => ({
  version: 1,
  id,
  event: 'opened',
  at: '2026-03-01T03:00:00.000Z',
  cluster: 'orders',
  by: 'pg-marshal',
  card: { id: 'card', channel: 'C0INCIDENTS', permalink: null },
  incident,
  proposal: null,
  decision: null,
  ...over,
})

const put = (
  id: string,
  webhook: Webhook,
  {
    subject = 's1',
    now = Date.now(),
    ...over
  }: Partial<WebhookDocument> & { subject?: string; now?: number } = {},
) =>
  store.webhooks.enqueue(
    { id, receiver: webhookId(webhook), subject, document: JSON.stringify(documentOf(id, over)) },
    now,
  )

function start(
  webhooks: readonly Webhook[],
  over: Partial<Parameters<typeof createWebhookDelivery>[0]> = {},
) {
  const log = createLog({ level: 'trace', destination: { write: (line: string) => void lines.push(line) } })
  delivery = createWebhookDelivery({
    webhooks: new Map(webhooks.map((webhook) => [webhookId(webhook), webhook])),
    table: store.webhooks,
    linkTo: async (cardId) => `https://slack.test/${cardId}`,
    channelLink: (channel) => `https://slack.test/channel/${channel}`,
    giveUp: async (what) => {
      gaveUp.push(what)
      await store.webhooks.remove(what.id)
    },
    tried: (_receiver, result) => results.push(result),
    log,
    now: Date.now,
    patience,
    ...over,
  })
  delivery.start()
  return delivery
}

const patience = { pauses: { firstMs: 1, longestMs: 5 }, linkMs: 100, stopMs: 50 }

const idsIn = (received: Receiver['received']) => received.map(({ body }) => JSON.parse(body).id)

it('sends a signed document with the address of its card', async () => {
  const webhook = at(receiver.url)
  await put('a', webhook)
  await start([webhook]).empty()
  const [{ headers, body, path }] = receiver.received as [Receiver['received'][number]]
  expect(path).toBe('/hook/geheim')
  const timestamp = Number(headers['x-pg-marshal-request-timestamp'])
  expect(Math.abs(Date.now() / 1000 - timestamp)).toBeLessThan(60)
  expect(headers['x-pg-marshal-signature']).toBe(signatureOf('sehr-geheim', timestamp, body))
  expect(headers['content-type']).toContain('application/json')
  expect(JSON.parse(body)).toEqual(
    documentOf('a', { card: { id: 'card', channel: 'C0INCIDENTS', permalink: 'https://slack.test/card' } }),
  )
  expect(results).toEqual(['taken'])
})

it('calls a pager: trigger, acknowledge and resolve under one key', async () => {
  const webhook = pagerAt(receiver.url)
  await put('a', webhook)
  await put('b', webhook, { event: 'acknowledged' })
  await put('c', webhook, { event: 'gotWorse' })
  await put('d', webhook, { event: 'requested', incident: null })
  await put('e', webhook, { event: 'resolved' })
  await start([webhook]).empty()
  const bodies = receiver.received.map(({ body }) => JSON.parse(body))
  const about = { routing_key: 'R0UTING', dedup_key: 'pg-marshal:i1' }
  expect(bodies).toEqual([
    expect.objectContaining({ ...about, event_action: 'trigger' }),
    { ...about, event_action: 'acknowledge' },
    expect.objectContaining({ ...about, event_action: 'trigger' }),
    { ...about, event_action: 'resolve' },
  ])
  expect(bodies[0]).toMatchObject({
    links: [{ href: 'https://slack.test/card' }],
    payload: { summary: incident.summary, source: 'orders', severity: 'critical', class: 'blocking' },
  })
})

it.each([
  ['is not there', async () => null],
  ['never comes', () => new Promise<null>(() => {})],
  ['cannot be found', () => Promise.reject(new Error('Slack is down'))],
])('calls with the address of the channel where that of the card %s', async (_what, linkTo) => {
  const webhook = pagerAt(receiver.url)
  await put('a', webhook)
  await start([webhook], { linkTo }).empty()
  expect(JSON.parse(receiver.received[0]?.body ?? '').links[0].href).toBe(
    'https://slack.test/channel/C0INCIDENTS',
  )
})

describe('a receiver that', () => {
  it.each([
    ['answers 500', status(500), 'HTTP 500'],
    ['answers 408', status(408), 'HTTP 408'],
    ['answers 429 with an absurd Retry-After', status(429, { 'retry-after': '-17' }), 'HTTP 429'],
    ['redirects', status(307, { location: 'http://127.0.0.1:9/' }), 'HTTP 307'],
    ['hangs up', (request, _response) => void request.socket.destroy(), 'UND_ERR_SOCKET'],
    ['hangs', () => {}, 'no reply in time'],
  ] as [string, Parameters<Receiver['answer']>[0], string][])(
    '%s gets it again until it takes it, and is named with the reason',
    async (_what, listener, code) => {
      const webhook = at(receiver.url)
      receiver.answer(listener)
      await put('a', webhook)
      // Who answers at all does so in this time, on a busy machine too.
      const attemptMs = code === 'no reply in time' ? 300 : 10_000
      const { failures, empty } = start([webhook], { patience: { ...patience, attemptMs } })
      await receiver.until(({ length }) => length >= 3)
      expect(failures()).toEqual([{ receiver: webhookName(webhook), code }])
      receiver.answer(status(204))
      await empty()
      expect(new Set(idsIn(receiver.received))).toEqual(new Set(['a']))
      expect(results.slice(-2)).toEqual(['again', 'taken'])
      expect(failures()).toEqual([])
      expect(gaveUp).toEqual([])
    },
  )

  it('is not there gets it when it is back', async () => {
    const webhook = at('http://127.0.0.1:9/')
    await put('a', webhook)
    const { failures } = start([webhook])
    await expect.poll(failures).toEqual([{ receiver: 'json http://127.0.0.1:9', code: expect.any(String) }])
  })

  it.each([400, 401, 404, 410])('answers %i is not asked again, and the next goes on', async (code) => {
    const webhook = at(receiver.url)
    let first = true
    receiver.answer((request, response) => {
      status(first ? code : 204)(request, response)
      first = false
    })
    await put('a', webhook)
    await put('b', webhook)
    await start([webhook]).empty()
    expect(idsIn(receiver.received)).toEqual(['a', 'b'])
    expect(gaveUp).toMatchObject([{ id: 'a', code: `HTTP ${code}`, receiver: webhookName(webhook) }])
  })

  it('takes nothing for a day is not asked again', async () => {
    const webhook = at(receiver.url)
    receiver.answer(status(500))
    await put('a', webhook, { now: Date.now() - 86_400_000 })
    await start([webhook]).empty()
    expect(gaveUp).toMatchObject([{ id: 'a', code: 'HTTP 500' }])
  })

  it('lies with a body that has no end is believed by its status', async () => {
    const webhook = at(receiver.url)
    let written = 0
    let ended: () => void
    const closed = new Promise<void>((resolve) => {
      ended = resolve
    })
    receiver.answer((_request, response) => {
      response.on('close', ended)
      response.writeHead(200, { 'content-type': 'text/html' })
      const more = () => {
        while (!response.destroyed && response.write('<html>'.repeat(10_000))) written += 60_000
      }
      response.on('drain', more)
      more()
    })
    await put('a', webhook)
    await start([webhook]).empty()
    await closed
    expect(written).toBeLessThan(100_000_000)
    expect(receiver.received).toHaveLength(1)
  })

  it('asks for patience gets it, for all that waits', async () => {
    const webhook = at(receiver.url)
    receiver.answer((request, response) => {
      receiver.answer(status(204))
      status(429, { 'retry-after': '1' })(request, response)
    })
    await put('a', webhook)
    await put('b', webhook, { subject: 's2' })
    const asked = performance.now()
    const { empty } = start([webhook])
    await receiver.until(({ length }) => length === 2)
    const waited = performance.now() - asked
    await empty()
    expect(receiver.received).toHaveLength(3)
    expect(waited).toBeGreaterThan(950)
  })

  it('is down keeps nothing from another one', async () => {
    const other = await openReceiver()
    try {
      receiver.answer(() => {})
      const down = at(receiver.url)
      const up = at(other.url)
      await put('a', down)
      start([down, up])
      await receiver.until(({ length }) => length === 1)
      for (const id of ['b', 'c', 'd']) await put(id, up)
      delivery?.kick()
      await other.until(({ length }) => length === 3)
      expect(idsIn(other.received)).toEqual(['b', 'c', 'd'])
    } finally {
      await other.close()
    }
  })

  it('never takes one of its documents gets those of other incidents', async () => {
    const webhook = at(receiver.url)
    receiver.answer(async (request, response) =>
      status(idsIn(receiver.received).at(-1) === 'poison' ? 500 : 204)(request, response),
    )
    await put('poison', webhook)
    await put('after it', webhook)
    for (const id of ['x', 'y', 'z']) await put(id, webhook, { subject: id })
    start([webhook])
    await receiver.until((received) => ['x', 'y', 'z'].every((id) => idsIn(received).includes(id)))
    expect(idsIn(receiver.received)).not.toContain('after it')
  })
})

it('writes no secret to the log, and of an address only the origin', async () => {
  const webhook = pagerAt(receiver.url)
  const json = at(receiver.url)
  receiver.answer(status(500))
  await put('a', webhook)
  await put('b', json)
  start([webhook, json])
  await expect.poll(() => lines.length).toBeGreaterThanOrEqual(2)
  expect(lines.join()).toContain(new URL(receiver.url).origin)
  expect(lines.join()).not.toMatch(/geheim|R0UTING/)
})

it('ends what is under way when it stops, and sends it after the next start', async () => {
  const webhook = at(receiver.url)
  receiver.answer(() => {})
  await put('a', webhook)
  const first = start([webhook], { patience: { attemptMs: 60_000, stopMs: 10 } })
  await receiver.until(({ length }) => length === 1)
  await first.stop()
  receiver.answer(status(204))
  await start([webhook]).empty()
  expect(idsIn(receiver.received)).toEqual(['a', 'a'])
})

it('leaves what another process sends right now', async () => {
  const webhook = at(receiver.url)
  receiver.answer(() => {})
  await put('a', webhook)
  await put('b', webhook, { subject: 's2' })
  const first = start([webhook], { patience: { attemptMs: 60_000, stopMs: 10 } })
  await receiver.until(({ length }) => length === 1)
  receiver.answer(status(204))
  const second = start([webhook])
  await receiver.until(({ length }) => length === 2)
  expect(idsIn(receiver.received)).toEqual(['a', 'b'])
  await first.stop()
  await second.empty()
  expect(idsIn(receiver.received)).toEqual(['a', 'b', 'a'])
})

it('keeps the order of each subject, whatever fails and however often it is started again', async () => {
  const webhook = at(receiver.url)
  const fate = fc.constantFrom('take', 'fail', 'hang up', 'restart')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('s1', 's2', 's3'), { minLength: 1, maxLength: 8 }),
      fc.array(fate, { maxLength: 20 }),
      async (subjects, fates) => {
        const taken: string[] = []
        const left = [...fates]
        receiver.answer((request, response) => {
          const next = left.shift() ?? 'take'
          if (next === 'take') taken.push(idsIn(receiver.received).at(-1))
          if (next === 'restart') void delivery?.stop().then(() => start([webhook]))
          if (next === 'hang up') request.socket.destroy()
          else status(next === 'take' ? 200 : 503)(request, response)
        })
        for (const [n, subject] of subjects.entries()) await put(`${subject}:${n}`, webhook, { subject })
        start([webhook])
        await expect
          .poll(async () => (await store.webhooks.backlog()).length, { timeout: 20_000, interval: 5 })
          .toBe(0)
        await delivery?.stop()
        for (const subject of new Set(subjects)) {
          const numbers = taken.flatMap((id) => (id.startsWith(subject) ? [Number(id.split(':')[1])] : []))
          const seen = [...new Set(numbers)]
          expect(seen).toEqual(subjects.flatMap((one, n) => (one === subject ? [n] : [])))
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
        }
      },
    ),
    { numRuns: 25 },
  )
})
