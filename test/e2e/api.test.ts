import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, test } from 'vitest'
import { askedDocument, blockingDocument, sessionsDocument } from '../../src/api/documents.ts'
import { proposeInput } from '../../src/api/inputs.ts'
import { parseConfig } from '../../src/config/config.ts'
import { openRoom, type Room } from '../support/harness.ts'
import { type Call, callerOf, type Rights, tokenOf } from '../support/programs.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

// biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
const url = '${DATABASE_URL}'
const rights: Readonly<Record<string, Rights>> = {
  deploybot: { may: ['look', 'propose'] },
  board: { may: ['look'] },
  asker: { may: ['propose'] },
  elsewhere: { may: ['look', 'propose'], clusters: ['stock'] },
}
const withTokens = (tokens = Object.entries(rights).map(([name, may]) => tokenOf(name, may))) => ({
  http: { port: 0, api: { tokens } },
  clusters: ['orders', 'stock'].map((name) => ({ name, url })),
  watch: { every: '200ms', blockedFor: '1h' },
})

const start = async (over = withTokens()) => {
  room = await openRoom(server.marshalUrl, { over })
  const app = await room.start()
  const call = callerOf(app)
  return { app, call: (path: string, how?: Call) => call(`/api/v1${path}`, how) }
}

/** Asks for the end of a session; returns the id of the proposal. */
async function ask({ call }: Awaited<ReturnType<typeof start>>, pid: number, as = 'deploybot') {
  const body = { cluster: 'orders', pid, action: 'terminate', reason: 'it waits' }
  return askedDocument.parse((await call('/proposals', { as, body })).body).id
}

const events = () => {
  const database = new DatabaseSync(join(room.directory, 'store.db'), { readOnly: true })
  const rows = database.prepare('SELECT event FROM journal ORDER BY seq').all()
  database.close()
  return rows.map(({ event }) => JSON.parse(String(event)))
}

const refused = (status: number, code: string) => ({
  status,
  body: { error: { code, message: expect.stringMatching(/[.)]$|JSON|:/) } },
})

describe('a program', () => {
  it('sees the jam, asks for its end, waits for a person, and hears what came of it', async () => {
    const { call } = await start()
    const { root, victim } = await jamOne(server, shop)
    const blocking = blockingDocument.parse((await call('/clusters/orders/blocking')).body)
    expect(blocking).toMatchObject({ cluster: 'orders', total: 1, next: null, sessionsLeftOut: 0 })
    expect(blocking.roots).toMatchObject([{ pid: root.pid, victims: [victim.pid] }])
    expect(blocking.sessions.map(({ query }) => query)).toContain('UPDATE orders SET state = ? WHERE id = ?')
    const { pid, backendStart } = blocking.roots[0]?.recommendation ?? {}
    const asking = {
      body: {
        ...{ cluster: 'orders', pid, action: 'terminate', backendStart },
        reason: 'migration 42 waits <!channel> <@U0DANA>',
        onBehalfOf: 'Dana',
      },
      headers: { 'idempotency-key': 'k1' },
    }
    const made = await call('/proposals', asking)
    expect(made.status).toBe(201)
    const proposal = askedDocument.parse(made.body)
    expect(proposal).toMatchObject({ state: 'open', requestedBy: ['token:deploybot'], needed: 1 })
    expect(proposal.card).toMatchObject({ channel: 'C0INCIDENTS', permalink: expect.stringMatching(/^http/) })
    const card = await room.card('approve_terminate')
    expect(card.ts).toBe(proposal.card.ts)
    expect(card.text).toContain('token deploybot asks: for Dana, it says: migration 42 waits')
    expect(card.text).toContain('&lt;!channel&gt; &lt;@U0DANA&gt;')
    const outcome = call(`/proposals/${proposal.id}?wait=30s`)
    await room.press('U0DANA', card, 'approve_terminate')
    expect((await outcome).body).toMatchObject({
      ...{ state: 'done', approvedBy: ['U0DANA'], decision: null },
      outcome: { kind: 'effective', sentence: expect.stringMatching(/\.$/) },
    })
    await root.ended
    const requestId = made.headers.get('x-request-id')
    expect(events()).toContainEqual(
      expect.objectContaining({ kind: 'requested', actor: 'token:deploybot', requestId }),
    )
    // Long after the same call may come again: the session is gone, the answer is the same.
    expect(await call('/proposals', asking)).toMatchObject({
      status: 201,
      body: { id: proposal.id, state: 'done' },
    })
    expect(
      await call('/proposals', { ...asking, body: { ...asking.body, reason: 'another' } }),
    ).toMatchObject(refused(422, 'keyReused'))
  })

  it('joins the card that is open for the session, and makes one of ten copies of a call', async () => {
    const { call } = await start()
    const { root } = await jamOne(server, shop)
    await room.type('U0RESP', `terminate ${root.pid} --cluster orders it hangs`)
    const card = await room.card('approve_terminate')
    const body = { cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'so do we' }
    const copies = await Promise.all(
      Array.from({ length: 10 }, () => call('/proposals', { body, headers: { 'idempotency-key': 'same' } })),
    )
    expect(new Set(copies.map(({ status }) => status))).toEqual(new Set([201]))
    const joined = copies.map((copy) => askedDocument.parse(copy.body))
    expect(new Set(joined.map(({ id }) => id)).size).toBe(1)
    expect(joined[0]).toMatchObject({ requestedBy: ['U0RESP', 'token:deploybot'], card: { ts: card.ts } })
    await room.until(card.ts, /token deploybot/)
    expect(events().filter(({ kind }) => kind === 'requested')).toHaveLength(2)
    // The eleventh of a minute is one too many, and is told when to come again.
    const late = await call('/proposals', { body })
    expect(late).toMatchObject(refused(429, 'tooMany'))
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(late.headers.get('ratelimit-remaining')).toBe('0')
  })

  it('hears of a denial, with why', async () => {
    const bot = await start()
    const { call } = bot
    const { root } = await jamOne(server, shop)
    const id = await ask(bot, root.pid, 'asker')
    const ended = call(`/proposals/${id}?wait=30s`, { as: 'asker' })
    await room.press('U0DANA', await room.card('approve_terminate'), 'deny_terminate')
    await room.workspace.waitFor(() => room.workspace.modal('U0DANA'), { what: 'the modal' })
    await room.workspace.submitView({ userId: 'U0DANA', values: { reason: 'not yet' } as never })
    expect((await ended).body).toMatchObject({
      ...{ state: 'denied', outcome: null },
      decision: { by: 'U0DANA', reason: 'not yet' },
    })
    expect((await root.client.query('SELECT 1')).rows).toHaveLength(1)
  })

  it('is put out in the middle of a wait when its token is taken back', async () => {
    const bot = await start()
    const { app, call } = bot
    const { root } = await jamOne(server, shop)
    const id = await ask(bot, root.pid)
    const waits = call(`/proposals/${id}?wait=60s`)
    await app.reload(() =>
      parseConfig(
        JSON.stringify({ ...JSON.parse(room.yaml), ...withTokens([tokenOf('board', rights.board)]) }),
        room.env,
      ),
    )
    expect(await waits).toMatchObject(refused(401, 'unauthorized'))
    expect(await call(`/proposals/${id}`)).toMatchObject(refused(401, 'unauthorized'))
    expect(await call(`/proposals/${id}`, { as: 'board' })).toMatchObject({ status: 200 })
  })

  it('that waits gets what there is when the bot stops', async () => {
    const bot = await start()
    const { app, call } = bot
    const { root } = await jamOne(server, shop)
    const id = await ask(bot, root.pid)
    const waits = call(`/proposals/${id}?wait=60s`)
    await call('/clusters')
    await app.stop()
    expect(await waits).toMatchObject({ status: 200, body: { id, state: 'open' } })
  })
})

