import type { Overflow } from '@slack/types'
import { describe, expect, it } from 'vitest'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

/** What stands in the channel itself, but for what a busy machine adds: that watching is behind, and that it keeps up again. */
const inChannel = () =>
  room.workspace
    .messages(channel)
    .filter(({ ts, thread_ts: top = ts, text }) => top === ts && !/^(?:Blind on|Sees) orders/.test(text))

it.each([1, 2])('a jam that %i approved is a card, a line, and a reply for each step', async (people) => {
  room = await openRoom(server.marshalUrl, { over: { approvals: { people: { terminate: people } } } })
  const app = await room.start()
  const { root, victim } = await jamOne(server, shop)
  const card = await room.card('approve_terminate')
  await room.press('U0RESP', card, 'pg_acknowledge')
  for (const person of ['U0DANA', 'U0DEVI'].slice(0, people))
    await room.press(person, card, 'approve_terminate')
  await root.ended
  await victim.close()
  await room.until(card.ts, /^🟢 Resolved/)
  await room.thread(card.ts, /is gone after/)
  await app.stop()
  expect(inChannel().map(({ text }) => text)).toEqual([
    expect.stringMatching(/^🟢 Resolved/),
    expect.stringMatching(/^Terminate .* is gone after/),
  ])
  expect(room.workspace.thread(channel, card.ts).slice(1)).toHaveLength(people)
})

it('a crowd of refused presses is one reply that counts', async () => {
  room = await openRoom(server.marshalUrl)
  await room.start()
  await jamOne(server, shop)
  const card = await room.card('approve_terminate')
  for (const person of ['U0RESP', 'U0GUEST', 'U0RESP', 'U0GUEST'])
    await room.press(person, card, 'approve_terminate')
  const thread = await room.thread(card.ts, /2 refused so far, of /)
  expect(thread).toHaveLength(1)
})

it('a row of a digest asks for an approval with its own button', async () => {
  room = await openRoom(server.marshalUrl, {
    over: { watch: { every: '200ms', idleLongerThan: '1s', cardsPerMinute: 1 } },
  })
  for (let n = 0; n < 4; n++) await server.open(`pool-${n}`, shop)
  await room.start()
  const { ts } = await room.line(/^\d more incidents? on orders/)
  const digest = await room.until(ts, /^\d more incidents on orders[\s\S]*pg_propose_terminate/)
  const [, pid] = /"Propose: terminate pool-\d \((\d+)\)"/.exec(wordsOf(digest)) ?? []
  await room.press('U0GUEST', digest, 'pg_propose_terminate')
  await room.whisper('U0GUEST', /guests may not use this/)
  await room.press('U0RESP', digest, 'pg_propose_terminate')
  const card = await room.card('approve_terminate', 'waits for approval')
  expect(card.text).toContain(`(${pid})`)
  const { rowCount } = await server.admin.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])
  expect(rowCount).toBe(1)
})

describe('cards a minute', () => {
  it('hold back nothing critical after many small notices', async () => {
    room = await openRoom(server.marshalUrl, {
      over: { watch: { every: '200ms', blockedFor: '1s', idleLongerThan: '1s', cardsPerMinute: 2 } },
    })
    for (let n = 0; n < 4; n++) await server.open(`pool-${n}`, shop)
    await room.start()
    await room.line(/^\d more incidents? on orders/)
    await jamOne(server, shop)
    const waiting = await Promise.all(Array.from({ length: 10 }, (_, n) => server.open(`web-${n}`, shop)))
    for (const session of waiting) void session.start("UPDATE orders SET state = 'y' WHERE id = 1")
    const card = await room.card('approve_terminate', 'blocks')
    expect(card.text).toMatch(/^🔴 checkout blocks \d+ sessions/)
  })

  it('leave the only open incident its button, after many that are over', async () => {
    room = await openRoom(server.marshalUrl, {
      over: {
        watch: { every: '200ms', blockedFor: '1s', idleInTransactionLongerThan: '1h', cardsPerMinute: 2 },
      },
    })
    await room.start()
    for (let n = 0; n < 4; n++) {
      const { root, victim } = await jamOne(server, shop)
      const card = await room.card('approve_terminate', 'blocks')
      await room.press('U0DANA', card, 'approve_terminate')
      await root.ended
      await room.until(card.ts, /^🟢 Resolved/)
      await victim.close()
    }
    expect(inChannel().filter(({ text }) => /^🟢 Resolved/.test(text))).toHaveLength(4)
  })
})

