import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Health } from '../../src/domain/session/health.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'
import { type Standby, startStandby } from '../support/standby.ts'

let primary: TestServer
let standby: Standby

beforeAll(async () => {
  primary = await startTestServer({ settings: { wal_level: 'replica' } })
  await primary.admin.query('CREATE TABLE orders (id int)')
  standby = await startStandby(primary, {
    hot_standby: true,
    hot_standby_feedback: true,
    wal_receiver_status_interval: '1s',
  })
})
afterAll(async () => {
  await closeClusters()
  await standby?.stop()
  await primary?.stop()
})

test('an old snapshot on a standby holds vacuum back on its primary: both tell it', async () => {
  const reader = await standby.open('report', primary.url)
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await reader.query('SELECT count(*) FROM pg_class')
  for (let n = 0; n < 10; n++) await primary.admin.query('SELECT pg_current_xact_id()')

  const there = openCluster({ url: standby.marshalUrl, name: 'standby' })
  await there.start()
  const seen = await there.health()
  expect(seen.vacuumHolders).toMatchObject([{ kind: 'session', name: 'report', database: 'postgres' }])
  expect(seen).toMatchObject({ prepared: [], slots: [] })

  const here = openCluster({ url: primary.marshalUrl })
  await here.start()
  let health: Health | undefined
  await waitFor(async () => {
    health = await here.health()
    return health.vacuumHolders.some(({ age }) => age >= 10)
  }, 'the standby tells what it needs')
  expect(health?.vacuumHolders).toMatchObject([{ kind: 'standby', name: 'walreceiver', database: null }])
})
