import type { Socket } from 'node:net'
import fc from 'fast-check'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ActivityReader, createActivityReader } from '../../src/postgres/activityReader.ts'
import { sessionFrom } from '../../src/postgres/activityRows.ts'
import type { ClusterError } from '../../src/postgres/cluster.ts'
import { createServerFacts } from '../../src/postgres/serverFacts.ts'
import { createTwoConnections, type TwoConnections } from '../../src/postgres/twoConnections.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { activityRows, answerStatements, goodRows, saidWith, startHostileServer } from '../support/hostile.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'

const log = pino({ level: 'silent' })

describe('looks of a reader that knows what was said before', () => {
  let server: TestServer
  let connections: TwoConnections
  let facts: ReturnType<typeof createServerFacts>
  /** Values of the statements on the connection for the activity, and their rows. */
  let asked: (readonly unknown[])[]
  let answered: (readonly Readonly<Record<string, unknown>>[])[]
  beforeAll(async () => {
    server = await startTestServer({ settings: { autovacuum: false } })
  })
  const connect = async () => {
    facts = createServerFacts({ log, now: Date.now })
    const deadlines = { connect: 20_000, activity: 20_000, locks: 20_000 }
    const { activity, locks } = createTwoConnections({
      ...{ url: server.marshalUrl, passwordFile: null, log, deadlines },
      prepare: facts.learn,
    })
    await activity.start()
    await locks.start()
    const query: typeof activity.query = async (statement, values) => {
      asked.push(values)
      const rows = await activity.query(statement, values)
      answered.push(rows as Record<string, unknown>[])
      return rows
    }
    asked = []
    answered = []
    connections = { activity: { ...activity, query }, locks }
  }
  beforeEach(connect)
  const disconnect = () => Promise.all([connections.activity.close(), connections.locks.close()])
  afterEach(async () => {
    await disconnect()
    await server.closeAll()
  })
  afterAll(() => server?.stop())

  const readerOf = () => createActivityReader({ ...connections, facts, recordText: (text) => text, log })
  /** All that is seen of the sessions of the test, but their ages. */
  const look = async (reader: ActivityReader) => {
    const { rows, at, texts } = await reader.all()
    return rows.flatMap((row) => {
      if (!row.application_name?.startsWith('t-')) return []
      const { xactSeconds, querySeconds, stateSeconds, backendSeconds, ...session } = sessionFrom(
        row,
        at,
        facts.names(),
      )
      return [{ ...session, text: texts?.get(row.pid) }]
    })
  }

  it('are those of a reader that knows nothing, whatever the sessions do', { timeout: 60_000 }, async () => {
    const reader = readerOf()
    const sessions: TestSession[] = []
    let made = 0
    const acts: Readonly<Record<string, (one: TestSession | undefined) => Promise<unknown>>> = {
      open: async () => sessions.push(await server.open(`t-${made++}`)),
      close: async (one) => {
        if (one) sessions.splice(sessions.indexOf(one), 1)
        await one?.close()
        await server.until('SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)', [one?.pid ?? 0])
      },
      begin: async (one) => one?.start('BEGIN'),
      write: async (one) => one?.start('SELECT pg_current_xact_id()'),
      run: async (one) => one?.start(`SELECT ${made++}`),
      end: async (one) => one?.start('ROLLBACK'),
      fail: async (one) => one?.start('SELECT 1 / 0'),
      rename: async (one) => one?.start(`SET application_name = 't-${made++}'`),
      disconnect: async () => reader.forget(),
    }
    const steps = fc.sample(
      fc.array(fc.tuple(fc.constantFrom(...Object.keys(acts)), fc.nat(9)), { minLength: 1, maxLength: 3 }),
      { seed: 7, numRuns: 60 },
    )
    let most = 0
    for (const step of steps) {
      for (const [act, which] of step) await acts[act]?.(sessions[which % Math.max(1, sessions.length)])
      const pids = sessions.map(({ pid }) => pid)
      await server.until(
        "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY ($1) AND (state = 'active' OR wait_event IS NULL))",
        [pids],
      )
      const seen = await look(reader)
      expect(seen, JSON.stringify(step)).toEqual(await look(readerOf()))
      expect(new Set(seen.map(({ pid }) => pid))).toEqual(new Set(pids))
      most = Math.max(most, pids.length)
    }
    expect(most).toBeGreaterThan(3)
  })

  /** Shows each column as an expression yields it, until `work` is done. */
  const showing = async (shownAs: (column: string) => string, work: () => Promise<unknown>) => {
    const { rows } = await server.admin.query(
      "SELECT pg_get_function_arguments('pg_catalog.pg_stat_get_activity(int)'::regprocedure) AS columns",
    )
    const names = [...String(rows[0].columns).matchAll(/OUT (\w+) /g)].map(([, name = '']) => name)
    await server.admin.query(`
      SET allow_system_table_mods = on;
      ALTER FUNCTION pg_catalog.pg_stat_get_activity(int) RENAME TO pg_stat_get_activity_of_all;
      CREATE FUNCTION pg_catalog.pg_stat_get_activity(${rows[0].columns}) RETURNS SETOF record LANGUAGE sql STABLE AS $$
        SELECT ${names.map(shownAs)} FROM pg_catalog.pg_stat_get_activity_of_all($1) AS a
      $$`)
    try {
      // A statement that is prepared has the function that was there before.
      await disconnect()
      await connect()
      await work()
    } finally {
      await server.admin.query(`
        DROP FUNCTION pg_catalog.pg_stat_get_activity(int);
        ALTER FUNCTION pg_catalog.pg_stat_get_activity_of_all(int) RENAME TO pg_stat_get_activity`)
    }
  }

  it('show a new session that has the pid of one that is gone', () =>
    showing(
      (column) =>
        column === 'pid' ? "CASE WHEN a.application_name = 't-twin' THEN 4711 ELSE a.pid END" : `a.${column}`,
      async () => {
        const reader = readerOf()
        const first = await server.open('t-twin')
        await first.query('SELECT 1')
        const [before] = await look(reader)
        await first.close()
        await server.until('SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = 4711)')
        await server.open('t-twin')
        const [after] = await look(reader)
        expect(before).toMatchObject({ pid: 4711, text: 'SELECT 1' })
        expect(after).toMatchObject({ pid: 4711, text: 'SELECT pg_backend_pid() AS pid' })
        expect(after?.backendStart).not.toBe(before?.backendStart)
      },
    ))

  it('show each column that changes by itself', { timeout: 60_000 }, async () => {
    await server.admin.query(
      "CREATE TABLE public.gone AS SELECT 'none' AS name; GRANT SELECT ON public.gone TO PUBLIC",
    )
    const instead = (column: string) => (column === 'leader_pid' ? 'a.pid' : 'NULL')
    await showing(
      (column) =>
        `CASE WHEN (SELECT name FROM public.gone) = '${column}' THEN ${instead(column)} ELSE a.${column} END`,
      async () => {
        const session = await server.open('t-all')
        await session.query('SET compute_query_id = on')
        await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
        await session.query('SELECT pg_current_xact_id()')
        await server.until("SELECT wait_event = 'ClientRead' FROM pg_stat_activity WHERE pid = $1", [
          session.pid,
        ])
        const reader = readerOf()
        const row = async () => {
          const { rows } = await reader.all()
          const { recorded, ...all } = rows.find(({ pid }) => pid === session.pid) ?? {}
          return all as Record<string, unknown>
        }
        const whole = await row()
        const { pid, ...columns } = whole
        expect(Object.keys(columns)).toHaveLength(17)
        for (const column of Object.keys(columns)) {
          await server.admin.query('UPDATE public.gone SET name = $1', [column])
          const changed = column === 'leader_pid' ? session.pid : null
          expect(whole[column], column).not.toBe(changed)
          expect(await row()).toMatchObject({ ...columns, [column]: changed })
        }
      },
    )
  })

  it('are sent what differs, with the statements that began since, and everything again where one is missing', async () => {
    const reader = readerOf()
    const quiet = await server.open('t-quiet')
    const busy = await server.open('t-busy')
    await look(reader)
    await busy.query('SELECT 2')
    await look(reader)
    const pidsOf = (rows: readonly Record<string, unknown>[] = []) => rows.map(({ pid }) => pid)
    expect(pidsOf(answered[0])).toEqual(expect.arrayContaining([null, quiet.pid, busy.pid]))
    expect(pidsOf(answered[1])).toContain(busy.pid)
    expect(pidsOf(answered[1])).not.toContain(quiet.pid)
    expect(answered[1]?.find(({ pid }) => pid === busy.pid)?.query).toEqual(Buffer.from('SELECT 2'))
    reader.forget()
    await look(reader)
    expect(pidsOf(answered[2])).toEqual(expect.arrayContaining([quiet.pid, busy.pid]))
  })

  it('are no part of what is read before a signal', async () => {
    const reader = readerOf()
    const session = await server.open('t-signal')
    await look(reader)
    asked.length = 0
    const [read] = await reader.sessions([session.pid, 2 ** 31 - 1])
    expect(read).toMatchObject({ pid: session.pid, applicationName: 't-signal' })
    expect(asked).toEqual([[[session.pid, 2 ** 31 - 1], null, 0, null, 0]])
    expect(await reader.sessions([2 ** 31 - 1])).toEqual([])
  })
})

