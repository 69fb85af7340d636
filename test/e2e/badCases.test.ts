import { describe, expect, it } from 'vitest'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

describe.each(['socket', 'http'] as const)('over %s', (mode) => {
  it('a table and an application with 63 characters of markup, emoji and right-to-left text', async () => {
    room = await openRoom(server.marshalUrl, { mode })
    const table = `"${'<!channel> *b* \u202e🧨 '.padEnd(40, 'x')}"`
    const application = '<!here> *bold* _it_ `x` ~no~ <https://evil.example|ok>'.padEnd(63, 'y')
    await server.admin.query(
      `DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} (id int); GRANT ALL ON ${table} TO shop`,
    )
    const root = await server.open(application, shop)
    await root.query('BEGIN')
    await root.query(`LOCK TABLE ${table}`)
    const reader = await server.open('reader', shop)
    void reader.start(`SELECT count(*) FROM ${table}`)
    await server.untilWaiting(reader)
    await room.start()
    const card = await room.card('approve_terminate')
    // The parts of rich text are not interpreted; the notification's text would be.
    expect(card.text).not.toMatch(/<!|<https|\u202e/)
    expect(wordsOf(card)).not.toContain('\u202e')
    await room.type('U0RESP', 'blocking')
    const answer = await room.line(/^Who blocks whom/)
    expect(answer.text).not.toMatch(/<!|\u202e/)
    await room.press('U0DANA', card, 'approve_terminate')
    await root.ended
    await room.until(card.ts, /It was ended by the approved terminate/)
  })

  it('a trigger that has expired: details come in private, handing over says so, a denial counts', async () => {
    room = await openRoom(server.marshalUrl, { mode })
    await room.start()
    await jamOne(server, shop)
    const card = await room.card('approve_terminate')
    const { workspace } = room
    const tooLate = () =>
      workspace.fault({ kind: 'refuse', method: 'views.open', error: 'expired_trigger_id', times: 1 })
    tooLate()
    await room.press('U0RESP', card, 'pg_details')
    await room.whisper('U0RESP', /^Details/)
    await room.press('U0RESP', card, 'pg_acknowledge')
    const taken = await room.until(card.ts, /acknowledged it/)
    tooLate()
    await room.press('U0RESP', taken, 'pg_hand_over')
    await room.whisper('U0RESP', /did not open in time, so it stays with you/)
    tooLate()
    await room.press('U0DANA', taken, 'deny_terminate')
    await room.until(card.ts, /Denied/)
  })

  it('buttons of a private answer whose response address has expired', async () => {
    room = await openRoom(server.marshalUrl, {
      mode,
      over: { watch: { every: '200ms', blockedFor: '1h' } },
    })
    const { root } = await jamOne(server, shop)
    await room.start()
    const { workspace } = room
    await room.type('U0RESP', `session ${root.pid}`, 'C0RANDOM')
    const answer = await workspace.waitFor(
      () => workspace.ephemerals('U0RESP').find(({ text }) => text.startsWith(`Session ${root.pid}`)),
      { what: 'the private answer' },
    )
    // Slack answers 404 then; any status but 200 goes the same way.
    workspace.fault({ kind: 'error500', method: 'response_url', times: 9 })
    const press = (actionId: string) =>
      workspace.press({ userId: 'U0RESP', channelId: 'C0RANDOM', messageTs: answer.ts, actionId })
    // The bot is no member there, so it cannot show it there without the address.
    const direct = () =>
      workspace.requests('chat.postMessage').filter(({ args }) => args.channel === 'U0RESP')
    await press('pg_refresh_answer')
    await workspace.waitFor(() => direct().some(({ response }) => response?.ok === true), {
      what: 'the answer in a message of its own',
    })
    expect(String(direct()[0]?.args.text)).toMatch(/^Session /)
    await press('pg_propose_terminate')
    await room.card('approve_terminate')
    await workspace.waitFor(
      () => direct().some(({ args }) => /Asked the approvers/.test(String(args.text))),
      {
        what: 'what became of the press',
      },
    )
  })
})
