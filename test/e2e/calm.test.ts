import { describe, expect, it } from 'vitest'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { waitFor } from '../support/postgres.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

const thread = (ts: string) =>
  room.workspace
    .thread(channel, ts)
    .slice(1)
    .map(({ text }) => text)
const inChannel = (text: RegExp) =>
  room.workspace
    .messages(channel)
    .filter(({ ts, thread_ts: top = ts, text: said }) => top === ts && text.test(said))

describe('a snoozed card', () => {
  it('is kept true in place while its thread is quiet, also after a restart and when the trouble flaps', async () => {
    room = await openRoom(server.marshalUrl)
    const first = await room.start()
    const { root, victim } = await jamOne(server, shop)
    const card = await room.card('pg_snooze')
    await room.press('U0RESP', card, 'pg_acknowledge')
    await room.press('U0DANA', card, 'pg_snooze')
    await room.until(card.ts, /Quiet until/)

    const more = await Promise.all([1, 2].map((n) => server.open(`web-${n}`, shop)))
    for (const session of more) void session.start("UPDATE orders SET state = 'y' WHERE id = 1")
    await room.until(card.ts, /blocks 3 sessions/)
    await first.stop()
    await room.start()
    await root.query('COMMIT')
    await room.until(card.ts, /^🟢 Resolved/)
    await Promise.all([victim, ...more].map((session) => session.close()))

    // The same session again, inside of a minute: the same card, still looked after, still quiet.
    await root.query('BEGIN')
    await root.query("UPDATE orders SET state = 'again' WHERE id = 1")
    const waiter = await server.open('web', shop)
    void waiter.start("UPDATE orders SET state = 'x' WHERE id = 1")
    const back = await room.until(card.ts, /^\S+ .* blocks \d+ sessions? on orders/)
    expect(wordsOf(back)).toMatch(/acknowledged it\. .*Quiet until/s)
    expect(hasButton(back, 'pg_acknowledge')).toBe(false)
    expect(thread(card.ts)).toEqual([])

    const [, id] = /Incident ([0-9a-f]{8})/.exec(wordsOf(back)) ?? []
    await room.type('U0RESP', `unsnooze ${id}`)
    await room.thread(card.ts, /^While it was quiet: 2 changes, the last: It is back\.$/)
    await room.line(/^Quiet period on orders ended: incident [0-9a-f]{8} brings cards again\.$/)
    await room.until(card.ts, /^\S+ .* blocks \d+ sessions? on orders(?![\s\S]*Quiet until)/)
    await root.query('COMMIT')
    await room.until(card.ts, /^🟢 Resolved/)
    expect(inChannel(/block(?:s|ed) \d+ sessions? on orders/)).toHaveLength(1)
  })
})

it('a snooze can be ended after its incident is over, and the trouble brings cards again', async () => {
  room = await openRoom(server.marshalUrl)
  await room.start()
  const { root } = await jamOne(server, shop)
  const card = await room.card('pg_snooze')
  const [, id = ''] = /Incident ([0-9a-f]{8})/.exec(wordsOf(card)) ?? []
  await room.type('U0DANA', `snooze ${id} 7d`)
  await room.until(card.ts, /Quiet until/)
  await root.query('COMMIT')
  await room.until(card.ts, /^🟢 Resolved/)
  await room.type('U0RESP', `unsnooze ${id}`)
  await room.whisper('U0RESP', /^The snooze has ended\. New cards come again\.$/)
  await room.type('U0RESP', `unsnooze ${id}`)
  await room.whisper('U0RESP', /^No open incident on orders has an id that begins so/)
})

it('the next one behind a row takes the card over, though all their waits begin again', async () => {
  room = await openRoom(server.marshalUrl)
  await room.start()
  const [root, ...queue] = [
    await server.open('root', shop),
    await server.open('web-1', shop),
    await server.open('web-2', shop),
  ]
  await root.query('BEGIN')
  await root.query("UPDATE orders SET state = 'root' WHERE id = 1")
  const updates = []
  for (const session of queue) {
    // In a transaction, so that who gets the row keeps it.
    await session.query('BEGIN')
    updates.push(session.start("UPDATE orders SET state = 'next' WHERE id = 1").then(() => session))
    await server.untilWaiting(session)
  }
  const card = await room.card('pg_snooze')
  // By then each of them has waited for longer than `blockedFor`.
  await room.until(card.ts, /blocks 2 sessions on orders · [2-9]\ss/)
  await root.query('COMMIT')
  // They race for the new version of the row.
  const next = await Promise.race(updates)
  await room.until(card.ts, new RegExp(`blocks \\d+ sessions? on orders[\\s\\S]*\\(${next.pid}\\)`))
  await room.thread(card.ts, /^The same jam goes on behind another session\.$/)
  await next.query('COMMIT')
  await room.until(card.ts, /^🟢 Resolved/)
  expect(thread(card.ts).some((line) => /is back/.test(line))).toBe(false)
  expect(inChannel(/block(?:s|ed) \d+ sessions? on orders/)).toHaveLength(1)
})

