import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { everyScope } from 'slack-workspace'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { channel, openRoom, type Room } from '../support/harness.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'
import { type Bot, serve } from '../support/process.ts'

let server: TestServer
let room: Room
let shop: string
const bots: Bot[] = []

beforeAll(async () => {
  server = await startTestServer()
  shop = await server.createRole('shop')
})
afterEach(async () => {
  await Promise.all(bots.splice(0).map((bot) => bot.kill('SIGKILL')))
  await room.close()
  await server.closeAll()
})
afterAll(() => server.stop())

/** A session that holds an advisory lock, and one that waits for it. */
async function jam(key: number) {
  const root = await server.open(`holder-${key}`, shop)
  await root.query('SELECT pg_advisory_lock($1)', [key])
  const waiter = await server.open(`waiter-${key}`, shop)
  void waiter.start('SELECT pg_advisory_lock($1)', [key])
  await server.untilWaiting(waiter)
  return root
}
const started = async () => {
  const bot = await serve(room)
  bots.push(bot)
  return bot
}
const cards = () =>
  room.workspace.messages(channel).filter(({ text }) => /block(?:s|ed) \d+ sessions? on orders/.test(text))
const cardsOf = (n: number) => cards().filter(({ text }) => text.includes(`holder-${n} `))
function store<T>(run: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(room.directory, 'store.db'))
  try {
    return run(database)
  } finally {
    database.close()
  }
}
const incidents = (state: string) =>
  Number(store((db) => db.prepare(`SELECT count(*) AS n FROM incidents WHERE ${state}`).get()?.n))

it('after ten minutes without Slack and a kill in between, each incident has exactly one card, and it is true', async () => {
  room = await openRoom(server.marshalUrl, { workspace: { scopes: [...everyScope] } })
  const bot = await started()
  await jam(1)
  const ends = await jam(2)
  await waitFor(() => cardsOf(1).length + cardsOf(2).length === 2, 'two cards')

  room.workspace.holdFault('down', { kind: 'error500', times: Number.POSITIVE_INFINITY })
  room.workspace.disconnectSockets()
  // Meanwhile one ends, one comes and goes, one comes and stays; and the one that stays grows.
  await ends.close()
  const brief = await jam(3)
  const comes = await jam(4)
  await waitFor(() => incidents('1') === 4, 'they are followed')
  await brief.close()
  const third = await server.open('late', shop)
  void third.start('SELECT pg_advisory_lock(1)')
  await waitFor(() => incidents('resolved_at IS NOT NULL') === 2, 'two are over')
  await waitFor(
    () =>
      room.workspace
        .requests('chat.postMessage')
        .some(({ response }) => response?.error === 'internal_error'),
    'Slack is down',
  )
  expect(await bot.kill('SIGKILL')).toBe('SIGKILL')
  // As ten minutes leave it: many attempts, the longest pause, and everything that much older.
  store((db) => {
    db.exec('UPDATE messages SET attempts = 12 WHERE sent_revision < revision')
    for (const [table, column] of [
      ['messages', 'created_at'],
      ['messages', 'wanted_at'],
      ['messages', 'sent_at'],
      ['incidents', 'opened_at'],
    ])
      db.exec(`UPDATE ${table} SET ${column} = ${column} - 600000 WHERE ${column} > 600000`)
  })
  const again = started()
  room.workspace.holdFault('down', null)
  await again

  await waitFor(() => cards().length === 4, 'four cards')
  await room.until(cardsOf(2)[0]?.ts ?? '', /^🟢 Resolved/)
  await room.until(cardsOf(3)[0]?.ts ?? '', /^🟢 Resolved/)
  await room.until(cardsOf(1)[0]?.ts ?? '', /^\S+ .* blocks 2 sessions[\s\S]*Approve: terminate/)
  await room.until(cardsOf(4)[0]?.ts ?? '', /^\S+ .* blocks [\s\S]*Approve: terminate/)
  await waitFor(
    () =>
      store(
        (db) => db.prepare('SELECT count(*) AS n FROM messages WHERE sent_revision < revision').get()?.n,
      ) === 0,
    'nothing is left',
  )
  for (const n of [1, 2, 3, 4]) expect(cardsOf(n)).toHaveLength(1)
  // The buttons work again too.
  const [card] = cardsOf(4)
  if (!card) throw new Error('no card')
  await room.press('U0DANA', card, 'approve_terminate')
  await comes.ended
  await room.until(card.ts, /^🟢 Resolved/)
})

it('a post that was under way when the process was killed is found again, not posted twice', async () => {
  room = await openRoom(server.marshalUrl, { workspace: { scopes: [...everyScope] } })
  const bot = await started()
  room.workspace.fault({ method: 'chat.postMessage', kind: 'slow', ms: 1500 })
  const root = await jam(1)
  // The process stands still while Slack takes the card: it never hears of it.
  // The fault is used up as soon as the request is there.
  await waitFor(() => room.workspace.faults().length === 0, 'the post is under way')
  bot.child.kill('SIGSTOP')
  await waitFor(() => cards().length === 1, 'Slack has the card')
  await bot.kill('SIGKILL')
  await started()
  const [card] = cards()
  await root.close()
  await room.until(card?.ts ?? '', /^🟢 Resolved/)
  expect(cards()).toHaveLength(1)
})

it('waits as long as Slack asks before it opens a socket again, also at the start, and says so in /readyz', async () => {
  room = await openRoom(server.marshalUrl)
  // One for each of the two sockets.
  room.workspace.fault({
    method: 'apps.connections.open',
    kind: 'rateLimited',
    retryAfter: 2,
    times: 2,
  })
  const { port } = await room.start()
  const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).text()
  expect(await ready()).toContain(
    'Slack: no socket is open (ratelimited; tried again after the 2 s that Slack asks for)',
  )
  const before = performance.now()
  await waitFor(async () => !(await ready()).includes('no socket'), 'a socket is open')
  expect(performance.now() - before).toBeGreaterThan(1_500)
})
