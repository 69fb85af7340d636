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
    const open = await modal('U0RESP', /Wait event: [\s\S]*Locks of [\s\S]*Holds \w*Lock[\s\S]* on /)
    // From 17 on the server explains it.
    expect(told(open.blocks as never)).toMatch(
      server.versionNum < 170_000
        ? /Wait event: Client\/ClientRead\.\n/
        : /Wait event: Client\/ClientRead\. The server says: Waiting to read data from the client\.\n/,
    )
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

it('show the locks of a long statement where nobody waits for any', async () => {
  room = await openRoom(server.marshalUrl, { over: { watch: { every: '200ms', queryLongerThan: '1s' } } })
  const slow = await server.open('reporting', shop)
  const ended = slow.start('SELECT pg_sleep(600) FROM orders')
  await room.start()
  const card = await room.card('approve_cancel')
  await room.press('U0RESP', card, 'pg_details')
  const open = await modal('U0RESP', /Wait event: /)
  expect(told(open.blocks as never)).toMatch(
    /Wait event: Timeout\/PgSleep[\s\S]*Holds AccessShareLock on [^\n]*orders/,
  )
  await server.admin.query('SELECT pg_cancel_backend($1)', [slow.pid])
  await ended
})