describe('who looks after it', () => {
  it('is relieved by somebody else, who can give it back', async () => {
    room = await openRoom(server.marshalUrl)
    await room.start()
    await jamOne(server, shop)
    const card = await room.card('pg_acknowledge')
    await room.press('U0RESP', card, 'pg_acknowledge')
    const taken = await room.until(card.ts, /U0RESP> acknowledged it|U0RESP".*acknowledged it/)
    expect(hasButton(taken, 'pg_acknowledge')).toBe(false)
    await room.press('U0DANA', taken, 'pg_hand_back')
    await room.whisper('U0DANA', /I take it/)
    await room.press('U0RESP', taken, 'pg_take_over')
    await room.whisper('U0RESP', /already acknowledged/)
    await room.press('U0DANA', taken, 'pg_take_over')
    await room.thread(card.ts, /^<@U0DANA> takes it over from <@U0RESP>\.$/)
    const given = await room.until(card.ts, /U0DANA".*acknowledged it/)
    await room.press('U0DANA', given, 'pg_hand_back')
    await room.thread(card.ts, /^<@U0DANA> gave it back/)
    await room.card('pg_acknowledge')
  })

  it.each(['socket', 'http'] as const)(
    'hands it over to a person who may look after it, over %s',
    async (mode) => {
      const access = { viewers: ['U0RESP', 'U0DANA'], requesters: ['U0RESP'], approvers: ['U0DANA'] }
      room = await openRoom(server.marshalUrl, { mode, over: { access } })
      await room.start()
      await jamOne(server, shop)
      const card = await room.card('pg_acknowledge')
      await room.press('U0RESP', card, 'pg_acknowledge')
      const taken = await room.until(card.ts, /U0RESP".*acknowledged it/)
      const choose = async (person: string) => {
        await room.press('U0RESP', taken, 'pg_hand_over')
        await room.workspace.waitFor(() => room.workspace.modal('U0RESP'), { what: 'the modal' })
        await room.workspace.submitView({ userId: 'U0RESP', values: { person } })
      }
      // Only who has it can give it.
      await room.press('U0DANA', taken, 'pg_hand_over')
      await room.whisper('U0DANA', /I take it/)
      expect(room.workspace.modal('U0DANA')).toBeUndefined()
      await choose('U0DEVI')
      await room.whisper('U0RESP', /the person you chose may not look after it/)
      await choose('U0RESP')
      await room.whisper('U0RESP', /you look after it already/)
      await choose('U0DANA')
      await room.until(card.ts, /U0DANA".*acknowledged it/)
      const lines = await room.thread(card.ts, /^<@U0RESP> handed it over to <@U0DANA>\.$/)
      expect(lines.filter(({ text }) => /handed|takes it over/.test(text))).toHaveLength(1)
      // The modal stood open while somebody else took it.
      await room.press('U0DANA', taken, 'pg_hand_over')
      await room.workspace.waitFor(() => room.workspace.modal('U0DANA'), { what: 'the modal' })
      await room.press('U0RESP', taken, 'pg_take_over')
      await room.until(card.ts, /U0RESP".*acknowledged it/)
      await room.workspace.submitView({ userId: 'U0DANA', values: { person: 'U0RESP' } })
      await room.workspace.waitFor(() => room.workspace.ephemerals('U0DANA').length === 2, {
        what: 'the refusal',
      })
      expect(hasButton(taken, 'pg_hand_over')).toBe(true)
    },
  )
})

describe('a longer snooze', () => {
  it.each([
    ['2h', /Quiet until (?!.*it is over)/],
    ['morning', /Quiet until (?!.*it is over)/],
    ['over', /Quiet until .*it is over/],
  ])('for %s is said once, on the card', async (choice, words) => {
    room = await openRoom(server.marshalUrl)
    await room.start()
    await jamOne(server, shop)
    const card = await room.card('pg_snooze_for')
    const menu = (card.blocks ?? [])
      .flatMap((block) => (block.type === 'actions' ? (block.elements as Overflow[]) : []))
      .find(({ action_id: id }) => id === 'pg_snooze_for')
    const value = menu?.options.find((option) => option.value?.startsWith(choice))?.value
    expect(value).toBeDefined()
    await room.workspace.press({
      userId: 'U0DANA',
      channelId: channel,
      messageTs: card.ts,
      actionId: 'pg_snooze_for',
      value: value ?? '',
    })
    const quiet = await room.until(card.ts, words)
    expect(hasButton(quiet, 'pg_snooze') || hasButton(quiet, 'pg_snooze_for')).toBe(false)
    expect(inChannel()).toHaveLength(1)
    expect(room.workspace.thread(channel, card.ts)).toHaveLength(1)
    expect(room.workspace.ephemerals('U0DANA')).toEqual([])
  })
})
