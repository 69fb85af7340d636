import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Message } from 'slack-workspace'
import { describe, expect, it, test } from 'vitest'
import type { JournalRow } from '../../src/domain/approvals/journal.ts'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import type { TestSession } from '../support/postgres.ts'
import { run } from '../support/process.ts'
import { jamOne, type OpenedCard, openCard, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

/** Opens a room with a jam in it, and its card. */
async function openedCard(options: Parameters<typeof openRoom>[1] = {}): Promise<OpenedCard> {
  room = await openRoom(server.marshalUrl, options)
  return openCard(room, server, shop)
}

const jam = async (): Promise<TestSession> => (await jamOne(server, shop)).root

const alive = async (session: TestSession) => (await session.query('SELECT true AS alive')).rows[0].alive

/** The events in the journal, as they are on disk. */
function journal(): JournalRow['event'][] {
  const database = new DatabaseSync(join(room.directory, 'store.db'), { readOnly: true })
  const rows = database.prepare('SELECT event FROM journal ORDER BY seq').all()
  database.close()
  return rows.map(({ event }) => JSON.parse(String(event)))
}

describe('who is refused, with one row and no signal', () => {
  test.each([
    ['a guest', 'U0GUEST', /guests/],
    ['a guest of one channel', 'U0SINGLE', /guests/],
    ['a deactivated account', 'U0GONE', /deactivated/],
    ['a bot', 'U0OTHERBOT', /bots/],
    ['a stranger', 'U0STRANGER', /workspace/],
    ['a member who is no approver', 'U0RESP', /not among those/],
  ])('%s', async (_, userId, reason) => {
    const { root, card } = await openedCard()
    await room.press(userId, card, 'approve_terminate')
    await room.whisper(userId, reason)
    const refusals = journal().filter(({ kind }) => kind === 'refused')
    expect(refusals).toMatchObject([{ actor: userId }])
    expect(await alive(root)).toBe(true)
  })

  it('a crowd of presses, with one row and one that counts the others', async () => {
    const { root, bot, card } = await openedCard()
    for (let press = 0; press < 50; press++) await room.press('U0GUEST', card, 'approve_terminate')
    const refused = () => journal().filter(({ kind }) => kind === 'refused')
    expect(refused()).toHaveLength(1)
    await bot.stop()
    expect(refused()).toMatchObject([{ actor: 'U0GUEST' }, { actor: 'U0GUEST', more: 49 }])
    expect(await alive(root)).toBe(true)
  })

  it('one whose team Slack does not tell', async () => {
    const { root, card } = await openedCard()
    const { payload } = await room.press('U0RESP', card, 'approve_terminate')
    const { team_id: _, ...user } = (payload as { user: Record<string, unknown> }).user
    await room.workspace.sendRaw({
      type: 'interactive',
      payload: { ...payload, user: { ...user, id: 'U0DANA' } },
    })
    await room.workspace.waitFor(() => journal().filter(({ kind }) => kind === 'refused').length === 2, {})
    expect(await alive(root)).toBe(true)
  })

  test.each(['users.info', 'usergroups.users.list'])('anybody while %s fails', async (method) => {
    const { root, card } = await openedCard()
    room.workspace.fault({ method, kind: 'error500', times: 5 })
    await room.press('U0DEVI', card, 'approve_terminate')
    await room.whisper('U0DEVI', /Slack could not say who you are/)
    expect(await alive(root)).toBe(true)
  })

  it('nobody by a group that Slack does not know, which /readyz names', async () => {
    const approvers = ['S0GONE', 'U0RESP']
    room = await openRoom(server.marshalUrl, { over: { access: { approvers } } })
    const root = await jam()
    const { port } = await room.start()
    const card = await room.card('approve_terminate')
    await room.press('U0DEVI', card, 'approve_terminate')
    await room.whisper('U0DEVI', /S0GONE \(no_such_subteam\)/)
    expect(await alive(root)).toBe(true)
    const readiness = await fetch(`http://127.0.0.1:${port}/readyz`)
    expect(readiness.status).toBe(200)
    expect(await readiness.json()).toMatchObject({
      status: 'degraded',
      problems: ['Slack: it does not show who is in the group S0GONE (no_such_subteam)'],
    })
    await room.press('U0RESP', card, 'approve_terminate')
    await root.ended
  })

  it('one who left the group after the card was posted', async () => {
    const { root, card } = await openedCard()
    room.workspace.setGroupMembers('S0DBAONCALL', ['U0RESP'])
    await room.press('U0DEVI', card, 'approve_terminate')
    await room.whisper('U0DEVI', /not among those/)
    expect(await alive(root)).toBe(true)
    await room.press('U0RESP', card, 'approve_terminate')
    await root.ended
  })

  it('an earlier approval of one who left the group since', async () => {
    const { root, card } = await openedCard({ over: { approvals: { people: { terminate: 2 } } } })
    await room.press('U0DEVI', card, 'approve_terminate')
    await room.until(card.ts, /Needs 1 more approval/)
    room.workspace.setGroupMembers('S0DBAONCALL', ['U0RESP'])
    await room.press('U0DANA', card, 'approve_terminate')
    await room.thread(card.ts, /<@U0DEVI> was refused \(earlier approval\)/)
    await room.thread(card.ts, /<@U0DANA> approved \(1 of 2\)/)
    expect(await alive(root)).toBe(true)
    await room.press('U0RESP', card, 'approve_terminate')
    await room.until(card.ts, /is gone/)
    await root.ended
  })

  it('readers and requesters who are not in their lists', async () => {
    room = await openRoom(server.marshalUrl, {
      over: { access: { viewers: ['U0RESP'], requesters: ['U0DANA'], approvers: ['U0DANA'] } },
    })
    const root = await jam()
    await room.start()
    await room.type('U0DEVI', 'sessions')
    await room.whisper('U0DEVI', /not among those/)
    await room.type('U0RESP', `terminate ${root.pid} please`)
    await room.whisper('U0RESP', /not among those/)
    const card = await room.card('pg_details')
    await room.press('U0DANA', card, 'pg_details')
    await room.whisper('U0DANA', /not among those/)
    expect(journal().filter(({ kind }) => kind === 'refused')).toHaveLength(3)
  })
})

describe('over http', () => {
  test.each([
    ['a forged signature', { signature: 'v0=0000' }],
    ['an old timestamp', { timestamp: Math.floor(Date.now() / 1000) - 301 }],
    ['a timestamp in the future', { timestamp: Math.floor(Date.now() / 1000) + 360 }],
  ])('%s is 401', async (_, http) => {
    const { root, card } = await openedCard({ mode: 'http' })
    const { payload } = await room.press('U0RESP', card, 'approve_terminate')
    await room.whisper('U0RESP', /not among/)
    const rows = journal().length
    const forged = { ...payload, user: { ...(payload as { user: object }).user, id: 'U0DANA' } }
    expect(
      await room.workspace.sendRaw({ type: 'interactive', payload: forged, http: http as never }),
    ).toMatchObject({ status: 401 })
    expect(journal()).toHaveLength(rows)
    expect(await alive(root)).toBe(true)
  })
})

describe('a hostile or odd request', () => {
  it.each(['//', '/slack/events', '/%', '/healthz?x=%zz'])(
    'for %s is answered and ends nothing',
    async (path) => {
      room = await openRoom(server.marshalUrl, { mode: 'http' })
      const app = await room.start()
      const { status } = await fetch(`http://127.0.0.1:${app.port}${path}`)
      expect([200, 400, 404, 405]).toContain(status)
      expect((await fetch(`http://127.0.0.1:${app.port}/healthz`)).status).toBe(200)
    },
  )
})

describe('an envelope delivered twice', () => {
  it('is one approval', async () => {
    const { root, card } = await openedCard()
    room.workspace.duplicateNext()
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /is gone/)
    await root.ended
    await room.whisper('U0DANA', /Your approval was counted already/)
    expect(journal().filter(({ kind }) => kind === 'refused')).toEqual([])
    expect(journal().filter(({ kind }) => kind === 'intended')).toHaveLength(1)
    expect(journal().filter(({ kind }) => kind === 'outcome')).toHaveLength(1)
  })
})

