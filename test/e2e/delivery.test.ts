import { everyScope } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { waitFor } from '../support/postgres.ts'
import { run, serve } from '../support/process.ts'
import { jamOne, type OpenedCard, openCard, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

/** Opens a room with a jam in it, and its card. */
async function openedCard(options: Parameters<typeof openRoom>[1] = {}): Promise<OpenedCard> {
  room = await openRoom(server.marshalUrl, options)
  return openCard(room, server, shop)
}

const jam = async () => (await jamOne(server, shop)).root

const cards = () =>
  room.workspace.messages(channel).filter(({ text }) => /block(?:s|ed) \d+ sessions? on orders/.test(text))

describe('a card', () => {
  it.each([
    ['is rate-limited', { kind: 'rateLimited', retryAfter: 2, times: 2 }],
    ['answers with 500', { kind: 'error500', times: 2 }],
    ['takes the post, and its reply is lost', { kind: 'replyLost', times: 1 }],
    ['does not answer', { kind: 'hang', times: 1 }],
  ] as const)('is there exactly once after Slack %s', async (_, fault) => {
    room = await openRoom(server.marshalUrl, { workspace: { scopes: [...everyScope] } })
    await room.start()
    room.workspace.fault({ method: 'chat.postMessage', ...fault })
    const root = await jam()
    const card = await room.card('approve_terminate')
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /is gone/)
    await root.ended
    await room.until(card.ts, /^🟢 Resolved/)
    expect(cards()).toHaveLength(1)
  })

  describe('whose post took no reply, where we may not look for it,', () => {
    const asked = () => room.workspace.messages(channel).filter(({ text }) => /waits for approval/.test(text))
    const ask = async (...faults: ('replyLost' | 'hang')[]) => {
      room = await openRoom(server.marshalUrl)
      await room.start()
      const root = await server.open('checkout', shop)
      await root.query('BEGIN')
      for (const kind of faults) room.workspace.fault({ method: 'chat.postMessage', kind })
      await room.type('U0RESP', `terminate ${root.pid} forgotten`)
      return root
    }

    it('comes twice, and loses the buttons of its copy when one is pressed', async () => {
      const root = await ask('replyLost')
      await room.workspace.waitFor(() => asked().length === 2, { what: 'two cards' })
      const [copy] = asked()
      if (!copy) throw new Error('no card')
      await room.press('U0DANA', copy, 'approve_terminate')
      await root.ended
      const emptied = await room.until(copy.ts, /This card came twice/)
      expect(hasButton(emptied, 'approve_terminate')).toBe(false)
    })

    it('goes on where it is pressed, though it is just posted for the second time', async () => {
      const root = await ask('replyLost', 'hang')
      const card = await room.card('approve_terminate', 'waits for approval')
      await waitFor(() => room.workspace.faults().length === 0, 'the second post is under way')
      await room.press('U0DANA', card, 'approve_terminate')
      await root.ended
      const done = await room.until(card.ts, /is gone/)
      expect(hasButton(done, 'approve_terminate')).toBe(false)
      expect(room.workspace.messages(channel).filter(({ text }) => text === done.text)).toHaveLength(1)
    })
  })

  it('is posted again when somebody deletes it', async () => {
    const { card } = await openedCard()
    room.workspace.deleteMessage(channel, card.ts)
    await room.press('U0GUEST', card, 'approve_terminate').catch(() => null)
    const again = await room.card('approve_terminate')
    expect(again.ts).not.toBe(card.ts)
    expect(cards()).toHaveLength(1)
  })

  it('is posted again also when nobody touches it, by the look whether it stands', async () => {
    const { bot: app, card } = await openedCard()
    await app.stop()
    room.workspace.deleteMessage(channel, card.ts)
    // The first look is at the start, and asks nobody to wait for the next one.
    room.workspace.fault({ method: 'chat.update', kind: 'error500', times: 1000 })
    await room.start()
    const again = await room.card('approve_terminate')
    expect(again.ts).not.toBe(card.ts)
    expect(cards()).toHaveLength(1)
  })

  it('is closed when its cluster is not configured any more, where it stands', async () => {
    const { bot: app, card } = await openedCard()
    await app.stop()
    await room.start({
      slack: { mode: 'socket', channel: 'C0RANDOM' },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
      clusters: [{ name: 'stock', url: '${DATABASE_URL}' }],
    })
    const closed = await room.until(card.ts, /^🟢 Resolved: .* blocked \d+ sessions? on orders/)
    expect(wordsOf(closed)).toContain('Cluster orders is not configured any more')
    expect(hasButton(closed, 'approve_terminate')).toBe(false)
  })

  it('of a request loses its buttons too when its cluster is not configured any more', async () => {
    room = await openRoom(server.marshalUrl, { over: { watch: { every: '1h' } } })
    const app = await room.start()
    const root = await jam()
    await room.type('U0RESP', `terminate ${root.pid} forgotten`)
    const card = await room.card('approve_terminate', 'waits for approval')
    await app.stop()
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
    await room.start({ clusters: [{ name: 'stock', url: '${DATABASE_URL}' }] })
    const closed = await room.until(card.ts, /Withdrawn: nobody watches its cluster/)
    expect(hasButton(closed, 'approve_terminate')).toBe(false)
    await room.thread(card.ts, /^The proposal was withdrawn: nobody watches its cluster/)
  })

  it('is true again after an outage that outlasts its incident', async () => {
    const { root, card } = await openedCard()
    room.workspace.fault({ method: 'chat.update', kind: 'error500', times: 3 })
    room.workspace.fault({ method: 'chat.postMessage', kind: 'error500', times: 3 })
    await root.query('COMMIT')
    await room.until(card.ts, /^🟢 Resolved/)
    expect(cards()).toHaveLength(1)
  })
})

