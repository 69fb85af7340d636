import type { App } from '@slack/bolt'
import { afterEach, describe, expect, test } from 'vitest'
import { createWorkspace, type Workspace, type WorkspaceOptions } from '../src/index.ts'
import { type Mode, type RunningApp, startBolt } from './bolt.ts'
import { manifest } from './manifest.ts'

const channel = 'C0INCIDENTS'
const closers: (() => Promise<unknown>)[] = []

const workspaceWith = async (options: WorkspaceOptions = {}): Promise<Workspace> => {
  const workspace = await createWorkspace({ manifest, ...options })
  closers.push(workspace.close)
  return workspace
}
const boltOn = async (workspace: Workspace, mode: Mode, set?: (app: App) => void): Promise<RunningApp> => {
  const running = await startBolt(workspace, mode, set)
  closers.push(running.stop)
  return running
}

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const button = (action_id: string, value: string) => ({
  type: 'button',
  action_id,
  value,
  text: { type: 'plain_text', text: 'Approve' },
})
const card = (value: string) => [
  { type: 'section', text: { type: 'mrkdwn', text: 'One session blocks four' } },
  { type: 'actions', elements: [button('approve_cancel', value)] },
]
const modal = {
  type: 'modal' as const,
  callback_id: 'reason',
  title: { type: 'plain_text' as const, text: 'Why?' },
  submit: { type: 'plain_text' as const, text: 'Send' },
  private_metadata: 'pid 4711',
  blocks: [
    {
      type: 'input',
      block_id: 'why',
      label: { type: 'plain_text', text: 'Reason' },
      element: { type: 'plain_text_input', action_id: 'reason', min_length: 3 },
    },
  ],
}

