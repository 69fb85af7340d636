import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { textKeyOf, topOf } from '../../src/domain/lists/statements.ts'
import { noteWaits, noWaits, waitedSince } from '../../src/domain/lists/statementWaits.ts'
import type { Cluster, StatementStatsRead } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

let server: TestServer

const started = async (options: Parameters<typeof openCluster>[0]): Promise<Cluster> => {
  const cluster = openCluster({ deadlines: { locks: 10_000 }, ...options })
  await cluster.start()
  return cluster
}
const readingOf = (read: StatementStatsRead) => {
  if (read.kind !== 'read') throw new Error(JSON.stringify(read))
  return read.reading
}
const missingIn = (read: StatementStatsRead) => {
  if (read.kind !== 'missing') throw new Error('it is there')
  return read.missing
}
/** Runs what a fix says, as somebody who may. */
const fix = (read: StatementStatsRead) => server.admin.query(missingIn(read).fix)

describe('a server that loads pg_stat_statements', () => {
  beforeAll(async () => {
    server = await startTestServer()
    await server.admin.query(`
      CREATE ROLE app LOGIN PASSWORD 'app';
      CREATE TABLE orders (id int PRIMARY KEY, note text)`)
    await server.admin.query('CREATE DATABASE elsewhere')
  })
  afterEach(async () => {
    await closeClusters()
    await server.admin.query('DROP EXTENSION IF EXISTS pg_stat_statements; DROP SCHEMA IF EXISTS "Mon itor"')
    await server.closeAll()
  })
  afterAll(() => server?.stop())

  test('missing in our database, also where another database has it: says which, and the command helps', async () => {
    const there = await server.open(
      'setup',
      Object.assign(new URL(server.url), { pathname: '/elsewhere' }).href,
    )
    await there.query('CREATE EXTENSION pg_stat_statements')
    const cluster = await started({ url: server.marshalUrl })
    const missing = await cluster.statementStats.read()
    expect(missingIn(missing)).toMatchObject({ needed: false })
    expect(missingIn(missing).what).toContain('missing in the database of the bot, postgres')
    expect(missingIn(missing).fix).toBe('CREATE EXTENSION pg_stat_statements; -- in the database "postgres"')
    await fix(missing)
    expect((await cluster.statementStats.read()).kind).toBe('read')
  })

  test('in a schema of its own, not open to the bot at first: the grant helps, and the search path does not matter', async () => {
    await server.admin.query(
      'CREATE SCHEMA "Mon itor"; CREATE EXTENSION pg_stat_statements SCHEMA "Mon itor"',
    )
    const cluster = await started({ url: server.marshalUrl })
    const closed = await cluster.statementStats.read()
    expect(missingIn(closed).fix).toContain('GRANT USAGE ON SCHEMA "Mon itor" TO "marshal";')
    await fix(closed)
    const { statements } = readingOf(await cluster.statementStats.read())
    expect(statements.length).toBeGreaterThan(0)
    const texts = await cluster.statementStats.texts(statements.slice(0, 3), 100)
    expect(texts.size).toBeGreaterThan(0)
    await server.admin.query('ALTER EXTENSION pg_stat_statements SET SCHEMA public; DROP SCHEMA "Mon itor"')
    expect((await cluster.statementStats.read()).kind).toBe('read')
  })

  test('a function that nobody may execute any more: the missing grant is shown', async () => {
    await server.admin.query(
      'CREATE EXTENSION pg_stat_statements; REVOKE ALL ON FUNCTION pg_stat_statements(boolean) FROM public',
    )
    const cluster = await started({ url: server.marshalUrl })
    const closed = await cluster.statementStats.read()
    expect(missingIn(closed).fix).toContain('GRANT EXECUTE ON FUNCTION')
    await fix(closed)
    expect((await cluster.statementStats.read()).kind).toBe('read')
  })

  test('an extension from before an upgrade: to be updated', async () => {
    await server.admin.query("CREATE EXTENSION pg_stat_statements VERSION '1.8'")
    const cluster = await started({ url: server.marshalUrl })
    const old = await cluster.statementStats.read()
    expect(missingIn(old).what).toContain('1.8')
    await fix(old)
    expect((await cluster.statementStats.read()).kind).toBe('read')
  })

  test('counts between two looks, names who ran it, and masks the texts', async () => {
    await server.admin.query(
      'CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset(); GRANT SELECT ON orders TO app',
    )
    const cluster = await started({
      url: server.marshalUrl,
      maskText: (text) => text.replaceAll(/'[^']*'/g, '?'),
    })
    const session = await server.open('worker', server.urlFor('app', 'app'))
    const mine = ({ usename }: { usename: string | null }) => usename === 'app'
    await session.query('SELECT note FROM orders WHERE id = 1')
    const before = readingOf(await cluster.statementStats.read())
    expect(before.readAt - before.resetAt).toBeGreaterThanOrEqual(0)
    expect(before.evictions).toBe(0)

    for (const id of [1, 2, 3]) await session.query(`SELECT note FROM orders WHERE id = ${id}`)
    await session.query("NOTIFY news, 'a secret'")
    const after = readingOf(await cluster.statementStats.read())
    const top = topOf(after, before, mine, () => 0)
    expect(top.statements).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ calls: 3, usename: 'app', datname: 'postgres', toplevel: true }),
        expect.objectContaining({ calls: 1 }),
      ]),
    )
    const texts = [...(await cluster.statementStats.texts(top.statements, 200)).values()].map(
      ({ shown }) => shown,
    )
    expect(texts).toContain('SELECT note FROM orders WHERE id = $1')
    // A utility statement keeps its constants.
    expect(texts).toContain('NOTIFY news, ?')
    expect(texts.join()).not.toContain('secret')

    await server.admin.query('SELECT pg_stat_statements_reset()')
    const reset = readingOf(await cluster.statementStats.read())
    expect(reset.resetAt).toBeGreaterThan(after.resetAt)
  })

  test("what worked ranks above what waited longer, and drivers' look-ups are known", async () => {
    await server.admin.query(
      "CREATE EXTENSION pg_stat_statements; CREATE TABLE stock (id int PRIMARY KEY, note text); INSERT INTO stock VALUES (1, 'x'); GRANT SELECT, UPDATE ON stock TO app; SELECT pg_stat_statements_reset()",
    )
    const cluster = await started({ url: server.marshalUrl, maskText: (text) => text })
    const [holder, waiter, worker] = await Promise.all(
      ['holder', 'waiter', 'worker'].map((name) => server.open(name, server.urlFor('app', 'app'))),
    )
    if (!holder || !waiter || !worker) throw new Error('no session')
    let waits = noteWaits(noWaits, [], Date.now())
    const look = async () => {
      const { sessions, takenAt } = await cluster.snapshot()
      waits = noteWaits(waits, sessions, takenAt)
      return sessions
    }
    await holder.query("BEGIN; UPDATE stock SET note = 'held' WHERE id = 1")
    const blocked = waiter.start("UPDATE stock SET note = 'waited' WHERE id = 1")
    await server.untilWaiting(waiter)
    await worker.query('SELECT oid FROM pg_class')
    await worker.query(`SELECT ${'oid, '.repeat(100)} oid FROM pg_am`)
    // Looks go on while one waits, until it has waited for longer than the other works.
    const begun = Date.now()
    while (Date.now() - begun < 2500) await look()
    await worker.query('SELECT count(*) FROM generate_series(1, 3000000) AS n WHERE n % 7 = 3')
    await look()
    await holder.query('COMMIT')
    await blocked
    await look()

    const reading = readingOf(await cluster.statementStats.read())
    const top = topOf(reading, null, ({ usename }) => usename === 'app', waitedSince(waits, 0))
    const texts = await cluster.statementStats.texts(top.statements, 200)
    const shownAt = (of: string) =>
      top.statements.find((one) => texts.get(textKeyOf(one))?.shown?.includes(of))
    const waited = shownAt('UPDATE stock SET note')
    const worked = shownAt('generate_series')
    expect(waited?.totalMs).toBeGreaterThan(worked?.totalMs ?? Number.POSITIVE_INFINITY)
    expect(waited?.workMs).toBeLessThan(worked?.workMs ?? 0)
    const lookUp = shownAt('FROM pg_class')
    expect(lookUp && texts.get(textKeyOf(lookUp))?.isHousekeeping).toBe(true)
    // Its FROM is behind what is shown of it.
    const long = shownAt('SELECT oid, oid')
    expect(long && texts.get(textKeyOf(long))).toMatchObject({ isHousekeeping: true })
    expect(long && texts.get(textKeyOf(long))?.shown?.length).toBeLessThanOrEqual(200)
    expect(worked && texts.get(textKeyOf(worked))?.isHousekeeping).toBe(false)
  })

  test('a role that may not see the statements of others sees their cost but not their text', async () => {
    await server.admin.query('CREATE EXTENSION pg_stat_statements')
    const cluster = await started({ url: await server.createRole('weak') })
    const session = await server.open('worker', server.urlFor('app', 'app'))
    await session.query('SELECT 1')
    const { statements } = readingOf(await cluster.statementStats.read())
    const others = statements.filter(({ usename }) => usename === 'app')
    expect(others.length).toBeGreaterThan(0)
    expect(others.every(({ queryId }) => queryId === null)).toBe(true)
    expect(await cluster.statementStats.texts(others, 100)).toEqual(new Map())
  })

  test('says when nothing is counted at the moment', async () => {
    await server.admin.query('CREATE EXTENSION pg_stat_statements')
    const cluster = await started({ url: server.marshalUrl })
    expect(await cluster.statementStats.read()).toMatchObject({ isRecording: true })
    await server.admin.query("ALTER SYSTEM SET pg_stat_statements.track = 'none'")
    await server.admin.query('SELECT pg_reload_conf()')
    try {
      const look = async () => (await cluster.statementStats.read()) as { isRecording?: boolean }
      await expect.poll(async () => (await look()).isRecording, { timeout: 20_000 }).toBe(false)
    } finally {
      await server.admin.query('ALTER SYSTEM RESET pg_stat_statements.track')
      await server.admin.query('SELECT pg_reload_conf()')
    }
  })
})

