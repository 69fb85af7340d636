import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Message } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import type { JournalRow } from '../../src/domain/approvals/journal.ts'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import type { TestSession } from '../support/postgres.ts'
import { told } from '../support/render.ts'
import { useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

function journal(): JournalRow['event'][] {
  const database = new DatabaseSync(join(room.directory, 'store.db'), { readOnly: true })
  const rows = database.prepare('SELECT event FROM journal ORDER BY seq').all()
  database.close()
  return rows.map(({ event }) => JSON.parse(String(event)))
}

/** Opens sessions of an application that does nothing with them, as the ordinary user of the shop. */
const leak = (many: number, name = 'leaky'): Promise<TestSession[]> =>
  Promise.all(Array.from({ length: many }, () => server.open(name, shop)))

const isAlive = async ({ pid }: TestSession): Promise<boolean> =>
  (await server.admin.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).rows.length === 1

/** Values of the approve buttons of a message, as it was when it was read. */
const approvalsOn = (message: Message): string[] =>
  (message.blocks ?? []).flatMap((block) =>
    ((block.elements ?? []) as { action_id?: string; value?: string }[]).flatMap((one) =>
      one.action_id === 'approve_terminate' && one.value ? [one.value] : [],
    ),
  )

const modal = (userId: string, words: RegExp) =>
  room.workspace.waitFor(
    () => {
      const view = room.workspace.modal(userId)
      return view && words.test(told(view.blocks as never)) && view
    },
    { what: `${words} in the modal of ${userId}` },
  )

describe('a bulk request by hand', () => {
  it('ends whom it lists with one press, and leaves alone who was used meanwhile', async () => {
    room = await openRoom(server.marshalUrl)
    const [used, ...others] = await leak(4)
    const [bystander] = await leak(1, 'web')
    await room.start()
    await room.type('U0RESP', 'terminate --app leaky --state idle leak of connections')
    const card = await room.card('approve_terminate')
    expect(card.text).toMatch(/Terminate 4 sessions on orders: waits for approval/)
    expect(hasButton(card, 'pg_details')).toBe(true)
    await used?.query('SELECT 1')
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /Of 4: 3 are gone and 1 had changed and got no signal/)
    expect(await Promise.all(others.map(isAlive))).toEqual([false, false, false])
    expect(used && (await isAlive(used))).toBe(true)
    expect(bystander && (await isAlive(bystander))).toBe(true)
    const thread = await room.thread(card.ts, /it was used meanwhile/)
    expect(thread.map(({ text }) => text).join()).toContain(String(used?.pid))
    const events = journal()
    expect(events.filter(({ kind }) => kind === 'intended')).toHaveLength(3)
    expect(events.filter(({ kind }) => kind === 'outcome')).toHaveLength(4)
    expect(events.at(-1)).toMatchObject({ kind: 'bulkDone', counts: { effective: 3, changed: 1 } })
    await room.line(/Terminate 4 sessions on orders, approved by .*: Of 4: 3 are gone/)
  })

  it('shows its list, and an approval of a longer list does not count for a shorter one', async () => {
    room = await openRoom(server.marshalUrl, { over: { approvals: { people: { terminate: 2 } } } })
    const [kept, ...others] = await leak(3)
    await room.start()
    await room.type('U0RESP', 'terminate --app leaky leak')
    const card = await room.card('approve_terminate')
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /1 more approval/)
    await room.press('U0RESP', card, 'pg_details')
    const list = await modal('U0RESP', /leaky/)
    const buttons = list.blocks.flatMap((block) => {
      const { accessory } = block as { accessory?: { action_id: string; value: string } }
      return accessory ? [accessory] : []
    })
    expect(buttons).toHaveLength(3)
    const value = buttons.map((one) => one.value).find((one) => one.includes(`"pid":${kept?.pid},`)) ?? ''
    await room.workspace.press({ userId: 'U0RESP', viewId: list.id, actionId: 'pg_take_off', value })
    const shorter = await room.until(card.ts, /Terminate 2 sessions/)
    expect(wordsOf(shorter)).toMatch(/Needs 2 approvals|Needs 2/)
    const [older = ''] = approvalsOn(card)
    const stale = { userId: 'U0DEVI', channelId: channel, messageTs: card.ts, value: older }
    await room.workspace.press({ ...stale, actionId: 'approve_terminate' })
    await room.whisper('U0DEVI', /taken off its list, and the shorter one needs approvals of its own/)
    await room.press('U0DANA', shorter, 'approve_terminate')
    await room.until(card.ts, /Needs 1 more approval/)
    await room.press('U0DEVI', shorter, 'approve_terminate')
    await room.until(card.ts, /Of 2: 2 are gone/)
    expect(kept && (await isAlive(kept))).toBe(true)
    expect(await Promise.all(others.map(isAlive))).toEqual([false, false])
  })

  it('ends with the process: who has got no signal yet gets none, and the card says so', async () => {
    room = await openRoom(server.marshalUrl)
    const sessions = await leak(30)
    const bot = await room.start()
    await room.type('U0RESP', 'terminate --app leaky leak')
    const card = await room.card('approve_terminate')
    const pressed = room.press('U0DANA', card, 'approve_terminate')
    await server.until("SELECT count(*) < 30 FROM pg_stat_activity WHERE application_name = 'leaky'")
    await bot.stop()
    await pressed
    await room.until(card.ts, /Of 30: .* gone and .* not sent/)
    expect(journal().filter(({ kind }) => kind === 'outcome')).toHaveLength(30)
    expect(journal().at(-1)?.kind).toBe('bulkDone')
    const alive = (await Promise.all(sessions.map(isAlive))).filter(Boolean).length
    expect(alive).toBeGreaterThan(0)
    await room.thread(card.ts, new RegExp(`${alive} not sent \\(pg-marshal was stopping\\)`))
  })

  it('says so where nobody matches, or nobody may be ended', async () => {
    room = await openRoom(server.marshalUrl, {
      over: {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
        clusters: [{ name: 'orders', url: '${DATABASE_URL}', protected: [{ applicationName: 'leaky' }] }],
      },
    })
    await leak(2)
    await room.start()
    await room.type('U0RESP', 'terminate --app nobody-at-all x')
    await room.whisper('U0RESP', /Nobody on orders matches/)
    await room.type('U0RESP', 'terminate --app leaky x')
    await room.whisper('U0RESP', /2 sessions of .* cannot be.*protected/)
    expect(journal().some(({ kind }) => kind === 'requested')).toBe(false)
  })
})