describe('quiet for planned work', () => {
  it('does not keep decisions and what came of them from the channel', async () => {
    room = await openRoom(server.marshalUrl)
    await room.start()
    const { root } = await jamOne(server, shop)
    const card = await room.card('approve_terminate')
    await room.type('U0RESP', 'quiet 1h upgrade')
    await room.until(card.ts, /Quiet until/)
    await room.press('U0DANA', card, 'approve_terminate')
    await root.ended
    await room.line(new RegExp(`^Terminate ${root.pid} .*approved by <@U0DANA>`))
    await room.thread(card.ts, /is gone after/)
    await room.until(card.ts, /^🟢 Resolved/)
    await room.type('U0RESP', 'quiet off')
    await room.line(
      /^Quiet period on orders ended: everything brings cards again\. Meanwhile 1 incident ended and none is open now\.$/,
    )
  })

  it('ends with a few cards and a digest for the rest, not with a flood', async () => {
    room = await openRoom(server.marshalUrl, {
      over: { watch: { every: '200ms', idleLongerThan: '1s', cardsPerMinute: 2 } },
    })
    const { port } = await room.start()
    await room.type('U0RESP', 'quiet 1h moving day')
    for (let n = 0; n < 5; n++) await server.open(`pool-${n}`, shop)
    const idle = async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      return Number(/incidents_open\{cluster="orders",kind="idle"\} (\d+)/.exec(metrics)?.[1])
    }
    await waitFor(async () => (await idle()) >= 5, 'all are followed')
    expect(inChannel(/idle|incident/i)).toEqual([])
    await room.type('U0RESP', 'quiet off')
    await room.line(/Meanwhile \d incidents came and \d are open now\.$/)
    const digest = await room.line(/^\d more incidents? on orders/)
    const cards = () => inChannel(/^\S+ \S+ is idle on orders/)
    await waitFor(() => cards().length === 2, 'two cards')
    await room.until(digest.ts, /^(?:3|4) more incidents on orders/)
    expect(cards()).toHaveLength(2)
    expect(wordsOf(digest)).toMatch(/\/pg session \d+/)
    const [, id] = /Digest ([0-9a-f]{8})/.exec(wordsOf(digest)) ?? []
    await room.type('U0RESP', `snooze ${id} 10m`)
    await room.whisper('U0RESP', /^That is a digest of many incidents\. Snooze what they have in common/)
  })
})

it('a silence that ends says what is silent still', async () => {
  room = await openRoom(server.marshalUrl)
  await room.start()
  await room.type('U0RESP', 'quiet 2h upgrade')
  await room.line(/^Quiet period on orders: no new cards for everything/)
  await room.type('U0RESP', 'snooze blocking 1s')
  await room.line(
    /^Quiet period on orders ended: blocking brings cards again, except what is silent still: everything until .*\.$/,
  )
  await room.type('U0RESP', 'snooze idle 1h')
  await room.line(/^Quiet period on orders: no new cards for long-idle session/)
  await room.type('U0RESP', 'quiet off')
  await room.whisper(
    'U0RESP',
    /^Quiet period on orders ended\. Something else is silent still: `\/pg quiet` shows it\.$/,
  )
  await room.line(
    /^Quiet period on orders ended: everything brings cards again, except what is silent still: long-idle session until .*\.$/,
  )
})

it('says how to end a silence so that it can be typed, also with several clusters', async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
  const url = '${DATABASE_URL}'
  const clusters = ['orders', 'stock'].map((name) => ({ name, url }))
  room = await openRoom(server.marshalUrl, { over: { clusters } })
  await room.start()
  for (const [asked, told] of [
    ['quiet 1h upgrade', /^stock is quiet; `\/pg (.*)` ends it early\.$/],
    ['snooze idle-in-transaction 1h', /^Snoozed: .* on stock; `\/pg (.*)` ends it early\.$/],
  ] as const) {
    await room.type('U0RESP', `${asked} --cluster stock`)
    const [, how = ''] = told.exec(await room.whisper('U0RESP', told)) ?? []
    await room.type('U0RESP', how)
  }
  await room.whisper('U0RESP', /^Quiet period on stock ended\. New cards come again\.$/)
  await room.whisper('U0RESP', /^The snooze has ended\. New cards come again\.$/)
})
