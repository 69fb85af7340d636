import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, it } from 'vitest'
import { type HttpServer, startHttp } from '../../src/http/server.ts'
import { within } from '../support/postgres.ts'

let server: HttpServer
afterEach(() => server.close())

async function start(over: Partial<Parameters<typeof startHttp>[0]> = {}) {
  server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    slack: null,
    ready: () => ({ stops: [], degrades: [], watching: [] }),
    now: () => 1_000_000,
    ...over,
  })
  return async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init)
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.text(),
    }
  }
}

it('says that it lives, and whether it is ready', async () => {
  const stops: string[] = []
  const degrades: string[] = []
  const ask = await start({ ready: () => ({ stops, degrades, watching: ['orders'] }) })
  expect(await ask('/healthz')).toEqual({ status: 200, type: 'application/json', body: '{"status":"ok"}\n' })
  expect(await ask('/readyz')).toMatchObject({
    status: 200,
    body: '{"status":"ok","problems":[],"watching":["orders"]}\n',
  })
  degrades.push('orders: gone')
  expect(await ask('/readyz')).toMatchObject({
    status: 200,
    body: '{"status":"degraded","problems":["orders: gone"],"watching":["orders"]}\n',
  })
  stops.push('Slack: token_revoked')
  expect(await ask('/readyz?verbose')).toMatchObject({
    status: 503,
    body: '{"status":"not ready","problems":["Slack: token_revoked","orders: gone"],"watching":["orders"]}\n',
  })
  expect((await ask('/healthz')).status).toBe(200)
  expect(await ask('/healthz', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
})

it('exposes metrics as they are told', async () => {
  const ask = await start({
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'a 1\n' }),
  })
  expect(await ask('/metrics')).toEqual({ status: 200, type: 'text/plain; version=0.0.4', body: 'a 1\n' })
})

it('fails a scrape that cannot be answered, and says no more', async () => {
  const ask = await start({
    metrics: async () => {
      throw new Error('/secret/path')
    },
  })
  expect(await ask('/metrics')).toMatchObject({ status: 500, body: '{"error":"internal error"}\n' })
  expect((await ask('/healthz')).status).toBe(200)
})

it('has nothing else, and takes nothing', async () => {
  const ask = await start()
  for (const path of ['/', '/metrics', '/slack/events', '/constructor', '/healthz/'])
    expect((await ask(path)).status).toBe(404)
  expect((await ask('/healthz', { method: 'POST', body: 'x' })).status).toBe(405)
})

it('survives what is no path', async () => {
  const ask = await start()
  const socket = connect(server.port, '127.0.0.1')
  socket.end('GET // HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 404 /)
  if (!socket.closed) await once(socket, 'close')
  expect((await ask('/healthz')).status).toBe(200)
})

it('hands to Slack what is for Slack, unless it comes from the future', async () => {
  const ask = await start({ slack: (_, response) => void response.end('for Slack') })
  const at = (seconds: number) => ({
    method: 'POST',
    headers: { 'x-slack-request-timestamp': String(seconds) },
  })
  expect((await ask('/slack/events', at(1_300))).body).toBe('for Slack')
  expect((await ask('/slack/events', at(1_301))).status).toBe(401)
})

/** A connection to the server, and what was said over it by its end. */
function open(sends = ''): { socket: Socket; closed: Promise<string> } {
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  let said = ''
  socket.setEncoding('utf8').on('data', (data) => {
    said += data
  })
  // Whoever is cut off may see a reset.
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(said)))
  socket.write(sends)
  return { socket, closed }
}

it('closes the oldest connection when there are too many, never the newest', async () => {
  const ask = await start({ limits: { connections: 3 } })
  const idle: ReturnType<typeof open>[] = []
  for (let n = 0; n < 3; n++) {
    const one = open()
    await once(one.socket, 'connect')
    idle.push(one)
  }
  expect((await ask('/healthz')).status).toBe(200)
  expect(await within(idle[0]?.closed ?? Promise.reject(), 'the oldest is closed')).toBe('')
  expect(idle.map(({ socket }) => socket.closed)).toEqual([true, false, false])
  for (const { socket } of idle) socket.destroy()
})

it.each([
  ['nothing', ''],
  ['half a request line', 'GET /hea'],
  ['headers without an end', 'GET /healthz HTTP/1.1\r\nHost: x\r\n'],
  ['a body that does not come', 'POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{'],
])('does not wait for long for whoever sends %s', async (_, sends) => {
  const ask = await start({
    slack: (request, response) => void request.once('end', () => response.end('read')).resume(),
    limits: { headersMs: 50, requestMs: 50, checkMs: 10 },
  })
  const { closed } = open(sends)
  expect(await within(closed, 'it is closed')).not.toContain('200 OK')
  expect((await ask('/healthz')).status).toBe(200)
})

it('does not keep a connection on which nothing more comes', async () => {
  await start({ limits: { idleMs: 50, checkMs: 10 } })
  const { closed } = open('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(await within(closed, 'it is closed')).toContain('200 OK')
})
