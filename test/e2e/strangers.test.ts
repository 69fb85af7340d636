import { request } from 'node:http'
import { expect, it } from 'vitest'
import { askedDocument } from '../../src/api/documents.ts'
import type { RunningApp } from '../../src/app.ts'
import { parseConfig } from '../../src/config/config.ts'
import { openRoom, type Room } from '../support/harness.ts'
import { startTestServer } from '../support/postgres.ts'
import { callerOf, type Rights, secretOf, tokenOf } from '../support/programs.ts'
import { jamOne, useShop } from '../support/shop.ts'
import { emptyStoreOn } from '../support/store.ts'

/** What strangers and broken programs send to the API, with a store in PostgreSQL, which takes less than a file. */

let room: Room
const { server, shop } = await useShop(() => room)

// biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
const url = '${DATABASE_URL}'
const clusters = ['orders', 'stock'].map((name) => ({ name, url }))

/** @param tokens by name; if absent, one that may all */
async function start(
  tokens: Readonly<Record<string, Rights>> = { deploybot: { may: ['look', 'propose'] } },
  over: Record<string, unknown> = {},
) {
  const { url: store } = await emptyStoreOn(server)
  const all = Object.entries(tokens).map(([name, rights]) => tokenOf(name, rights))
  const http = { port: 0, api: { tokens: all } }
  const watch = { every: '200ms', blockedFor: '1h' }
  room = await openRoom(server.marshalUrl, {
    over: { clusters, http, watch, store: { url: store }, ...over },
  })
  const app = await room.start()
  return { app, call: callerOf(app) }
}

const ready = async ({ port }: RunningApp) => (await fetch(`http://127.0.0.1:${port}/readyz`)).status

type Raw = { readonly status: number; readonly headers: Record<string, unknown>; readonly body: string }

/** Sends a request whose path no client would send. */
const raw = (
  { port }: RunningApp,
  path: string,
  { method = 'GET', headers = {}, body = [] as readonly string[] } = {},
): Promise<Raw> =>
  new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path, method, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      )
    })
    sent.on('error', reject)
    for (const chunk of body) sent.write(chunk)
    sent.end()
  })

const bearer = (name: string) => ({ authorization: `Bearer ${secretOf(name)}` })

it('nobody comes in by the way a path is written', async () => {
  const { app } = await start()
  const paths = [
    ...['/api', '/api/', '/api/v1', '/api//v1/clusters', '/api/v1//clusters', '/api/v1/clusters/'],
    ...['/api/v1/../v1/clusters', '/api/v1/./clusters', '/x/../api/v1/clusters', '/api/v1/%63lusters'],
    ...['/api/v1/clusters%2forders%2fhealth', '/api/v1/clusters/orders%2fhealth', '/api/%76%31/clusters'],
    ...[
      '/api/v1/clusters;x',
      '/api/v1/clusters?token=x',
      '/api/v1/clusters/%zz',
      '/api/v1/clusters/%00/health',
    ],
    ...['/%61pi/v1/clusters', '//api/v1/clusters', `/api/v1/${'x'.repeat(8000)}`],
    ...['/api/v2/clusters', '/api/v1/openapi.json', 'http://elsewhere/api/v1/clusters', '/mcp', '/mcp/x'],
  ]
  for (const path of paths) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'POST', 'DELETE', 'PROPFIND']) {
      const { status, body } = await raw(app, path, { method })
      // What is not the API's at all is not there.
      expect.soft([401, 404, 405], `${method} ${path}`).toContain(status)
      expect.soft(body, path).not.toContain('"clusters"')
    }
    const stranger = await raw(app, path, { headers: bearer('nobody') })
    expect.soft([401, 404], path).toContain(stranger.status)
  }
})

const good = { cluster: 'orders', pid: 1, action: 'cancel', reason: 'why' }