describe('a cancel that has no effect', () => {
  it('offers terminate, which needs an approval of its own', async () => {
    room = await openRoom(server.marshalUrl)
    const stuck = await server.open('exporter', shop)
    await room.start()
    // A client that does not read: the backend blocks in a write, where it ignores a cancel. Until its buffers are full
    // it is an ordinary active session.
    const sleeping = stuck.start('SELECT pg_sleep(600)')
    await server.until("SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1", [stuck.pid])
    await room.type('U0RESP', `cancel ${stuck.pid} too slow`)
    const card = await room.card('approve_cancel')
    // A stopped backend reacts to nothing either, and can be stopped from here.
    process.kill(stuck.pid, 'SIGSTOP')
    try {
      await room.press('U0DANA', card, 'approve_cancel')
      const told = await room.until(card.ts, /still there after 5/)
      expect(hasButton(told, 'approve_cancel')).toBe(false)
      await room.workspace.waitFor(() =>
        room.workspace
          .messages(channel)
          .some((message) => message.ts === card.ts && hasButton(message, 'approve_terminate')),
      )
    } finally {
      process.kill(stuck.pid, 'SIGCONT')
    }
    await sleeping
  })
})

describe("a watcher's cancel that has no effect", () => {
  it('leaves terminate on the card until somebody decides', async () => {
    room = await openRoom(server.marshalUrl, { over: { watch: { every: '200ms', queryLongerThan: '1s' } } })
    const stubborn = await server.open('batch', shop)
    const ended = stubborn.start(
      'DO $$ BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(60); END $$',
    )
    await room.start()
    const card = await room.card('approve_cancel')
    await room.press('U0DANA', card, 'approve_cancel')
    await room.until(card.ts, /still there after 5 s, active/)
    await room.card('approve_terminate')
    // The watcher looks on, and leaves it.
    const rounds = room.workspace.requests('chat.update').length
    await server.until('SELECT pg_sleep(1) IS NOT NULL')
    expect(journal().filter(({ kind }) => kind === 'withdrawn')).toEqual([])
    expect(room.workspace.requests('chat.update').length - rounds).toBeLessThan(5)
    await room.press('U0DEVI', card, 'approve_terminate')
    await room.until(card.ts, /is gone after/)
    expect(await ended).toMatchObject({ code: '57P01' })
    const over = await room.until(card.ts, /^🟢 Resolved/)
    expect(over.text).toContain('It was ended by the approved terminate.')
  })
})

