import { describe, expect, it } from 'vitest'
import { channel, hasButton, openRoom, type Room } from '../support/harness.ts'
import { run } from '../support/process.ts'
import { told } from '../support/render.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

const modes = (['socket', 'http'] as const).flatMap((mode) => [
  { mode, named: true },
  { mode, named: false },
])

describe.each(modes)(
  'a workspace that refuses a kind of block, over $mode, named: $named',
  ({ mode, named }) => {
    it('gets cards, answers and details in plain sections, with the same buttons', async () => {
      room = await openRoom(server.marshalUrl, { mode })
      room.workspace.refuseBlocks(['rich_text', 'table'], named)
      const { root } = await jamOne(server, shop)
      await room.start()
      const card = await room.card('approve_terminate')
      expect(told(card.blocks)).toContain('Best way out: ')
      expect(JSON.stringify(card.blocks)).not.toMatch(/"rich_text"|"table"/)
      for (const id of ['deny_terminate', 'pg_details', 'pg_acknowledge', 'pg_snooze'])
        expect(hasButton(card, id)).toBe(true)
      await room.type('U0RESP', `locks ${root.pid}`)
      await room.workspace.waitFor(
        () =>
          room.workspace
            .messages(channel)
            .some(({ blocks }) => / · /.test(told(blocks)) && /holds · /.test(told(blocks))),
        { what: 'the table in plain words' },
      )
      await room.press('U0RESP', card, 'pg_details')
      if (named) {
        const view = await room.workspace.waitFor(() => room.workspace.modal('U0RESP'), {
          what: 'the details',
        })
        expect(told(view.blocks)).toContain('pg_terminate_backend')
      }
      await room.press('U0DANA', card, 'approve_terminate')
      await root.ended
      await room.until(card.ts, /It was ended by the approved terminate/)
      // Once it is known, nothing is refused any more.
      const posts = room.workspace.requests('chat.postMessage')
      expect(posts.at(-1)?.response).toMatchObject({ ok: true })
      expect(posts.filter(({ response }) => response?.ok === false).length).toBeLessThanOrEqual(4)
    })
  },
)

it.each(['socket', 'http'] as const)(
  'is remembered over a restart, and doctor tells it, over %s',
  async (mode) => {
    room = await openRoom(server.marshalUrl, { mode })
    room.workspace.refuseBlocks(['rich_text'])
    await jamOne(server, shop)
    const first = await room.start()
    await room.card('approve_terminate')
    // Beside a bot that runs.
    const doctor = await run(room, ['doctor'])
    await doctor.ended
    expect(doctor.output()).toMatch(
      /! this workspace refuses blocks of the kind rich_text\n {6}They go as plain sections .* tried again after a day, at [-\d]+ [:\d]+ UTC/,
    )
    await first.stop()
    const sent = () =>
      ['chat.postMessage', 'chat.update', 'response_url'].flatMap((call) => [
        ...room.workspace.requests(call).map(({ response }) => response),
      ])
    const before = sent().filter((response) => response?.ok === false).length
    expect(before).toBeGreaterThan(0)
    await room.start()
    await room.type('U0RESP', 'sessions')
    const answer = await room.line(/^Sessions on orders/)
    expect(JSON.stringify(answer.blocks)).not.toContain('"rich_text"')
    expect(sent().filter((response) => response?.ok === false)).toHaveLength(before)
  },
)
