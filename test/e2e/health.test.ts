import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { channel, openRoom, type Room } from '../support/harness.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

let server: TestServer
let room: Room
let shop: string

beforeAll(async () => {
  server = await startTestServer({ settings: { max_prepared_transactions: 5, deadlock_timeout: '50ms' } })
  shop = await server.createRole('shop')
  await server.admin.query('CREATE TABLE accounts (id int PRIMARY KEY, balance int)')
  await server.admin.query('INSERT INTO accounts VALUES (1, 0), (2, 0); GRANT ALL ON accounts TO shop')
})
afterEach(async () => {
  await room.close()
  await server.closeAll()
})
afterAll(() => server.stop())

const open = async (watch: Record<string, string | number>) => {
  room = await openRoom(server.marshalUrl, {
    over: { watch: { every: '200ms', blockedFor: '1s', idleInTransactionLongerThan: '1h', ...watch } },
  })
}
/** Health checks are made once a minute; who asks gets one at once. Asks until the answer is this. */
async function untilHealth(answer: RegExp): Promise<void> {
  const answers = () => room.workspace.messages(channel).filter(({ text }) => text.startsWith('Health of'))
  for (;;) {
    const before = answers().length
    await room.type('U0DANA', 'health')
    const text = await room.workspace.waitFor(() => answers()[before]?.text, { what: 'an answer' })
    if (answer.test(text)) return
  }
}

it('a prepared transaction that blocks nobody: a card without a button, over once it is finished', async () => {
  await open({ preparedLongerThan: '0s' })
  const payments = await server.open('payments', shop)
  await payments.query('BEGIN; UPDATE accounts SET balance = 1 WHERE id = 1')
  await payments.query("PREPARE TRANSACTION 'payment-1'")
  await room.start()
  const card = await room.line(/Prepared transaction .* is left open on orders/)
  expect(card.text).toContain("Prepared transaction 'payment-1' is left open on orders")
  expect(JSON.stringify(card.blocks)).toContain("ROLLBACK PREPARED 'payment-1'")
  expect(JSON.stringify(card.blocks)).not.toContain('approve_')
  await untilHealth(
    /^Health of orders\n1 thing needs somebody\.\n- Prepared transaction: .* It has (?:<[^|]*\|)?a card>?\. /,
  )
  await server.admin.query("ROLLBACK PREPARED 'payment-1'")
  await untilHealth(/^Health of orders\nAll is well\./)
  await room.until(card.ts, /The prepared transaction was finished\./)
})

it('a session that holds vacuum back: offered, approved, gone', async () => {
  await open({ vacuumHeldBackBy: 5 })
  const report = await server.open('report', shop)
  await report.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await report.query('SELECT * FROM accounts')
  for (let n = 0; n < 6; n++) await server.admin.query('SELECT pg_current_xact_id()')
  await room.start()
  const card = await room.card('approve_terminate', 'holds vacuum back on orders')
  expect(card.text).toContain('report holds vacuum back on orders')
  await room.press('U0DANA', card, 'approve_terminate')
  await report.ended
  await room.until(card.ts, /Resolved: .* held vacuum back on orders/)
})

it('deadlocks: the card tells how many and where', async () => {
  await open({})
  await room.start()
  await untilHealth(/Deadlocks: none since the statistics began/)
  const [a, b] = [await server.open('transfer-a', shop), await server.open('transfer-b', shop)]
  await a.query('BEGIN; UPDATE accounts SET balance = 1 WHERE id = 1')
  await b.query('BEGIN; UPDATE accounts SET balance = 1 WHERE id = 2')
  const ends = [
    a.start('UPDATE accounts SET balance = 2 WHERE id = 2'),
    b.start('UPDATE accounts SET balance = 2 WHERE id = 1'),
  ]
  await Promise.race(ends.map(async (end) => ((await end) instanceof Error ? null : new Promise(() => {}))))
  await server.closeAll()
  await untilHealth(/Deadlocks: The server broke 1 deadlock in database postgres/)
  const card = await room.line(/^\S+ \d+ deadlocks? in database \S+ on orders/)
  expect(card.text).toContain('1 deadlock in database postgres on orders')
})

it('sessions that wait for each other for long: the one whose end loses least is offered', async () => {
  await open({})
  // An ordinary role may not set it, but somebody may for it.
  await server.admin.query("ALTER ROLE shop SET deadlock_timeout = '1h'")
  const [left, right] = [await server.open('left', shop), await server.open('right', shop)]
  await server.admin.query('ALTER ROLE shop RESET deadlock_timeout')
  await left.query('SELECT pg_advisory_lock(1)')
  await right.query('BEGIN; UPDATE accounts SET balance = 1 WHERE id = 1')
  await right.query('SELECT pg_advisory_lock(2)')
  const ended = left.start('SELECT pg_advisory_lock(2)')
  void right.start('SELECT pg_advisory_lock(1)')
  await server.untilWaiting(left, right)
  await room.start()
  const card = await room.card('approve_cancel', 'sessions wait for each other on orders')
  expect(card.text).toContain('wait for each other')
  expect(JSON.stringify(card.blocks)).toContain(`Approve: cancel left (${left.pid})`)
  await room.press('U0DANA', card, 'approve_cancel')
  expect(await ended).toMatchObject({ code: '57014' })
  await room.until(card.ts, /Resolved: \d+ sessions waited for each other on orders/)
})

it('when health checks fail, and when they work again, the channel hears of it once', async () => {
  await open({})
  await room.start()
  await untilHealth(/^Health of orders\nAll is well\./)
  const told = () => room.workspace.messages(channel).filter(({ text }) => /^Blind on orders/.test(text))
  await server.admin.query('REVOKE SELECT ON pg_catalog.pg_replication_slots FROM PUBLIC')
  try {
    await room.line(/^Blind on orders: deadlocks, .* and slots are not seen: The server refused: /)
  } finally {
    await server.admin.query('GRANT SELECT ON pg_catalog.pg_replication_slots TO PUBLIC')
  }
  await room.line(/^Sees orders again\. Deadlocks, .* and slots are seen too\.$/)
  expect(told()).toHaveLength(1)
})
