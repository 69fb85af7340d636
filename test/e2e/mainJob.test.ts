import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

let server: TestServer
let room: Room | undefined
let shop: string

beforeAll(async () => {
  server = await startTestServer()
  // An ordinary role: superusers' sessions are out of reach.
  shop = await server.createRole('shop')
  await server.admin.query(
    'CREATE TABLE orders (id int PRIMARY KEY, state text); INSERT INTO orders SELECT n FROM generate_series(1, 9) AS n; GRANT ALL ON orders TO shop',
  )
})
afterEach(async () => {
  await room?.close()
  await server.closeAll()
})
afterAll(() => server.stop())

/** How many incidents are written down. */
function incidentsIn(room: Room | undefined): number {
  const database = new DatabaseSync(join(room?.directory ?? '', 'store.db'), { readOnly: true })
  const row = database.prepare('SELECT count(*) AS n FROM incidents').get()
  database.close()
  return Number(row?.n)
}

/** A session that is idle in its transaction, and `waiters` others that want the same row. */
async function jam(waiters: number) {
  const root = await server.open('checkout', shop)
  await root.query('BEGIN')
  await root.query("UPDATE orders SET state = 'paying' WHERE id = 1")
  const victims = await Promise.all(Array.from({ length: waiters }, (_, n) => server.open(`web-${n}`, shop)))
  const ends = victims.map((victim) =>
    victim.start("UPDATE orders SET state = 'secret-literal' WHERE id = 1"),
  )
  await server.untilWaiting(...victims)
  return { root, victims, ends }
}

describe.each(['socket', 'http'] as const)('over %s', (mode) => {
  it('shows the jam, refuses a guest, and ends it when an approver presses', async () => {
    room = await openRoom(server.marshalUrl, { mode })
    const { root, ends } = await jam(3)
    await room.start()

    await room.type('U0RESP', 'sessions')
    const answer = await room.line(/3 sessions wait behind 1 root/)
    expect(answer.text).toContain(String(root.pid))
    expect(wordsOf(answer)).not.toContain('secret-literal')

    const card = await room.card('approve_terminate')
    expect(hasButton(card, 'approve_cancel')).toBe(false)
    expect(card.text).toMatch(/ blocks 3 sessions on orders/)

    expect((await room.press('U0GUEST', card, 'approve_terminate')).acked).toBe(true)
    await room.whisper('U0GUEST', /guests may not use this/)
    await room.press('U0RESP', card, 'approve_terminate')
    await room.whisper('U0RESP', /not among those who may/)

    await room.press('U0DANA', card, 'approve_terminate')
    const done = await room.until(card.ts, /is gone after \d+ ms; 3 of 3 waiters moved on/)
    expect(hasButton(done, 'approve_terminate')).toBe(false)
    await Promise.all([root.ended, ...ends])

    await room.line(new RegExp(`^Terminate ${root.pid} .* approved by <@U0DANA>: ${root.pid} is gone`))
    const thread = await room.thread(card.ts, /is gone/)
    // One line for all who were refused, and the outcome with its proof.
    expect(thread.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^<@U0RESP> was refused \(.*\. 2 refused so far, of <@U0GUEST>, <@U0RESP>\.$/),
      expect.stringMatching(/is gone/),
    ])
    expect(thread.map(wordsOf).join()).toMatch(/pg_terminate_backend.*It returned true/s)
    await room.until(card.ts, /^🟢 Resolved: [\s\S]*It was ended by the approved terminate/)
  })

  it('cancels a long statement that was requested by hand, but not by the one who asked', async () => {
    room = await openRoom(server.marshalUrl, { mode })
    const slow = await server.open('reporting', shop)
    const ended = slow.start('SELECT pg_sleep(600)')
    await server.until("SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1", [slow.pid])
    await room.start()

    await room.type('U0DANA', `cancel ${slow.pid} blocks the release`)
    const card = await room.card('approve_cancel')
    expect(wordsOf(card)).toContain('blocks the release')
    await room.press('U0DANA', card, 'approve_cancel')
    await room.whisper('U0DANA', /somebody else has to approve/)
    await room.press('U0DEVI', card, 'approve_cancel')
    await room.until(card.ts, /The statement of \d+ ended after \d+ ms/)
    expect(await ended).toMatchObject({ code: '57014' })
    await room.thread(card.ts, /ended after .*<@U0DANA>/)
  })
})