describe('a look', () => {
  it('has pages, filters, and an ETag that holds as long as the look', async () => {
    const { call } = await start()
    const [first] = await Promise.all(['a', 'b', 'c'].map((name) => server.open(`leaky-${name}`, shop)))
    const path = '/clusters/orders/sessions?app=leaky&limit=2'
    const reply = await call(path)
    const page = sessionsDocument.parse(reply.body)
    expect(page).toMatchObject({ total: 3, next: String(page.sessions[1]?.pid) })
    const rest = sessionsDocument.parse((await call(`${path}&after=${page.next}`)).body)
    expect(rest).toMatchObject({ total: 3, next: null })
    const pids = [...page.sessions, ...rest.sessions].map(({ pid }) => pid)
    expect(pids).toHaveLength(3)
    expect(pids).toContain(first?.pid)
    const etag = reply.headers.get('etag') ?? ''
    const again = await call(path, { headers: { 'if-none-match': etag } })
    expect(again).toMatchObject({ status: 304, length: 0 })
    expect(await call('/clusters/orders/sessions?state=idle&older=10m')).toMatchObject({
      body: { total: 0, sessions: [] },
    })
  })

  it('knows the cluster, the session, its health, its past', async () => {
    const { call } = await start()
    const { root, victim } = await jamOne(server, shop)
    expect((await call('/clusters')).body).toMatchObject({
      clusters: [{ name: 'orders', seen: true }, { name: 'stock' }],
    })
    expect((await call(`/clusters/orders/sessions/${root.pid}`)).body).toMatchObject({
      ...{ session: { pid: root.pid }, victims: [victim.pid] },
      ...{ jam: { pid: root.pid }, mayPropose: { action: 'terminate' } },
    })
    expect((await call('/clusters/orders/health')).body).toMatchObject({
      unread: null,
      findings: expect.any(Array),
    })
    expect((await call('/clusters/orders/history')).body).toMatchObject({ total: 0, entries: [] })
    const moment = await call(`/clusters/orders/at?time=${encodeURIComponent(new Date().toISOString())}`)
    expect(moment).toMatchObject({ status: 200, body: { cluster: 'orders' } })
  })

  it('is let through five times a second, and says so', async () => {
    const { call } = await start()
    const replies = await Promise.all(Array.from({ length: 8 }, () => call('/clusters', { as: 'board' })))
    expect(replies.filter(({ status }) => status === 429).length).toBeGreaterThan(0)
    expect(replies.find(({ status }) => status === 200)?.headers.get('ratelimit-limit')).toBe('5')
    // Another program has an allowance of its own.
    expect(await call('/clusters')).toMatchObject({ status: 200 })
  })
})