describe('an approval that cannot be counted just now', () => {
  it('waits: nobody loses an approval to a failure of Slack', async () => {
    const { root, card } = await openedCard({ over: { approvals: { people: { terminate: 2 } } } })
    await room.press('U0DEVI', card, 'approve_terminate')
    await room.until(card.ts, /Needs 1 more approval/)
    room.workspace.fault({ method: 'usergroups.users.list', kind: 'rateLimited', retryAfter: 1, times: 1 })
    await room.press('U0DANA', card, 'approve_terminate')
    await room.whisper('U0DANA', /whether the earlier approval still counts is not known/)
    expect(await alive(root)).toBe(true)
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /is gone/)
    await root.ended
  })
})

describe('"Offer again"', () => {
  it('makes one proposal, however many press', async () => {
    room = await openRoom(server.marshalUrl, {
      over: { approvals: { expireAfter: '2s' }, watch: { every: '1h' } },
    })
    const root = await jam()
    await room.start()
    await room.type('U0RESP', `terminate ${root.pid} forgotten`)
    const card = await room.card('pg_offer_again', 'Expired: ')
    await Promise.all(Array.from({ length: 8 }, () => room.press('U0DANA', card, 'pg_offer_again')))
    await room.card('approve_terminate', 'waits for approval')
    await room.whisper('U0DANA', /somebody was faster|has moved on/)
    expect(journal().filter(({ kind }) => kind === 'offered')).toHaveLength(1)
  })
})