test('a server that does not load it: both commands, and what is loaded already stays', async () => {
  const plain = await startTestServer({
    // A setting of something that is not loaded does not make it loaded.
    settings: { shared_preload_libraries: 'auto_explain', 'pg_stat_statements.max': 1000 },
  })
  try {
    const lookAt = async (url: string) => {
      const cluster = await started({ url })
      return cluster.statementStats.read()
    }
    const { what, fix } = missingIn(await lookAt(plain.marshalUrl))
    expect(what).toContain('not loaded')
    const [load = '', make = '', ...others] = fix.split('\n')
    expect(load).toMatch(
      /^ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'pg_stat_statements'; -- then restart/,
    )
    expect(others).toEqual([])
    const weak = missingIn(await lookAt(await plain.createRole('weak')))
    expect(weak.fix).toContain('SHOW shared_preload_libraries')
    await plain.admin.query('CREATE ROLE rds_superuser')
    const managed = missingIn(await lookAt(plain.marshalUrl))
    expect(managed.fix.split('\n')).toEqual([
      'shared_preload_libraries = auto_explain,pg_stat_statements -- in the parameter group; then restart',
      'CREATE EXTENSION pg_stat_statements; -- in the database "postgres", as the master user (a member of rds_superuser)',
    ])
    await closeClusters()

    await plain.admin.query(load)
    const { rows } = await plain.admin.query(
      "SELECT setting FROM pg_file_settings WHERE name = 'shared_preload_libraries' ORDER BY seqno DESC LIMIT 1",
    )
    expect(rows).toEqual([{ setting: 'auto_explain, pg_stat_statements' }])
    await plain.restart()
    const again = await plain.open('admin')
    await again.query(make)
    expect((await lookAt(plain.marshalUrl)).kind).toBe('read')
  } finally {
    await closeClusters()
    await plain.stop()
  }
})
