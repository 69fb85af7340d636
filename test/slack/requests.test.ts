import type { ReceiverEvent } from '@slack/bolt'
import { createWorkspace, type HttpOverrides, type Workspace } from 'slack-workspace'
import { afterEach, describe, expect, it } from 'vitest'
import { type HttpServer, startHttp } from '../../src/http/server.ts'
import { createLog, createSlackLogger } from '../../src/log.ts'
import { createIngress, type SlackIngress } from '../../src/slack/receivers.ts'
import { createRefusedBlocks } from '../../src/slack/refusedBlocks.ts'
import { takeOnce } from '../../src/slack/requests.ts'
import { waitFor } from '../support/postgres.ts'

/** What Slack, or somebody in its place, may send: through Bolt itself, over real sockets and over HTTP. */

const log = createLog({ level: 'silent' })
let workspace: Workspace
let ingress: SlackIngress
let server: HttpServer | null = null
let commands: string[]
let takes: (event: string) => Promise<boolean>
const dropped: unknown[] = []
const onDropped = (error: unknown) => dropped.push(error)

afterEach(async () => {
  await ingress.stop()
  await server?.close()
  server = null
  await workspace.close()
  process.off('unhandledRejection', onDropped)
  expect(dropped.splice(0)).toEqual([])
})

async function open(mode: 'socket' | 'http') {
  process.on('unhandledRejection', onDropped)
  commands = []
  takes = async () => true
  workspace = await createWorkspace()
  const {
    SLACK_BOT_TOKEN = '',
    SLACK_APP_TOKEN = '',
    SLACK_SIGNING_SECRET = '',
    SLACK_API_URL,
  } = workspace.env
  const common = { botToken: SLACK_BOT_TOKEN, apiUrl: SLACK_API_URL }
  ingress = createIngress({
    refusedBlocks: createRefusedBlocks({ now: Date.now, learned: () => {}, bare: () => {} }),
    settings:
      mode === 'socket'
        ? { mode, appToken: SLACK_APP_TOKEN, ...common }
        : { mode, signingSecret: SLACK_SIGNING_SECRET, ...common },
    botIdentity: { teamId: 'T1', botId: 'B1', botUserId: 'U1' },
    takes: (event) => takes(event),
    logger: createSlackLogger(log),
    log,
    now: Date.now,
  })
  ingress.app.command('/pg', async ({ command, ack }) => {
    commands.push(command.text)
    await ack()
  })
  await ingress.start()
  if (mode === 'socket') return waitFor(() => workspace.sockets() === 2, 'both sockets are open')
  server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    slack: ingress.requestListener,
    ready: () => ({ stops: [], degrades: [], watching: [] }),
    now: Date.now,
  })
  workspace.setRequestUrl(`http://127.0.0.1:${server.port}/slack/events`)
}

const command = (text: string) => ({
  command: '/pg',
  text,
  user_id: 'U0RESP',
  team_id: 'T1',
  channel_id: 'C1',
})

