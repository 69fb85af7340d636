import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Message } from 'slack-workspace'
import { describe, expect, it, test } from 'vitest'
import type { JournalRow } from '../../src/domain/approvals/journal.ts'
import { enrolled, type Phone, phoneOf, runEnroll } from '../support/codes.ts'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import type { TestSession } from '../support/postgres.ts'
import { openCard, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

const approvals = { secondFactor: { terminate: true } }

/** Opens a room in which a terminate takes a code, with a jam in it, and its card. */
async function openedCard(
  options: Parameters<typeof openRoom>[1] = {},
  people: readonly string[] = ['U0DANA'],
) {
  room = await openRoom(server.marshalUrl, { over: { approvals }, ...options })
  const phones = []
  for (const userId of people) phones.push(await enrolled(room, userId))
  const opened = await openCard(room, server, shop)
  const [phone, other] = phones as [Phone, Phone]
  return { ...opened, phone, other }
}

const modalOf = (userId: string) =>
  room.workspace.waitFor(
    () => {
      const view = room.workspace.modal(userId)
      return view?.callback_id === 'pg_second_factor' && view
    },
    { what: 'the modal that asks for a code' },
  )

/** Presses Approve, and waits for the modal. */
async function ask(userId: string, card: Message, actionId = 'approve_terminate') {
  await room.press(userId, card, actionId)
  return modalOf(userId)
}

const send = (userId: string, code: string, more: Record<string, string> = {}) =>
  room.workspace.submitView({ userId, values: { code, ...more } })

/** Sends a code, and returns what stands at the field then. */
async function refusedAtField(userId: string, code: string): Promise<string> {
  await send(userId, code)
  return String(room.workspace.modal(userId)?.errors?.code)
}

function journal(): JournalRow['event'][] {
  const database = new DatabaseSync(join(room.directory, 'store.db'), { readOnly: true })
  const rows = database.prepare('SELECT event FROM journal ORDER BY seq').all()
  database.close()
  return rows.map(({ event }) => JSON.parse(String(event)))
}

const kinds = () => journal().map((event) => (event.kind === 'refused' ? event.code : event.kind))
const alive = async (session: TestSession) => (await session.query('SELECT true AS alive')).rows[0].alive

describe.each(['socket', 'http'] as const)('over %s, an approval with a code', (mode) => {
  it('shows what is ended, takes the code, and terminates', async () => {
    const { root, card, phone } = await openedCard({ mode })
    expect(JSON.stringify(card.blocks)).not.toContain('"confirm"')
    const modal = await ask('U0DANA', card)
    const said = JSON.stringify(modal.blocks)
    expect(said).toContain(`checkout (${root.pid})`)
    expect(said).toContain('orders, connected since ')
    expect(said).toContain('UPDATE orders SET state = ?')
    expect(said).toContain('1 session waits behind it')
    expect(kinds()).not.toContain('approved')
    await send('U0DANA', phone.code())
    await root.ended
    await room.until(card.ts, /is gone/)
    expect(room.workspace.modal('U0DANA')).toBeUndefined()
    // A busy machine may see less for a moment, and says so.
    expect(kinds().filter((kind) => !/^incident|^blind|^sees/.test(kind))).toEqual([
      'enrolled',
      'offered',
      'codeAccepted',
      'approved',
      'intended',
      'outcome',
    ])
    expect(JSON.stringify(journal())).not.toContain(phone.code())
  })
})

it('takes no code for a cancel and for a denial where only a terminate takes one', async () => {
  const { root, card } = await openedCard()
  await room.press('U0DANA', card, 'deny_terminate')
  await room.workspace.waitFor(() => room.workspace.modal('U0DANA'))
  await room.workspace.submitView({ userId: 'U0DANA', values: { reason: 'it pays' } })
  await room.until(card.ts, /Denied/)
  const busy = await server.open('report', shop)
  const sleeping = busy.start('SELECT pg_sleep(600)')
  await server.until("SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1", [busy.pid])
  await room.type('U0DEVI', `cancel ${busy.pid} too long`)
  const other = await room.card('approve_cancel')
  await room.press('U0DANA', other, 'approve_cancel')
  expect(await sleeping).toMatchObject({ code: '57014' })
  expect(await alive(root)).toBe(true)
})

describe('a code', () => {
  it('counts once: for one of two cards', async () => {
    const { root, card, phone } = await openedCard()
    const idle = await server.open('batch', shop)
    await room.type('U0DEVI', `terminate ${idle.pid} not needed`)
    const second = await room.card('approve_terminate', 'batch')
    await ask('U0DANA', card)
    const code = phone.code()
    await send('U0DANA', code)
    await root.ended
    await ask('U0DANA', second)
    expect(await refusedAtField('U0DANA', code)).toMatch(/^This code was used already/)
    expect(await alive(idle)).toBe(true)
    await send('U0DANA', phone.code(1))
    await idle.ended
    expect(kinds()).toContain('usedCode')
  })

  it('of another person is wrong, and so is one that is no number', async () => {
    const { root, card, other } = await openedCard({}, ['U0DANA', 'U0DEVI'])
    await ask('U0DANA', card)
    expect(await refusedAtField('U0DANA', other.code())).toMatch(/^This code is wrong; after 4 more/)
    expect(await refusedAtField('U0DANA', 'abcdef')).toBe('A code has six digits.')
    expect(await alive(root)).toBe(true)
  })

  it('is locked after five wrong ones, also after a restart, and the channel is told', async () => {
    const { root, card, phone, bot } = await openedCard()
    await ask('U0DANA', card)
    for (let n = 4; n > 0; n--)
      expect(await refusedAtField('U0DANA', phone.wrong())).toMatch(
        n === 1 ? /after one more none counts for 15 min\.$/ : new RegExp(`after ${n} more none counts`),
      )
    const wrong = phone.wrong()
    expect(await refusedAtField('U0DANA', wrong)).toMatch(/none counts for 15 min now/)
    const line = await room.line(/5 wrong codes on orders: nobody approves as <@U0DANA> until/)
    expect(line.text).not.toContain(wrong)
    expect(await refusedAtField('U0DANA', phone.code())).toMatch(/none counts for another 1\d min/)
    await bot.stop()
    expect(JSON.stringify(journal())).not.toContain(wrong)
    expect(kinds().filter((kind) => kind === 'wrongCode')).toHaveLength(5)
    await room.workspace.closeView({ userId: 'U0DANA' })
    await room.start()
    await room.press('U0DANA', card, 'approve_terminate')
    await room.whisper('U0DANA', /none counts for another 1\d min/)
    expect(room.workspace.modal('U0DANA')).toBeUndefined()
    expect(await alive(root)).toBe(true)
    expect((await runEnroll(room, 'list')).out).toMatch(/^U0DANA {2}enrolled .*, locked until /)
  })
})

describe('who is refused, and told how to go on', () => {
  it('one who is not enrolled', async () => {
    const { root, card } = await openedCard()
    await room.press('U0DEVI', card, 'approve_terminate')
    expect(await room.whisper('U0DEVI', /not enrolled/)).toContain('node src/main.ts enroll U0DEVI')
    expect(room.workspace.modal('U0DEVI')).toBeUndefined()
    expect(kinds()).toContain('notEnrolled')
    expect(await alive(root)).toBe(true)
  })

  it('one who is no approver, though enrolled', async () => {
    const { root, card } = await openedCard({}, ['U0RESP'])
    await room.press('U0RESP', card, 'approve_terminate')
    await room.whisper('U0RESP', /not among those/)
    expect(room.workspace.modal('U0RESP')).toBeUndefined()
    expect(await alive(root)).toBe(true)
  })

  it('one who was taken off since the modal opened', async () => {
    const { root, card, phone } = await openedCard()
    await ask('U0DANA', card)
    expect((await runEnroll(room, 'remove', 'U0DANA')).code).toBe(0)
    expect(await refusedAtField('U0DANA', phone.code())).toMatch(/^You are not enrolled/)
    expect(await alive(root)).toBe(true)
    // Enrolled again beside the bot, the new telephone counts and the old one does not.
    const fresh = phoneOf((await runEnroll(room, 'add', 'U0DANA')).out)
    expect(await refusedAtField('U0DANA', phone.code())).toMatch(/^This code is wrong/)
    await send('U0DANA', fresh.code())
    await root.ended
  })

  it('one who was enrolled with another PG_MARSHAL_SECRET', async () => {
    const { root, card, phone, bot } = await openedCard()
    await ask('U0DANA', card)
    await bot.stop()
    room.env.PG_MARSHAL_SECRET = 'another secret, which is as long'
    await room.start()
    expect(await refusedAtField('U0DANA', phone.code())).toMatch(
      /^Your enrolment cannot be opened with the present PG_MARSHAL_SECRET, so enrol again/,
    )
    await room.workspace.closeView({ userId: 'U0DANA' })
    await room.press('U0DANA', card, 'approve_terminate')
    await room.whisper('U0DANA', /enrol again/)
    expect(await alive(root)).toBe(true)
  })
})

describe('what changed between the modal and the code', () => {
  it('the approvers: nothing is sent', async () => {
    const { root, card, phone } = await openedCard({}, ['U0DEVI'])
    await ask('U0DEVI', card)
    room.workspace.setGroupMembers('S0DBAONCALL', ['U0RESP'])
    await send('U0DEVI', phone.code())
    await room.whisper('U0DEVI', /not among those/)
    expect(await alive(root)).toBe(true)
    expect(kinds()).not.toContain('approved')
  })

  it('the proposal: it was denied meanwhile, and the code is not used up', async () => {
    const { root, card, phone } = await openedCard({}, ['U0DANA', 'U0DEVI'])
    await ask('U0DANA', card)
    await room.press('U0DEVI', card, 'deny_terminate')
    await room.workspace.waitFor(() => room.workspace.modal('U0DEVI'))
    await room.workspace.submitView({ userId: 'U0DEVI', values: { reason: 'it pays' } })
    await room.until(card.ts, /Denied/)
    await send('U0DANA', phone.code())
    await room.whisper('U0DANA', /already decided: denied by <@U0DEVI>/)
    expect(kinds()).not.toContain('codeAccepted')
    expect(await alive(root)).toBe(true)
  })

  it('the session: it began another transaction, so nothing is sent', async () => {
    room = await openRoom(server.marshalUrl, { over: { approvals, watch: { every: '1h' } } })
    const phone = await enrolled(room, 'U0DANA')
    const root = await server.open('checkout', shop)
    await root.query('BEGIN')
    await room.start()
    await room.type('U0DEVI', `terminate ${root.pid} it pays nothing`)
    const card = await room.card('approve_terminate')
    await ask('U0DANA', card)
    await root.query('COMMIT')
    await root.query('BEGIN')
    await send('U0DANA', phone.code())
    await room.until(card.ts, /its transaction ended/)
    expect(await alive(root)).toBe(true)
  })
})

it('asks each of two people for a code of their own', async () => {
  const { root, card, phone, other } = await openedCard(
    { over: { approvals: { people: { terminate: 2 }, ...approvals } } },
    ['U0DANA', 'U0DEVI'],
  )
  await ask('U0DANA', card)
  await send('U0DANA', phone.code())
  await room.until(card.ts, /Needs 1 more approval/)
  await ask('U0DEVI', card)
  expect(await refusedAtField('U0DEVI', phone.code(1))).toMatch(/^This code is wrong/)
  expect(await alive(root)).toBe(true)
  await send('U0DEVI', other.code())
  await root.ended
})

it('asks for a code on the Home as well', async () => {
  const { root, phone } = await openedCard()
  const { workspace } = room
  await workspace.openHome('U0DANA')
  const home = await workspace.waitFor(() => {
    const view = workspace.home('U0DANA')
    return JSON.stringify(view?.blocks ?? []).includes('approve_terminate') && view
  })
  await workspace.press({ userId: 'U0DANA', viewId: home.id, actionId: 'approve_terminate' })
  await modalOf('U0DANA')
  await send('U0DANA', phone.code())
  await root.ended
})

it('asks who breaks the glass for a reason and a code', async () => {
  const { root, card, phone } = await openedCard({
    over: { approvals: { ...approvals, people: { terminate: 2 }, breakGlass: { who: ['U0DANA'] } } },
  })
  await ask('U0DANA', card, 'pg_break_glass')
  await send('U0DANA', phone.code(), { reason: '...' })
  expect(room.workspace.modal('U0DANA')?.errors).toEqual({ reason: 'Breaking the glass takes a reason.' })
  await send('U0DANA', phone.wrong(), { reason: 'the shop is down' })
  expect(room.workspace.modal('U0DANA')?.errors?.code).toMatch(/^This code is wrong/)
  expect(await alive(root)).toBe(true)
  await send('U0DANA', phone.code(), { reason: 'the shop is down' })
  await root.ended
  await room.until(card.ts, /BREAK GLASS/)
})

describe('Slack that is slow or refuses', () => {
  it('gets a modal that waits, which then asks for the code', async () => {
    const { root, card, phone } = await openedCard()
    room.workspace.fault({ method: 'users.info', kind: 'slow', ms: 3500, times: 1 })
    await ask('U0DANA', card)
    await send('U0DANA', phone.code())
    await root.ended
  })

  it('says in the waiting modal why somebody is refused', async () => {
    const { root, card } = await openedCard()
    room.workspace.fault({ method: 'users.info', kind: 'slow', ms: 3500, times: 1 })
    await room.press('U0RESP', card, 'approve_terminate')
    await room.workspace.waitFor(() =>
      JSON.stringify(room.workspace.modal('U0RESP')?.blocks ?? []).includes('not among those'),
    )
    expect(await alive(root)).toBe(true)
  })

  test.each(['expired_trigger_id', 'ratelimited'])('says that no modal opened (%s)', async (error) => {
    const { root, card } = await openedCard()
    room.workspace.fault({ method: 'views.open', kind: 'refuse', error, times: 1 })
    await room.press('U0DANA', card, 'approve_terminate')
    expect(await room.whisper('U0DANA', /did not open the window/)).toContain(error)
    expect(await alive(root)).toBe(true)
  })
})

it('does not start without PG_MARSHAL_SECRET, and says so in one sentence', async () => {
  room = await openRoom(server.marshalUrl, { over: { approvals } })
  await expect(room.start()).rejects.toThrow(/^PG_MARSHAL_SECRET is not set, and codes .* enrol again\.$/)
  room.env.PG_MARSHAL_SECRET = 'short'
  await expect(room.start()).rejects.toThrow(/^PG_MARSHAL_SECRET is too short/)
})

it('asks for no code, and needs no secret, where none is configured', async () => {
  room = await openRoom(server.marshalUrl)
  const { root, card } = await openCard(room, server, shop)
  expect(wordsOf(card)).toContain('"confirm"')
  await room.press('U0DANA', card, 'approve_terminate')
  await root.ended
})
