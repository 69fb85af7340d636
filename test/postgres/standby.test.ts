import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { findings } from '../../src/domain/incidents/finding.ts'
import { type Picture, pictureOf } from '../../src/domain/locks/picture.ts'
import { jamBehind, jamRecommendations } from '../../src/domain/locks/recommendation.ts'
import { replayWait } from '../../src/domain/locks/replay.ts'
import { fittingAction } from '../../src/domain/session/allowedAction.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import * as of from '../support/builders.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'
import { guardFor } from '../support/proposals.ts'
import { type Standby, startStandby } from '../support/standby.ts'

let primary: TestServer
let standby: Standby
let app: string

beforeAll(async () => {
  primary = await startTestServer()
  await primary.admin.query('CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 100)')
  app = await primary.createRole('app')
  await primary.admin.query('GRANT SELECT ON orders TO app')
  standby = await startStandby(primary, { max_standby_streaming_delay: -1 })
})
afterEach(async () => {
  await closeClusters()
  await standby.closeAll()
})
afterAll(async () => {
  await standby?.stop()
  await primary?.stop()
})

const started = async (): Promise<Cluster> => {
  const cluster = openCluster({ url: standby.marshalUrl })
  await cluster.start()
  return cluster
}

/** Looks until replay waits, and shows how. */
async function untilReplayWaits(cluster: Cluster) {
  let picture: Picture | undefined
  await waitFor(async () => {
    picture = pictureOf(await cluster.snapshot())
    return replayWait(picture) !== null
  }, 'replay waits')
  const replay = picture && replayWait(picture)
  if (!picture || !replay) throw new Error('replay does not wait')
  return { picture, replay }
}

const goesOn = (cluster: Cluster) =>
  waitFor(async () => replayWait(pictureOf(await cluster.snapshot())) === null, 'replay goes on')

async function terminate(cluster: Cluster, { picture }: { picture: Picture }, victim: TestSession) {
  const session = picture.snapshot.sessions.find(({ pid }) => pid === victim.pid)
  if (!session) throw new Error('the reader is not seen')
  expect(fittingAction(session, picture.snapshot.server, [])).toMatchObject({
    action: 'terminate',
    why: expect.stringContaining('a standby writes nothing'),
  })
  const guard = guardFor('terminate', session)
  expect(await cluster.signal(guard)).toMatchObject({ kind: 'sent' })
  await victim.ended
}

test('replay behind a reader’s lock: a jam like any other: its root is shown, and terminate ends it', async () => {
  const cluster = await started()
  const reader = await standby.open('report', app)
  await reader.query('BEGIN; SELECT count(*) FROM orders')
  await primary.admin.query('BEGIN; LOCK TABLE orders; COMMIT')
  const seen = await untilReplayWaits(cluster)
  const { snapshot, forest } = seen.picture
  expect(snapshot.server).toMatchObject({ inRecovery: true, standbyDelaySeconds: null })
  expect(seen.replay).toMatchObject({ kind: 'lock', sure: true, holders: [{ pid: reader.pid }] })
  expect(snapshot.sessions.find(({ pid }) => pid === seen.replay.pid)?.backendType).toBe('startup')
  const thresholds = { ...of.thresholds, blockedForSeconds: 0 }
  expect(findings(snapshot, forest, thresholds)).toMatchObject([
    { kind: 'blocking', root: { pid: reader.pid, victims: [seen.replay.pid] } },
  ])
  const advice = forest.roots.map((root) => jamRecommendations(seen.picture, [])(jamBehind(root))?.text)
  expect(advice).toEqual([
    expect.stringMatching(
      /^Terminate \d+ \(report, idle in transaction .*\): the one waiter proceeds at once\. Replay of this standby is among/,
    ),
  ])
  await terminate(cluster, seen, reader)
  await goesOn(cluster)
})

test('replay behind a snapshot: RecoveryConflictSnapshot, likely the oldest reader', async () => {
  const cluster = await started()
  const reader = await standby.open('report', app)
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders')
  await primary.admin.query('DELETE FROM orders WHERE id > 50')
  await primary.admin.query('VACUUM orders')
  const seen = await untilReplayWaits(cluster)
  expect(seen.replay).toMatchObject({ kind: 'snapshot', sure: false, holders: [{ pid: reader.pid }] })
  await terminate(cluster, seen, reader)
  await goesOn(cluster)
})

test('a lock that replay holds: the startup process is the root, and no recommendation ends it', async () => {
  const cluster = await started()
  const holder = await primary.open('migration')
  await holder.query('BEGIN; LOCK TABLE orders')
  const at = await primary.admin.query('SELECT pg_current_wal_insert_lsn() AS lsn')
  const reader = await standby.open('report', app)
  // The lock is in the log once something behind it is.
  await primary.admin.query('SELECT pg_switch_wal()')
  await waitFor(async () => {
    const { rows } = await reader.query('SELECT pg_last_wal_replay_lsn() >= $1 AS here', [at.rows[0].lsn])
    return rows[0].here
  }, 'it is replayed')
  const answer = reader.start('SELECT count(*) FROM orders')
  let picture: Picture | undefined
  await waitFor(async () => {
    picture = pictureOf(await cluster.snapshot())
    return picture.forest.roots.length > 0
  }, 'the reader waits')
  const [root] = picture?.forest.roots ?? []
  const startup = picture?.snapshot.sessions.find(({ pid }) => pid === root?.pid)
  expect(root?.victims).toEqual([reader.pid])
  expect(startup?.backendType).toBe('startup')
  expect(picture && startup && fittingAction(startup, picture.snapshot.server, [])).toMatchObject({
    action: null,
    why: expect.stringContaining('a transaction on the primary'),
  })
  expect(picture && root && jamRecommendations(picture, [])(jamBehind(root))).toMatchObject({
    best: null,
    text: expect.stringMatching(
      /^Nothing can be done to \d+ \(startup\) from here\. It is the startup process/,
    ),
  })

  // Paused, its lock stays when that transaction has ended.
  const dba = await standby.open('dba', primary.url)
  await dba.query('SELECT pg_wal_replay_pause()')
  await holder.close()
  await waitFor(async () => {
    picture = pictureOf(await cluster.snapshot())
    return picture.snapshot.sessions.some(({ waitEvent }) => waitEvent === 'RecoveryPause')
  }, 'replay is paused')
  expect(picture?.forest.roots).toMatchObject([{ pid: root?.pid, victims: [reader.pid] }])
  expect(picture && root && jamRecommendations(picture, [])(jamBehind(root))?.text).toContain(
    'SELECT pg_wal_replay_resume();',
  )
  await dba.query('SELECT pg_wal_replay_resume()')
  expect(await answer).not.toBeInstanceOf(Error)
})
