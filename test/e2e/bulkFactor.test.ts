import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { enrolled } from '../support/codes.ts'
import { openRoom, type Room } from '../support/harness.ts'
import { told } from '../support/render.ts'
import { useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

const kinds = (): string[] => {
  const database = new DatabaseSync(join(room.directory, 'store.db'), { readOnly: true })
  const rows = database.prepare('SELECT event FROM journal ORDER BY seq').all()
  database.close()
  return rows.map(({ event }) => JSON.parse(String(event)).kind)
}

const modalOf = (userId: string, callback: string) =>
  room.workspace.waitFor(
    () => {
      const view = room.workspace.modal(userId)
      return view?.callback_id === callback && view
    },
    { what: `${callback} of ${userId}` },
  )

/** Opens a room with three sessions that nobody uses, and the card that asks for their end. */
async function asked(approvals: Record<string, unknown>) {
  room = await openRoom(server.marshalUrl, { over: { approvals } })
  const phone = await enrolled(room, 'U0DANA')
  const leak = await Promise.all(Array.from({ length: 3 }, () => server.open('leaky', shop)))
  await room.start()
  await room.type('U0RESP', 'terminate --app leaky leak')
  return { phone, leak, card: await room.card('approve_terminate') }
}

const alive = async (): Promise<number> =>
  (await server.admin.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'leaky'")).rows.length

it('a list takes one code for all of it, and nothing is sent before that', async () => {
  const { phone, card } = await asked({ secondFactor: { terminate: true } })
  await room.press('U0DANA', card, 'approve_terminate')
  const modal = await modalOf('U0DANA', 'pg_second_factor')
  expect(told(modal.blocks as never)).toMatch(/3 sessions/)
  expect(modal.submit?.text).toBe('Terminate all')
  await room.workspace.submitView({ userId: 'U0DANA', values: { code: phone.wrong() } })
  expect(await alive()).toBe(3)
  expect(kinds()).not.toContain('intended')
  await room.workspace.submitView({ userId: 'U0DANA', values: { code: phone.code() } })
  await room.until(card.ts, /Of 3: 3 are gone/)
  expect(await alive()).toBe(0)
  expect(kinds().filter((kind) => kind === 'codeAccepted')).toHaveLength(1)
})

it('of a list that became shorter since the modal opened, a code ends nobody', async () => {
  const { phone, leak, card } = await asked({ secondFactor: { terminate: true } })
  await room.press('U0DANA', card, 'approve_terminate')
  await modalOf('U0DANA', 'pg_second_factor')
  await room.press('U0RESP', card, 'pg_details')
  const list = await modalOf('U0RESP', 'pg_details')
  const off = list.blocks.flatMap((block) => {
    const { accessory } = block as { accessory?: { value: string } }
    return accessory?.value.includes(`"pid":${leak[0]?.pid},`) ? [accessory.value] : []
  })
  const [value = ''] = off
  await room.workspace.press({ userId: 'U0RESP', viewId: list.id, actionId: 'pg_take_off', value })
  await room.until(card.ts, /Terminate 2 sessions/)
  await room.workspace.submitView({ userId: 'U0DANA', values: { code: phone.code() } })
  await room.whisper('U0DANA', /Nothing was done: .*taken off its list/)
  expect(await alive()).toBe(3)
  expect(kinds()).not.toContain('intended')
})

it('who breaks the glass ends the whole list alone, with a reason and a code', async () => {
  const { phone, card } = await asked({
    ...{ people: { terminate: 2 }, secondFactor: { terminate: true } },
    breakGlass: { who: ['U0DANA'] },
  })
  await room.press('U0DANA', card, 'pg_break_glass')
  await modalOf('U0DANA', 'pg_second_factor')
  await room.workspace.submitView({ userId: 'U0DANA', values: { code: phone.code(), reason: '...' } })
  expect(await alive()).toBe(3)
  await room.workspace.submitView({
    ...{ userId: 'U0DANA', values: { code: phone.code(), reason: 'no slot is left' } },
  })
  await room.until(card.ts, /Of 3: 3 are gone/)
  await room.line(/BREAK GLASS.*acts alone: terminate 3 sessions on orders.*no slot is left/)
  expect(await alive()).toBe(0)
})
