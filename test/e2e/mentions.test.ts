import { expect, it } from 'vitest'
import { channel, hasButton, openRoom, type Room } from '../support/harness.ts'
import { jamOne, openCard, useShop } from '../support/shop.ts'

let room: Room | undefined
const { server, shop } = await useShop(() => room)

const say = (of: Room, text: string, { userId = 'U0RESP', channelId = channel, threadTs = '' } = {}) =>
  of.workspace.say({ userId, channelId, text: `<@U0APP> ${text}`, ...(threadTs && { threadTs }) })

it.each(['socket', 'http'] as const)(
  'is answered once with the overview, in its thread, or as a command (%s)',
  async (mode) => {
    room = await openRoom(server.marshalUrl, { mode })
    const { root } = await openCard(room, server, shop)
    room.workspace.duplicateNext()
    const asked = say(room, 'what is going on?')
    const [, overview, ...more] = await room
      .thread(asked.ts, /^pg-marshal: overview/)
      .then((replies) => [asked, ...replies])
    expect(overview && hasButton(overview, 'pg_refresh_answer')).toBe(true)
    expect(more).toEqual([])
    say(room, 'blocking', { threadTs: asked.ts })
    const replies = await room.thread(asked.ts, /^Who blocks whom/)
    expect(replies.filter(({ text }) => text.startsWith('pg-marshal: overview'))).toHaveLength(1)
    say(room, `session ${root.pid} extra`, { threadTs: asked.ts })
    await room.whisper('U0RESP', /takes one PID/)
    expect(room.workspace.ephemerals('U0RESP')[0]?.thread_ts).toBe(asked.ts)
  },
)

it('asks for an approval, and shows strangers and other channels nothing', async () => {
  room = await openRoom(server.marshalUrl, { over: { watch: { every: '200ms', blockedFor: '1h' } } })
  const { root } = await jamOne(server, shop)
  await room.start()
  say(room, `terminate ${root.pid} it hangs`)
  await room.whisper('U0RESP', /Asked the approvers/)
  expect((await room.card('approve_terminate')).text).toContain('it hangs')
  say(room, '', { userId: 'U0GUEST' })
  await room.whisper('U0GUEST', /Nothing was done: guests may not use this/)
  say(room, 'sessions', { userId: 'U0STRANGER' })
  await room.whisper('U0STRANGER', /Nothing was done/)
  const elsewhere = room.workspace
  elsewhere.invite('C0RANDOM')
  say(room, '', { channelId: 'C0RANDOM' })
  await elsewhere.waitFor(
    () =>
      elsewhere.ephemerals('U0RESP', 'C0RANDOM').some(({ text }) => text.startsWith('pg-marshal: overview')),
    { what: 'the private overview' },
  )
  expect(elsewhere.messages('C0RANDOM').filter(({ user }) => user === 'U0APP')).toEqual([])
})
