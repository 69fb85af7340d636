import { Socket } from 'node:net'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import { hasPgBouncer, startBouncer, type TestBouncer } from '../support/pgbouncer.ts'
import type { TestSession } from '../support/postgres.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
let bouncer: TestBouncer | undefined
const { server, shop } = await useShop(() => room)
afterEach(async () => {
  await bouncer?.stop()
})

const addressOf = ({ client }: TestSession) => {
  const { stream } = client.connection
  return `127.0.0.1:${stream instanceof Socket ? stream.localPort : ''}`
}

async function roomBehind(settings: Record<string, string | number>, watch: Record<string, unknown> = {}) {
  const started = await startBouncer(server, { users: [shop], settings })
  bouncer = started
  room = await openRoom(server.marshalUrl, {
    over: {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
      clusters: [{ name: 'orders', url: '${DATABASE_URL}', pgbouncer: started.consoleUrl }],
      watch: { every: '200ms', blockedFor: '1s', idleInTransactionLongerThan: '1h', ...watch },
    },
  })
  return started
}

describe.skipIf(!hasPgBouncer)('behind PgBouncer', () => {
  it.each([
    [
      'transaction',
      /Behind PgBouncer: if the transaction ends just now, the pool’s next client may have the connection within milliseconds/,
    ],
    ['session', /Behind PgBouncer: its client 127\.0\.0\.1:\d+ loses its connection/],
  ])(
    'in %s mode the client is named on the card and in answers, and loses its connection with the session',
    async (mode, risk) => {
      const { through } = await roomBehind({ pool_mode: mode })
      const { root, victim } = await jamOne(server, through(shop))
      await room.start()
      const card = await room.card('approve_terminate')
      const said = await room.until(card.ts, new RegExp(addressOf(root)))
      expect(wordsOf(said)).toMatch(risk)

      await room.type('U0RESP', 'sessions')
      expect(wordsOf(await room.line(/^Sessions on orders/))).toContain(addressOf(root))
      await room.type('U0RESP', 'blocking')
      const blocking = wordsOf(await room.line(/^Who blocks whom/))
      expect(blocking).toContain(addressOf(root))
      expect(blocking).toContain(addressOf(victim))
      await room.type('U0RESP', `session ${root.pid}`)
      expect(wordsOf(await room.line(/^Session \d+ on orders/))).toContain(
        `PgBouncer, pool postgres of shop in ${mode} mode. The client is ${addressOf(root)} (checkout), logged in as shop`,
      )

      await room.press('U0DANA', card, 'approve_terminate')
      await root.ended
      await room.until(card.ts, /1 of 1 waiter moved on, as expected/)
      expect((await victim.query('SELECT true AS alive')).rows).toEqual([{ alive: true }])
    },
  )

  it('a pool whose clients wait has a card, which ends with the wait; /pg health says it too', async () => {
    const { through } = await roomBehind({ default_pool_size: 1 }, { poolWaitsFor: '500ms' })
    const holder = await server.open('holder', through(shop))
    await holder.query('BEGIN; SELECT 1')
    const waiter = new pg.Client({ connectionString: through(shop) })
    const answer = waiter.connect().then(() => waiter.query('SELECT 1'))
    await room.start()
    const { ts } = await room.line(/1 client waits in PgBouncer on orders/)
    await room.until(ts, /1 of its connections is lent: 1 is idle in transaction/)
    await room.type('U0RESP', 'health')
    expect((await room.line(/^Health of orders/)).text).toMatch(
      /Clients wait in PgBouncer: .*1 client waits in PgBouncer for a connection to the server/,
    )
    await holder.query('COMMIT')
    await answer
    await room.until(ts, /^🟢 Resolved: 1 client waited in PgBouncer/)
    await waiter.end()
  })
})