describe('alerts', () => {
  it('keep one card for a jam while one root follows another', async () => {
    room = await openRoom(server.marshalUrl)
    const root = await server.open('checkout', shop)
    const heir = await server.open('fulfilment', shop)
    const last = await server.open('web', shop)
    for (const session of [root, heir]) await session.query('BEGIN')
    await root.query("UPDATE orders SET state = 'a' WHERE id = 1")
    await heir.query("UPDATE orders SET state = 'b' WHERE id = 2")
    const waits = heir.start("UPDATE orders SET state = 'b' WHERE id = 1")
    await server.untilWaiting(heir)
    void last.start("UPDATE orders SET state = 'c' WHERE id = 2")
    await server.untilWaiting(heir, last)
    await room.start()
    const card = await room.card('approve_terminate', String(root.pid))
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, new RegExp(`${root.pid} is gone after \\d+ ms; 1 of 2 waiters moved on`))
    await waits
    // The one that moved on is the next root, on the same card, with a proposal of its own.
    const next = await room.until(card.ts, new RegExp(`blocks 1 session[\\s\\S]*\\(${heir.pid}\\)`))
    expect(next.ts).toBe(card.ts)
    await room.until(card.ts, new RegExp(`Approve: terminate \\S+ \\(${heir.pid}\\)`))
    await room.press('U0DEVI', card, 'approve_terminate')
    await room.until(card.ts, /^🟢 Resolved/)
  })

  it('can be acknowledged, and held back while planned work goes on', async () => {
    room = await openRoom(server.marshalUrl)
    await room.start()
    await room.type('U0RESP', 'quiet 1h upgrade of the web shop')
    await room.line(
      /^Quiet period on orders: no new cards for everything until .*<@U0RESP>: upgrade of the web shop/,
    )
    const { root } = await jam(2)
    // The incident is followed all the same; its card waits for the end of the quiet.
    await waitFor(() => incidentsIn(room) === 1, 'the incident is written down')
    expect(room.workspace.messages(channel).filter(({ text }) => text.startsWith('Blocking'))).toEqual([])
    await room.type('U0GUEST', 'quiet off')
    await room.whisper('U0GUEST', /guests/)
    await room.type('U0RESP', 'quiet off')
    await room.line(/^Quiet period on orders ended/)
    const card = await room.card('pg_acknowledge', String(root.pid))
    await room.press('U0RESP', card, 'pg_acknowledge')
    const seen = await room.until(card.ts, /acknowledged it/)
    expect(hasButton(seen, 'pg_acknowledge')).toBe(false)
    await room.press('U0DANA', card, 'pg_snooze')
    await room.until(card.ts, /Quiet until/)
    await root.query('COMMIT')
    await room.until(card.ts, /^🟢 Resolved: [\s\S]*It was not ended from here/)
  })

  it('put what comes all at once into a digest', async () => {
    room = await openRoom(server.marshalUrl, {
      over: { watch: { every: '200ms', idleLongerThan: '1s', cardsPerMinute: 3 } },
    })
    for (let n = 0; n < 14; n++) await server.open(`pool-${n}`, shop)
    await room.start()
    const digest = await room.line(/^\d+ more incidents on orders/)
    await room.until(digest.ts, /^1\d more incidents on orders[\s\S]*Show all/)
    const cards = room.workspace
      .messages(channel)
      .filter(({ text }) => /^\S+ (?:Resolved: )?.* (?:is|was) idle on orders/.test(text))
    expect(cards.length).toBeLessThanOrEqual(3)
    await room.press('U0RESP', digest, 'pg_show_all')
    await room.whisper('U0RESP', /^All 1\d incidents of the digest/)
    await server.closeAll()
    await room.until(digest.ts, /^Resolved: 1\d incidents on orders/)
  })
})

describe('answers', () => {
  it('are for all in a configured channel and private elsewhere; mistakes are always private', async () => {
    room = await openRoom(server.marshalUrl)
    await room.start()
    await room.type('U0RESP', 'clusters')
    await room.line(/orders/)
    await room.type('U0RESP', 'sessions', 'C0RANDOM')
    await room.whisper('U0RESP', /nobody waits/i)
    expect(room.workspace.messages('C0RANDOM')).toEqual([])
    const before = room.workspace.messages(channel).length
    await room.type('U0RESP', 'sesions')
    await room.whisper('U0RESP', /Did you mean `sessions`/)
    await room.type('U0RESP', 'session 12x')
    await room.whisper('U0RESP', /`12x` is not a PID/)
    await room.type('U0RESP', 'cancel 999999 because')
    await room.whisper('U0RESP', /there is no session 999999/)
    expect(room.workspace.messages(channel)).toHaveLength(before)
  })

  it('explain a request that would have no effect', async () => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jam(0)
    await room.start()
    await room.type('U0RESP', `cancel ${root.pid} it blocks`)
    await room.whisper('U0RESP', /Cancel has no effect on it: no statement is running/)
  })

  it('show details of a card in private', async () => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jam(1)
    await room.start()
    const card = await room.card('pg_details')
    await room.press('U0RESP', card, 'pg_details')
    const details = await room.workspace.waitFor(() => room?.workspace.modal('U0RESP'), {
      what: 'the details',
    })
    expect(JSON.stringify(details.blocks)).toMatch(
      new RegExp(`Cancel has no effect on it[\\s\\S]*pg_terminate_backend[\\s\\S]*a\\.pid = ${root.pid}`),
    )
  })
})

