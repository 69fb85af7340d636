import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiErrorOf } from '../../src/api/problem.ts'
import { createVerifier, type JournalEvent } from '../../src/domain/approvals/journal.ts'
import { ClusterError } from '../../src/postgres/errors.ts'
import { storeFailureOf } from '../../src/store/failure.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { emptyStoreOn } from '../support/store.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

const event: JournalEvent = { kind: 'expired', actor: 'pg-marshal', proposalId: 'p' }

it('has one chain without a gap, however many write at the same time', async () => {
  const settings = await emptyStoreOn(server)
  const stores = [await openStore(settings), await openStore(settings), await openStore(settings)]
  await Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      (stores[n % 3] as Store).atomically(async ({ journal }) => {
        await journal.append(n, null, event)
        await journal.append(n, 'card', event)
      }),
    ),
  )
  const verifier = createVerifier()
  for await (const row of (stores[0] as Store).journal.all()) expect(verifier.check(row)).toBeNull()
  expect(verifier.head()?.seq).toBe(120)
  expect(await stores[2]?.changes()).toBe(60)
  for (const store of stores) await store.close()
})

it('tells a wrong statement of ours from a cluster that cannot be seen, and from a store that cannot be used', async () => {
  const store = await openStore(await emptyStoreOn(server))
  const call = { token: 'deploybot', key: 'twice', fingerprint: '' }
  const twice = store.atomically(async ({ idempotencyKeys }) => {
    await idempotencyKeys.put(call, 'p', 1)
    await idempotencyKeys.put(call, 'p', 2)
  })
  const error = await twice.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(Error)
  expect(error).not.toBeInstanceOf(ClusterError)
  expect(storeFailureOf(error)).toBeNull()
  expect(apiErrorOf(error)).toBeNull()
  await store.close()
})

it('loses a change in the middle of which it stops, and goes on with the next', async () => {
  const settings = await emptyStoreOn(server)
  const store = await openStore(settings)
  let goOn = () => {}
  const stuck = store
    .atomically(async ({ journal }) => {
      await journal.append(1, null, event)
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    })
    .catch((error: unknown) => error)
  // The row is free again when the server has ended what was idle in its transaction.
  await server.until(
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'pg-marshal store' AND state = 'idle in transaction' AND query LIKE 'insert%'",
  )
  await expect
    .poll(
      () =>
        store
          .atomically(({ journal }) => journal.append(2, null, event))
          .then(({ seq }) => seq, storeFailureOf),
      {
        timeout: 20_000,
      },
    )
    .toBe(1)
  goOn()
  expect(storeFailureOf(await stuck)).toContain('its server')
  await store.close()
})

it('says what is wrong with its server, and goes on when it is well again', async () => {
  const settings = await emptyStoreOn(server)
  const store = await openStore(settings)
  const failure = () => store.probe().then(() => null, storeFailureOf)
  const role = new URL(settings.url).username
  const set = async (sql: string) => {
    await server.admin.query(sql)
    await server.admin.query(
      'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1',
      [role],
    )
  }
  expect(await failure()).toBeNull()
  await set(`ALTER ROLE ${role} SET default_transaction_read_only = on`)
  await expect.poll(failure).toContain('takes no writes')
  await set(`ALTER ROLE ${role} NOLOGIN`)
  await expect.poll(failure).toContain('the login was refused')
  await set(`ALTER ROLE ${role} LOGIN`)
  await set(`ALTER ROLE ${role} RESET default_transaction_read_only`)
  await expect.poll(failure).toBeNull()
  await server.admin.query(`ALTER TABLE ${role}.writer OWNER TO CURRENT_USER`)
  expect(await failure()).toContain('may not write')
  await server.admin.query(`DROP TABLE ${role}.writer`)
  expect(await failure()).toContain('a table of it is missing')
  await store.close()
})

it('opens beside a newer version that has added to the schema, and with the columns that that one added', async () => {
  const settings = await emptyStoreOn(server)
  const first = await openStore(settings)
  const role = new URL(settings.url).username
  await server.admin.query(`SET search_path TO ${role}`)
  await server.admin.query("INSERT INTO kysely_migration VALUES ('999_newer', '2030-01-01')")
  await server.admin.query('ALTER TABLE journal ADD COLUMN newer text')
  await server.admin.query('RESET search_path')
  const older = await openStore(settings)
  await older.journal.append(1, null, event)
  expect(await first.journal.latest(5)).toHaveLength(1)
  await Promise.all([first.close(), older.close()])
})

it('says in one sentence why it cannot be opened, and never its password', async () => {
  const { url } = await emptyStoreOn(server)
  const wrong = new URL(url)
  wrong.pathname = '/nowhere'
  wrong.password = 'hunter2'
  await expect(openStore({ kind: 'postgres', url: wrong.href })).rejects.toThrow(
    /^The store cannot be opened: its server: .*\. Check store\.url\.$/,
  )
  const failed = await openStore({ kind: 'postgres', url: wrong.href }).catch(String)
  expect(failed).not.toContain('hunter2')
})

it('leaves no connection behind', async () => {
  const settings = await emptyStoreOn(server)
  const store = await openStore(settings)
  await store.probe()
  await store.close()
  await server.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pg-marshal store'")
  expect(pg.defaults.parseInt8).toBeFalsy()
})