describe('"Offer again" of another action than was asked for', () => {
  it('is requested by who pressed it, who needs somebody else to approve it', async () => {
    room = await openRoom(server.marshalUrl, {
      over: { approvals: { expireAfter: '2s' }, watch: { every: '1h' } },
    })
    const session = await server.open('report', shop)
    await session.query('BEGIN')
    const works = session.start('SELECT pg_sleep(3600)')
    await server.until(`SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = ${session.pid}`)
    await room.start()
    await room.type('U0RESP', `cancel ${session.pid} too slow`)
    const expired = await room.card('pg_offer_again', 'Expired: ')
    await server.admin.query('SELECT pg_cancel_backend($1)', [session.pid])
    await works
    await room.press('U0DANA', expired, 'pg_offer_again')
    const card = await room.card('approve_terminate', 'waits for approval')
    await room.press('U0DANA', card, 'approve_terminate')
    await room.whisper('U0DANA', /you asked for it, so somebody else has to approve it/)
    // It lives: a terminated one could not answer.
    await session.query('ROLLBACK')
    expect(wordsOf(card)).not.toContain('too slow')
  })
})

/** A session whose transaction is aborted, with nobody behind it. */
async function aborted(): Promise<TestSession> {
  const session = await server.open('batch', shop)
  await session.query('BEGIN')
  await session.start('SELECT 1/0')
  return session
}
const denyWith = async (userId: string, card: Message, reason: string) => {
  await room.press(userId, card, 'deny_terminate')
  await room.workspace.waitFor(() => room.workspace.modal(userId))
  await room.workspace.submitView({ userId, values: { reason } as never })
}

describe('an aborted transaction that has ended since', () => {
  it.each([
    ['by hand', { every: '1h' }, 'is idle', 'COMMIT'],
    ['by hand', { every: '1h' }, 'is in another transaction', 'SELECT 1'],
    ['by the watcher', { every: '200ms', idleInTransactionLongerThan: '2s' }, 'is idle', 'COMMIT'],
  ])('and was to be ended $0: its session, which $2 now, is left alone', async (by, watch, _, last) => {
    room = await openRoom(server.marshalUrl, { over: { watch } })
    const session = await aborted()
    await room.start()
    if (by === 'by hand') await room.type('U0RESP', `terminate ${session.pid} stuck`)
    const card = await room.card('approve_terminate')
    await session.query('ROLLBACK')
    await session.query("BEGIN; UPDATE orders SET state = 'mine' WHERE id = 1")
    await session.query(last)
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /its transaction ended|the session changed|^🟢 Resolved/)
    expect(await alive(session)).toBe(true)
    expect(journal().filter((event) => event.kind === 'outcome' && event.sql !== null)).toEqual([])
  })
})

describe('what came of it is compared with what was expected', () => {
  it('as expected, where the waiter moves on', async () => {
    const { card } = await openedCard()
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /1 of 1 waiter moved on, as expected/)
  })
})

describe('a session behind a pooler', () => {
  it('is terminated once its transaction is a second old, and the confirmation says what may happen', async () => {
    room = await openRoom(server.marshalUrl, { over: { watch: { every: '1h' } } })
    await room.start()
    const session = await server.open('pgbouncer', shop)
    const began = performance.now()
    await session.query('BEGIN; SELECT 1')
    await room.type('U0RESP', `terminate ${session.pid} stuck`)
    const card = await room.card('approve_terminate')
    expect(wordsOf(card)).toContain('the pool’s next client may have the connection within milliseconds')
    await room.press('U0DANA', card, 'approve_terminate')
    await session.ended
    expect(performance.now() - began).toBeGreaterThanOrEqual(1000)
    await room.until(card.ts, /is gone/)
  })
})

