import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'

let server: TestServer
let room: Room | undefined
beforeAll(async () => {
  server = await startTestServer({ settings: { max_connections: 260 } })
})
afterAll(async () => {
  await room?.close()
  await server.closeAll()
  await server.stop()
})

/** Two hundred, of which a third changes between the list and the press, in every way there is. */
it('ends exactly those of two hundred who are as they were listed', async () => {
  const [shop, late] = [await server.createRole('shop'), await server.createRole('late')]
  const open = async (many: number, name: string, url = shop) => {
    const sessions: TestSession[] = []
    for (let n = 0; n < many; n++) sessions.push(await server.open(name, url))
    return sessions
  }
  const kept = await open(110, 'leak')
  const inTransaction = await open(24, 'leak')
  const [gone, used] = [await open(14, 'leak'), await open(14, 'leak')]
  const [secret, superusers] = [await open(14, 'leak-secret'), await open(14, 'leak', late)]
  const begun = await open(10, 'leak')
  for (const session of inTransaction) await session.query('BEGIN; SELECT 1')
  const [sameTransaction, otherTransaction, usedInTransaction] = [
    inTransaction.slice(0, 8),
    inTransaction.slice(8, 16),
    inTransaction.slice(16),
  ]
  room = await openRoom(server.marshalUrl, {
    over: {
      watch: { every: '1s', idleInTransactionLongerThan: '1h', connectionsAbove: 100 },
      sweeps: [
        {
          name: 'leak',
          schedule: '0 0 29 2 *',
          match: { applicationName: 'leak*' },
          action: 'terminate',
          most: 200,
        },
      ],
    },
  })
  const bot = await room.start()
  await room.type('U0RESP', 'sweep leak')
  const card = await room.card('approve_terminate')
  expect(card.text).toMatch(/Terminate 200 sessions/)
  expect(wordsOf(card)).toMatch(/24 open transactions/)

  await Promise.all(gone.map((session) => session.close()))
  for (const session of used) await session.query('SELECT 1')
  for (const session of otherTransaction) await session.query('COMMIT; BEGIN; SELECT 1')
  for (const session of usedInTransaction) await session.query('SELECT 2')
  for (const session of begun) await session.query('BEGIN')
  await server.admin.query('ALTER ROLE late SUPERUSER')
  const settings = JSON.parse(room.yaml)
  settings.clusters[0].protected = [{ applicationName: 'leak-secret' }]
  const { env } = room
  await bot.reload(() => parseConfig(JSON.stringify(settings), env))
  await server.until("SELECT rolsuper FROM pg_roles WHERE rolname = 'late'")

  await room.press('U0DANA', card, 'approve_terminate')
  const done = await room.until(
    card.ts,
    /Of 200: 118 are gone and 82 had changed and got no signal|Of 200: 118 are gone, 6/,
    // Ten seconds of pauses alone.
    90_000,
  )
  expect(done.text).toMatch(/Of 200: 118 are gone/)
  const { rows } = await server.admin.query(
    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'leak%'",
  )
  const alive = new Set(rows.map(({ pid }) => pid))
  const left = [used, secret, superusers, begun, otherTransaction, usedInTransaction].flat()
  expect([...alive].sort()).toEqual(left.map(({ pid }) => pid).sort())
  expect([...kept, ...sameTransaction].filter(({ pid }) => alive.has(pid))).toEqual([])
  const thread = await room.thread(card.ts, /118 are gone/)
  const names = thread.map(wordsOf).join('\n')
  for (const { pid } of left) expect(names).toContain(String(pid))
  expect(names).toMatch(/it is protected by the configuration/)
  expect(names).toMatch(/superuser/i)
}, 120_000)
