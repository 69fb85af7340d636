import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connectionsUsed } from '../../src/domain/incidents/finding.ts'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import { isLoggingIn } from '../../src/domain/session/loggingIn.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'

/** Before 18 the lock table alone knows who waits while logging in. */

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ settings: { max_connections: 30, max_prepared_transactions: 2 } })
})
const late: pg.Client[] = []
afterEach(async () => {
  await closeClusters()
  for (const client of late.splice(0)) client.connection.stream.destroy()
  await server.closeAll()
})
afterAll(() => server.stop())

/** Clients that begin to log in, and what the lock table says when all of them wait. */
async function logIn(count: number, database: string): Promise<void> {
  for (let n = 0; n < count; n++) {
    const client = new pg.Client({ connectionString: `${new URL(`/${database}`, server.url)}` })
    client.on('error', () => {})
    client.connect().catch(() => {})
    late.push(client)
  }
  await server.until('SELECT count(*) = $1::int FROM pg_locks WHERE NOT granted', [count])
}

const isSeen = async (cluster: ReturnType<typeof openCluster>, count: number) => {
  for (;;) {
    const picture = pictureOf(await cluster.snapshot())
    const found = picture.snapshot.sessions.filter(isLoggingIn)
    // One that began to wait while the look was under way is in the next.
    if (found.length >= count) return { picture, found }
    await delay(20)
  }
}

describe('sessions that wait while they log in', () => {
  test('behind a lock on a shared catalog: counted, in the tree, and no calm', async () => {
    const cluster = openCluster({ url: server.marshalUrl })
    await cluster.start()
    expect((await cluster.snapshot()).locks.kind).toBe('none')
    const holder = await server.open('holder')
    await holder.query('BEGIN; LOCK pg_authid IN ACCESS EXCLUSIVE MODE')
    await logIn(12, 'postgres')
    const { picture, found } = await isSeen(cluster, 12)
    expect(picture.snapshot.locks).toMatchObject({ kind: 'read' })
    expect(picture.forest.roots).toMatchObject([{ pid: holder.pid }])
    expect(picture.forest.roots[0]?.victims).toHaveLength(12)
    expect(found.map(({ usename, backendType }) => [usename, backendType])).toEqual(
      found.map(() => [null, 'client backend']),
    )
    // The holder, the test's own, and our two.
    expect(connectionsUsed(picture.snapshot)).toBe(12 + 4)
    await holder.query('ROLLBACK')
    await waitFor(async () => !(await cluster.snapshot()).sessions.some(isLoggingIn), 'all have logged in')
  })

  test('behind a prepared transaction: in the next look, and it is named', async () => {
    const cluster = openCluster({ url: server.marshalUrl })
    await cluster.start()
    await cluster.snapshot()
    const holder = await server.open('holder')
    await holder.query("BEGIN; LOCK pg_authid IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'night-2'")
    await holder.close()
    try {
      await logIn(6, 'postgres')
      const { picture } = await isSeen(cluster, 6)
      expect(picture.forest.roots).toMatchObject([{ pid: expect.any(Number), prepared: { gid: 'night-2' } }])
      expect(picture.forest.roots[0]?.victims).toHaveLength(6)
    } finally {
      await server.admin.query("ROLLBACK PREPARED 'night-2'")
    }
    await waitFor(async () => !(await cluster.snapshot()).sessions.some(isLoggingIn), 'all have logged in')
  })

  test('behind DROP DATABASE, which COPY FROM PROGRAM holds up', async ({ skip }) => {
    // 14 waits for no barrier there.
    if (server.versionNum < 150_000) skip()
    const cluster = openCluster({ url: server.marshalUrl })
    await cluster.start()
    await server.admin.query('CREATE DATABASE jam')
    const copier = await server.open('copier')
    await copier.query('CREATE TABLE IF NOT EXISTS copied (v text)')
    void copier.start("COPY copied FROM PROGRAM 'sleep 5'")
    await server.until("SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^COPY' AND state = 'active'")
    const dropper = await server.open('dropper')
    void dropper.start('DROP DATABASE jam')
    await server.until("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'ProcSignalBarrier'")
    await logIn(6, 'jam')
    const { picture } = await isSeen(cluster, 6)
    expect(picture.forest.roots).toMatchObject([{ pid: dropper.pid }])
  })

  test('the lock table is left alone while nobody is in a transaction for long', async () => {
    const cluster = openCluster({ url: server.marshalUrl })
    await cluster.start()
    const reader = await server.open('reader')
    await reader.query('BEGIN; SELECT 1')
    for (let look = 0; look < 5; look++) expect((await cluster.snapshot()).locks.kind).toBe('none')
  })
})
