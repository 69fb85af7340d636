import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { openShop } from '../support/shop.ts'

let server: TestServer
let room: Room | undefined
let shop: string

beforeAll(async () => {
  server = await startTestServer()
  shop = await openShop(server)
  await server.admin.query('ALTER TABLE orders OWNER TO shop')
})
afterEach(async () => {
  await room?.close()
  await server.closeAll()
})
afterAll(() => server.stop())

describe('a migration that waits behind a report, with the shop behind it', () => {
  it('is cancelled: the shop goes on, and so does the report', async () => {
    const report = await server.open('reporting', shop)
    const reported = report.start('SELECT count(*), pg_sleep(600) FROM orders')
    await server.until("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", [report.pid])
    const migration = await server.open('migrate', shop)
    const migrated = migration.start('ALTER TABLE orders ADD COLUMN note text')
    await server.untilWaiting(migration)
    const webs = await Promise.all([1, 2, 3].map((n) => server.open(`web-${n}`, shop)))
    const answers = webs.map((web) => web.start('SELECT state FROM orders'))
    await server.untilWaiting(migration, ...webs)

    room = await openRoom(server.marshalUrl)
    await room.start()
    const card = await room.card('approve_cancel', `(${migration.pid})`)
    expect(wordsOf(card)).toMatch(
      new RegExp(`Best way out: cancel migrate \\(${migration.pid}\\)\\. Frees all 3 at once\\.`),
    )
    await room.press('U0RESP', card, 'pg_details')
    const details = await room.workspace.waitFor(() => room?.workspace.modal('U0RESP'), {
      what: 'the details',
    })
    const words = JSON.stringify(details.blocks)
    expect(words).toMatch(
      new RegExp(
        `Cancel ${migration.pid} \\(ALTER TABLE, waiting .*, nothing done is lost\\): 3 of 4 waiters proceed at once; ${report.pid} \\(SELECT, running .*\\) may finish\\.`,
      ),
    )
    expect(words).toMatch(new RegExp(`Cancel ${report.pid} \\(SELECT, running .*its answer is lost\\)`))
    expect(words).toMatch(/Its client gets error 57014/)

    await room.type('U0RESP', 'blocking')
    await room.line(new RegExp(`Cancel ${migration.pid} \\(ALTER TABLE`))

    await room.press('U0DANA', card, 'approve_cancel')
    await room.until(
      card.ts,
      new RegExp(`statement of ${migration.pid} ended after .*; 3 of 3 waiters moved on`),
    )
    expect(await migrated).toMatchObject({ code: '57014' })
    for (const answer of answers) expect(await answer).not.toBeInstanceOf(Error)
    await room.until(
      card.ts,
      new RegExp(`^🟢 Resolved: [^]*It was ended by the approved cancel of ${migration.pid}`),
    )
    expect(
      room.workspace.messages(channel).filter(({ text }) => /^.*block(?:s|ed) \d+ sessions? on/.test(text)),
    ).toHaveLength(1)
    const { rows } = await server.admin.query('SELECT state FROM pg_stat_activity WHERE pid = $1', [
      report.pid,
    ])
    expect(rows).toEqual([{ state: 'active' }])
    await server.admin.query('SELECT pg_cancel_backend($1)', [report.pid])
    await reported
  })
})

describe('an application that does again at once what was cancelled', () => {
  it('is told so in the thread; the next time its session is terminated', async () => {
    const importer = await server.open('importer', shop)
    const work = async () => {
      await importer.query("BEGIN; UPDATE orders SET state = 'counted' WHERE id = 1")
      const ended = importer.start('SELECT pg_sleep(600)')
      await server.until("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", [importer.pid])
      return { ended }
    }
    const first = await work()
    const desk = await server.open('desk', shop)
    const waits = desk.start("UPDATE orders SET state = 'booked' WHERE id = 1")
    await server.untilWaiting(desk)

    room = await openRoom(server.marshalUrl)
    await room.start()
    const card = await room.card('approve_cancel', `(${importer.pid})`)
    await room.press('U0DANA', card, 'approve_cancel')
    expect(await first.ended).toMatchObject({ code: '57014' })
    expect(await waits).not.toBeInstanceOf(Error)

    await importer.query('ROLLBACK')
    const again = await work()
    const later = desk.start("UPDATE orders SET state = 'booked' WHERE id = 1")
    await server.untilWaiting(desk)
    await room.thread(card.ts, new RegExp(`Tried again: ${importer.pid} began the same statement`))

    const next = await room.card('approve_terminate', `(${importer.pid})`)
    await room.press('U0RESP', next, 'pg_details')
    const details = await room.workspace.waitFor(() => room?.workspace.modal('U0RESP'), {
      what: 'the details',
    })
    const words = JSON.stringify(details.blocks)
    expect(words).toMatch(/Terminate \d+ rather than cancel its statement, which would not last/)
    expect(words).toMatch(/It is likely to be tried again/)
    expect(hasButton(next, 'approve_cancel')).toBe(false)
    await room.press('U0DANA', next, 'approve_terminate')
    expect(await again.ended).toMatchObject({ code: '57P01' })
    expect(await later).not.toBeInstanceOf(Error)
  })
})