describe('a denial', () => {
  it('is not undone by one person: who brings it back asks for it, and the reason stands on it', async () => {
    const { root, card } = await openedCard()
    await denyWith('U0DANA', card, 'payroll runs in it')
    await room.press('U0DEVI', await room.card('pg_offer_again'), 'pg_offer_again')
    const again = await room.until(card.ts, /Denied before by/)
    expect(wordsOf(again)).toMatch(/U0DEVI.* asks[\s\S]*Denied before by .*U0DANA.*payroll runs in it/)
    await room.press('U0DEVI', again, 'approve_terminate')
    await room.whisper('U0DEVI', /you asked for it, so somebody else has to approve it/)
    expect(await alive(root)).toBe(true)
    await room.press('U0DANA', again, 'approve_terminate')
    await root.ended
  })

  it('counts on what the watcher offers for that session later: who brings that back asks for it', async () => {
    room = await openRoom(server.marshalUrl, {
      over: {
        watch: { every: '200ms', idleInTransactionLongerThan: '1s' },
        approvals: { expireAfter: '4s' },
      },
    })
    const session = await server.open('batch', shop)
    await session.query('BEGIN; SELECT 1')
    await room.start()
    const card = await room.card('approve_terminate')
    await denyWith('U0DANA', card, 'payroll runs in it')
    await room.card('pg_offer_again')
    await session.query('COMMIT')
    await session.query('BEGIN; SELECT 2')
    await room.workspace.waitFor(() => journal().some(({ kind }) => kind === 'expired'), {
      timeoutMs: 20_000,
      what: 'the next offer, expired',
    })
    await room.press('U0DEVI', await room.card('pg_offer_again'), 'pg_offer_again')
    await room.press('U0DEVI', await room.card('approve_terminate', ''), 'approve_terminate')
    await room.whisper('U0DEVI', /you asked for it, so somebody else has to approve it/)
    expect(await alive(session)).toBe(true)
  })

  it('stands on a request by hand for the same session', async () => {
    room = await openRoom(server.marshalUrl)
    const root = await jam()
    await room.start()
    await denyWith('U0DANA', await room.card('approve_terminate'), 'payroll runs in it')
    await room.card('pg_offer_again')
    await room.type('U0DEVI', `terminate ${root.pid} it blocks`)
    expect(wordsOf(await room.card('approve_terminate'))).toMatch(
      /Denied before by .*U0DANA.*payroll runs in it/,
    )
  })
})

describe('"Offer again" on an old copy of a card', () => {
  it('brings nothing back when the incident is over', async () => {
    const { root, card } = await openedCard()
    await room.press('U0DANA', card, 'deny_terminate')
    await room.workspace.waitFor(() => room.workspace.modal('U0DANA'))
    await room.workspace.submitView({ userId: 'U0DANA', values: { reason: 'not yet' } as never })
    const denied = await room.card('pg_offer_again')
    const { payload } = await room.press('U0GUEST', denied, 'pg_offer_again')
    await root.query('COMMIT')
    await room.until(card.ts, /^🟢 Resolved/)
    await root.query('BEGIN')
    const user = { ...(payload as { user: Record<string, unknown> }).user, id: 'U0RESP' }
    await room.workspace.sendRaw({ type: 'interactive', payload: { ...payload, user } })
    await room.thread(card.ts, /<@U0RESP> was refused .*this incident is over/)
    expect(journal().filter(({ kind }) => kind === 'offered')).toHaveLength(1)
  })
})

describe('a stranger who asks which clusters there are', () => {
  it('is told nothing', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
    const url = '${DATABASE_URL}'
    room = await openRoom(server.marshalUrl, {
      over: {
        clusters: [
          { name: 'orders', url },
          { name: 'payroll', url },
        ],
      },
    })
    await room.start()
    await room.type('U0GUEST', 'terminate 4312 x', 'C0RANDOM')
    expect(await room.whisper('U0GUEST', /guests/)).not.toContain('payroll')
    expect(journal().filter(({ kind }) => kind === 'refused')).toHaveLength(1)
  })
})

