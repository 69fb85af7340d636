import { afterEach, beforeEach, expect, test } from 'vitest'
import { findings } from '../../src/domain/incidents/finding.ts'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import * as of from '../support/builders.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'
import { guardFor } from '../support/proposals.ts'

/** Two slots for superusers, and from 16 on two more that are kept back by `reserved_connections`. */
let server: TestServer
let app: string
let crowd: TestSession[]

const slots = { max_connections: 14, superuser_reserved_connections: 2 }
const ours = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pg-marshal'"
const canReserve = () => server.versionNum >= 160_000

beforeEach(async () => {
  // Before 16 the server does not start with a setting that it does not know.
  server = await startTestServer({ settings: { ...slots, reserved_connections: 2 } }).catch(() =>
    startTestServer({ settings: slots }),
  )
  app = await server.createRole('app')
  crowd = []
})
afterEach(async () => {
  await closeClusters()
  await server.stop()
})

/** Takes every slot that an ordinary role can have. */
async function fill(): Promise<void> {
  for (;;) {
    const session = await server.open('checkout', app).catch((error) => error)
    if (session instanceof Error) {
      expect(session).toMatchObject({ code: '53300' })
      return
    }
    crowd.push(session)
  }
}

/** Ends our connections; the crowd is to get their slots before we are back. */
async function takeOurSlots(): Promise<void> {
  const wanted = crowd.length + 2
  await waitFor(async () => {
    await server.admin.query(`SELECT pg_terminate_backend(pid, 5000) FROM (${ours}) AS us`)
    await fill()
    return crowd.length >= wanted
  }, 'the crowd has our slots')
}

const isBack = (cluster: Cluster) => waitFor(() => cluster.failure() === null, 'the cluster is seen again')

test('with every slot taken the bot reads, names the holders, signals, and reports why it gets no second connection', async () => {
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  await fill()
  // The one that was refused takes a moment to go.
  await server.until(
    "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND (state IS NULL OR state = 'starting')",
  )

  const picture = pictureOf(await cluster.snapshot())
  const [finding] = findings(picture.snapshot, picture.forest, of.thresholds)
  // Ours are counted, the slots that are kept back are not used.
  const { rows } = await server.admin.query(
    "SELECT count(*)::int AS used FROM pg_stat_activity WHERE backend_type = 'client backend'",
  )
  expect(finding).toMatchObject({ kind: 'connections', max: 14, used: rows[0].used })
  expect(finding?.kind === 'connections' && finding.holders[0]).toEqual({
    usename: 'app',
    datname: 'postgres',
    applicationName: 'checkout',
    clientAddr: '127.0.0.1',
    count: crowd.length,
    idle: crowd.length,
  })
  expect(crowd.length).toBeGreaterThanOrEqual(7)

  const late = openCluster({ url: server.marshalUrl })
  await late.start()
  expect(late.failure()).toMatchObject({ code: '53300', retryable: true })
  await expect(late.snapshot()).rejects.toMatchObject({
    code: '53300',
    reason: expect.stringMatching(/^Every connection slot is taken\..*pg_use_reserved_connections/),
  })

  const victim = picture.snapshot.sessions.find(({ pid }) => pid === crowd[0]?.pid)
  if (!victim) throw new Error('the crowd is not seen')
  const guard = guardFor('terminate', victim)
  expect(await cluster.signal(guard)).toMatchObject({ kind: 'sent', returned: true })
  await crowd[0]?.ended
})

test('a lost connection without the grant: recognised by 53300, advised by doctor, and back when a slot is free', async () => {
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  const advice = (await cluster.missingPrivileges())
    .map(({ fix }) => fix)
    .filter((fix) => fix.includes('reserved'))
  expect(advice).toEqual(canReserve() ? ['GRANT pg_use_reserved_connections TO "marshal";'] : [])
  await fill()
  await takeOurSlots()
  await waitFor(() => cluster.failure()?.code === '53300', 'it is told that every slot is taken')
  await expect(cluster.snapshot()).rejects.toMatchObject({ code: '53300', retryable: true })

  await crowd.pop()?.close()
  await isBack(cluster)
  expect((await cluster.snapshot()).sessions.length).toBeGreaterThan(0)
})

test('a lost connection with pg_use_reserved_connections: both are regained while all else is taken', async ({
  skip,
}) => {
  if (!canReserve()) skip('reserved_connections came with 16')
  await server.admin.query('GRANT pg_use_reserved_connections TO marshal')
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  expect((await cluster.missingPrivileges()).filter(({ fix }) => fix.includes('reserved'))).toEqual([])
  await fill()
  const { rows: before } = await server.admin.query(ours)
  await takeOurSlots()

  await server.until(`SELECT count(*) = 2 FROM (${ours}) AS us WHERE pid <> ALL ($1)`, [
    before.map(({ pid }) => pid),
  ])
  await isBack(cluster)
  await expect(server.open('checkout', app)).rejects.toMatchObject({ code: '53300' })
  await waitFor(async () => (await cluster.snapshot()).ownConnections === 2, 'both are ours')
  const snapshot = await cluster.snapshot()
  expect(snapshot.sessions.filter(({ applicationName }) => applicationName === 'checkout')).toHaveLength(
    crowd.length,
  )
})

test('only the connection that sees is lost: it takes the slot of the other one over, and gets it a new one later', async () => {
  const cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
  const backends = async () => {
    const { rows } = await server.admin.query(
      "SELECT pid, query ~ 'pg_stat_get_activity' AS sees FROM pg_stat_activity WHERE application_name = 'pg-marshal'",
    )
    const [sees, reads] = [true, false].map((which) => rows.find((row) => row.sees === which)?.pid)
    return { count: rows.length, sees, reads }
  }
  await cluster.snapshot()
  await fill()
  // Sometimes it is faster than the crowd and gets its own slot again; then once more.
  await waitFor(async () => {
    const { sees, reads } = await backends()
    await server.admin.query('SELECT pg_terminate_backend($1, 5000)', [sees])
    await fill()
    await waitFor(
      () =>
        cluster.snapshot().then(
          () => true,
          () => false,
        ),
      'it sees',
    )
    const now = await backends()
    return now.count === 1 && now.sees === reads
  }, 'the crowd has the slot of the activity connection')

  const [holder, waiter, third] = crowd
  if (!holder || !waiter || !third) throw new Error('no crowd')
  await holder.query('SELECT pg_advisory_lock(7)')
  void waiter.start('SELECT pg_advisory_lock(7)')
  await server.untilWaiting(waiter)
  let picture = await cluster.snapshot()
  // While the one that sees was not back, the other one did not find out for itself.
  await waitFor(
    async () => {
      picture = await cluster.snapshot()
      const { locks } = picture
      return locks.kind === 'jammed' && locks.why.startsWith('Every connection slot is taken')
    },
    'it is told that every slot is taken',
    { seen: () => picture.locks },
  )
  expect(picture.ownConnections).toBe(1)

  // It sees, so it can act; and with a free slot both are there again.
  const victim = picture.sessions.find(({ pid }) => pid === third.pid)
  if (!victim) throw new Error('the crowd is not seen')
  const guard = guardFor('terminate', victim)
  expect(await cluster.signal(guard)).toMatchObject({ kind: 'sent', returned: true })
  await waitFor(async () => (await cluster.snapshot()).locks.kind === 'read', 'the locks are read again')
  expect((await backends()).count).toBe(2)
})