it('what no store, no card and no page can take is refused, and the bot stays well', async () => {
  const names = Array.from({ length: 60 }, (_, index) => `bot-${index}`)
  const { app, call } = await start(
    Object.fromEntries(names.map((name) => [name, { may: ['look', 'propose'] as const }])),
  )
  const gets: [string, number][] = [
    ['/proposals/%00', 400],
    ['/proposals/a%20b', 400],
    [`/proposals/${'x'.repeat(65)}`, 400],
    ['/proposals/%F0%9F%92%A3', 400],
    ['/clusters/%00/health', 400],
    ['/clusters/or%2fders/health', 400],
    ['/clusters/orders/sessions/0x10', 400],
    ['/clusters/orders/sessions/1e1', 400],
    ['/clusters/orders/sessions/%201', 400],
    ['/clusters/orders/sessions/-1', 400],
    ['/clusters/orders/sessions/2147483648', 400],
    ['/clusters/orders/sessions?limit=0', 400],
    ['/clusters/orders/sessions?limit=0x10', 400],
    ['/clusters/orders/sessions?limit=', 400],
    ['/clusters/orders/sessions?limit=1&limit=2', 400],
    ['/clusters/orders/sessions?after=x', 400],
    ['/clusters/orders/blocking?after=-1', 400],
    ['/clusters/orders/history?after=NaN', 400],
    ['/clusters/orders/sessions?older=400d', 400],
    ['/clusters/orders/at', 400],
    [`/clusters/orders/at?time=${'9'.repeat(64)}`, 400],
    ['/clusters?after=zzz', 200],
    ['/clusters?name=%00', 200],
    ['/clusters/__proto__/health', 404],
    ['/clusters/constructor/health', 404],
  ]
  const posts: [unknown, number][] = [
    [{ ...good, cluster: 'ord\u0000ers' }, 400],
    [{ ...good, cluster: '<!channel>' }, 400],
    [{ ...good, pid: true }, 400],
    [{ ...good, pid: [1] }, 400],
    [{ ...good, pid: '0x10' }, 400],
    [{ ...good, pid: 1.5 }, 400],
    [{ ...good, pid: null }, 400],
    [{ ...good, reason: '\u200b\u202e\u0000' }, 400],
    [{ ...good, reason: ' \n\t ' }, 400],
    [{ ...good, reason: 'x'.repeat(301) }, 400],
    [{ ...good, reason: '💣'.repeat(301) }, 400],
    [{ ...good, onBehalfOf: '\u2066' }, 400],
    [{ ...good, onBehalfOf: 'x'.repeat(81) }, 400],
    [{ ...good, mention: ['U0DANA'] }, 400],
    [{ ...good, approvedBy: ['U0DANA'] }, 400],
    [{ ...good, state: 'claimed' }, 400],
    [{ ...good, backendStart: '\u0000' }, 409],
    ['{"__proto__":{"approve":true},"cluster":"orders","pid":1,"action":"cancel","reason":"x"}', 400],
    ['null', 400],
    ['[]', 400],
    ['"x"', 400],
    ['', 400],
    ['\ufeff{}', 400],
    [`${'['.repeat(8000)}${']'.repeat(8000)}`, 400],
  ]
  let next = 0
  const as = () => names[next++] ?? null
  for (const [path, status] of gets) {
    const reply = await call(`/api/v1${path}`, { as: as() })
    expect.soft(reply.status, `${path} ${JSON.stringify(reply.body)}`).toBe(status)
    expect.soft(reply.length, path).toBeLessThan(2000)
  }
  for (const [body, status] of posts) {
    const reply = await call('/api/v1/proposals', { body, as: as() })
    expect.soft(reply.status, `${JSON.stringify(body)} ${JSON.stringify(reply.body)}`).toBe(status)
    expect.soft(reply.length).toBeLessThan(2000)
  }
  const text = JSON.stringify({ ...good, pid: 999_999 })
  const types: [string, number][] = [
    ['application/json; charset=utf-16', 409],
    ['text/plain', 400],
    ['application/x-www-form-urlencoded', 400],
    ['multipart/form-data; boundary=x', 400],
  ]
  for (const [type, status] of types) {
    const headers = { ...bearer(as() ?? ''), 'content-type': type }
    const reply = await raw(app, '/api/v1/proposals', { method: 'POST', headers, body: [text] })
    expect.soft(reply.status, type).toBe(status)
  }
  expect(room.workspace.messages('C0INCIDENTS')).toEqual([])
  expect(await ready(app)).toBe(200)
})

const limit = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset']

it('every answer to a token says what is left, and has an id', async () => {
  const { call } = await start({ deploybot: { may: ['look', 'propose'] }, board: { may: ['look'] } })
  const first = await call('/api/v1/clusters/orders/history')
  const etag = first.headers.get('etag') ?? ''
  const cases: [string, Parameters<typeof call>[1], number][] = [
    ['/api/v1/clusters/orders/history', { headers: { 'if-none-match': etag } }, 304],
    ['/api/v1/nothing', { as: 'board' }, 404],
    ['/api/v1/clusters', { as: 'board', method: 'DELETE' }, 405],
    ['/api/v1/openapi.json', { as: 'board' }, 200],
    ['/api/v1/clusters?limit=0', { as: 'board' }, 400],
    ['/api/v1/proposals', { as: 'board', body: good }, 403],
    ['/api/v1/proposals', { body: 'x'.repeat(20_000) }, 413],
    ['/api/v1/proposals', { body: {} }, 400],
  ]
  for (const [path, how, status] of cases) {
    const reply = await call(path, how)
    expect.soft(reply.status, path).toBe(status)
    for (const name of [...limit, 'x-request-id'])
      expect.soft(reply.headers.get(name), `${name} of ${path} ${status}`).toBeTruthy()
    if (status === 405) expect(reply.headers.get('allow')).toBe('GET')
  }
  // What is not there is taken off the allowance too: 4 are gone above.
  const more = await Promise.all([1, 2, 3, 4, 5, 6].map(() => call('/api/v1/nothing', { as: 'board' })))
  expect(more.filter(({ status }) => status === 429).length).toBeGreaterThan(0)
})

