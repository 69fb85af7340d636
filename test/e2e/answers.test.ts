import type { Message } from 'slack-workspace'
import { expect, it } from 'vitest'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room | undefined
const { server, shop } = await useShop(() => room)

/** Opens a room whose watcher makes no card by itself. */
const quietRoom = (over: Record<string, unknown> = {}, options: Parameters<typeof openRoom>[1] = {}) =>
  openRoom(server.marshalUrl, { over: { watch: { every: '200ms', blockedFor: '1h' }, ...over }, ...options })

const labels = (message: Message): string[] =>
  (message.blocks ?? []).flatMap((block) =>
    block.type === 'actions'
      ? (block.elements as { text: { text: string } }[]).map(({ text }) => text.text)
      : [],
  )

it.each(['socket', 'http'] as const)('a request is two taps away from the overview (%s)', async (mode) => {
  room = await openRoom(server.marshalUrl, { mode })
  const { root } = await jamOne(server, shop)
  await room.start()
  await room.card('approve_terminate')
  await room.type('U0RESP', '')
  const overview = await room.line(/^pg-marshal: overview/)
  expect(overview.text).toMatch(/1 open incident/)
  expect(overview.text).toContain('checkout blocks 1 session on orders')
  expect(overview.text).toMatch(/Waits for approval: terminate checkout \(\d+\) on orders/)
  expect(overview.text).toContain('/pg help shows all that can be typed.')
  expect(wordsOf(overview)).toMatch(/"type":"link","url":"https?:/)
  expect(hasButton(overview, 'pg_details')).toBe(true)

  await room.type('U0RESP', 'blocking')
  const answer = await room.line(/^Who blocks whom/)
  expect(labels(answer)).toEqual([`Propose: terminate checkout (${root.pid})`, 'Details', 'Refresh'])
  expect(wordsOf(answer)).toContain('Card: ')
})

it('asks the approvers by one press on an answer, and reads it again in place', async () => {
  room = await quietRoom()
  const { root, victim } = await jamOne(server, shop)
  await room.start()
  await room.type('U0RESP', 'sessions --app checkout')
  const answer = await room.line(/^Sessions on orders/)
  expect(labels(answer)).toEqual([`Propose: terminate checkout (${root.pid})`, 'Refresh'])

  await room.press('U0RESP', answer, 'pg_propose_terminate')
  const card = await room.card('approve_terminate')
  expect(card.text).toContain(`checkout (${root.pid})`)
  await room.press('U0RESP', answer, 'pg_refresh_answer')
  const again = await room.until(answer.ts, /Card: /)
  expect(hasButton(again, 'pg_details')).toBe(true)

  await root.query('ROLLBACK')
  await victim.query('SELECT 1').catch(() => {})
  await root.close?.()
  await room.press('U0RESP', answer, 'pg_refresh_answer')
  await room.until(answer.ts, /(0|1) of \d+ sessions match|Nobody/)
})

it('advises what would have prevented the trouble, and changes nothing', async () => {
  room = await openRoom(server.marshalUrl, {
    over: { watch: { every: '200ms', blockedFor: '300ms' }, queryText: 'masked' },
  })
  const { root } = await jamOne(server, shop)
  await room.start()
  await room.card('approve_terminate')
  await room.type('U0RESP', 'advise')
  const answer = await room.line(/^What would have prevented it on orders/)
  expect(answer.text).toContain('I change nothing')
  expect(answer.text).toContain("ALTER SYSTEM SET log_lock_waits = 'on';")
  expect(answer.text).toMatch(/By 1 incident of the last 7 d and the looks of the last 1 d\./)
  const { rows } = await server.admin.query('SELECT count(*)::int AS made FROM pg_db_role_setting')
  expect(rows).toEqual([{ made: 0 }])
  await root.query('ROLLBACK')
})

it('shows a stale answer as it is now, and says that the session has gone', async () => {
  room = await quietRoom()
  const { root } = await jamOne(server, shop)
  await room.start()
  await room.type('U0RESP', `session ${root.pid}`)
  const answer = await room.line(new RegExp(`^Session ${root.pid}`))
  await server.closeAll()
  await room.press('U0RESP', answer, 'pg_refresh_answer')
  const again = await room.until(answer.ts, /There is no session/)
  expect(labels(again)).toEqual(['Refresh'])
})

it('lets nobody refresh who may not see the cluster, and never leaves out its check', async () => {
  room = await quietRoom({
    access: { viewers: ['U0DANA'], requesters: ['U0DANA'], approvers: ['U0DANA'] },
  })
  await jamOne(server, shop)
  await room.start()
  await room.type('U0DANA', 'blocking')
  const answer = await room.line(/^Who blocks whom/)
  await room.press('U0RESP', answer, 'pg_refresh_answer')
  await room.whisper('U0RESP', /Nothing was done/)
  expect(room.workspace.messages(channel).find(({ ts }) => ts === answer.ts)?.text).toBe(answer.text)
  await room.type('U0RESP', '')
  await room.whisper('U0RESP', /Nothing was done/)
})

it.each(['socket', 'http'] as const)(
  'a private answer is edited in place, and comes once more when its address does not work any more (%s)',
  async (mode) => {
    room = await quietRoom({}, { mode })
    const { root, victim } = await jamOne(server, shop)
    await room.start()
    const { workspace } = room
    const mine = () =>
      workspace.ephemerals('U0RESP').filter(({ text }) => text.startsWith('Sessions on orders'))
    await room.type('U0RESP', '')
    const overview = await room.line(/^pg-marshal: overview/)
    await room.press('U0RESP', overview, 'pg_show_answer')
    const answer = await workspace.waitFor(() => mine()[0], { what: 'the answer' })
    expect(JSON.stringify(answer.blocks)).toContain(`Propose: terminate checkout (${root.pid})`)
    const refresh = () =>
      workspace.press({
        userId: 'U0RESP',
        channelId: channel,
        messageTs: answer.ts,
        actionId: 'pg_refresh_answer',
      })

    await root.query('ROLLBACK')
    await server.until(
      "SELECT wait_event_type IS DISTINCT FROM 'Lock' FROM pg_stat_activity WHERE pid = $1",
      [victim.pid],
    )
    await refresh()
    await workspace.waitFor(() => mine().some(({ text }) => /Nobody waits for a lock/.test(text)), {
      what: 'the answer as it is now',
    })
    expect(mine()).toHaveLength(1)

    workspace.fault({ kind: 'error500', method: 'response_url', times: 1 })
    await refresh()
    await workspace.waitFor(() => mine().length === 2, { what: 'a fresh answer' })
  },
)

it('proposes the session of the cluster that was asked, in its own channel, where two have the same pid', async () => {
  const url = ['$', '{DATABASE_URL}'].join('')
  room = await openRoom(server.marshalUrl, {
    over: {
      clusters: [
        { name: 'orders', url },
        { name: 'billing', url, channel: 'G0DBA' },
      ],
      watch: { every: '200ms', blockedFor: '1h' },
    },
  })
  const { root } = await jamOne(server, shop)
  await room.start()
  await room.type('U0RESP', `session ${root.pid} --cluster billing`)
  const answer = await room.line(new RegExp(`^Session ${root.pid} on billing`))
  await room.press('U0RESP', answer, 'pg_propose_terminate')
  await room.whisper('U0RESP', /<#G0DBA>/)
  const { workspace } = room
  expect(workspace.messages(channel).some((message) => hasButton(message, 'approve_terminate'))).toBe(false)
})
