import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { askedDocument } from '../../src/api/documents.ts'
import { openRoom, type Room } from '../support/harness.ts'
import { callerOf, secretOf, tokenOf } from '../support/programs.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

async function start(over: Record<string, unknown> = {}) {
  room = await openRoom(server.marshalUrl, {
    over: {
      http: { port: 0, api: { tokens: [tokenOf('deploybot')] } },
      watch: { every: '200ms', blockedFor: '1h' },
      ...over,
    },
  })
  const bot = await room.start()
  return { bot, call: callerOf(bot) }
}

it('a program has its proposal while Slack is down, and hears of the card when it stands', async () => {
  const { call } = await start()
  const { root } = await jamOne(server, shop)
  room.workspace.holdFault('down', { kind: 'error500', times: Number.POSITIVE_INFINITY })
  const body = { cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'it waits' }
  const made = await call('/api/v1/proposals', { body })
  expect(made.status).toBe(201)
  const { id, ...asked } = askedDocument.parse(made.body)
  expect(asked).toMatchObject({ state: 'open', card: { ts: null, permalink: null } })
  room.workspace.holdFault('down', null)
  const { ts } = await room.card('approve_terminate')
  expect((await call(`/api/v1/proposals/${id}`)).body).toMatchObject({ card: { ts } })
})

it('a program sees no statement where people see none', async () => {
  const { call } = await start({ queryText: 'hidden' })
  const { root } = await jamOne(server, shop)
  const body = { cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'it waits' }
  const looks = ['blocking', 'sessions', `sessions/${root.pid}`, 'health', 'history']
  const replies = [
    await call('/api/v1/proposals', { body }),
    ...(await Promise.all(looks.map((path) => call(`/api/v1/clusters/orders/${path}`)))),
  ]
  expect(replies.map(({ status }) => status)).toEqual([201, ...looks.map(() => 200)])
  for (const reply of replies) expect(JSON.stringify(reply.body)).not.toMatch(/UPDATE/)
})

it('what is written in no good way is refused, and read no further', async () => {
  const { bot } = await start()
  const say = (head: string, body = '') => {
    const socket = connect(bot.port, '127.0.0.1')
    socket.write(`${head}\r\nHost: x\r\nConnection: close\r\n${body === '' ? '\r\n' : body}`)
    return text(socket)
  }
  const token = `Authorization: Bearer ${secretOf('deploybot')}\r\n`
  for (const two of [`${token}Authorization: Bearer x\r\n`, `Authorization: Bearer x\r\n${token}`])
    expect(await say('GET /api/v1/clusters HTTP/1.1', `${two}\r\n`)).toMatch(/^HTTP\/1\.1 401 /)
  const chunk = `1000\r\n${' '.repeat(0x1000)}\r\n`
  const chunked = `${token}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}0\r\n\r\n`
  for (const path of ['/api/v1/proposals', '/mcp']) {
    const said = await say(`POST ${path} HTTP/1.1`, chunked)
    expect(said).toMatch(/^HTTP\/1\.1 413 /)
    expect(said).toMatch(/ratelimit-remaining/)
  }
})
