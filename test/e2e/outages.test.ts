import { afterEach, expect, it } from 'vitest'
import { type Forwarder, startForwarder } from '../support/forwarder.ts'
import { channel, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { answerStatements, changedRows, startHostileServer } from '../support/hostile.ts'
import { startTestServer, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'
import { jamOne, openShop } from '../support/shop.ts'

/** What people read in the channel while the watched server is in trouble itself. */

let room: Room | undefined
const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  await room?.close()
  room = undefined
  for (const end of ends.splice(0).reverse()) await end()
})

const testServer = async (settings = {}): Promise<TestServer> => {
  const server = await startTestServer({ settings })
  ends.push(server.stop)
  return server
}
/** What stands in the channel itself, oldest first. */
const lines = () =>
  (room?.workspace.messages(channel) ?? []).filter(({ ts, thread_ts: top = ts }) => top === ts)
const told = (text: RegExp) => lines().filter((message) => text.test(message.text))
/** The cards that say that a cluster is not seen. */
const unseen =
  /(?:accept(?:s|ed) no connections|(?:does|did) not answer|c(?:an|ould) ?not be seen|refuse[sd] the login)/
const sight = () => told(new RegExp(`^\\S+ (?:Resolved: )?\\w+ ${unseen.source}`))
const blindCard = (cluster = 'orders') =>
  room?.line(new RegExp(`^🔴 ${cluster} ${unseen.source}`)) ?? Promise.reject(new Error('no room'))
const seesAgain = (ts: string) =>
  room?.until(ts, /^🟢 Resolved: [\s\S]*The server answers again\./) ?? Promise.reject(new Error('no room'))

it('stopped and started again: blind is told once, with the reason; what ended meanwhile is resolved on its card', async () => {
  const server = await testServer()
  room = await openRoom(server.marshalUrl)
  await room.start()
  await jamOne(server, await openShop(server))
  const card = await room.card('approve_terminate')
  await server.halt()
  const blind = await blindCard()
  expect(blind.text).toMatch(/^🔴 orders accepts no connections/)
  expect(wordsOf(blind)).toMatch(
    /Seen last: \d+ sessions, \d+ waiting, \d+ of \d+ connections, 1 open incident/,
  )
  expect(wordsOf(blind)).toContain('Next: ')
  expect(wordsOf(blind)).toMatch(/Acknowledge/)
  await room.press('U0RESP', blind, 'pg_acknowledge')
  await room.until(blind.ts, /^👀 orders accepts no connections/)
  expect(blind.text).toMatch(/shutting down|Nothing listens there/)
  await room.type('U0RESP', 'sessions')
  await room.whisper('U0RESP', /Cannot see orders/)
  // What cannot be seen is not over.
  expect(wordsOf(card)).not.toMatch(/Resolved/)
  await server.restart()
  await seesAgain(blind.ts)
  await room.until(card.ts, /^🟢 Resolved: [\s\S]*The session is gone/)
  expect(sight()).toHaveLength(1)
  expect(told(/^(?:Blind|Sees)/)).toEqual([])
  expect(told(/block(?:s|ed) \d+ sessions? on orders/)).toHaveLength(1)
})

it('frozen (SIGSTOP): a deadline is told, no card is resolved, and all goes on where it stood', async () => {
  const server = await testServer()
  room = await openRoom(server.marshalUrl)
  await room.start()
  const { root } = await jamOne(server, await openShop(server))
  const card = await room.card('approve_terminate')
  server.suspend()
  const blind = await blindCard()
  expect(blind.text).toMatch(/^🔴 orders does not answer[\s\S]*No answer in time/)
  server.resume()
  await seesAgain(blind.ts)
  expect(sight()).toHaveLength(1)
  expect(told(/^\S+ .* blocks \d+ sessions? on orders/).map(({ ts }) => ts)).toEqual([card.ts])
  await room.press('U0DANA', card, 'approve_terminate')
  await room.until(card.ts, /is gone after/)
  await root.ended
  await room.until(card.ts, /^🟢 Resolved/)
})

it('stopped with the bot, which comes back first: still blind, told once, and what it missed is told in the end', async () => {
  const server = await testServer()
  room = await openRoom(server.marshalUrl)
  const first = await room.start()
  await jamOne(server, await openShop(server))
  const card = await room.card('approve_terminate')
  await server.halt()
  const blind = await blindCard()
  await first.stop()
  const { port } = await room.start()
  const ready = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
    return { http: answer.status, ...((await answer.json()) as { status: string; watching: string[] }) }
  }
  await waitFor(async () => (await ready()).status === 'degraded', 'it is blind')
  // A restart would not bring the server back.
  expect(await ready()).toMatchObject({ http: 200, watching: ['orders'] })
  await server.restart()
  await seesAgain(blind.ts)
  await room.until(card.ts, /^🟢 Resolved/)
  expect(sight()).toHaveLength(1)
})

