import { expect, it } from 'vitest'
import { openRoom, type Room } from '../support/harness.ts'
import { run } from '../support/process.ts'
import { told } from '../support/render.ts'
import { useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

const trace = '5bd66ef5095369c7b0d1f8f4bd33716a'
const traceparent = `00-${trace}-c532cb4098ac3dd2-01`
const link = { traceparent: 'https://trace.example.com/{trace_id}' }
const comment = `/*action='create',application='shop%20%3C!channel%3E',controller='OrdersController',route='%2Forders',user='S3CRET',traceparent='${traceparent}'*/`
const tags = {
  ...{ application: 'shop <!channel>', controller: 'OrdersController', action: 'create', route: '/orders' },
  traceparent,
}

/** A jam behind a session whose last statement has such a comment, and what looks like one in a constant. */
async function jam() {
  const root = await server.open('checkout', shop)
  await root.query('BEGIN')
  await root.query(`UPDATE orders SET state = '/*job:S3CRET*/' WHERE id = 1 ${comment}`)
  const victim = await server.open('web', shop)
  void victim.start("UPDATE orders SET state = 'x' WHERE id = 1")
  await server.untilWaiting(victim)
  return { root, victim }
}

const line = 'From shop <!channel> · OrdersController#create · route /orders · its trace'

it('a card, its details, an answer and the terminal say where a session comes from', async () => {
  room = await openRoom(server.marshalUrl, { over: { tags: { link } } })
  const { root, victim } = await jam()
  await room.start()
  const card = await room.card('approve_terminate')
  expect(told(card.blocks)).toContain(`\n${line}\nUPDATE orders SET state = ? WHERE id = ?`)
  expect(JSON.stringify(card.blocks)).toContain(`"url":"https://trace.example.com/${trace}"`)

  await room.press('U0RESP', card, 'pg_details')
  const modal = await room.workspace.waitFor(
    () => {
      const view = room.workspace.modal('U0RESP')
      return view && told(view.blocks as never).includes('Comes from: ') && view
    },
    { what: 'where it comes from in the details' },
  )
  expect(told(modal.blocks as never)).toContain(
    `Comes from: application shop <!channel>, controller OrdersController, action create, route /orders, traceparent ${traceparent}.`,
  )

  await room.type('U0RESP', `session ${root.pid}`)
  const answer = await room.line(/Comes from: /)
  expect(answer.text).toContain('application shop &lt;!channel&gt;, controller OrdersController')
  expect(answer.text).toContain(`<https://trace.example.com/${trace}|traceparent ${traceparent}>`)

  for (const command of ['sessions', 'blocking']) {
    const terminal = await run(room, [command, '--json'])
    expect(await terminal.ended).toBe(0)
    const { sessions } = JSON.parse(terminal.output()) as { sessions: { pid: number; tags: unknown }[] }
    const tagsOf = ({ pid }: { pid: number }) => sessions.find((one) => one.pid === pid)?.tags
    expect([tagsOf(root), tagsOf(victim)]).toEqual([tags, {}])
  }

  // Approved, so the proposal was written with it and read again.
  await room.press('U0DANA', card, 'approve_terminate')
  await root.ended
  await room.until(card.ts, /It was ended by the approved terminate/)
  expect(JSON.stringify(room.workspace.messages('C0INCIDENTS'))).not.toContain('S3CRET')
})

it('hidden texts hide it', async () => {
  room = await openRoom(server.marshalUrl, { over: { queryText: 'hidden', tags: { link } } })
  await jam()
  await room.start()
  const card = await room.card('approve_terminate')
  expect(told(card.blocks)).not.toMatch(/From |OrdersController|UPDATE/)
  const terminal = await run(room, ['blocking', '--json'])
  expect(await terminal.ended).toBe(0)
  expect(terminal.output()).not.toMatch(/OrdersController|S3CRET|UPDATE/)
})

it('a key that is not named stays unread', async () => {
  room = await openRoom(server.marshalUrl, { over: { tags: { keys: ['route'] } } })
  await jam()
  await room.start()
  const other = await room.card('approve_terminate')
  expect(told(other.blocks)).toContain('\nFrom route /orders\nUPDATE')
})
