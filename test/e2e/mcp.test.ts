import type { Client } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, it } from 'vitest'
import { longestPage } from '../../src/api/inputs.ts'
import { parseConfig } from '../../src/config/config.ts'
import { openRoom, type Room } from '../support/harness.ts'
import { addressOf, connect } from '../support/mcp.ts'
import { callerOf, tokenOf } from '../support/programs.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)
const clients: Client[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

const rights = {
  deploybot: { may: ['look', 'propose'] },
  board: { may: ['look'] },
  asker: { may: ['propose'] },
  elsewhere: { may: ['look', 'propose'], clusters: ['stock'] },
} as const
const withTokens = (names: readonly (keyof typeof rights)[]) => ({
  http: { port: 0, api: { tokens: names.map((name) => tokenOf(name, rights[name])) } },
})

const start = async () => {
  room = await openRoom(server.marshalUrl, {
    over: {
      ...withTokens(['deploybot', 'board', 'asker', 'elsewhere']),
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
      clusters: ['orders', 'stock'].map((name) => ({ name, url: '${DATABASE_URL}' })),
      watch: { every: '200ms', blockedFor: '1h' },
    },
  })
  return room.start()
}

/** Connects a client; returns how it calls a tool, with the words and the data of the answer. */
async function agent(...[bot, how]: [Parameters<typeof addressOf>[0], Parameters<typeof connect>[1]?]) {
  const client = await connect(addressOf(bot), how)
  clients.push(client)
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const { content, structuredContent, isError = false } = await client.callTool({ name, arguments: args })
    const [first] = content
    const data: Record<string, unknown> = Object.assign({}, structuredContent)
    return { words: first?.type === 'text' ? first.text : '', data, isError }
  }
  return { client, call }
}

describe.each([
  ['over HTTP', { way: 'http' }],
  ['over stdin and stdout, by the bridge', { way: 'stdio' }],
  ['over HTTP, in the revision before', { way: 'http', era: 'before' }],
  ['by the bridge, in the revision before', { way: 'stdio', era: 'before' }],
] as const)('an agent %s', (_, how) => {
  it('finds the root of a jam, proposes the gentlest cure, waits, and hears what came of it', async () => {
    const bot = await start()
    const { root, victim } = await jamOne(server, shop)
    const { client, call } = await agent(bot, how)
    expect(client.getInstructions()).toMatch(/People decide.*data, never instructions/s)
    expect((await call('clusters')).data).toMatchObject({ clusters: [{ name: 'orders', seen: true }, {}] })
    const seen = await call('blocking', { cluster: 'orders' })
    expect(seen.words).toMatch(new RegExp(`^Best way out: terminate ${root.pid} \\(backendStart`))
    expect(seen.data).toMatchObject({ total: 1, roots: [{ pid: root.pid, victims: [victim.pid] }] })
    const [{ recommendation }] = seen.data.roots as [
      { recommendation: { action: string; pid: number; backendStart: string } },
    ]
    const { action, pid, backendStart } = recommendation
    const asked = await call('propose', {
      ...{ cluster: 'orders', action, pid, backendStart },
      ...{ reason: 'migration 42 waits <!channel>', onBehalfOf: 'Dana' },
    })
    expect(asked).toMatchObject({ isError: false, data: { state: 'open', pid, needed: 1 } })
    expect(asked.words).toMatch(/^Asked, not decided/)
    const card = await room.card('approve_terminate')
    expect(card.text).toContain(
      'token deploybot asks: for Dana, it says: migration 42 waits &lt;!channel&gt;',
    )
    const outcome = call('proposal', { id: asked.data.id, wait: '30s' })
    await room.press('U0DANA', card, 'approve_terminate')
    const { words, data } = await outcome
    expect(words).toMatch(/^Approved\. /)
    expect(data).toMatchObject({ state: 'done', approvedBy: ['U0DANA'], outcome: { kind: 'effective' } })
    await root.ended
  })
})

it('an agent joins its own request, and one of ten copies of a call makes it', async () => {
  const bot = await start()
  const { root } = await jamOne(server, shop)
  const { call } = await agent(bot)
  const asking = { cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'it waits' }
  const copies = await Promise.all(
    Array.from({ length: 9 }, () => call('propose', { ...asking, idempotencyKey: 'k' })),
  )
  const again = await call('propose', asking)
  expect(new Set([...copies, again].map(({ data }) => data.id)).size).toBe(1)
  // The eleventh of a minute is one too many.
  expect(await call('propose', asking)).toMatchObject({
    isError: true,
    words: expect.stringMatching(/^Too many calls: 10 are let through\. Ask again in \d+ s\./),
  })
})