describe('what is not let in', () => {
  test('all that a program may not, or cannot mean', async () => {
    const good = { cluster: 'orders', pid: 1, action: 'cancel', reason: 'why' }
    const cases: [string, Call, ReturnType<typeof refused>][] = [
      ['/clusters', { as: null }, refused(401, 'unauthorized')],
      ['/openapi.json', { as: null }, refused(401, 'unauthorized')],
      ['/clusters', { as: null, headers: { authorization: 'Bearer x' } }, refused(401, 'unauthorized')],
      ['/clusters', { as: null, headers: { authorization: 'Basic ZGVwbG95' } }, refused(401, 'unauthorized')],
      ['/nothing', { as: null }, refused(401, 'unauthorized')],
      ['/nothing', {}, refused(404, 'notFound')],
      ['/clusters', { as: 'asker' }, refused(403, 'notAllowed')],
      ['/clusters/orders/health', { as: 'elsewhere' }, refused(403, 'notAllowed')],
      ['/clusters/nowhere/health', { as: 'elsewhere' }, refused(403, 'notAllowed')],
      ['/clusters/nowhere/health', {}, refused(404, 'unknownCluster')],
      ['/clusters/orders/sessions/999999', {}, refused(404, 'noSession')],
      ['/clusters/orders/sessions/0x10g', {}, refused(400, 'badRequest')],
      ['/clusters/orders/sessions?limit=1000', {}, refused(400, 'badRequest')],
      ['/clusters/orders/sessions?older=soon', {}, refused(400, 'badRequest')],
      ['/clusters/orders/at?time=whenever', {}, refused(400, 'badTime')],
      ['/clusters', { method: 'DELETE' }, refused(405, 'methodNotAllowed')],
      ['/proposals', { as: 'board', body: good }, refused(403, 'notAllowed')],
      ['/proposals', { as: 'elsewhere', body: good }, refused(403, 'notAllowed')],
      ['/proposals', { body: { ...good, cluster: 'nowhere' } }, refused(404, 'notWatched')],
      ['/proposals', { body: { ...good, pid: 999_999 } }, refused(409, 'changed')],
      ['/proposals', { body: { ...good, reason: '' } }, refused(400, 'badRequest')],
      ['/proposals', { body: { ...good, approve: true } }, refused(400, 'badRequest')],
      ['/proposals', { body: '{"cluster":' }, refused(400, 'badRequest')],
      ['/proposals', { body: { ...good, reason: 'x'.repeat(20_000) } }, refused(413, 'tooLarge')],
      ['/proposals/none', { as: 'asker' }, refused(404, 'unknownProposal')],
      ['/proposals/none', { as: 'asker', method: 'PATCH' }, refused(405, 'methodNotAllowed')],
    ]
    // Each comes as a program of its own: none spends the allowance of another.
    const names = cases.map(([, { as = 'deploybot' }], index) => as && `${as}-${index}`)
    const { call } = await start(
      withTokens(names.flatMap((name) => (name ? [tokenOf(name, rights[name.replace(/-.*/, '')])] : []))),
    )
    for (const [index, [path, how, expected]] of cases.entries())
      expect.soft(await call(path, { ...how, as: names[index] ?? null }), path).toMatchObject(expected)
  })

  it('has no API where no tokens are configured', async () => {
    room = await openRoom(server.marshalUrl)
    const call = callerOf(await room.start())
    expect(await call('/api/v1/clusters')).toMatchObject(refused(404, 'noApi'))
  })
})

it('describes itself in OpenAPI 3.1, and nothing in it decides', async () => {
  const { call } = await start()
  const { status, body } = await call('/openapi.json')
  expect(status).toBe(200)
  expect(body).toMatchObject({ openapi: '3.1.0', paths: { '/api/v1/proposals': { post: {} } } })
  const { paths } = body as { paths: Record<string, object> }
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  expect(routes).toEqual([
    'get /api/v1/clusters',
    'get /api/v1/clusters/{cluster}/sessions',
    'get /api/v1/clusters/{cluster}/sessions/{pid}',
    'get /api/v1/clusters/{cluster}/blocking',
    'get /api/v1/clusters/{cluster}/health',
    'get /api/v1/clusters/{cluster}/history',
    'get /api/v1/clusters/{cluster}/at',
    'post /api/v1/proposals',
    'get /api/v1/proposals/{id}',
  ])
  expect(paths['/api/v1/proposals']).toMatchObject({
    post: { requestBody: { content: { 'application/json': { schema: { additionalProperties: false } } } } },
  })
  expect(Object.keys(proposeInput.shape)).toEqual([
    ...['cluster', 'pid', 'action', 'reason', 'onBehalfOf', 'backendStart'],
  ])
})