describe.each<Mode>(['socket', 'http'])('Bolt over %s', (mode) => {
  test('a slash command is acked, answered in private and in public', async () => {
    const workspace = await workspaceWith()
    await boltOn(workspace, mode, (app) => {
      app.command('/ask', async ({ ack, command, respond }) => {
        await ack()
        await respond(`private: ${command.text}`)
        await respond({ response_type: 'in_channel', text: `public: ${command.user_id}` })
      })
    })
    const outcome = await workspace.slashCommand({
      userId: 'U0RESP',
      channelId: channel,
      text: 'sessions --db shop',
    })
    expect(outcome).toMatchObject({ acked: true, payload: { command: '/ask', channel_name: 'incidents' } })
    await workspace.waitFor(() => workspace.messages(channel)[0]?.text === 'public: U0RESP')
    expect(workspace.ephemerals('U0RESP', channel).map((entry) => entry.text)).toEqual([
      'private: sessions --db shop',
    ])
    expect(workspace.ephemerals('U0DANA')).toEqual([])
  })

  test('an answer may be in the ack itself', async () => {
    const workspace = await workspaceWith()
    await boltOn(workspace, mode, (app) => {
      app.command('/ask', async ({ ack, command }) => {
        await ack(command.text === 'loud' ? { response_type: 'in_channel', text: 'all hear' } : 'you hear')
      })
    })
    await workspace.slashCommand({ userId: 'U0RESP', channelId: channel, text: 'soft' })
    expect(workspace.ephemerals('U0RESP')[0]?.text).toBe('you hear')
    await workspace.slashCommand({ userId: 'U0RESP', channelId: channel, text: 'loud' })
    expect(workspace.messages(channel).map((entry) => [entry.user, entry.text])).toEqual([
      ['U0RESP', '/ask loud'],
      ['U0APP', 'all hear'],
    ])
  })

  test('a card is posted, pressed and edited, with a thread below it', async () => {
    const workspace = await workspaceWith()
    const { app } = await boltOn(workspace, mode, (app) => {
      app.action('approve_cancel', async ({ ack, body, action, client }) => {
        await ack()
        if (body.type !== 'block_actions' || action.type !== 'button') throw new Error('not a button')
        const ts = body.message?.ts ?? ''
        await client.chat.postMessage({
          channel,
          thread_ts: ts,
          text: `approved by ${body.user.id}: ${action.value}`,
        })
        await client.chat.update({ channel, ts, text: 'done', blocks: [] })
      })
    })
    const posted = await app.client.chat.postMessage({
      channel,
      text: 'card',
      blocks: card('p1'),
      metadata: { event_type: 'incident', event_payload: { id: 'i1' } },
    })
    const messageTs = posted.ts ?? ''
    const outcome = await workspace.press({
      userId: 'U0DANA',
      channelId: channel,
      messageTs,
      actionId: 'approve_cancel',
    })
    expect(outcome.acked).toBe(true)
    expect(outcome.payload).toMatchObject({
      type: 'block_actions',
      user: { id: 'U0DANA', username: 'dana', team_id: 'T0DEMO' },
      team: { id: 'T0DEMO', domain: 'example-team' },
      container: { type: 'message', message_ts: messageTs, channel_id: channel, is_ephemeral: false },
      channel: { id: channel, name: 'incidents' },
      message: { ts: messageTs, bot_id: 'B0APP', text: 'card' },
      actions: [{ type: 'button', action_id: 'approve_cancel', value: 'p1', text: { type: 'plain_text' } }],
    })
    const done = await workspace.waitFor(() =>
      workspace.messages(channel).find((entry) => entry.text === 'done'),
    )
    expect(done).toMatchObject({ reply_count: 1, reply_users: ['U0APP'], edited: { user: 'U0APP' } })
    expect(done.blocks).toBeUndefined()
    expect(workspace.thread(channel, messageTs).map((entry) => entry.text)).toEqual([
      'done',
      'approved by U0DANA: p1',
    ])
    const history = await app.client.conversations.history({ channel, include_all_metadata: true })
    expect(history.messages?.map((entry) => entry.text)).toEqual(['done'])
    expect(history.messages?.[0]?.metadata?.event_type).toBe('incident')
  })

  test('the app gets messages of the conversations that it is in, each with its kind', async () => {
    const workspace = await workspaceWith({ events: ['message.channels', 'message.groups', 'message.im'] })
    const heard: unknown[] = []
    await boltOn(workspace, mode, (app) => {
      app.event('message', async ({ event }) => {
        heard.push([event.channel, event.channel_type, 'text' in event && event.text])
      })
    })
    const say = (channelId: string, text: string) => workspace.say({ userId: 'U0DANA', channelId, text })
    const hears = (count: number) =>
      expect.poll(() => heard.length, { timeout: 20_000, message: 'heard' }).toBe(count)
    say('C0RANDOM', 'not for bots')
    say('G0DBA', 'nor this')
    say(channel, 'to all')
    await hears(1)
    workspace.invite('G0DBA')
    say('G0DBA', 'to a few')
    await hears(2)
    say('D0DANA', 'to you')
    await hears(3)
    expect(heard).toEqual([
      [channel, 'channel', 'to all'],
      ['G0DBA', 'group', 'to a few'],
      ['D0DANA', 'im', 'to you'],
    ])
  })

  test('shortcuts call the app from anywhere and from a message, and only those of the manifest', async () => {
    const workspace = await workspaceWith()
    const called: unknown[] = []
    await boltOn(workspace, mode, (app) => {
      app.shortcut({ callback_id: 'begin', type: 'shortcut' }, async ({ shortcut, ack, client }) => {
        await ack()
        called.push([shortcut.type, shortcut.user.id, shortcut.team?.id, 'channel' in shortcut])
        await client.views.open({ trigger_id: shortcut.trigger_id, view: modal })
      })
      app.shortcut({ callback_id: 'explain', type: 'message_action' }, async ({ shortcut, ack, respond }) => {
        await ack()
        const { channel, message, message_ts } = shortcut
        called.push([shortcut.type, channel, message.text, message.ts === message_ts])
        await respond('explained')
      })
    })
    expect(await workspace.shortcut({ userId: 'U0RESP', callbackId: 'begin' })).toMatchObject({ acked: true })
    await workspace.waitFor(() => workspace.modal('U0RESP'))
    const { ts } = workspace.say({ userId: 'U0DANA', channelId: channel, text: 'what is 4312?' })
    const at = { userId: 'U0RESP', channelId: channel, messageTs: ts }
    await workspace.shortcut({ ...at, callbackId: 'explain' })
    await workspace.waitFor(() => workspace.ephemerals('U0RESP').some(({ text }) => text === 'explained'))
    expect(called).toEqual([
      ['shortcut', 'U0RESP', 'T0DEMO', false],
      ['message_action', { id: channel, name: 'incidents' }, 'what is 4312?', true],
    ])
    for (const wrong of [
      { ...at, callbackId: 'begin' },
      { userId: 'U0RESP', callbackId: 'explain' },
    ])
      await expect(workspace.shortcut(wrong)).rejects.toThrow(/the manifest lists no/)
  })

  test('the app hears of a mention where it is, with the scope for it', async () => {
    const events = ['app_mention']
    const workspace = await workspaceWith({ events })
    const heard: unknown[] = []
    await boltOn(workspace, mode, (app) => {
      app.event('app_mention', async ({ event }) => {
        heard.push([event.type, event.user, event.channel, event.text, event.thread_ts])
      })
    })
    const say = (channelId: string, text: string, threadTs?: string) =>
      workspace.say({ userId: 'U0DANA', channelId, text, ...(threadTs && { threadTs }) })
    say('C0RANDOM', '<@U0APP> you are not here')
    say('D0DANA', '<@U0APP> between us')
    say(channel, 'U0APP and <@U0RESP>')
    const { ts } = say(channel, 'hey <@U0APP> help')
    await expect.poll(() => heard.length).toBe(1)
    say(channel, '<@U0APP>', ts)
    await expect.poll(() => heard.length).toBe(2)
    workspace.setScopes(['chat:write'])
    say(channel, '<@U0APP> unheard')
    workspace.setScopes(['app_mentions:read'])
    say(channel, '<@U0APP> again')
    await expect.poll(() => heard.length).toBe(3)
    expect(heard).toEqual([
      ['app_mention', 'U0DANA', channel, 'hey <@U0APP> help', undefined],
      ['app_mention', 'U0DANA', channel, '<@U0APP>', ts],
      ['app_mention', 'U0DANA', channel, '<@U0APP> again', undefined],
    ])
  })

  test('a modal opens, refuses, and is submitted', async () => {
    const workspace = await workspaceWith()
    await boltOn(workspace, mode, (app) => {
      app.command('/ask', async ({ ack, client, command }) => {
        await ack()
        await client.views.open({ trigger_id: command.trigger_id, view: modal })
      })
      app.view('reason', async ({ ack, view, client, body }) => {
        const why = view.state.values.why?.reason?.value ?? ''
        if (why === 'because') return ack({ response_action: 'errors', errors: { why: 'Say more' } })
        await ack()
        await client.chat.postMessage({ channel, text: `${body.user.id}: ${why} (${view.private_metadata})` })
      })
    })
    await workspace.slashCommand({ userId: 'U0RESP', channelId: channel, text: 'terminate 4711' })
    await workspace.waitFor(() => workspace.modal('U0RESP'))
    await workspace.submitView({ userId: 'U0RESP' })
    expect(workspace.modal('U0RESP')?.errors).toEqual({ why: 'Please complete this required field.' })
    await workspace.submitView({ userId: 'U0RESP', values: { reason: 'because' } })
    expect(workspace.modal('U0RESP')?.errors).toEqual({ why: 'Say more' })
    await workspace.submitView({ userId: 'U0RESP', values: { reason: 'forgotten psql' } })
    expect(workspace.modal('U0RESP')).toBeUndefined()
    await workspace.waitFor(
      () => workspace.messages(channel)[0]?.text === 'U0RESP: forgotten psql (pid 4711)',
    )
  })

  test('the same action id in two blocks keeps two values, and a number arrives as a number', async () => {
    const workspace = await workspaceWith()
    const inputBlock = (block_id: string, element: object) => ({
      type: 'input',
      block_id,
      label: { type: 'plain_text' as const, text: block_id },
      element: { action_id: 'value', ...element },
    })
    const sent: unknown[] = []
    await boltOn(workspace, mode, (app) => {
      app.command('/ask', async ({ ack, client, command }) => {
        await ack()
        const blocks = [
          inputBlock('who', { type: 'plain_text_input' }),
          inputBlock('pid', { type: 'number_input', is_decimal_allowed: false, min_value: '1' }),
        ]
        // Bolt's types know no block without its exact kind.
        const view = { ...modal, blocks: blocks as unknown as typeof modal.blocks }
        await client.views.open({ trigger_id: command.trigger_id, view })
      })
      app.view('reason', async ({ ack, view }) => {
        await ack()
        sent.push(view.state.values.who?.value?.value, view.state.values.pid?.value?.value)
      })
    })
    await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
    await workspace.waitFor(() => workspace.modal('U0RESP'))
    const send = (pid: string) =>
      workspace.submitView({ userId: 'U0RESP', values: { 'who value': 'checkout', 'pid value': pid } })
    await send('many')
    expect(workspace.modal('U0RESP')?.errors).toEqual({ pid: 'Please enter a whole number.' })
    await send('0')
    expect(workspace.modal('U0RESP')?.errors).toEqual({ pid: 'Please enter 1 or more.' })
    await send('4711')
    expect(workspace.modal('U0RESP')).toBeUndefined()
    expect(sent).toEqual(['checkout', '4711'])
  })

  test('Cancel closes one view, the cross closes the whole stack', async () => {
    const workspace = await workspaceWith()
    const closed: unknown[] = []
    await boltOn(workspace, mode, (app) => {
      app.command('/ask', async ({ ack, client, command }) => {
        await ack()
        const view = { ...modal, callback_id: 'first', notify_on_close: true }
        await client.views.open({ trigger_id: command.trigger_id, view })
      })
      app.view('first', async ({ ack }) => {
        await ack({
          response_action: 'push',
          view: { ...modal, callback_id: 'second', notify_on_close: true },
        })
      })
      app.view({ callback_id: /./, type: 'view_closed' }, async ({ ack, body }) => {
        closed.push([body.view.callback_id, 'is_cleared' in body && body.is_cleared])
        await ack()
      })
    })
    const toSecond = async () => {
      if (!workspace.modal('U0RESP')) await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
      await workspace.waitFor(() => workspace.modal('U0RESP'))
      await workspace.submitView({ userId: 'U0RESP', values: { reason: 'because' } })
      expect(workspace.modal('U0RESP')?.callback_id).toBe('second')
    }
    await toSecond()
    await workspace.closeView({ userId: 'U0RESP' })
    expect(workspace.modal('U0RESP')?.callback_id).toBe('first')
    await toSecond()
    await workspace.closeView({ userId: 'U0RESP', byCross: true })
    expect(workspace.modal('U0RESP')).toBeUndefined()
    expect(closed).toEqual([
      ['second', false],
      ['first', true],
    ])
  })

  test('a press carries the values of all inputs, and text in its ack is not shown', async () => {
    const workspace = await workspaceWith()
    const { app } = await boltOn(workspace, mode, (app) => {
      // As an app would write it that takes a press for a slash command.
      app.action('unit', async ({ ack }) => void (await (ack as (answer: string) => Promise<void>)('heard')))
    })
    const option = (value: string) => ({ value, text: { type: 'plain_text', text: value } })
    const unit = { type: 'static_select', action_id: 'unit', options: [option('minutes'), option('hours')] }
    const posted = await app.client.chat.postMessage({
      channel,
      text: 'for how long?',
      blocks: [{ type: 'actions', block_id: 'long', elements: [unit] } as never],
    })
    const { payload } = await workspace.press({
      userId: 'U0DANA',
      channelId: channel,
      messageTs: posted.ts ?? '',
      actionId: 'unit',
      value: 'hours',
    })
    expect(payload?.actions).toMatchObject([{ selected_option: { value: 'hours' } }])
    expect(payload?.state).toMatchObject({
      values: { long: { unit: { selected_option: { value: 'hours' } } } },
    })
    expect(workspace.ephemerals('U0DANA')).toEqual([])
    expect(workspace.messages(channel)).toHaveLength(1)
  })

  test('without an ack the user sees what Slack says', async () => {
    const workspace = await workspaceWith({ timing: { ackMs: 120 } })
    const { app } = await boltOn(workspace, mode, (app) => {
      app.command('/ask', async () => {})
      app.action('approve_cancel', async () => {})
    })
    const slash = await workspace.slashCommand({ userId: 'U0RESP', channelId: channel, text: 'help' })
    expect(slash).toMatchObject({ acked: false, complaint: '/ask failed with the error "operation_timeout"' })
    expect(workspace.ephemerals('U0RESP')[0]).toMatchObject({ from: 'USLACKBOT' })
    const posted = await app.client.chat.postMessage({ channel, text: 'card', blocks: card('p1') })
    const press = {
      userId: 'U0DANA',
      channelId: channel,
      messageTs: posted.ts ?? '',
      actionId: 'approve_cancel',
    }
    expect((await workspace.press(press)).complaint).toBe('We had some trouble connecting. Try again?')
    expect(workspace.complaints('U0DANA')).toMatchObject([{ actionId: 'approve_cancel', ts: posted.ts }])
  })

  test('a payload that comes twice runs twice', async () => {
    const workspace = await workspaceWith()
    let calls = 0
    await boltOn(workspace, mode, (app) => {
      app.command('/ask', async ({ ack }) => {
        calls += 1
        await ack()
      })
    })
    workspace.duplicateNext()
    await workspace.slashCommand({ userId: 'U0RESP', channelId: channel, text: 'help' })
    expect(calls).toBe(2)
    await workspace.slashCommand({ userId: 'U0RESP', channelId: channel, text: 'help' })
    expect(calls).toBe(3)
  })
})