describe('over HTTP', () => {
  const send = async (http: HttpOverrides) => {
    const started = performance.now()
    const { status } = (await workspace.sendRaw({ type: 'events_api', payload: {}, via: 'http', http })) as {
      status?: number
    }
    // Bolt's own answer to what nobody takes comes after three seconds.
    return { status, soon: performance.now() - started < 2500 }
  }
  const form = { 'content-type': 'application/x-www-form-urlencoded' }

  it.each<[string, number, HttpOverrides]>([
    ['null', 400, { body: 'null' }],
    ['a number', 400, { body: '7' }],
    ['a string', 400, { body: '"block_actions"' }],
    ['a list', 400, { body: '[{"type":"block_actions"}]' }],
    ['nothing', 400, { body: '' }],
    ['what is no JSON', 400, { body: '{' }],
    ['a form that says it is JSON', 400, { body: 'command=%2Fpg' }],
    ['JSON that says it is a form', 200, { body: '{}', headers: form }],
    ['a payload that is null', 400, { body: 'payload=null', headers: form }],
    ['a payload that is no JSON', 400, { body: 'payload=x', headers: form }],
    ['more than any payload of Slack', 413, { body: `{"x":"${'x'.repeat(2_000_000)}"}` }],
    ['an object that is nothing', 200, { body: '{}' }],
    ['an event that is not for us', 200, { body: '{"type":"event_callback","event":{"type":"message"}}' }],
    ['an event that is null', 200, { body: '{"event":null}' }],
    ['a type that is no text', 200, { body: '{"type":{}}' }],
    ['a list of actions that is null', 500, { body: '{"type":"block_actions","actions":null}' }],
    ['a wrong signature', 401, { body: 'null', signature: `v0=${'0'.repeat(64)}` }],
    ['an old time', 401, { body: 'null', timestamp: 1 }],
  ])('answers %s with %i', async (_, status, http) => {
    await open('http')
    expect(await send(http)).toEqual({ status, soon: true })
    expect(await workspace.sendRaw({ type: 'slash_commands', payload: command('help') })).toMatchObject({
      acked: true,
    })
    expect(commands).toEqual(['help'])
  })
})

describe('over a socket', () => {
  it.each<[string, never]>(
    [
      ['null', null],
      ['a number', 7],
      ['a list', []],
      ['nothing that it knows', {}],
    ].map(([name, payload]) => [String(name), payload as never]),
  )('acknowledges a payload that is %s, and goes on', async (_, payload) => {
    await open('socket')
    expect(await workspace.sendRaw({ type: 'interactive', payload })).toMatchObject({ acked: true })
    void workspace.sendRaw({ type: 'events_api', payload })
    expect(await workspace.sendRaw({ type: 'slash_commands', payload: command('help') })).toMatchObject({
      acked: true,
    })
    expect(commands).toEqual(['help'])
  })

  it('handles an envelope once, whichever socket brings it, and acknowledges it each time', async () => {
    await open('socket')
    const send = (envelopeId: string) =>
      workspace.sendRaw({ type: 'slash_commands', payload: command(envelopeId), envelopeId })
    for (let n = 0; n < 8; n++) expect(await send('one')).toMatchObject({ acked: true })
    expect(await send('two')).toMatchObject({ acked: true })
    expect(commands).toEqual(['one', 'two'])
  })
})

describe.each(['http', 'socket'] as const)('an event over %s', (mode) => {
  const home = (event_id: string, type = 'app_home_opened') => ({
    type: 'event_callback',
    team_id: 'T1',
    event_id,
    event: { type, user: event_id, tab: 'home', channel: 'D1', event_ts: '1.1' },
  })

  it('is handled once, whatever envelope brings it, and acknowledged each time', async () => {
    await open(mode)
    const heard: string[] = []
    ingress.app.event('app_home_opened', async ({ event }) => void heard.push(event.user))
    ingress.app.event('team_join', async () => void heard.push('team_join'))
    const send = (payload: ReturnType<typeof home>) => workspace.sendRaw({ type: 'events_api', payload })
    for (const payload of [home('Ev1'), home('Ev1'), home('Ev9', 'team_join'), home('Ev2'), home('Ev1')])
      expect(await send(payload)).toMatchObject({ acked: true })
    await waitFor(() => heard.length >= 2, 'both are heard')
    expect(heard).toEqual(['Ev1', 'Ev2'])
  })
})

