import { expect, it } from 'vitest'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room | undefined
const { server, shop } = await useShop(() => room)

it('answers what runs most, who locks what, and what everybody does', async () => {
  room = await openRoom(server.marshalUrl)
  const { root, victim } = await jamOne(server, shop)
  await room.start()

  await room.type('U0RESP', 'activity --user shop')
  const activity = await room.line(/^Activity on orders/)
  expect(activity.text).toMatch(/2 of \d+ sessions match --user shop/)
  expect(activity.text).toContain('1 active, 1 idle in transaction')
  expect(activity.text).toContain('1 Lock/transactionid')

  await room.type('U0RESP', 'locks')
  const locks = await room.line(/^Locks that somebody waits for/)
  expect(wordsOf(locks)).toContain('row of orders (transaction')

  await room.type('U0RESP', `locks ${root.pid}`)
  const own = await room.line(new RegExp(`^Locks of session ${root.pid}`))
  expect(own.text).toContain(`1 waits for it: ${victim.pid}`)

  await room.type('U0RESP', 'locks "orders"')
  const relation = await room.line(/^Locks of relation orders/)
  expect(relation.text).toContain('2 sessions hold a lock there, 1 waits.')
  await room.type('U0RESP', 'locks ordrs')
  await room.line(/There is no relation ordrs in the database postgres.*Did you mean \/pg locks orders\?/)

  await room.type('U0RESP', 'top')
  const missing = await room.line(/extension is missing in the database of the bot, postgres/)
  expect(missing.text).toContain('CREATE EXTENSION pg_stat_statements;')
  expect(missing.text).toContain(`${victim.pid} · `)

  await server.admin.query('CREATE EXTENSION pg_stat_statements')
  const worker = await server.open('worker', shop)
  await worker.query("NOTIFY news, 'secret-literal'")
  await room.type('U0RESP', 'top --user shop')
  const top = await room.line(/since the statistics were reset/)
  expect(wordsOf(top)).toContain('NOTIFY news, ?')
  expect(wordsOf(top)).not.toContain('secret-literal')
})