describe('an approval', () => {
  it('is taken back when the session is not in that state any more', async () => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jam(0)
    await room.start()
    await room.type('U0RESP', `terminate ${root.pid} forgotten`)
    const card = await room.card('approve_terminate')
    await root.query('COMMIT')
    const gone = await room.until(card.ts, /Withdrawn: its transaction ended/)
    expect(hasButton(gone, 'approve_terminate')).toBe(false)
  })

  it('sends nothing when the session changed since the last look', async () => {
    room = await openRoom(server.marshalUrl, { over: { watch: { every: '1h' } } })
    const { root } = await jam(0)
    await room.start()
    await room.type('U0RESP', `terminate ${root.pid} forgotten`)
    const card = await room.card('approve_terminate')
    await root.query('COMMIT')
    await root.query('BEGIN')
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /Nothing was sent: \d+ is not what was approved: its transaction ended/)
    expect((await root.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
  })

  it('happens once, however many press', async () => {
    const people = ['U0DANA', ...Array.from({ length: 9 }, (_, n) => `U0MANY${n}`)]
    room = await openRoom(server.marshalUrl, { over: { access: { approvers: people } } })
    for (const id of people.slice(1))
      room.workspace.addUser({ id, teamId: 'T0DEMO', name: id.toLowerCase(), realName: id })
    const { root } = await jam(2)
    await room.start()
    const card = await room.card('approve_terminate')
    const { press, workspace } = room
    await Promise.all(
      people.flatMap((id) => Array.from({ length: 5 }, () => press(id, card, 'approve_terminate'))),
    )
    await room.until(card.ts, /is gone/)
    await root.ended
    const told = () => people.flatMap((id) => workspace.ephemerals(id)).map(({ text }) => text)
    await workspace.waitFor(() => told().length === 49, { what: '49 answers' })
    expect(told().filter((text) => /already decided: approved by <@U0/.test(text))).toHaveLength(45)
    expect(told().filter((text) => /Your approval was counted already/.test(text))).toHaveLength(4)
  })

  it('is refused by a button that is damaged or foreign, and the refusal is written down', async () => {
    room = await openRoom(server.marshalUrl)
    await jam(1)
    await room.start()
    const card = await room.card('approve_terminate')
    await room.workspace.press({
      userId: 'U0DANA',
      channelId: channel,
      messageTs: card.ts,
      actionId: 'approve_terminate',
      value: '1; DROP',
    })
    await room.whisper('U0DANA', /damaged or not mine/)
    await room.workspace.press({
      userId: 'U0DEVI',
      channelId: channel,
      messageTs: card.ts,
      actionId: 'approve_terminate',
      value: '00000000-0000-4000-8000-000000000000',
    })
    await room.whisper('U0DEVI', /this button is no longer valid/)
    expect(hasButton(await room.card('approve_terminate'), 'approve_terminate')).toBe(true)
  })

  it('can be denied, with a reason', async () => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jam(1)
    await room.start()
    const card = await room.card('deny_terminate')
    await room.press('U0DANA', card, 'deny_terminate')
    await room.workspace.waitFor(() => room?.workspace.modal('U0DANA'))
    await room.workspace.submitView({ userId: 'U0DANA', values: { reason: 'month end' } as never })
    const denied = await room.until(card.ts, /Denied by/)
    expect(wordsOf(denied)).toContain('month end')
    expect(hasButton(denied, 'approve_terminate')).toBe(false)
    expect((await root.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
  })

  it('expires by itself, and can be offered again', async () => {
    room = await openRoom(server.marshalUrl, { over: { approvals: { expireAfter: '2s' } } })
    await jam(1)
    await room.start()
    const card = await room.card('approve_terminate')
    const expired = await room.until(card.ts, /Expired/)
    expect(hasButton(expired, 'approve_terminate')).toBe(false)
    await room.press('U0RESP', expired, 'pg_offer_again')
    const again = await room.card('approve_terminate')
    expect(again.ts).toBe(card.ts)
  })

  it('by too few people waits for more', async () => {
    room = await openRoom(server.marshalUrl, { over: { approvals: { people: { terminate: 2 } } } })
    const { root } = await jam(1)
    await room.start()
    const card = await room.card('approve_terminate')
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /Needs 1 more approval/)
    await room.press('U0DANA', card, 'approve_terminate')
    await room.whisper('U0DANA', /you approved it already/)
    await room.press('U0DEVI', card, 'approve_terminate')
    await room.until(card.ts, /is gone/)
    await root.ended
  })
})
