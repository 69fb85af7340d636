import { afterAll, beforeAll, expect, test } from 'vitest'
import { multixactsFrom } from '../../src/postgres/rows.ts'
import { statements } from '../../src/postgres/statements.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'

/** Who shares rows, as far as the server says it to a role that may read no table. */
let server: TestServer
let marshal: TestSession
let first: TestSession
let second: TestSession
let third: TestSession

const share = 'SELECT FROM row WHERE id = 1 FOR KEY SHARE'
const read = async (most = 5000) => {
  const { rows } = await marshal.query(statements.multixacts.text, [most])
  return multixactsFrom(rows)
}
const xidOf = async (session: TestSession): Promise<string> =>
  (await session.query('SELECT pg_current_xact_id()::xid::text AS xid')).rows[0].xid

beforeAll(async () => {
  server = await startTestServer()
  await server.admin.query('CREATE TABLE row (id int PRIMARY KEY, v int); INSERT INTO row VALUES (1, 0)')
  marshal = await server.open('marshal', server.marshalUrl)
  first = await server.open('first')
  second = await server.open('second')
  third = await server.open('third')
})
afterAll(async () => {
  await server?.closeAll()
  await server?.stop()
})

test('members whose transactions go on, with how they hold the row', async () => {
  expect(await read()).toEqual({ since: 0, rows: [], moved: new Set() })
  for (const session of [first, second, third]) await session.query('BEGIN')
  await first.query(share)
  const ids = [await xidOf(first), await xidOf(second)]
  await second.query('UPDATE row SET v = 1 WHERE id = 1')
  const row = [
    { xid: ids[0], mode: 'keysh', pid: null },
    { xid: ids[1], mode: 'nokeyupd', pid: null },
  ]
  expect((await read())?.rows).toMatchObject([row])

  // A savepoint that was released is one of them, and one that was rolled back is not.
  await third.query(`SAVEPOINT s; ${share}; ROLLBACK TO s`)
  const before = Number(await xidOf(third))
  await third.query(`SAVEPOINT t; ${share}`)
  await third.query('RELEASE t')
  const now = (await read())?.rows ?? []
  expect(now.at(-1)).toHaveLength(3)
  expect(Number(now.at(-1)?.[2]?.xid)).toBeGreaterThan(before)

  await first.query('COMMIT')
  expect((await read())?.rows.every((one) => one.length === 2)).toBe(true)
  expect((await read())?.moved).toEqual(new Set())
  await second.query('COMMIT')
  await third.query(share)
  const moved = await read()
  expect(moved?.rows.every((one) => one.length === 1)).toBe(true)
  expect(moved?.moved.has(`${before}`)).toBe(false)
  expect([...(moved?.moved ?? [])]).toEqual([now.at(-1)?.[2]?.xid])
  await third.query('COMMIT')
  expect(await read()).toMatchObject({ rows: [], moved: new Set() })
})

test('what was before the last ones that are looked at, is known where it was before the last checkpoint', async () => {
  await first.query(`BEGIN; ${share}`)
  const old = Number(await xidOf(first))
  const crowd = 210
  for (let count = 0; count < crowd; count++) await second.query(share)
  await first.query('COMMIT')
  expect((await read())?.since).toBe(0)
  expect(await read(crowd - 10)).toBeNull()

  await server.admin.query('CHECKPOINT')
  // Some more are looked at than came since: the checkpoint reads one number after the other.
  expect(await read(99)).toBeNull()
  const known = await read(100)
  expect(known?.since).toBeGreaterThan(old)
  await first.query('BEGIN')
  expect(known?.since).toBeLessThanOrEqual(Number(await xidOf(first)))
  await first.query('ROLLBACK')
})
