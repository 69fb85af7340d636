import type { Message } from 'slack-workspace'
import { afterEach, expect, test } from 'vitest'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { jamOne, useShop } from '../support/shop.ts'

/** A warning of one second that nobody may miss. */
const notify = {
  mention: ['S0DBAONCALL'],
  from: 'warning',
  remindAfter: '2s',
  escalate: [{ after: '4s', mention: ['U0RESP'] }],
}

let room: Room | undefined
const { server, shop } = await useShop(() => room)
afterEach(() => {
  room = undefined
})

const open = async (over: Record<string, unknown> = {}) => {
  room = await openRoom(server.url, { over: { notify, ...over } })
  return room
}

type Leaf = { readonly type: string; readonly user_id?: string; readonly usergroup_id?: string }

/** Everybody whom a message notifies, in order. */
function mentioned(message: Message): string[] {
  const leaves: Leaf[] = []
  const walk = (value: unknown) => {
    if (Array.isArray(value)) for (const one of value) walk(one)
    else if (value instanceof Object) {
      leaves.push(value as Leaf)
      for (const one of Object.values(value)) walk(one)
    }
  }
  walk(message.blocks)
  return leaves.flatMap(({ type, user_id, usergroup_id }) =>
    type === 'user' ? [user_id ?? ''] : type === 'usergroup' ? [usergroup_id ?? ''] : [],
  )
}

const broadcasts = ({ workspace }: Room) =>
  workspace.messages(channel).filter(({ subtype }) => subtype === 'thread_broadcast')

const call = (room: Room, words: RegExp) =>
  room.workspace.waitFor(() => broadcasts(room).find(({ text }) => words.test(text)), { what: `${words}` })

const cardNow = ({ workspace }: Room, card: Message): Message =>
  workspace.messages(channel).find(({ ts }) => ts === card.ts) ?? card

test('a new card calls, is reminded of and escalates, each once, in its thread and to the channel', async () => {
  const room = await open()
  await jamOne(server, shop)
  await room.start()
  const card = await room.card('approve_terminate')
  expect(mentioned(card)).toEqual(['S0DBAONCALL'])
  expect(card.text).toMatch(/\n<!subteam\^S0DBAONCALL>$/)
  const reminder = await call(room, /Nobody has answered since .* Acknowledge it/)
  expect(reminder).toMatchObject({ thread_ts: card.ts })
  expect(mentioned(reminder)).toEqual(['S0DBAONCALL'])
  const step = await call(room, /so it comes to you/)
  expect(mentioned(step)).toEqual(['U0RESP'])
  expect(broadcasts(room)).toEqual([reminder, step])
  expect(mentioned(cardNow(room, card))).toEqual(['S0DBAONCALL'])
})

test('who acknowledges is called no more, also after a restart', async () => {
  const room = await open()
  await jamOne(server, shop)
  const bot = await room.start()
  const card = await room.card('pg_acknowledge')
  await room.press('U0DANA', card, 'pg_acknowledge')
  await room.until(card.ts, /acknowledged it/)
  await bot.stop()
  await room.start({ notify: { ...notify, remindAfter: '100ms', escalate: [] } })
  await room.press('U0DANA', card, 'pg_hand_back')
  await call(room, /Nobody has answered since/)
  expect(broadcasts(room)).toHaveLength(1)
})

test('a restart forgets no step and repeats none', async () => {
  const room = await open()
  await jamOne(server, shop)
  const bot = await room.start()
  await room.card('pg_acknowledge')
  await call(room, /Nobody has answered since .* Acknowledge it/)
  await bot.stop()
  await room.start()
  await call(room, /so it comes to you/)
  expect(broadcasts(room)).toHaveLength(2)
})

test('what nobody needs any more after an outage of Slack is not sent', async () => {
  const room = await open()
  const { root } = await jamOne(server, shop)
  await room.start()
  const card = await room.card('pg_acknowledge')
  room.workspace.holdFault('away', { method: 'chat.postMessage', kind: 'error500' })
  await room.workspace.waitFor(() => !wordsOf(cardNow(room, card)).includes('unless somebody answers'), {
    what: 'every step queued',
  })
  await root.query('ROLLBACK')
  await room.workspace.waitFor(() => !hasButton(cardNow(room, card), 'pg_acknowledge'), { what: 'the end' })
  room.workspace.holdFault('away', null)
  await room.type('U0DANA', 'quiet 1h so that something is posted')
  await room.line(/Quiet period/)
  expect(broadcasts(room)).toEqual([])
})

test('without notify nobody is mentioned', async () => {
  const room = await open({ notify: undefined })
  await jamOne(server, shop)
  await room.start()
  const card = await room.card('approve_terminate')
  expect(mentioned(card)).toEqual([])
})

test('a request by hand calls, also while it is quiet', async () => {
  const room = await open()
  const session = await server.open('report', shop)
  await session.query('BEGIN')
  await room.start()
  await room.type('U0DANA', 'quiet 1h upgrade')
  await room.line(/Quiet period/)
  await room.type('U0RESP', `terminate ${session.pid} it is in the way`)
  const card = await room.card('approve_terminate', String(session.pid))
  expect(mentioned(card)).toContain('S0DBAONCALL')
  await call(room, /Nobody has answered since .* Acknowledge it/)
})

test('/pg oncall names who would be called now, and calls nobody by that', async () => {
  const room = await open()
  await room.start()
  await room.type('U0DANA', 'oncall')
  const answer = await room.line(/Who is called/)
  const words = wordsOf(answer)
  expect(words).toMatch(/At once, by a card of a warning or worse.*@dba-oncall \(now devi\)/)
  expect(words).toMatch(/After 2\s?s without an answer: the same people once more/)
  expect(words).toMatch(/After 4\s?s without an answer: /)
  expect(words).toContain('Before a proposal expires')
  expect(mentioned(answer)).toEqual([])
  expect(JSON.stringify(answer)).not.toMatch(/<[@!]/)
})

test('a card that was deleted while somebody looks after it calls nobody when it is posted again', async () => {
  const room = await open({ notify: { ...notify, remindAfter: '1h', escalate: [] } })
  await jamOne(server, shop)
  const bot = await room.start()
  const card = await room.card('pg_acknowledge')
  await room.press('U0DANA', card, 'pg_acknowledge')
  await room.until(card.ts, /acknowledged it/)
  room.workspace.deleteMessage(channel, card.ts)
  await bot.stop()
  await room.start()
  expect(mentioned(await room.card('pg_hand_back'))).toEqual(['U0DANA'])
})