describe('queryText: full', () => {
  it('shows statements in Slack and keeps their constants out of the journal', async () => {
    const { root, card } = await openedCard({ over: { queryText: 'full' } })
    expect(wordsOf(card)).toContain("'paying'")
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /is gone/)
    await root.ended
    expect(JSON.stringify(journal())).not.toContain('paying')
  })
})

describe('break-glass', () => {
  it('lets one named person act alone, with a reason, loudly', async () => {
    room = await openRoom(server.marshalUrl, {
      over: { approvals: { people: { terminate: 2 }, breakGlass: { who: ['U0RESP'] } } },
    })
    const root = await jam()
    await room.start()
    const card = await room.card('pg_break_glass')
    await room.press('U0DANA', card, 'pg_break_glass')
    await room.whisper('U0DANA', /not among those/)
    await room.press('U0RESP', card, 'pg_break_glass')
    await room.workspace.waitFor(() => room.workspace.modal('U0RESP'))
    await room.workspace.submitView({ userId: 'U0RESP', values: { reason: '\u200b.' } as never })
    await room.whisper('U0RESP', /takes a reason/)
    await room.press('U0RESP', card, 'pg_break_glass')
    await room.workspace.waitFor(() => room.workspace.modal('U0RESP'))
    await room.workspace.submitView({
      userId: 'U0RESP',
      values: { reason: 'shop is down, nobody answers' } as never,
    })
    const done = await room.until(card.ts, /is gone/)
    expect(wordsOf(done)).toMatch(/BREAK GLASS/)
    expect(wordsOf(done)).toContain('shop is down, nobody answers')
    await room.line(/^BREAK GLASS: <@U0RESP> acts alone/)
    await room.line(/^Terminate .* BREAK GLASS by <@U0RESP>/)
    expect(journal().filter(({ kind }) => kind === 'brokeGlass')).toMatchObject([
      { actor: 'U0RESP', reason: 'shop is down, nobody answers' },
    ])
    await root.ended
  })

  it('is off unless configured', async () => {
    const { card } = await openedCard()
    expect(hasButton(card, 'pg_break_glass')).toBe(false)
  })
})

describe('history', () => {
  it('tells what was asked, decided and done, and the journal proves it', async () => {
    room = await openRoom(server.marshalUrl)
    const root = await jam()
    await room.start()
    await room.card('approve_terminate')
    await room.type('U0RESP', `terminate ${root.pid} holds the row`)
    const card = await room.card('approve_terminate', 'holds the row')
    await room.press('U0GUEST', card, 'approve_terminate')
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /is gone/)
    const action = await room.line(/^Terminate .*is gone/)
    await room.type('U0RESP', `history ${root.pid}`)
    const history = await room.line(/^History of PID/)
    for (const what of [
      /U0RESP> asks to terminate/,
      /U0GUEST> was refused/,
      /U0DANA> approved/,
      /is gone after/,
    ])
      expect(history.text).toMatch(what)
    const head = /journal \d+ · ([0-9a-f]{16})"/.exec(wordsOf(action))?.[1] ?? 'no head'
    const verify = await run(room, ['audit', 'verify', '--head', head])
    expect(await verify.ended).toBe(0)
    expect(verify.output()).toContain('is as it was written')
  })
})

describe('a journal that cannot be written', () => {
  it('keeps every action from happening', async () => {
    const { root, card } = await openedCard()
    const database = new DatabaseSync(join(room.directory, 'store.db'))
    database.exec("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    database.close()
    await room.press('U0DANA', card, 'approve_terminate')
    await room.whisper('U0DANA', /journal cannot be written, so nothing is sent/)
    expect(await alive(root)).toBe(true)
  })
})
