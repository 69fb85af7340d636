import { describe, expect, it } from 'vitest'
import { openRoom, type Room } from '../support/harness.ts'
import { told } from '../support/render.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

/** The words of the modal that a person has open, once they match. */
const modal = (userId: string, words: RegExp) =>
  room.workspace.waitFor(
    () => {
      const view = room.workspace.modal(userId)
      return view && words.test(told(view.blocks as never)) && view
    },
    { what: `${words} in the modal of ${userId}` },
  )

describe.each(['socket', 'http'] as const)('details over %s', (mode) => {
  it('show the locks of the target, who joined, and that it is over when somebody else approved', async () => {
    room = await openRoom(server.marshalUrl, { mode })
    const { root } = await jamOne(server, shop)
    await room.start()
    const card = await room.card('approve_terminate')
    await room.type('U0RESP', `terminate ${root.pid} deploy is stuck`)
    await room.until(card.ts, /asks: deploy is stuck/)
    await room.press('U0RESP', card, 'pg_details')
    const open = await modal('U0RESP', /Locks of [\s\S]*Holds \w*Lock[\s\S]* on /)
    expect(told(open.blocks as never)).toContain('asks: deploy is stuck')
    await room.press('U0DANA', card, 'approve_terminate')
    await root.ended
    await room.until(card.ts, /It was ended by the approved terminate/)
    await room.workspace.press({ userId: 'U0RESP', viewId: open.id, actionId: 'pg_refresh' })
    const over = await modal('U0RESP', /It is over\./)
    expect(over.id).toBe(open.id)
    expect(JSON.stringify(over.blocks)).not.toContain('pg_propose_')
    expect(told(over.blocks as never)).not.toContain('Locks of')
  })
})
