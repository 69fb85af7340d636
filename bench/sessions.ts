import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

/** Many sessions that wait, and the trouble that makes them. */
export type Crowd = {
  readonly size: () => number
  /** Opens sessions until there are so many. */
  grow(to: number): Promise<void>
  /** Makes `waiting` sessions wait in this shape and resolves when all do. */
  arrange(shape: Shape, waiting: number): Promise<void>
  /** Everybody is idle again. */
  dissolve(): Promise<void>
  /** `waiting` sessions start to wait for one row at the same moment, at the default deadlock_timeout. */
  storm(waiting: number): Promise<void>
  /** Backends that serve this application directly (those behind the counting proxy left out). */
  pidsOf(applicationName: string, proxied: { readonly ports: () => readonly number[] }): Promise<number[]>
  version(): Promise<string>
  close(): Promise<void>
}

export const shapes = ['row queue', 'DDL queue', 'chains', 'small trees'] as const
export type Shape = (typeof shapes)[number]

/** Returns the number of sessions that a shape needs beside those that wait. */
export const holdersOf = (shape: Shape, waiting: number): number =>
  shape === 'chains'
    ? Math.ceil(waiting / chainLength)
    : shape === 'small trees'
      ? Math.ceil(waiting / treeSize)
      : 1
const chainLength = 10
const treeSize = 4

type Session = { readonly client: pg.Client; readonly pid: number; work: Promise<unknown> }

export async function connect(url: string, name: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: name })
  // Sessions are ended by the bench itself, with the server.
  client.on('error', () => {})
  await client.connect()
  return client
}

export async function createCrowd(url: string): Promise<Crowd> {
  const admin = await connect(url, 'bench-admin')
  await admin.query(`
    CREATE TABLE hot (id int PRIMARY KEY, v int) WITH (fillfactor = 20);
    INSERT INTO hot SELECT n, 0 FROM generate_series(0, 4000) AS n;
    CREATE TABLE wide (v int)`)
  const sessions: Session[] = []
  const at = (index: number): Session => {
    const session = sessions[index]
    if (!session) throw new Error(`there is no session ${index}`)
    return session
  }
  const run = (index: number, sql: string) => at(index).client.query(sql)
  const start = (index: number, sql: string) => {
    at(index).work = at(index)
      .client.query(sql)
      .catch(() => {})
  }
  const update = (row: number) => `UPDATE hot SET v = v + 1 WHERE id = ${row}`
  /** Batches, so that thousands of answers do not come at once. */
  const each = async (indexes: readonly number[], work: (index: number) => Promise<unknown>) => {
    for (let from = 0; from < indexes.length; from += 100)
      await Promise.all(indexes.slice(from, from + 100).map(work))
  }
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
  const untilWaiting = async (count: number) => {
    for (;;) {
      const { rows } = await admin.query(
        "SELECT count(*)::int AS n FROM pg_stat_get_activity(NULL) WHERE wait_event_type = 'Lock'",
      )
      if (rows[0].n >= count) return
      await delay(20)
    }
  }
  const grow = async (to: number) => {
    await each(range(sessions.length, to), async (index) => {
      const client = await connect(url, 'bench-session')
      const { rows } = await client
        .query("SET deadlock_timeout = '10min'; SELECT pg_backend_pid() AS pid")
        .then((all) => [all].flat().at(-1) as pg.QueryResult)
      sessions[index] = { client, pid: rows[0].pid, work: Promise.resolve() }
    })
  }

  const arrangements: Record<Shape, (waiting: number) => Promise<void>> = {
    'row queue': async (waiting) => {
      await run(0, `BEGIN; ${update(0)}`)
      for (const index of range(1, waiting + 1)) start(index, update(0))
    },
    'DDL queue': async (waiting) => {
      await run(0, 'BEGIN; SELECT count(*) FROM wide')
      start(1, 'ALTER TABLE wide ADD COLUMN another int')
      await untilWaiting(1)
      for (const index of range(2, waiting + 1)) start(index, 'SELECT count(*) FROM wide')
    },
    chains: async (waiting) => {
      const length = chainLength + 1
      const all = waiting + holdersOf('chains', waiting)
      await each(range(0, all), (index) => run(index, `BEGIN; ${update(index)}`))
      for (const index of range(0, all)) if (index % length !== 0) start(index, update(index - 1))
    },
    'small trees': async (waiting) => {
      const holders = holdersOf('small trees', waiting)
      await each(range(0, holders), (index) => run(index, `BEGIN; ${update(index)}`))
      for (const index of range(0, waiting)) start(holders + index, update(Math.floor(index / treeSize)))
    },
  }

  return {
    size: () => sessions.length,
    grow,
    arrange: async (shape, waiting) => {
      await grow(waiting + holdersOf(shape, waiting))
      await arrangements[shape](waiting)
      await untilWaiting(waiting)
    },
    dissolve: async () => {
      // Those who wait first: else they would all move, one after the other.
      await admin.query(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_get_activity(NULL) WHERE wait_event_type = 'Lock' OR (state = 'active' AND application_name = 'bench-session')",
      )
      await Promise.all(sessions.map(({ work }) => work))
      await each(range(0, sessions.length), (index) => run(index, "ROLLBACK; SET deadlock_timeout = '10min'"))
    },
    storm: async (waiting) => {
      await grow(waiting + 1)
      await each(range(0, waiting + 1), (index) => run(index, "SET deadlock_timeout = '1s'"))
      await run(0, `BEGIN; ${update(0)}`)
      for (const index of range(1, waiting + 1)) start(index, update(0))
    },
    pidsOf: async (applicationName, proxied) => {
      const { rows } = await admin.query(
        'SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND NOT client_port = ANY ($2)',
        [applicationName, proxied.ports()],
      )
      return rows.map(({ pid }) => pid)
    },
    version: async () => (await admin.query("SELECT current_setting('server_version') AS v")).rows[0].v,
    close: async () => {
      for (const { client } of sessions) client.connection.stream.destroy()
      await admin.end()
    },
  }
}