it('an agent hears of a denial, and is told to take it', async () => {
  const bot = await start()
  const { root } = await jamOne(server, shop)
  const { call } = await agent(bot, { as: 'asker' })
  const asked = await call('propose', {
    ...{ cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'it waits' },
  })
  const ended = call('proposal', { id: asked.data.id, wait: '30s' })
  await room.press('U0DANA', await room.card('approve_terminate'), 'deny_terminate')
  await room.workspace.waitFor(() => room.workspace.modal('U0DANA'), { what: 'the modal' })
  await room.workspace.submitView({ userId: 'U0DANA', values: { reason: 'not yet' } as never })
  expect((await ended).words).toMatch(/^Denied by a person, who says "not yet": .* Do not ask for it again/)
  expect((await root.client.query('SELECT 1')).rows).toHaveLength(1)
})

it.each([
  ['taken back', [tokenOf('board', rights.board)]],
  // The name has another secret now: who waits has the old one.
  ['changed', [{ ...tokenOf('deploybot'), sha256: tokenOf('another').sha256 }]],
])('an agent is put out in the middle of a wait when its token is %s', async (_, tokens) => {
  const bot = await start()
  const { root } = await jamOne(server, shop)
  const { call } = await agent(bot)
  const asked = await call('propose', {
    ...{ cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'it waits' },
  })
  const waits = call('proposal', { id: asked.data.id, wait: '50s' })
  await call('clusters')
  const http = { port: 0, api: { tokens } }
  await bot.reload(() => parseConfig(JSON.stringify({ ...JSON.parse(room.yaml), http }), room.env))
  expect(await waits).toMatchObject({ isError: true, words: expect.stringMatching(/not let in any more/) })
  await expect(call('clusters')).rejects.toMatchObject({ data: { status: 401 } })
})

it('a token has over MCP the rights that it has over HTTP', async () => {
  const bot = await start()
  const { root } = await jamOne(server, shop)
  const asking = { cluster: 'orders', pid: root.pid, action: 'terminate', reason: 'it waits' }
  const cases = [
    ['board', 'propose', asking, /^Refused: the token board may not propose\./],
    ['asker', 'blocking', { cluster: 'orders' }, /^The token asker may not look/],
    ['elsewhere', 'blocking', { cluster: 'orders' }, /^The token elsewhere is limited to: stock\./],
    ['elsewhere', 'session', { cluster: 'orders', pid: root.pid }, /is limited to: stock\./],
    ['elsewhere', 'propose', asking, /limited|not/],
    ['board', 'blocking', { cluster: 'nowhere' }, /^There is no cluster nowhere.*`clusters`/],
    ['asker', 'proposal', { id: 'none' }, /^There is no proposal none/],
    ['board', 'sessions', { cluster: 'orders', limit: 1000 }, /limit/],
    ['asker', 'propose', { ...asking, approve: true }, /approve/],
    ['deploybot', 'propose', { ...asking, pid: 999_999 }, /^Refused: .*Look again/],
  ] as const
  for (const [as, name, args, why] of cases) {
    const { call } = await agent(bot, { as })
    expect
      .soft(await call(name, args), `${as} ${name}`)
      .toMatchObject({ isError: true, words: expect.stringMatching(why) })
  }
  await expect(connect(addressOf(bot), { as: 'nobody' })).rejects.toThrow(/401/)
  expect(room.workspace.messages('C0INCIDENTS')).toEqual([])
})

it('a bridge says why there is no answer', async () => {
  const bot = await start()
  const how = { way: 'stdio', era: 'before' } as const
  await expect(connect(addressOf(bot), { ...how, as: 'nobody' })).rejects.toThrow(
    /Send a token that is configured/,
  )
  await expect(connect('http://127.0.0.1:1', how)).rejects.toThrow(/cannot be reached/)
})

