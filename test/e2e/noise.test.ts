import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { channel, openRoom, type Room } from '../support/harness.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { jamOne, openShop } from '../support/shop.ts'

let server: TestServer
let room: Room
let shop: string

beforeAll(async () => {
  server = await startTestServer()
  shop = await openShop(server)
})
afterEach(async () => {
  await room.close()
  await server.closeAll()
})
afterAll(() => server.stop())

const inChannel = () => room.workspace.messages(channel).filter(({ ts, thread_ts: top = ts }) => top === ts)

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