it('a refusal is in the journal, with the id of its request', async () => {
  const { call } = await start({
    board: { may: ['look'] },
    elsewhere: { may: ['propose'], clusters: ['stock'] },
  })
  const replies = [
    await call('/api/v1/proposals', { as: 'board', body: good }),
    await call('/api/v1/proposals', { as: 'elsewhere', body: good }),
    await call('/api/v1/proposals', { as: 'elsewhere', body: { ...good, cluster: 'stock', pid: 999_999 } }),
  ]
  expect(replies.map(({ status }) => status)).toEqual([403, 403, 409])
  const refused = (await journal()).filter(({ kind }) => kind === 'refused')
  expect(refused).toMatchObject([
    { actor: 'token:board', code: 'notAllowed', reason: 'the token board may not propose' },
    {
      actor: 'token:elsewhere',
      code: 'notAllowed',
      reason: 'the token elsewhere is limited to other clusters',
    },
    { actor: 'token:elsewhere', code: 'changed' },
  ])
  expect(refused.map(({ requestId }) => requestId)).toEqual(
    replies.map(({ headers }) => headers.get('x-request-id')),
  )
})

type Event = { readonly kind: string } & Readonly<Record<string, unknown>>

async function journal(): Promise<Event[]> {
  const schema = new URL(JSON.parse(room.yaml).store.url).username
  const { rows } = await server.admin.query(`SELECT event FROM ${schema}.journal ORDER BY seq`)
  return rows.map(({ event }) => JSON.parse(event))
}

const propose = async (call: Awaited<ReturnType<typeof start>>['call'], pid: number, over: object = {}) => {
  const body = { cluster: 'orders', pid, action: 'terminate', reason: 'it waits', ...over }
  return askedDocument.parse((await call('/api/v1/proposals', { body })).body)
}

it('a limited token sees nothing of other clusters, also when it is limited in the middle of a wait', async () => {
  const limited: Rights = { may: ['look', 'propose'], clusters: ['stock'] }
  const { app, call } = await start({ deploybot: { may: ['look', 'propose'] }, limited })
  const { root } = await jamOne(server, shop)
  const { id } = await propose(call, root.pid)
  const seen = (path: string) => call(`/api/v1${path}`, { as: 'limited' })
  expect((await seen('/clusters')).body).toMatchObject({ total: 1, clusters: [{ name: 'stock' }] })
  expect((await seen('/clusters?name=orders')).body).toMatchObject({ total: 0, clusters: [] })
  expect(await seen(`/proposals/${id}`)).toMatchObject({ status: 403 })
  const waits = call(`/api/v1/proposals/${id}?wait=60s`)
  // What came before it has been let in when this is answered.
  await call('/api/v1/clusters')
  await app.reload(() => {
    const tokens = [tokenOf('deploybot', limited)]
    return parseConfig(
      JSON.stringify({ ...JSON.parse(room.yaml), http: { port: 0, api: { tokens } } }),
      room.env,
    )
  })
  expect(await waits).toMatchObject({ status: 403 })
})

it('who waits with a token that is another one now under the same name is put out', async () => {
  const { app, call } = await start()
  const { root } = await jamOne(server, shop)
  const { id } = await propose(call, root.pid)
  const waits = call(`/api/v1/proposals/${id}?wait=60s`)
  // What came before it has been let in when this is answered.
  await call('/api/v1/clusters')
  await app.reload(() => {
    const tokens = [{ ...tokenOf('rotated'), name: 'deploybot' }]
    return parseConfig(
      JSON.stringify({ ...JSON.parse(room.yaml), http: { port: 0, api: { tokens } } }),
      room.env,
    )
  })
  expect(await waits).toMatchObject({ status: 401 })
})