describe('signed HTTP', () => {
  test('Bolt takes our signature and refuses forged and old ones', async () => {
    const workspace = await workspaceWith()
    let calls = 0
    await boltOn(workspace, 'http', (app) => {
      app.command('/ask', async ({ ack }) => {
        calls += 1
        await ack()
      })
    })
    const { payload = {} } = await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
    const again = { type: 'slash_commands' as const, payload }
    expect(await workspace.sendRaw(again)).toMatchObject({ acked: true, status: 200 })
    expect(await workspace.sendRaw({ ...again, http: { signature: 'v0=feed' } })).toMatchObject({
      status: 401,
    })
    const old = Math.floor(Date.now() / 1000) - 600
    expect(await workspace.sendRaw({ ...again, http: { timestamp: old } })).toMatchObject({ status: 401 })
    expect(calls).toBe(2)
  })

  test('a command fails with dispatch_failed when nobody listens at the address', async () => {
    const workspace = await workspaceWith({ requestUrl: 'http://127.0.0.1:9/slack/events' })
    const outcome = await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
    expect(outcome.complaint).toBe('/ask failed with the error "dispatch_failed"')
  })
})

describe('socket mode', () => {
  test('each payload goes to one of several connections', async () => {
    const workspace = await workspaceWith()
    const seen = [0, 0]
    for (const index of [0, 1]) {
      await boltOn(workspace, 'socket', (app) => {
        app.command('/ask', async ({ ack }) => {
          seen[index] = (seen[index] ?? 0) + 1
          await ack()
        })
      })
    }
    await workspace.waitFor(() => workspace.sockets() === 2)
    for (let n = 0; n < 40; n++) await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
    expect((seen[0] ?? 0) + (seen[1] ?? 0)).toBe(40)
    expect(Math.min(...seen)).toBeGreaterThan(0)
  })

  test('Bolt reconnects after a refresh', async () => {
    const workspace = await workspaceWith()
    const { app } = await boltOn(workspace, 'socket', (app) => {
      app.command('/ask', async ({ ack }) => ack('here'))
    })
    // Bolt waits `clientPingTimeout` (5 s) before it reconnects; shortened so that the test is.
    const receiver = Reflect.get(app, 'receiver') as { client: { clientPingTimeoutMS: number } }
    receiver.client.clientPingTimeoutMS = 50
    for (const cut of [workspace.refreshSockets, workspace.disconnectSockets]) {
      cut()
      await workspace.waitFor(() => workspace.sockets() === 0)
      const lost = await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
      expect(lost.complaint).toBe('/ask failed with the error "dispatch_failed"')
      await workspace.waitFor(() => workspace.sockets() === 1)
      expect((await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })).acked).toBe(true)
    }
  })

  test('a ticket opens one connection', async () => {
    const workspace = await workspaceWith()
    const open = async () => {
      const response = await fetch(`${workspace.env.SLACK_API_URL}apps.connections.open`, {
        method: 'POST',
        headers: { authorization: `Bearer ${workspace.tokens.app}` },
      })
      return ((await response.json()) as { url: string }).url
    }
    const url = await open()
    const connect = (address: string) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(address)
        socket.onmessage = ({ data }) => {
          resolve((JSON.parse(data) as { type: string }).type)
          socket.close()
        }
        socket.onerror = () => resolve('refused')
      })
    expect(await connect(url)).toBe('hello')
    expect(await connect(url)).toBe('refused')
  })
})