describe('a channel that takes no messages', () => {
  it('is told in another one and in /readyz, and gets its cards when it takes them again', async () => {
    room = await openRoom(server.marshalUrl, {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
      over: { clusters: [{ name: 'orders', url: '${DATABASE_URL}', channel: 'C0RANDOM' }] },
    })
    const app = await room.start()
    await jam()
    const told = await room.line(/^I cannot post to <#C0RANDOM> \(not_in_channel\)/)
    expect(told.text).toContain('held back')
    const readiness = await fetch(`http://127.0.0.1:${app.port}/readyz`)
    expect(readiness.status).toBe(200)
    expect(await readiness.json()).toMatchObject({
      problems: ['Slack: C0RANDOM takes no messages (not_in_channel)'],
    })
    room.workspace.invite('C0RANDOM')
    await room.workspace.waitFor(
      () =>
        room.workspace
          .messages('C0RANDOM')
          .find(({ text }) => /^\S+ .* blocks \d+ sessions? on orders/.test(text)),
      { what: 'the card' },
    )
  })
})

describe('a channel that was archived', () => {
  it('is told in another one, in the log, in /readyz and by doctor', async () => {
    const yaml = {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
      clusters: [{ name: 'orders', url: '${DATABASE_URL}', channel: 'C0RANDOM' }],
      http: { port: 0 },
    }
    room = await openRoom(server.marshalUrl, { over: yaml, workspace: { scopes: [...everyScope] } })
    room.workspace.invite('C0RANDOM')
    const bot = await serve(room)
    try {
      room.workspace.archive('C0RANDOM')
      await jam()
      await room.line(/^I cannot post to <#C0RANDOM> \(is_archived\)/)
      // Slack's line may be here before the log has come through its pipe.
      await bot.says('"code":"is_archived"')
      const { port } = JSON.parse(/^.*pg-marshal is ready.*$/m.exec(bot.output())?.[0] ?? '')
      const readiness = await fetch(`http://127.0.0.1:${port}/readyz`)
      expect(await readiness.json()).toMatchObject({
        problems: ['Slack: C0RANDOM takes no messages (is_archived)'],
      })
      const doctor = await run(room, ['doctor'])
      expect(await doctor.ended).toBe(1)
      expect(doctor.output()).toContain('channel C0RANDOM is archived')
      room.workspace.archive('C0RANDOM', false)
      await room.workspace.waitFor(
        () =>
          room.workspace
            .messages('C0RANDOM')
            .find(({ text }) => /^\S+ .* blocks \d+ sessions? on orders/.test(text)),
        { what: 'the card' },
      )
    } finally {
      await bot.kill('SIGKILL')
    }
  })
})

describe('a token that was revoked', () => {
  it('is told in /readyz, and what was held back comes with a new one', async () => {
    room = await openRoom(server.marshalUrl)
    const { port } = await room.start()
    const refused = { kind: 'refuse', error: 'token_revoked', times: Number.POSITIVE_INFINITY } as const
    room.workspace.holdFault('revoked', refused)
    await jam()
    await waitFor(async () => {
      const readiness = await fetch(`http://127.0.0.1:${port}/readyz`)
      return (await readiness.text()).includes('Slack: C0INCIDENTS takes no messages (token_revoked)')
    }, 'it is told')
    room.workspace.holdFault('revoked', null)
    await room.card('approve_terminate')
    expect(cards()).toHaveLength(1)
  })
})

describe('a socket', () => {
  it.each(['refreshSockets', 'disconnectSockets'] as const)('%s in the middle of a press', async (how) => {
    const { root, card } = await openedCard()
    // A stopped backend takes no notice of its signal: so the approval is under way while the sockets go.
    process.kill(root.pid, 'SIGSTOP')
    try {
      const pressed = room.press('U0DANA', card, 'approve_terminate')
      room.workspace[how]()
      await pressed
      await room.workspace.waitFor(() => room.workspace.sockets() === 2, { what: 'both sockets' })
    } finally {
      process.kill(root.pid, 'SIGCONT')
    }
    // What got lost with the socket is pressed once more; what did not is counted once all the same, or has no button.
    await room.press('U0DANA', card, 'approve_terminate').catch(() => null)
    await room.until(card.ts, /is gone/)
    await root.ended
    await room.line(/^Terminate /)
    await room.until(card.ts, /^🟢 Resolved/)
    const lines = room.workspace.messages(channel).filter(({ text }) => /^Terminate \d/.test(text))
    expect(lines).toHaveLength(1)
  })

  it.each(['refreshSockets', 'disconnectSockets'] as const)('comes back by itself after %s', async (how) => {
    const { root, card } = await openedCard()
    const dropped = room.workspace.waitFor(() => room.workspace.sockets() === 0, { what: 'no socket' })
    room.workspace[how]()
    await dropped
    await room.workspace.waitFor(() => room.workspace.sockets() === 2, { what: 'both sockets' })
    expect((await room.press('U0DANA', card, 'approve_terminate')).acked).toBe(true)
    await room.until(card.ts, /is gone/)
    await root.ended
  })
})
