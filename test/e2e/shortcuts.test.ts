import { expect, it } from 'vitest'
import { channel, openRoom, type Room } from '../support/harness.ts'
import { told } from '../support/render.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room | undefined
const { server, shop } = await useShop(() => room)

const url = ['$', '{DATABASE_URL}'].join('')
const two = {
  clusters: [
    { name: 'orders', url },
    { name: 'billing', url, channel: 'G0DBA', access: { viewers: ['U0DANA'], approvers: ['U0DANA'] } },
  ],
  watch: { every: '200ms', blockedFor: '1h' },
}

/** Text of the modal that somebody sees, once it matches. */
const modal = (of: Room, userId: string, text: RegExp) =>
  of.workspace.waitFor(
    () => {
      const view = of.workspace.modal(userId)
      const words = view ? told(view.blocks) : ''
      return text.test(words) && words
    },
    { what: `${text} in the modal of ${userId}` },
  )

const pressModal = (of: Room, userId: string, actionId: string, value?: string) =>
  of.workspace.press({
    userId,
    viewId: of.workspace.modal(userId)?.id ?? '',
    actionId,
    ...(value !== undefined && { value }),
  })

const sessions = (userId: string) => ({ userId, callbackId: 'pg_sessions' })

it.each(['socket', 'http'] as const)(
  'picks a cluster from anywhere, shows its sessions, and asks for an approval there (%s)',
  async (mode) => {
    room = await openRoom(server.marshalUrl, { mode, over: two })
    const { root } = await jamOne(server, shop)
    await room.start()
    expect(await room.workspace.shortcut(sessions('U0DANA'))).toMatchObject({ acked: true })
    await modal(room, 'U0DANA', /The sessions of which cluster/)
    await pressModal(room, 'U0DANA', 'pg_pick_cluster', 'orders')
    const answer = await modal(room, 'U0DANA', /Sessions on orders/)
    expect(answer).toContain(`[Propose: terminate checkout (${root.pid})]`)
    await pressModal(room, 'U0DANA', 'pg_propose_terminate')
    await modal(room, 'U0DANA', /Asked the approvers/)
    const card = await room.card('approve_terminate')
    expect(card.text).toContain(`checkout (${root.pid})`)
    await room.workspace.closeView({ userId: 'U0DANA' })
    await pressModal(room, 'U0DANA', 'pg_refresh_answer')
    await modal(room, 'U0DANA', /Card: /)
    await pressModal(room, 'U0DANA', 'pg_details')
    await modal(room, 'U0DANA', /What an approval sends/)
    await room.workspace.closeView({ userId: 'U0DANA' })
    await modal(room, 'U0DANA', /Sessions on orders/)
  },
)

it('asks nobody for the only cluster that they may see, and shows a stranger nothing', async () => {
  room = await openRoom(server.marshalUrl, { over: two })
  await room.start()
  await room.workspace.shortcut(sessions('U0RESP'))
  await modal(room, 'U0RESP', /Sessions on orders/)
  await room.workspace.shortcut(sessions('U0GUEST'))
  expect(await modal(room, 'U0GUEST', /Nothing was done/)).toBe('Nothing was done: guests may not use this.')
  // A menu of somebody else, or a made one.
  await room.workspace.shortcut(sessions('U0DANA'))
  await modal(room, 'U0DANA', /The sessions of which cluster/)
  await pressModal(
    room,
    'U0RESP',
    'pg_refresh_answer',
    JSON.stringify({ command: 'sessions --cluster billing' }),
  )
  await modal(room, 'U0RESP', /Nothing was done: you are not among those who may do this/)
})