describe('response_url', () => {
  const answerTo = async (url: unknown, body: object) => {
    const response = await fetch(String(url), { method: 'POST', body: JSON.stringify(body) })
    return [response.status, ((await response.json()) as { error?: string }).error]
  }

  test('works five times', async () => {
    const workspace = await workspaceWith()
    await boltOn(workspace, 'socket', (app) => app.command('/ask', async ({ ack }) => ack()))
    const { payload } = await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
    const url = payload?.response_url
    expect(await answerTo(url, { text: '' })).toEqual([400, 'no_text'])
    expect(await answerTo(url, { text: 'x', blocks: [{ type: 'nonsense' }] })).toEqual([
      400,
      'invalid_blocks',
    ])
    for (let n = 1; n <= 5; n++)
      expect(await answerTo(url, { text: `answer ${n}` })).toEqual([200, undefined])
    expect(await answerTo(url, { text: 'one too many' })).toEqual([404, 'used_url'])
    expect(workspace.ephemerals('U0RESP')).toHaveLength(5)
  })

  test('works for thirty minutes', async () => {
    let now = Date.now()
    const workspace = await workspaceWith({ now: () => now })
    await boltOn(workspace, 'socket', (app) => app.command('/ask', async ({ ack }) => ack()))
    const { payload } = await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
    now += 30 * 60_000 + 1
    expect(await answerTo(payload?.response_url, { text: 'late' })).toEqual([404, 'expired_url'])
  })

  test('replaces and deletes what was pressed, private messages too', async () => {
    const workspace = await workspaceWith()
    const { app } = await boltOn(workspace, 'socket', (app) => {
      app.action(/^(replace|delete)$/, async ({ ack, action, respond }) => {
        await ack()
        const replace = 'action_id' in action && action.action_id === 'replace'
        await respond(replace ? { replace_original: true, text: 'replaced' } : { delete_original: true })
      })
    })
    const blocks = [{ type: 'actions', elements: [button('replace', '1'), button('delete', '1')] }]
    await app.client.chat.postEphemeral({ channel, user: 'U0RESP', text: 'psst', blocks })
    const entry = await workspace.waitFor(() => workspace.ephemerals('U0RESP')[0])
    const press = { userId: 'U0RESP', channelId: channel, messageTs: entry.ts }
    const { payload } = await workspace.press({ ...press, actionId: 'replace' })
    expect(payload?.message).toBeUndefined()
    expect(payload?.container).toMatchObject({ is_ephemeral: true })
    await workspace.waitFor(() => workspace.ephemerals('U0RESP')[0]?.text === 'replaced')

    const posted = await app.client.chat.postMessage({ channel, text: 'card', blocks })
    await workspace.press({ ...press, messageTs: posted.ts ?? '', actionId: 'delete' })
    await workspace.waitFor(() => workspace.messages(channel).length === 0)
  })
})