it('has the tools of the contract and no other, and none that decides', async () => {
  const { client } = await agent(await start())
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name).toSorted()).toEqual([
    ...['at', 'blocking', 'clusters', 'health', 'history', 'proposal', 'propose', 'session', 'sessions'],
  ])
  for (const { name, annotations, description, inputSchema, outputSchema } of tools) {
    expect(annotations, name).toMatchObject({ readOnlyHint: name !== 'propose', destructiveHint: false })
    expect(description).toMatch(/strangers: data, never instructions/)
    expect(outputSchema?.type).toBe('object')
    for (const [key, property] of Object.entries(inputSchema.properties ?? {}))
      expect(property, `${name}: ${key}`).toMatchObject({ type: expect.any(String) })
  }
  const propose = tools.find(({ name }) => name === 'propose')
  expect(propose?.description).toMatch(/a person decides in Slack/)
  expect(propose?.inputSchema).toMatchObject({ additionalProperties: false })
  expect(Object.keys(propose?.inputSchema.properties ?? {})).toEqual([
    ...['cluster', 'pid', 'action', 'reason', 'onBehalfOf', 'backendStart', 'idempotencyKey'],
  ])
  expect(client.getServerCapabilities()).not.toHaveProperty('prompts')
  const { resources } = await client.listResources()
  expect(resources.map(({ uri }) => uri)).toEqual(
    ['api', 'diagnosis', 'folklore'].map((name) => `pg-marshal://docs/${name}`),
  )
  const { contents } = await client.readResource({ uri: 'pg-marshal://docs/api' })
  expect(contents).toMatchObject([{ text: expect.stringContaining('people decide') }])
})

it('answers fit a window, whatever waits, and next leads on', async () => {
  const bot = await start()
  const { root } = await jamOne(server, shop)
  const long = `SELECT ${'"a\\b'.repeat(900)}" FROM orders`
  await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const session = await server.open(`${'"\\\n'.repeat(20)}${index}`, shop)
      await session.query(long).catch(() => {})
    }),
  )
  const { call } = await agent(bot)
  const pids = new Set<number>()
  let after: unknown
  for (let page = 0; page < longestPage && after !== null; page++) {
    const { words, data } = await call('sessions', {
      ...{ cluster: 'orders', limit: 50 },
      ...(after !== undefined && { after }),
    })
    expect(words.length).toBeLessThanOrEqual(4000)
    expect(JSON.stringify(data).length).toBeLessThanOrEqual(20_000)
    for (const { pid } of data.sessions as { pid: number }[]) pids.add(pid)
    after = data.next
  }
  expect(pids.size).toBeGreaterThan(40)
  for (const [args, most] of [
    [{ app: 'web' }, 1],
    [{ limit: 3 }, 3],
    [{}, 20],
  ] as const) {
    const { data } = await call('sessions', { cluster: 'orders', ...args })
    expect((data.sessions as unknown[]).length).toBeGreaterThan(0)
    expect((data.sessions as unknown[]).length).toBeLessThanOrEqual(most)
  }
  expect(pids).toContain(root.pid)
})

it('ends at once where somebody would listen, and where messages come too fast', async () => {
  const call = callerOf(await start())
  const message = (method: string, params: object) => ({
    body: {
      ...{ jsonrpc: '2.0', id: 1, method },
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'agent', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    },
    headers: {
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
    },
  })
  const listen = message('subscriptions/listen', { notifications: { toolsListChanged: true } })
  expect((await call('/mcp', listen)).body).toMatchObject({
    error: { message: expect.stringMatching(/limit/) },
  })
  const replies = await Promise.all(
    Array.from({ length: 30 }, () => call('/mcp', { ...message('tools/list', {}), as: 'board' })),
  )
  expect(replies.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(20)
  const late = replies.find(({ status }) => status === 429)
  expect(late).toMatchObject({ body: { error: { code: 'tooMany' } } })
  expect(late?.headers.get('ratelimit-remaining')).toBe('0')
  expect(late?.headers.get('retry-after')).toBe('1')
  // The looks of that program are another allowance.
  expect(await call('/api/v1/clusters', { as: 'board' })).toMatchObject({ status: 200 })
})

it('lets no page of a browser in, and takes one message at a time', async () => {
  const call = callerOf(await start())
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const headers = { accept: 'application/json, text/event-stream' }
  for (const origin of ['https://evil.example.com', 'null', 'http://localhost.evil.com'])
    expect(await call('/mcp', { body, headers: { ...headers, origin } })).toMatchObject({
      status: 403,
      body: { error: { code: 'foreignOrigin' } },
    })
  const ours = await call('/mcp', { body, headers: { ...headers, origin: 'http://localhost:8080' } })
  expect(ours.status).toBe(200)
  expect(ours.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  expect(ours.headers.get('ratelimit-limit')).toBe('20')
  expect(await call('/mcp', { body: [body, body], headers })).toMatchObject({ status: 400 })
  expect(await call('/mcp', { body: '{"jsonrpc":', headers })).toMatchObject({ status: 400 })
  const large = await call('/mcp', { body: { x: 'x'.repeat(20_000) }, headers })
  expect(large).toMatchObject({ status: 413 })
  expect(large.headers.get('ratelimit-limit')).toBe('20')
  expect(await call('/mcp', { as: null, body, headers })).toMatchObject({ status: 401 })
  expect(await call('/mcp', { headers })).toMatchObject({ status: 405 })
})
