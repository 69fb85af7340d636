import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { openRoom, type Room } from '../support/harness.ts'
import { waitFor } from '../support/postgres.ts'
import { run } from '../support/process.ts'
import { useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

async function jam() {
  const [root, waiter] = [await server.open('checkout', shop), await server.open('web', shop)]
  await root.query('SELECT pg_advisory_lock(7)')
  void waiter.start('SELECT pg_advisory_lock(7)')
  await server.untilWaiting(waiter)
  return root
}

it('tells Prometheus of the cluster, its incidents, what was done, and of Slack', async () => {
  room = await openRoom(server.marshalUrl)
  const root = await jam()
  const { port } = await room.start()
  const scrape = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    return response.text()
  }
  const until = (line: string) => waitFor(async () => (await scrape()).includes(`\n${line}`), line)

  await until('pg_marshal_incidents_open{cluster="orders",kind="blocking"} 1\n')
  await until('pg_marshal_cluster_up{cluster="orders"} 1\n')
  await until('pg_marshal_sessions_waiting{cluster="orders"} 1\n')
  await until('pg_marshal_snapshot_duration_seconds_count{cluster="orders"} ')
  const card = await room.card('approve_terminate')
  await room.press('U0DANA', card, 'approve_terminate')
  await root.ended
  await until('pg_marshal_actions_total{action="terminate",result="effective"} 1\n')
  await until('pg_marshal_incidents_open{cluster="orders",kind="blocking"} 0\n')
  await until('pg_marshal_outbox_messages 0\n')
  // Neither who was there nor what they did.
  expect(await scrape()).not.toMatch(
    new RegExp(`\\b(checkout|web|advisory|shop)\\b|"${root.pid}"|"postgres"`),
  )

  server.suspend()
  await until('pg_marshal_cluster_up{cluster="orders"} 0\n')
  expect(await scrape()).not.toContain('pg_marshal_sessions{')
})

it('is degraded while it may not see what the sessions do', async () => {
  room = await openRoom(server.marshalUrl)
  const { port } = await room.start()
  const ready = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`)
    return [response.status, await response.text()] as const
  }
  await waitFor(async () => (await ready())[1].includes('"ok"'), 'it is ready')
  try {
    await server.admin.query('REVOKE pg_monitor FROM marshal')
    await waitFor(async () => (await ready())[1].includes('"degraded"'), 'it is degraded')
    expect((await ready())[0]).toBe(200)
    expect((await ready())[1]).toContain('orders: the bot lacks pg_monitor')
  } finally {
    await server.admin.query('GRANT pg_monitor TO marshal')
  }
  await waitFor(async () => (await ready())[1].includes('"ok"'), 'it is ready again')
})

it('keeps the dead-man’s switch quiet while it sees, and no longer', async () => {
  let beats = 0
  const listener = createServer((request, response) => {
    if (request.url === '/ping') beats++
    response.end()
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  try {
    const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/ping`
    room = await openRoom(server.marshalUrl, { over: { watch: { every: '100ms', heartbeatUrl: url } } })
    await room.start()
    await waitFor(() => beats >= 2, 'heartbeats')
    server.suspend()
    const card = await room.line(/^🔴 orders does not answer/)
    const before = beats
    server.resume()
    await room.until(card.ts, /^🟢 Resolved/)
    await waitFor(() => beats > before, 'heartbeats again')
  } finally {
    listener.closeAllConnections()
    listener.close()
  }
})

it('answers check and /pg rules', async () => {
  room = await openRoom(server.marshalUrl, {
    over: {
      watch: { every: '200ms', rules: [{ match: { applicationName: 'pg_dump' }, queryLongerThan: '6h' }] },
    },
  })
  const calm = await run(room, ['check'])
  expect([await calm.ended, calm.output()]).toEqual([
    0,
    expect.stringMatching(/^PG_MARSHAL OK - orders: .*\|waiting=0/),
  ])
  await jam()
  const check = await run(room, ['check', '--cluster', 'orders', '--blocked-for', '1ms'])
  expect([await check.ended, check.output()]).toEqual([
    2,
    expect.stringMatching(/^PG_MARSHAL CRITICAL - [^\n]*\n$/),
  ])
  for (const args of [['--cluster', 'shop'], ['--blocked-for', '1'], ['--nonsense'], ['what']]) {
    const asked = await run(room, ['check', ...args])
    expect([await asked.ended, asked.output()]).toEqual([
      3,
      expect.stringMatching(/^PG_MARSHAL UNKNOWN - [^\n]*\n$/),
    ])
  }
  await room.start()
  await room.type('U0DANA', 'rules --app pg_dump')
  expect((await room.line(/^Rules on orders/)).text).toContain('rule 1 holds.')
})
