import { expect, it } from 'vitest'
import { channel, openRoom, type Room } from '../support/harness.ts'
import { told } from '../support/render.ts'
import { jamOne, openCard, useShop } from '../support/shop.ts'

let room: Room | undefined
const { server, shop } = await useShop(() => room)

/** Text of somebody's Home, once it matches. */
const home = (of: Room, userId: string, text: RegExp) =>
  of.workspace.waitFor(
    () => {
      const view = of.workspace.home(userId)
      const words = view ? told(view.blocks) : ''
      return text.test(words) && words
    },
    { what: `${text} on the Home of ${userId}` },
  )

const pressHome = (of: Room, userId: string, actionId: string) =>
  of.workspace.press({ userId, viewId: of.workspace.home(userId)?.id ?? '', actionId })

const published = (of: Room) => of.workspace.requests('views.publish')

it.each(['socket', 'http'] as const)(
  'shows what waits for me, with the button of the card, and what was done (%s)',
  async (mode) => {
    room = await openRoom(server.marshalUrl, { mode })
    const { root, card } = await openCard(room, server, shop)
    const { workspace } = room
    await workspace.openHome('U0DANA')
    const words = await home(room, 'U0DANA', /Waits for your approval/)
    expect(words).toContain('🟠 1 open incident · 1 waits for you')
    expect(words).toContain('checkout blocks 1 session on orders')
    expect(words).toContain(`[Approve: terminate checkout (${root.pid})] [Deny] [Details]`)
    expect(words).toContain('🟠 orders: 1 open incident')
    const onCard = (card.blocks ?? []).flatMap(({ elements }) => elements ?? []) as Record<string, unknown>[]
    const onHome = (workspace.home('U0DANA')?.blocks ?? []).flatMap(
      ({ elements }) => elements ?? [],
    ) as Record<string, unknown>[]
    // They are not drawn in the same second.
    const decisions = (elements: Record<string, unknown>[]) =>
      JSON.stringify(
        elements.filter(({ action_id }) => /^(approve|deny)_/.test(String(action_id))),
      ).replaceAll(/open for \d+ s/g, 'open for a while')
    expect(decisions(onHome)).toEqual(decisions(onCard))
    expect(JSON.stringify(workspace.home('U0DANA')?.blocks)).toMatch(/"type":"link","url":"https?:/)

    // Whoever may not approve sees that it waits, without a button.
    await workspace.openHome('U0RESP')
    expect(await home(room, 'U0RESP', /open incident/)).toContain('1 waits for others')
    expect(await home(room, 'U0RESP', /open incident/)).not.toContain('Approve')

    await pressHome(room, 'U0DANA', 'approve_terminate')
    await room.line(/^Terminate .* approved by <@U0DANA>/)
    const done = await home(room, 'U0DANA', /Done lately/)
    expect(done).toContain(`✅ Terminated checkout (${root.pid}) on orders, approved by @U0DANA`)
    expect(done).not.toContain('Waits for your approval')
    await home(room, 'U0RESP', /Done lately/)
    expect(await home(room, 'U0DANA', /Nothing is wrong/)).toContain('🟢 orders')
  },
)

it('publishes nothing while nothing changes, and silences and acknowledgements within seconds', async () => {
  room = await openRoom(server.marshalUrl)
  const { card } = await openCard(room, server, shop)
  await room.workspace.openHome('U0DANA')
  await room.workspace.openHome('U0DANA')
  await home(room, 'U0DANA', /Waits for your approval/)
  const before = published(room).length
  const from = performance.now()
  await room.press('U0RESP', card, 'pg_snooze')
  await home(
    room,
    'U0DANA',
    /Silent\norders: .*checkout blocks 1 session on orders.* until \(time\), by @U0RESP/,
  )
  expect(performance.now() - from).toBeLessThan(5000)
  expect(published(room).length - before).toBe(1)
  expect(published(room).at(-1)?.args.hash).toBeTruthy()
})

it('says on the Home what became of a stale button, and renews it', async () => {
  room = await openRoom(server.marshalUrl)
  const { card } = await openCard(room, server, shop)
  const { workspace } = room
  await workspace.openHome('U0DANA')
  await home(room, 'U0DANA', /Waits for your approval/)
  const view = workspace.home('U0DANA')
  const blocks = (view?.blocks ?? []) as readonly {
    block_id?: string
    elements?: Record<string, unknown>[]
  }[]
  const row = blocks.find(({ elements }) =>
    elements?.some(({ action_id }) => action_id === 'approve_terminate'),
  )
  const value = String(row?.elements?.[0]?.value)
  await room.press('U0DANA', card, 'deny_terminate')
  await workspace.waitFor(() => workspace.modal('U0DANA'), { what: 'the modal' })
  await workspace.submitView({ userId: 'U0DANA', values: { reason: 'it pays' } })
  await room.until(card.ts, /denied/i)
  await workspace.press({
    userId: 'U0DANA',
    viewId: view?.id ?? '',
    actionId: 'approve_terminate',
    blockId: row?.block_id ?? '',
    value,
  })
  const words = await home(room, 'U0DANA', /Nothing was done: it was already decided: denied by @U0DANA/)
  expect(words).not.toContain('[Approve')
  expect(words).toContain('⛔ Denied: terminate checkout')
})

it('says on the Home that a modal was too late', async () => {
  room = await openRoom(server.marshalUrl)
  const { card } = await openCard(room, server, shop)
  const { workspace } = room
  await workspace.openHome('U0DANA')
  await home(room, 'U0DANA', /Waits for your approval/)
  await pressHome(room, 'U0DANA', 'deny_terminate')
  await workspace.waitFor(() => workspace.modal('U0DANA'), { what: 'the modal' })
  await room.press('U0DEVI', card, 'approve_terminate')
  await home(room, 'U0DANA', /Done lately/)
  await workspace.submitView({ userId: 'U0DANA', values: { reason: 'it pays' } })
  await home(room, 'U0DANA', /Nothing was done: it was already decided: approved/)
  await room.whisper('U0DANA', /already decided/)
})

it('says on the Home that the details did not open in time', async () => {
  room = await openRoom(server.marshalUrl, { workspace: { timing: { triggerMs: -1 } } })
  await openCard(room, server, shop)
  await room.workspace.openHome('U0DANA')
  await home(room, 'U0DANA', /Waits for your approval/)
  await pressHome(room, 'U0DANA', 'pg_details')
  const words = await home(room, 'U0DANA', /The details did not open in time: press Details again/)
  expect(words).toContain('[Approve')
})

it('tells whoever may see nothing so in one sentence, also when access is taken away while it is open', async () => {
  room = await openRoom(server.marshalUrl, {
    over: { access: { viewers: ['S0DBAONCALL'], requesters: ['S0DBAONCALL'], approvers: ['S0DBAONCALL'] } },
  })
  const { workspace } = room
  await openCard(room, server, shop)
  await workspace.openHome('U0RESP')
  const none = await home(room, 'U0RESP', /Nothing is shown to you here/)
  expect(none).not.toContain('orders')
  const member = workspace.seed.userGroups.find(({ id }) => id === 'S0DBAONCALL')?.users[0] ?? ''
  await workspace.openHome(member)
  await home(room, member, /Waits for your approval/)
  workspace.setGroupMembers('S0DBAONCALL', [])
  await pressHome(room, member, 'approve_terminate')
  const after = await home(room, member, /Nothing is shown to you here/)
  expect(after).not.toContain('orders')
  expect(workspace.messages(channel).some(({ text }) => /approved by/.test(text))).toBe(false)
})

it('says that a cluster cannot be seen', async () => {
  room = await openRoom(server.marshalUrl)
  await jamOne(server, shop)
  await room.start()
  await room.card('approve_terminate')
  await room.workspace.openHome('U0DANA')
  await home(room, 'U0DANA', /open incident/)
  server.suspend()
  await home(room, 'U0DANA', /⚠️ orders is not seen/)
  server.resume()
  await home(room, 'U0DANA', /🟠 orders: 1 open incident/)
})