describe('the button of the largest holder of connections', () => {
  it.each(['web', ''])('asks for exactly its idle sessions, named %j', async (name) => {
    room = await openRoom(server.marshalUrl, { over: { watch: { every: '200ms', connectionsAbove: 1 } } })
    const billing = await server.createRole(`shop_billing${name}`)
    const own = await leak(4, name)
    const others = [...(await leak(2, 'webhooks-prod')), await server.open(name, billing)]
    await room.start()
    await room.press('U0RESP', await room.card('pg_propose_idle'), 'pg_propose_idle')
    const card = await room.card('approve_terminate')
    expect(card.text).toMatch(/Terminate 4 sessions on orders/)
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /Of 4: 4 are gone/)
    expect(await Promise.all(own.map(isAlive))).toEqual([false, false, false, false])
    expect(await Promise.all(others.map(isAlive))).toEqual([true, true, true])
  })
})

describe('a sweep', () => {
  const everyMinute = {
    name: 'idle',
    schedule: '* * * * *',
    match: { applicationName: 'leak*', state: 'idle' },
    action: 'terminate',
    most: 2,
  }
  const never = { ...everyMinute, schedule: '0 0 29 2 *' }

  it('is listed, and asked for now by its name, for as many as a card may have', async () => {
    room = await openRoom(server.marshalUrl, { over: { sweeps: [never] } })
    await leak(3)
    await room.start()
    await room.type('U0RESP', 'sweep')
    await room.whisper('U0RESP', /idle: terminate app leak\*, idle, on orders, at most 2 sessions\..*next/)
    await room.type('U0RESP', 'sweep nothing')
    await room.whisper('U0RESP', /There is no sweep `nothing`/)
    await room.type('U0RESP', 'sweep idle')
    const card = await room.card('approve_terminate')
    expect(card.text).toMatch(/Terminate 2 sessions/)
    expect(wordsOf(card)).toMatch(/Left out.*1 \(there are more than the 2 of one card\)/)
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /Of 2: 2 are gone/)
  })

  it('makes one card at its time, which nobody has to approve', async () => {
    room = await openRoom(server.marshalUrl, {
      over: { sweeps: [everyMinute], approvals: { expireAfter: '2s' } },
    })
    const [one] = await leak(1)
    const bot = await room.start()
    await room.workspace.waitFor(() => sweepRows().length === 1, { what: 'the sweep is known' })
    // As if the last one had been seen to a minute ago.
    setSeenTo(Math.floor(Date.now() / 60_000) * 60_000 - 60_000)
    await bot.stop()
    await room.start()
    const card = await room.card('approve_terminate')
    expect(wordsOf(card)).toMatch(/Sweep idle asks/)
    // Where the minute ends meanwhile, a newer list stands in the place of this one.
    await room.line(/Expired: terminate 1 session/)
    expect(one && (await isAlive(one))).toBe(true)
  })

  it('tells what was missed, and does not make up for it', async () => {
    room = await openRoom(server.marshalUrl, { over: { sweeps: [never] } })
    await leak(1)
    const bot = await room.start()
    await room.workspace.waitFor(() => sweepRows().length === 1, { what: 'the sweep is known' })
    setSeenTo(Date.UTC(2023, 0, 1))
    await bot.stop()
    await room.start()
    await room.line(/Sweep idle missed on orders: .*It is not made up for/)
    expect(journal().some(({ kind }) => kind === 'offered')).toBe(false)
    expect(sweepRows()).toEqual([{ seen_to: Date.UTC(2024, 1, 29) }])
  })

  const store = () => new DatabaseSync(join(room.directory, 'store.db'))
  function sweepRows() {
    const database = store()
    const rows = database.prepare('SELECT seen_to FROM sweeps').all()
    database.close()
    return rows.map((row) => ({ ...row }))
  }
  function setSeenTo(at: number) {
    const database = store()
    database.exec('PRAGMA busy_timeout = 2000')
    database.prepare('UPDATE sweeps SET seen_to = ?').run(at)
    database.close()
  }
})