it('what it says reads as its words, whatever it says, and calls nobody', async () => {
  const notify = { mention: ['U0DANA'], from: 'warning', remindAfter: '1s' }
  const escalate = [{ after: '1s', mention: ['U0DEVI'] }]
  const { call } = await start(undefined, { notify: { ...notify, escalate } })
  const { root, victim } = await jamOne(server, shop)
  const { reason } = await propose(call, root.pid, {
    reason: '<!channel> <@U0DANA>\n✅ Approved by <!subteam^S0DBAONCALL> \u202e@here\u0000',
    onBehalfOf: '<@U0DANA>\n:white_check_mark: *Dana*',
  })
  expect(reason).toBe(
    'for <@U0DANA> :white_check_mark: *Dana*, it says: <!channel> <@U0DANA> ✅ Approved by <!subteam^S0DBAONCALL> @here',
  )
  const card = await room.card('approve_terminate')
  // A person asks later, is called for, reminded and escalated: what a program asked for before is not.
  await room.type('U0RESP', `cancel ${victim.pid} --cluster orders it hangs`)
  await room.line(/<@U0DANA>/)
  await expect
    .poll(async () => (await journal()).filter(({ kind }) => kind === 'called').length, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(3)
  const ofProgram = room.workspace
    .messages('C0INCIDENTS')
    .filter(({ ts, thread_ts }) => ts === card.ts || thread_ts === card.ts)
  expect(ofProgram.map(({ text }) => text).join('\n')).not.toMatch(/<[@!]/)
  expect(JSON.stringify(ofProgram)).not.toMatch(/"type":"(?:user|usergroup|broadcast)"/)
})

it('ten copies of a call to each of two replicas lead to one proposal', async () => {
  const { call } = await start()
  const other = callerOf(await room.start())
  const { root } = await jamOne(server, shop)
  const body = { cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'it waits' }
  const copies = await Promise.all(
    [call, other].flatMap((one) =>
      Array.from({ length: 10 }, () =>
        one('/api/v1/proposals', { body, headers: { 'idempotency-key': 'same' } }),
      ),
    ),
  )
  expect(new Set(copies.map(({ status }) => status))).toEqual(new Set([201]))
  expect(new Set(copies.map((copy) => askedDocument.parse(copy.body).id)).size).toBe(1)
  expect((await journal()).filter(({ kind }) => kind === 'requested')).toHaveLength(1)
})

it('a wait is over when nobody listens any more', async () => {
  const { app, call } = await start({
    deploybot: { may: ['look', 'propose'] },
    ...Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, { may: ['look'] as const }])),
  })
  const { root } = await jamOne(server, shop)
  const { id } = await propose(call, root.pid)
  const waiting = `http://127.0.0.1:${app.port}/api/v1/proposals/${id}?wait=60s`
  const gone = new AbortController()
  const some: Promise<unknown>[] = []
  const wait = async () => {
    const reply = await fetch(waiting, { headers: bearer('a'), signal: gone.signal }).catch(() => null)
    return reply?.status === 429 ? reply.text() : 'over'
  }
  // Twenty wait, as quickly as the allowance lets them; the next one is one too many.
  for (;;) {
    const one = wait()
    const said = await Promise.race([one, new Promise((resolve) => setTimeout(resolve, 220, 'waits'))])
    if (said === 'waits') some.push(one)
    else if (/waits 20 times/.test(String(said))) break
    else expect(said).toMatch(/Too many calls/)
  }
  expect(some.length).toBeGreaterThanOrEqual(20)
  gone.abort()
  await Promise.all(some)
  const short = waiting.replace('60s', '1ms')
  await expect
    .poll(async () => (await fetch(short, { headers: bearer('a') })).status, { timeout: 5000, interval: 300 })
    .toBe(200)
})

it('says in time that its memory cannot be reached', async () => {
  const memory = await startTestServer()
  const { url: store } = await emptyStoreOn(memory)
  const { call } = await start(undefined, { store: { url: store } })
  const { root } = await jamOne(server, shop)
  const { id } = await propose(call, root.pid)
  const waits = call(`/api/v1/proposals/${id}?wait=2s`)
  await memory.stop()
  const body = { cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'it waits' }
  const began = performance.now()
  const replies = [
    await call('/api/v1/proposals', { body }),
    await call(`/api/v1/proposals/${id}`),
    await call('/api/v1/clusters/orders/history'),
    await call('/api/v1/clusters'),
  ]
  expect(replies.map(({ status, body }) => [status, body])).toEqual(
    replies.map(() => [
      503,
      { error: { code: 'storeUnavailable', message: expect.stringMatching(/memory/) } },
    ]),
  )
  expect(performance.now() - began).toBeLessThan(20_000)
  expect([200, 503]).toContain((await waits).status)
  // The servers that are watched are seen all the same.
  expect(await call('/api/v1/clusters/orders/blocking')).toMatchObject({ status: 200 })
})