describe('an event that may come to another replica too', () => {
  const event = (event_id: string, acks: string[]) =>
    ({
      body: { type: 'event_callback', event_id, event: { type: 'app_mention' } },
      ack: async () => void acks.push(event_id),
    }) satisfies ReceiverEvent
  const intake = (takes: (event: string) => Promise<boolean>) => {
    const handled: unknown[] = []
    const app = { processEvent: async ({ body }: ReceiverEvent) => void handled.push(body.event_id) }
    return { app, handled, ...takeOnce({ app, takes, log }) }
  }

  it('is acknowledged before that is known, and handled where it is ours', async () => {
    await open('http')
    const { promise: answer, resolve } = Promise.withResolvers<boolean>()
    const asked: string[] = []
    const { app, handled, drain } = intake((id) => {
      asked.push(id)
      return id === 'Ev1' ? answer : Promise.resolve(false)
    })
    const acks: string[] = []
    const first = app.processEvent(event('Ev1', acks))
    await app.processEvent(event('Ev2', acks))
    await app.processEvent(event('Ev1', acks))
    expect([acks, handled, asked]).toEqual([['Ev1', 'Ev2', 'Ev1'], [], ['Ev1', 'Ev2']])
    let isDrained = false
    const drained = drain().then(() => {
      isDrained = true
    })
    resolve(true)
    await first
    expect(handled).toEqual(['Ev1'])
    await drained
    expect(isDrained).toBe(true)
  })

  it('is handled where the store does not say whose it is', async () => {
    await open('http')
    const acks: string[] = []
    const failing = intake(() => Promise.reject(new Error('no store')))
    await failing.app.processEvent(event('Ev1', acks))
    const silent = intake(() => new Promise(() => {}))
    await silent.app.processEvent(event('Ev2', acks))
    expect([failing.handled, silent.handled, acks]).toEqual([['Ev1'], ['Ev2'], ['Ev1', 'Ev2']])
  })
})

describe('an envelope that comes again', () => {
  const event = (id: string, acks: string[], body: object = { command: '/pg' }) =>
    ({
      body,
      ack: async () => void acks.push(id),
      customProperties: { envelopeId: id.slice(0, 1) },
    }) satisfies ReceiverEvent

  it('while the first is under way is acknowledged when the first is', async () => {
    await open('socket')
    const handled: ReceiverEvent[] = []
    const app = { processEvent: async (one: ReceiverEvent) => void handled.push(one) }
    takeOnce({ app, takes: async () => true, log })
    const acks: string[] = []
    await app.processEvent(event('a1', acks))
    const again = app.processEvent(event('a2', acks))
    await app.processEvent(event('b1', acks))
    expect([handled.length, acks]).toEqual([2, []])
    await handled[0]?.ack()
    await again
    expect(acks).toEqual(['a1', 'a2'])
  })

  it('is left to the next process while this one stops, but for what is under way', async () => {
    await open('socket')
    const handled: ReceiverEvent[] = []
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const app = {
      processEvent: async (one: ReceiverEvent) => {
        handled.push(one)
        await ended
      },
    }
    const { drain } = takeOnce({ app, takes: async () => true, log })
    const acks: string[] = []
    const first = app.processEvent(event('a1', acks))
    let isDrained = false
    const drained = drain().then(() => {
      isDrained = true
    })
    await app.processEvent(event('b1', acks))
    await app.processEvent({ ...event('c1', acks), customProperties: {} })
    const mention = { type: 'event_callback', event_id: 'Ev1', event: { type: 'app_mention' } }
    await app.processEvent({ ...event('d1', acks), body: mention })
    expect([handled.length, acks, isDrained]).toEqual([1, [], false])
    const again = app.processEvent(event('a2', acks))
    await handled[0]?.ack()
    await again
    end()
    await Promise.all([first, drained])
    expect([handled.length, acks]).toEqual([1, ['a1', 'a2']])
  })

  it('is known for a long time, but not all of them for ever', async () => {
    await open('socket')
    let handled = 0
    const app = {
      processEvent: async ({ ack }: ReceiverEvent) => {
        handled++
        await ack()
      },
    }
    takeOnce({ app, takes: async () => true, log })
    const send = (id: number) =>
      app.processEvent({ ...event('a', []), customProperties: { envelopeId: String(id) } })
    for (let id = 0; id < 2000; id++) await send(id)
    await send(0)
    expect(handled).toBe(2000)
    await send(2000)
    await send(0)
    expect(handled).toBe(2002)
  })
})
