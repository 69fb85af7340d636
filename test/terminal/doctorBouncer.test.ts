import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkBouncer } from '../../src/terminal/doctorBouncer.ts'
import { hasPgBouncer, startBouncer, type TestBouncer } from '../support/pgbouncer.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

describe.skipIf(!hasPgBouncer)('doctor, of the admin console of PgBouncer', () => {
  let server: TestServer
  let shop: string
  let bouncer: TestBouncer
  beforeAll(async () => {
    server = await startTestServer()
    shop = await server.createRole('shop')
    bouncer = await startBouncer(server, { users: [shop], settings: { admin_users: 'shop' } })
  })
  afterAll(async () => {
    await bouncer?.stop()
    await server?.stop()
  })
  const check = (url: string) => checkBouncer({ pgbouncer: { url, passwordFile: null } }, {})

  it('is content with a user that may look', async () => {
    expect(await check(bouncer.consoleUrl)).toEqual([
      { what: expect.stringMatching(/^the admin console of PgBouncer \d+\.\d+\.\d+ answers$/), fix: null },
    ])
  })

  it('advises against one that may do more', async () => {
    expect(await check(bouncer.consoleUrlFor('shop', new URL(shop).password))).toMatchObject([
      { fix: null },
      { what: expect.stringContaining('may change and stop it'), needed: false },
    ])
  })

  it.each([
    [() => bouncer.consoleUrlFor('stats', 'hunter2'), /name a user of stats_users/],
    [() => 'postgres://stats:hunter2@127.0.0.1:1/pgbouncer', /Nothing listens there/],
    [() => bouncer.through(shop), /end its url with \/pgbouncer/],
  ])('says what to do where it does not answer: %s', async (url, fix) => {
    const checks = await check(url())
    expect(checks).toEqual([
      { what: 'the admin console of PgBouncer cannot be read', fix: expect.stringMatching(fix) },
    ])
    expect(JSON.stringify(checks)).not.toContain('hunter2')
  })
})

it('says nothing where no console is configured', async () => {
  expect(await checkBouncer({ pgbouncer: null }, {})).toEqual([])
})