it.each(['socket', 'http'] as const)('looks up the PIDs of a message on each cluster (%s)', async (mode) => {
  room = await openRoom(server.marshalUrl, { mode, over: two })
  const { root, victim } = await jamOne(server, shop)
  await room.start()
  const said = room.workspace.say({
    userId: 'U0RESP',
    channelId: channel,
    text: `LOG: process ${victim.pid} still waiting; holder is (${root.pid}), and 999999 &lt;x&gt;`,
  })
  const lookUp = (userId: string) =>
    room?.workspace.shortcut({
      userId,
      callbackId: 'pg_look_up_pids',
      channelId: channel,
      messageTs: said.ts,
    })
  await lookUp('U0RESP')
  const words = await modal(room, 'U0RESP', /PIDs of the message/)
  expect(words).toMatch(new RegExp(`${root.pid} on orders · checkout · .* · idle in transaction`))
  expect(words).toMatch(
    new RegExp(`${victim.pid} on orders · web · .* · Lock/transactionid · UPDATE orders SET state = \\?`),
  )
  expect(words).toContain('No session now: 999999.')
  expect(words).not.toContain('billing')
  await lookUp('U0DANA')
  expect(await modal(room, 'U0DANA', /PIDs of the message/)).toContain(`${root.pid} on billing`)
  // A card says what it says in its text and its blocks; its buttons are no part of that.
  await room.type('U0RESP', `session ${root.pid}`)
  const answer = await room.line(new RegExp(`^Session ${root.pid}`))
  await room.press('U0RESP', answer, 'pg_propose_terminate')
  const card = await room.card('approve_terminate')
  await room.workspace.shortcut({
    userId: 'U0DANA',
    callbackId: 'pg_look_up_pids',
    channelId: channel,
    messageTs: card.ts,
  })
  await modal(
    room,
    'U0DANA',
    /PIDs of the message\n\d+ on orders · checkout[^\n]*\n\d+ on billing[^\n]*\n\[Show/,
  )
  await pressModal(room, 'U0RESP', 'pg_show_answer')
  await modal(room, 'U0RESP', new RegExp(`Session ${victim.pid} on orders`))
})

it('says no more to who closes a dialog, while it waits or while it is read again', async () => {
  room = await openRoom(server.marshalUrl, { over: two })
  const bot = await room.start()
  const { workspace } = room
  const closed = (times: number) =>
    workspace.waitFor(
      () =>
        workspace.requests('views.update').filter(({ response }) => response?.error === 'not_found')
          .length === times,
      { what: `${times} updates of a closed dialog` },
    )
  const slow = { kind: 'slow', ms: 500, times: 1 } as const
  workspace.fault({ method: 'users.info', ...slow })
  await workspace.shortcut(sessions('U0RESP'))
  await modal(room, 'U0RESP', /Looking/)
  await workspace.closeView({ userId: 'U0RESP' })
  await closed(1)
  await workspace.shortcut(sessions('U0RESP'))
  await modal(room, 'U0RESP', /Sessions on orders/)
  workspace.fault({ method: 'views.update', ...slow })
  await pressModal(room, 'U0RESP', 'pg_refresh_answer')
  await workspace.closeView({ userId: 'U0RESP' })
  await closed(2)
  await bot.stop()
  expect([...workspace.dms('U0RESP'), ...workspace.ephemerals('U0RESP')]).toEqual([])
})

it('says where the person sees it that a trigger was too old', async () => {
  room = await openRoom(server.marshalUrl, { over: two, workspace: { timing: { triggerMs: -1 } } })
  const { root } = await jamOne(server, shop)
  await room.start()
  const { workspace } = room
  await workspace.shortcut(sessions('U0RESP'))
  await workspace.waitFor(
    () => workspace.dms('U0RESP').some(({ text }) => /did not open in time/.test(text)),
    {
      what: 'the message of its own',
    },
  )
  const said = workspace.say({ userId: 'U0RESP', channelId: channel, text: `what is ${root.pid}?` })
  await workspace.shortcut({
    userId: 'U0RESP',
    callbackId: 'pg_look_up_pids',
    channelId: channel,
    messageTs: said.ts,
  })
  await room.whisper('U0RESP', new RegExp(`${root.pid} on orders`))
})
