import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import { jamBehind, jamRecommendations } from '../../src/domain/locks/recommendation.ts'
import { meaningFor } from '../../src/domain/session/heldUp.ts'
import { waitMeanings } from '../../src/domain/session/waitMeaning.ts'
import { createMasker } from '../../src/domain/text/mask.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'

/** Roots that wait for something which is no lock: for what, and who is behind it. */

let server: TestServer
let cluster: Cluster
let scratch: string
let shop: string
/** The bot's clock, in milliseconds: a test moves it. */
let now = Date.now()

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pg-marshal-waits-'))
  await chmod(scratch, 0o777)
  server = await startTestServer({ settings: { autovacuum: false } })
  shop = await server.createRole('shop')
  await server.admin.query(`
    CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 1000) AS n;
    CREATE TABLE lines (line text);
    ALTER TABLE orders OWNER TO shop;
    GRANT ALL ON SCHEMA public TO shop`)
  cluster = openCluster({
    url: server.marshalUrl,
    maskText: createMasker('masked'),
    deadlines: { locks: 20_000, activity: 20_000 },
    now: () => now,
  })
  await cluster.start()
})
afterEach(() => server.closeAll())
afterAll(async () => {
  await closeClusters()
  await server?.stop()
  await rm(scratch, { recursive: true, force: true })
})

const untilIn = ({ pid }: TestSession, waitEvent: string) =>
  server.until('SELECT wait_event = $2 FROM pg_stat_activity WHERE pid = $1', [pid, waitEvent])

/** Ends a program that runs still. */
async function endProgram(pid: () => Promise<number>): Promise<void> {
  try {
    process.kill(await pid())
  } catch {
    // It has ended.
  }
}

/** What is said of the jam behind this session, at a second look 20 seconds after the first. */
async function said({ pid }: TestSession): Promise<string> {
  await cluster.snapshot()
  now += 20_000
  const picture = pictureOf(await cluster.snapshot())
  const told = await cluster.withText(picture.snapshot.sessions)
  const root = picture.forest.roots.find((one) => one.pid === pid)
  const advice = root && jamRecommendations(picture, [], told)(jamBehind(root))
  if (!advice) throw new Error(`no jam behind ${pid}`)
  return advice.text
}

test('VACUUM behind a cursor: the session with the cursor is named, and with its end all go on', async () => {
  const report = await server.open('report', shop)
  await report.query('BEGIN; DECLARE here CURSOR FOR SELECT * FROM orders; FETCH 1 FROM here')
  const janitor = await server.open('janitor', shop)
  const cleaned = janitor.start('VACUUM (FREEZE) orders')
  await untilIn(janitor, 'BufferPin')
  const migration = await server.open('migration', shop)
  const migrated = migration.start('CREATE INDEX at_id ON orders (id)')
  await server.untilWaiting(migration)

  const text = await said(janitor)
  expect(text).toMatch(
    new RegExp(
      `${janitor.pid} waits for a page that others have in use \\(BufferPin/BufferPin, at every look for 20 s\\)\\. Behind it can be ${report.pid} \\(report, idle in transaction for`,
    ),
  )
  await server.admin.query('SELECT pg_terminate_backend($1)', [report.pid])
  expect(await cleaned).not.toBeInstanceOf(Error)
  expect(await migrated).not.toBeInstanceOf(Error)
})

test('DROP DATABASE behind a session that takes note of nothing: that one is named', async () => {
  // Up to 14 it waits for no barrier.
  if (server.versionNum < 150_000) return
  await server.admin.query('CREATE DATABASE doomed')
  const pidFile = join(scratch, 'pid')
  const loader = await server.open('loader')
  const loaded = loader.start(`COPY lines FROM PROGRAM 'echo $$ > ${pidFile}; exec sleep 120'`)
  const programPid = async () => Number(await readFile(pidFile, 'utf8').catch(() => ''))
  await waitFor(async () => (await programPid()) > 0, 'the program runs')
  try {
    const busy = await server.open('busy', shop)
    await busy.query('BEGIN; SELECT 1')
    const janitor = await server.open('janitor')
    const dropped = janitor.start('DROP DATABASE doomed')
    await untilIn(janitor, 'ProcSignalBarrier')
    const owner = await server.open('owner')
    void owner.start("COMMENT ON DATABASE doomed IS 'x'")
    await server.untilWaiting(owner)

    expect(await said(janitor)).toMatch(
      new RegExp(
        `${janitor.pid} waits for every process of the server .*\\(IPC/ProcSignalBarrier, at every look for 20 s\\)\\. Behind it can be ${loader.pid} \\(COPY, running [^)]*\\): a session that takes none`,
      ),
    )
    process.kill(await programPid())
    await loaded
    expect(await dropped).not.toBeInstanceOf(Error)
  } finally {
    await server.admin.query('SELECT pg_terminate_backend($1)', [loader.pid])
    await endProgram(programPid)
  }
})

test('COPY FROM PROGRAM shows no wait, and yet is not said to finish', async () => {
  const pidFile = join(scratch, 'pid2')
  const loader = await server.open('loader')
  const loaded = loader.start(`COPY lines FROM PROGRAM 'echo $$ > ${pidFile}; exec sleep 120'`)
  const programPid = async () => Number(await readFile(pidFile, 'utf8').catch(() => ''))
  await waitFor(async () => (await programPid()) > 0, 'the program runs')
  try {
    const migration = await server.open('migration')
    void migration.start('ALTER TABLE lines ADD COLUMN note text')
    await server.untilWaiting(migration)
    const text = await said(loader)
    expect(text).toContain(`${loader.pid} waits for a program, or another server`)
    expect(text).not.toContain('finish')
  } finally {
    await endProgram(programPid)
    await loaded
  }
})

test('the table knows every wait event of the server, and no other', async () => {
  // The view is there since 17.
  if (server.versionNum < 170_000) return
  const { rows } = await server.admin.query(
    "SELECT type, name FROM pg_wait_events WHERE type <> 'Lock' ORDER BY 1, 2",
  )
  for (const { type, name } of rows) expect(meaningFor(type, name), `${type}/${name}`).not.toBeNull()
  const known = new Set(rows.map(({ type, name }) => `${type} ${name}`))
  const unknown = waitMeanings
    .flatMap(({ type, events }) => events.map((name) => `${type} ${name}`))
    .filter((one) => !known.has(one))
  // Of 19: its names stand in heldUp.test.ts.
  if (server.versionNum < 190_000)
    expect(unknown).toEqual([
      'Buffer BufferCleanup',
      'IPC RepackWorkerExport',
      'Client WaitForWalFlush',
      'Client WaitForWalReplay',
      'Client WaitForWalWrite',
      'IO CopyFromRead',
      'IO CopyToWrite',
    ])
})
