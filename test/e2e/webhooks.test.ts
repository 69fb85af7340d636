import { afterEach, beforeEach, expect, it } from 'vitest'
import { documentSchema } from '../../src/views/webhooks/document.ts'
import { openRoom, type Room } from '../support/harness.ts'
import { openReceiver, type Receiver, status } from '../support/receiver.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room | undefined
let pager: Receiver
let hook: Receiver

const { server, shop } = await useShop(() => room)
beforeEach(async () => {
  pager = await openReceiver()
  hook = await openReceiver()
})
afterEach(() => Promise.all([pager.close(), hook.close()]))

const open = (more: Record<string, unknown> = {}) =>
  openRoom(server.marshalUrl, {
    over: {
      notify: {
        webhooks: [
          { kind: 'pagerduty', url: pager.url, routingKey: 'R0UTING', from: 'warning' },
          { kind: 'json', url: hook.url, secret: 'sehr-geheim' },
        ],
      },
      ...more,
    },
  })

const pages = () => pager.received.map(({ body }) => JSON.parse(body))
const documents = () => hook.received.map(({ body }) => documentSchema.parse(JSON.parse(body)))
const untilPaged = (action: string) =>
  pager.until(() => pages().some(({ event_action }) => event_action === action))
const untilSent = (event: string) => hook.until(() => documents().some((one) => one.event === event))
const readiness = async (port: number) => (await fetch(`http://127.0.0.1:${port}/readyz`)).json()

it('calls when a jam begins, when somebody takes it, and when it is over; and sends each step', async () => {
  room = await open()
  const { root } = await jamOne(server, shop)
  await room.start()
  await untilPaged('trigger')
  const card = await room.card('approve_terminate')
  await room.press('U0RESP', card, 'pg_acknowledge')
  await untilPaged('acknowledge')
  await room.press('U0DANA', card, 'approve_terminate')
  await untilPaged('resolve')
  await untilSent('resolved')

  const [first] = pages()
  expect(pages().map((page) => [page.event_action, page.dedup_key])).toEqual(
    ['trigger', 'acknowledge', 'resolve'].map((action) => [action, first.dedup_key]),
  )
  expect(first).toMatchObject({
    routing_key: 'R0UTING',
    payload: {
      source: 'orders',
      severity: 'warning',
      summary: expect.stringMatching(/blocks 1 session on orders/),
    },
    links: [{ href: expect.stringContaining(card.ts.replace('.', '')) }],
  })
  const sent = documents()
  expect(sent.map(({ event }) => event)).toEqual(['opened', 'acknowledged', 'decided', 'outcome', 'resolved'])
  expect(sent[1]).toMatchObject({ by: 'U0RESP', incident: { acknowledgedBy: 'U0RESP' } })
  expect(sent[2]).toMatchObject({ by: 'U0DANA', decision: { kind: 'approved', have: 1, needed: 1 } })
  expect(sent[3]?.proposal).toMatchObject({
    session: { pid: root.pid },
    outcome: { kind: 'effective', sentence: expect.stringContaining(`${root.pid} is gone`) },
  })
  expect(sent[0]?.incident?.session?.statement).toBe('UPDATE orders SET state = ? WHERE id = ?')
  for (const { body } of [...pager.received, ...hook.received]) expect(body).not.toMatch(/paying|sehr-geheim/)
})

it.each([
  ['hidden', null],
  ['full', 'UPDATE orders SET state = ? WHERE id = ?'],
])('sends statements with queryText %s as %s', async (queryText, statement) => {
  room = await open({ queryText })
  await jamOne(server, shop)
  await room.start()
  await untilPaged('trigger')
  await untilSent('opened')
  expect(documents()[0]?.incident?.session?.statement).toBe(statement)
  expect(pages()[0].payload.custom_details.session.statement).toBe(statement)
})

it('sends what is requested by hand and denied', async () => {
  room = await open({ watch: { every: '200ms', blockedFor: '1h' } })
  const session = await server.open('report', shop)
  await session.query('BEGIN')
  await room.start()
  await room.type('U0RESP', `terminate ${session.pid} it holds up the release`)
  await untilSent('requested')
  const card = await room.card('approve_terminate')
  await room.press('U0DANA', card, 'deny_terminate')
  await room.workspace.waitFor(() => room?.workspace.modal('U0DANA'))
  await room.workspace.submitView({ userId: 'U0DANA', values: { reason: 'not now' } })
  await untilSent('decided')
  expect(documents().map(({ event, by }) => [event, by])).toEqual([
    ['requested', 'U0RESP'],
    ['decided', 'U0DANA'],
  ])
  expect(documents()[0]).toMatchObject({
    incident: null,
    proposal: {
      action: 'terminate',
      reason: 'it holds up the release',
      requestedBy: ['U0RESP'],
      state: 'open',
    },
  })
  expect(documents()[1]).toMatchObject({
    decision: { kind: 'denied', reason: 'not now' },
    proposal: { state: 'denied' },
  })
  expect(pages()).toEqual([])
})

it('calls nobody in a quiet period, and calls for what is still so when it ends', async () => {
  room = await open()
  await room.start()
  await room.type('U0RESP', 'quiet 1h upgrade of the shop')
  await room.line(/Quiet period on orders/)
  await jamOne(server, shop)
  await untilSent('opened')
  expect(documents()[0]?.incident?.silenced).toBe(true)
  expect(pages()).toEqual([])
  await room.type('U0RESP', 'quiet off')
  await untilPaged('trigger')
})

it('calls although Slack is down and a receiver hangs, and says who takes nothing', async () => {
  room = await open()
  const app = await room.start()
  room.workspace.holdFault('down', { kind: 'error500', times: Number.POSITIVE_INFINITY })
  hook.answer(() => {})
  await jamOne(server, shop)
  await untilPaged('trigger')
  expect(pages()[0].links[0].href).toMatch(
    /^https:\/\/slack.com\/app_redirect\?team=T\w+&channel=C0INCIDENTS$/,
  )
  await hook.until(({ length }) => length > 0)
  room.workspace.holdFault('down', null)
  await expect
    .poll(() => readiness(app.port), { timeout: 30_000 })
    .toMatchObject({
      status: 'degraded',
      problems: [expect.stringContaining(`Webhook: json ${new URL(hook.url).origin}`)],
    })
  const metrics = await (await fetch(`http://127.0.0.1:${app.port}/metrics`)).text()
  expect(metrics).toMatch(/pg_marshal_webhook_deliveries\{receiver="json http:\/\/127.0.0.1:\d+"\} [1-9]/)
  expect(metrics).not.toContain('geheim')
  hook.answer(status(204))
})

it('says in the thread what a receiver refused', async () => {
  room = await open()
  pager.answer(status(400))
  await jamOne(server, shop)
  await room.start()
  const card = await room.card('approve_terminate')
  await room.thread(card.ts, /pagerduty http:\/\/127.0.0.1:\d+ did not take "opened" \(HTTP 400\)/)
  pager.answer(status(204))
})

it('loses nothing when it is stopped in between', async () => {
  room = await open()
  hook.answer(status(503))
  await jamOne(server, shop)
  const app = await room.start()
  await hook.until(({ length }) => length > 0)
  await app.stop()
  const id = documents()[0]?.id
  hook.answer(status(204))
  await room.start()
  await hook.until(() => documents().filter((one) => one.id === id).length > 1)
})