it('failed over to another server behind the same address: its incidents are over, those of the new one are found', async () => {
  const [old, heir] = await Promise.all([testServer(), testServer()])
  const address = new URL(old.marshalUrl)
  // As a standby has it from its primary.
  await heir.admin.query(`ALTER ROLE marshal PASSWORD '${decodeURIComponent(address.password)}'`)
  const forwarder: Forwarder = await startForwarder(old.port)
  ends.push(forwarder.close)
  address.port = String(forwarder.port)
  room = await openRoom(address.href)
  await room.start()
  const before = await jamOne(old, await openShop(old))
  const card = await room.card('approve_terminate', String(before.root.pid))
  const after = await jamOne(heir, await openShop(heir))

  // For a while nobody answers there.
  forwarder.moveTo(1)
  const blind = await blindCard()
  forwarder.moveTo(heir.port)
  await seesAgain(blind.ts)
  await room.until(card.ts, /^🟢 Resolved: [\s\S]*The session is gone/)
  const next = await room.card('approve_terminate', String(after.root.pid))
  expect(next.ts).not.toBe(card.ts)
  expect(sight()).toHaveLength(1)
  // An approval goes to the new server; the old one is left alone.
  await room.press('U0DANA', next, 'approve_terminate')
  await after.root.ended
  expect((await before.root.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
})

it('a grant that is lost and given back: missing with the grant that helps, blind, and sees again, each once', async () => {
  const server = await testServer()
  room = await openRoom(server.marshalUrl)
  await room.start()
  await jamOne(server, await openShop(server))
  const card = await room.card('approve_terminate')
  await server.admin.query('REVOKE pg_monitor FROM marshal')
  await room.line(/^Missing on orders: .*GRANT pg_monitor TO "marshal"/)
  await room.line(/^Blind on orders: .*pg_monitor/)
  await room.type('U0RESP', 'sessions')
  const answer = await room.line(/^Sessions on orders\n.*may not see other sessions/)
  expect(answer.text).not.toMatch(/nobody waits/i)
  await server.admin.query('GRANT pg_monitor TO marshal')
  await room.line(/^Sees orders again/)
  expect(told(/^(?:Blind on|Sees)/).map(({ text }) => text.split(/[ :]/)[0])).toEqual(['Blind', 'Sees'])
  expect(sight()).toEqual([])
  expect(told(/^Missing on orders/)).toHaveLength(1)
  expect(told(/block(?:s|ed) \d+ sessions? on orders/).map(({ ts }) => ts)).toEqual([card.ts])
})

it('every slot taken: a card says who holds them and what is kept back, and that nobody else gets one', async () => {
  const server = await testServer({ max_connections: 16, superuser_reserved_connections: 2 })
  const shop = await openShop(server)
  room = await openRoom(server.marshalUrl, { over: { watch: { every: '200ms', idleLongerThan: '1h' } } })
  await room.start()
  const crowd: TestSession[] = []
  for (let full = false; !full; )
    await server.open('leak', shop).then(
      (session) => crowd.push(session),
      () => {
        full = true
      },
    )
  const card = await room.line(/^🔴 \d+ of \d+ connections used on orders/)
  await room.until(card.ts, /Nobody else gets one: 2 are kept back for superusers/)
  expect(wordsOf(card)).toMatch(/Held by: \d+ leak · shop · \w+ \(\d+ idle\)/)

  // Both connections of the bot are lost, and the crowd has their slots before it is back.
  const wanted = crowd.length + 2
  await waitFor(async () => {
    await server.admin.query(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'pg-marshal'",
    )
    for (;;) {
      const session = await server.open('leak', shop).catch(() => null)
      if (!session) break
      crowd.push(session)
    }
    return crowd.length >= wanted
  }, 'the crowd has our slots')
  const blind = await blindCard()
  await room.until(blind.ts, /Every connection slot is taken/)
  await server.closeAll()
  await seesAgain(blind.ts)
  await room.until(card.ts, /^🟢 Resolved: [\s\S]*Enough connections are free again/)
})

it('a server that answers nonsense is blind with its reason, and the one beside it gets its card', async () => {
  const server = await testServer()
  const hostile = await startHostileServer(
    answerStatements(changedRows('activity', 'pid', ['pid', 25, 'sesame'])),
  )
  ends.push(hostile.close)
  room = await openRoom(server.marshalUrl, {
    over: {
      clusters: [
        { name: 'odd', url: hostile.url },
        { name: 'orders', url: server.marshalUrl },
      ],
    },
  })
  await room.start()
  await jamOne(server, await openShop(server))
  const card = await room.card('approve_terminate')
  expect(card.text).toContain('orders')
  const blind = await blindCard('odd')
  expect(blind.text).toContain('(pid: expected number')
  expect(blind.text).not.toContain('sesame')
  await room.press('U0DANA', card, 'approve_terminate')
  await room.until(card.ts, /is gone after/)
})

it('a cut of the network: as many cards as a minute allows, the others in one digest, and all of it is over', async () => {
  const server = await testServer()
  const forwarder: Forwarder = await startForwarder(server.port)
  ends.push(forwarder.close)
  const address = new URL(server.marshalUrl)
  address.port = String(forwarder.port)
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  room = await openRoom(server.marshalUrl, {
    over: {
      clusters: names.map((name) => ({ name, url: address.href })),
      watch: { every: '200ms', cardsPerMinute: 2 },
    },
  })
  await room.start()
  await room.type('U0RESP', 'clusters')
  await room.line(/6 clusters, all of them seen/)
  forwarder.moveTo(1)
  const digest = await room.line(/^\d more incidents? on (?:\d clusters|[a-f])/)
  await room.until(digest.ts, /^4 more incidents on \d clusters/)
  const cards = () => told(/^(?:🔴|🟢 Resolved:) [a-f] /)
  expect(cards()).toHaveLength(2)
  forwarder.moveTo(server.port)
  await room.until(digest.ts, /^(?:Resolved: 4 incidents|Nothing more in this list) on \d clusters/)
  for (const { ts } of cards()) await room.until(ts, /^🟢 Resolved/)
})

it('a quiet cluster that is stopped has its card all the same', async () => {
  const server = await testServer()
  room = await openRoom(server.marshalUrl)
  await room.start()
  await room.type('U0RESP', 'quiet 2h a restart')
  await room.line(/quiet/i)
  await server.halt()
  const card = await blindCard()
  await server.restart()
  await seesAgain(card.ts)
})