describe('control', () => {
  test('the members of a user group, people and channels can be changed', async () => {
    const workspace = await workspaceWith()
    const { client } = (await boltOn(workspace, 'socket')).app
    workspace.setGroupMembers('S0DBAONCALL', ['U0RESP'])
    workspace.updateUser('U0RESP', { isRestricted: true })
    const group = await client.usergroups.users.list({ usergroup: 'S0DBAONCALL' })
    const user = await client.users.info({ user: 'U0RESP' })
    expect(group.users).toEqual(['U0RESP'])
    expect(user.user).toMatchObject({ is_restricted: true, is_ultra_restricted: false, deleted: false })
    expect((await client.users.info({ user: 'U0STRANGER' })).user).toMatchObject({
      team_id: 'T0OTHER',
      is_stranger: true,
    })
    const info = await client.conversations.info({ channel: 'C0RANDOM' })
    expect(info.channel?.is_member).toBe(false)
    workspace.invite('C0RANDOM')
    expect((await client.conversations.members({ channel: 'C0RANDOM' })).members).toContain('U0APP')
    const im = await client.conversations.open({ users: 'U0DANA' })
    await client.chat.postMessage({ channel: im.channel?.id ?? '', text: 'hello Dana' })
    await client.chat.postMessage({ channel: 'U0DANA', text: 'hello again' })
    expect(workspace.dms('U0DANA').map((entry) => entry.text)).toEqual(['hello Dana', 'hello again'])
  })

  test('a wait that times out shows what is on the screen', async () => {
    const workspace = await workspaceWith()
    workspace.say({ userId: 'U0RESP', channelId: channel, text: 'anybody here?' })
    const waiting = workspace.waitFor(() => false, { timeoutMs: 20, what: 'a card' })
    await expect(waiting).rejects.toThrow(/waited 20 ms for a card.*riley: anybody here\?/s)
  })

  test('say refuses an unknown user, an unknown channel and an archived one', async () => {
    const workspace = await workspaceWith()
    const say = (userId: string, channelId: string) => () => workspace.say({ userId, channelId, text: 'x' })
    expect(say('U0NOBODY', channel)).toThrow('no user U0NOBODY in this workspace')
    expect(say('U0RESP', 'C0NOWHERE')).toThrow('no channel C0NOWHERE in this workspace')
    workspace.archive(channel)
    expect(say('U0RESP', channel)).toThrow('#incidents is archived')
    expect(workspace.messages(channel)).toEqual([])
  })

  test('a press on a missing control is refused, naming the controls that exist', async () => {
    const workspace = await workspaceWith()
    const { client } = (await boltOn(workspace, 'socket')).app
    const { ts = '' } = await client.chat.postMessage({ channel, text: 'card', blocks: card('p1') })
    const press = { userId: 'U0DANA', channelId: channel, messageTs: ts, actionId: 'approve_terminate' }
    await expect(workspace.press(press)).rejects.toThrow('no control approve_terminate in message')
  })

  test('another site may not call it', async () => {
    const workspace = await workspaceWith()
    const call = (headers: Record<string, string>) =>
      fetch(`${workspace.url}/control/say`, { method: 'POST', headers, body: '{}' }).then(
        (answer) => answer.status,
      )
    expect(await call({ origin: 'https://evil.example' })).toBe(403)
    expect((await fetch(workspace.url.replace('127.0.0.1', 'localhost'))).status).toBe(200)
  })
})