describe('another connection', () => {
  afterEach(closeClusters)

  it('is asked for everything, whatever the one before has said', async () => {
    const [first = [], ...others] = activityRows('1767261609.5', [[4711, saidWith({})]])
    const known = first.map((column) => (column[0] === 'known' ? (['known', 25, '{77}'] as const) : column))
    const answer = answerStatements({ ...goodRows, activity: [known, ...others] })
    let last: Socket | undefined
    const received: string[] = []
    const server = await startHostileServer((socket, phase, bytes) => {
      const text = bytes.toString('latin1')
      if (text.includes('pg_marshal_activity')) {
        received.push(text)
        last = socket
      }
      answer(socket, phase, bytes)
    })
    const cluster = openCluster({ url: server.url })
    await cluster.start()
    const askedWithIt = async () => {
      received.length = 0
      await cluster.snapshot()
      return received.some((text) => text.includes('{77}'))
    }
    expect(await askedWithIt()).toBe(false)
    expect(await askedWithIt()).toBe(true)
    received.length = 0
    last?.destroy()
    await expect
      .poll(
        () =>
          cluster.snapshot().then(
            () => true,
            ({ code }: ClusterError) => code,
          ),
        { timeout: 10_000 },
      )
      .toBe(true)
    expect(received.some((text) => text.includes('{77}'))).toBe(false)
    expect(await askedWithIt()).toBe(true)
    await server.close()
  })
})
