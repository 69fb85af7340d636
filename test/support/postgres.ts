import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import pg from 'pg'
import { type PostgresOptions, startPostgres, type TemporaryPostgres } from 'temporary-postgres'

/** A session on the test server, opened under a name that pg_stat_activity shows. */
export type TestSession = {
  readonly name: string
  readonly pid: number
  readonly client: pg.Client
  query(sql: string, values?: unknown[]): Promise<pg.QueryResult>
  /** Starts a statement that is going to wait. Its failure is kept in the promise and never unhandled. */
  start(sql: string, values?: unknown[]): Promise<pg.QueryResult | Error>
  /** Resolves when the connection has ended, for whatever reason; whoever asks for it waits for it. */
  readonly ended: Promise<void>
  close(): Promise<void>
}

export type TestServer = TemporaryPostgres & {
  readonly versionNum: number
  /** A connection of the superuser for preparing and for looking; not counted among the opened sessions. */
  readonly admin: pg.Client
  /** Connection string of the role `marshal`, a member of pg_monitor and pg_signal_backend. */
  readonly marshalUrl: string
  /** Opens a session as the superuser, or by another connection string. */
  open(name: string, url?: string): Promise<TestSession>
  /** Ends every session that `open` made, whatever it waits for. */
  closeAll(): Promise<void>
  /** Resolves when the statement yields a row whose first column is true. */
  until(sql: string, values?: unknown[]): Promise<void>
  /** Resolves when the session waits for a heavyweight lock. */
  untilWaiting(...sessions: { readonly pid: number }[]): Promise<void>
}

/** The PostgreSQL package to test against: PG_MARSHAL_TEST_POSTGRES (scripts/matrix.ts), else the installed one. */
export async function startTestServer(options: PostgresOptions = {}): Promise<TestServer> {
  const packageDir = options.packageDir ?? process.env.PG_MARSHAL_TEST_POSTGRES
  const server = await startPostgres({ ...options, ...(packageDir ? { packageDir } : {}) })
  try {
    const marshalUrl = await server.createRole('marshal', ['pg_monitor', 'pg_signal_backend'])
    const admin = await connect(server.url, 'test-admin')
    const { rows } = await admin.query("SELECT current_setting('server_version_num')::int AS num")
    const opened = new Set<TestSession>()

    const until = async (sql: string, values: unknown[] = []) =>
      waitFor(
        async () => {
          const result = await admin.query({ text: sql, values, rowMode: 'array' })
          return result.rows[0]?.[0] === true
        },
        `${sql} ${JSON.stringify(values)}`,
        { seen: () => activity(server.url) },
      )

    const closeAll = async () => {
      const sessions = [...opened]
      // A session that waits answers no goodbye: the server ends it.
      const pids = sessions.map((session) => session.pid)
      await admin.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [pids])
      await Promise.all(sessions.map((session) => session.close()))
      await until('SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ANY ($1)', [pids])
    }

    return {
      ...server,
      versionNum: rows[0].num,
      admin,
      marshalUrl,
      until,
      closeAll,
      untilWaiting: (...sessions) =>
        until(
          "SELECT count(*) = cardinality($1::int[]) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ANY ($1)",
          [sessions.map((session) => session.pid)],
        ),
      open: async (name, url = server.url) => {
        const session = await openSession(name, url)
        opened.add(session)
        session.client.once('end', () => opened.delete(session))
        return session
      },
      stop: async () => {
        server.resume()
        await Promise.all([...opened].map((session) => session.close()))
        await admin.end()
        await server.stop()
      },
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function connect(url: string, name: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: 20_000,
  })
  // A server that is stopped under the test ends its connections: no failure of the test by itself.
  client.on('error', () => {})
  await client.connect()
  return client
}

export async function openSession(name: string, url: string): Promise<TestSession> {
  const client = await connect(url, name)
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
  return {
    name,
    pid: rows[0].pid,
    client,
    get ended() {
      return within(ended, `${name} (${rows[0].pid}) ends`, { seen: () => activity(url) })
    },
    query: (sql, values) => client.query(sql, values),
    start: (sql, values) => client.query(sql, values).catch((error: Error) => error),
    close: async () => {
      await Promise.race([client.end().catch(() => {}), delay(200, undefined, { ref: false })])
      // `end` waits for a running statement: then the socket goes.
      client.connection.stream.destroy()
    },
  }
}

/** Deadline of every wait in a test: after that it will not come. */
const patienceMs = 20_000

/**
 * Looks until it is so. The look is the signal; the bound is there for a test that has failed.
 * @param what names what is waited for
 * @param seen tells what there is instead, for the error
 */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { boundMs = patienceMs, seen }: { boundMs?: number; seen?: () => unknown } = {},
): Promise<void> {
  const started = performance.now()
  while (!(await condition())) {
    if (performance.now() - started > boundMs) throw await tooLate(boundMs, what, seen)
    await delay(5)
  }
}

/** Waits for a promise, and no longer than a test waits. */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  { boundMs = patienceMs, seen }: { boundMs?: number; seen?: () => unknown } = {},
): Promise<T> {
  const late = Symbol('late')
  const timer = new AbortController()
  const first = await Promise.race([
    promise,
    delay(boundMs, late, { signal: timer.signal }).catch(() => late),
  ])
  timer.abort()
  if (first === late) throw await tooLate(boundMs, what, seen)
  return first as T
}

async function tooLate(boundMs: number, what: string, seen?: () => unknown): Promise<Error> {
  const instead = seen && (await Promise.resolve(seen()).catch((error: unknown) => error))
  const told = typeof instead === 'string' ? instead : inspect(instead, { depth: 4 })
  return new Error(`not within ${boundMs} ms: ${what}${seen ? `; instead there is:\n${told}` : ''}`)
}

/** Lists what the sessions of a server do, over a connection of its own; for errors. */
async function activity(url: string): Promise<string> {
  const client = await connect(url, 'test-onlooker')
  try {
    const { rows } = await client.query(
      "SELECT concat_ws(' ', pid, application_name, state, wait_event_type, wait_event, left(query, 80)) AS line FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid",
    )
    return rows.map(({ line }) => line).join('\n')
  } finally {
    await client.end()
  }
}