describe('faults', () => {
  test('a call can meet 429, 500, a hang, a lost reply and a refusal', async () => {
    const workspace = await workspaceWith()
    const { client } = (await boltOn(workspace, 'socket')).app
    const post = (text: string) => client.chat.postMessage({ channel, text })
    const fault = { method: 'chat.postMessage' }
    workspace.fault({ ...fault, kind: 'error500' })
    await expect(post('a')).rejects.toMatchObject({ statusCode: 500 })
    workspace.fault({ ...fault, kind: 'refuse', error: 'token_revoked' })
    await expect(post('b')).rejects.toMatchObject({ data: { error: 'token_revoked' } })
    workspace.fault({ ...fault, kind: 'replyLost' })
    await expect(post('c')).rejects.toThrow()
    workspace.fault({ ...fault, kind: 'hang' })
    const hanging = expect(post('d')).rejects.toThrow()
    await workspace.waitFor(() =>
      workspace.requests('chat.postMessage').some((request) => request.args.text === 'd'),
    )
    workspace.clearFaults()
    await hanging
    workspace.fault({ ...fault, kind: 'rateLimited', retryAfter: 7 })
    const response = await fetch(`${workspace.env.SLACK_API_URL}chat.postMessage`, { method: 'POST' })
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7'])
    await post('e')
    expect(workspace.messages(channel).map((entry) => entry.text)).toEqual(['c', 'e'])
  })
})
