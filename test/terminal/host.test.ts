import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import type { Protected } from '../../src/domain/session/policy.ts'
import { createHost, type Host } from '../../src/host/procfs.ts'
import { readStore } from '../../src/store/reading.ts'
import { checkHost } from '../../src/terminal/doctorHost.ts'
import { hostSessions, hostSignal } from '../../src/terminal/host.ts'
import { clusterConfig } from '../support/asking.ts'
import { startTestServer, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'

let server: TestServer
let directory: string
let shop: string
let told: { out: string; err: string }

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pg-marshal-host-'))
  server = await startTestServer()
  shop = await server.createRole('shop')
})
afterEach(() => server.closeAll())
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true })
})

const configWith = (over: object = {}): Config =>
  ({
    clusters: [clusterConfig('orders', { url: server.marshalUrl, host: 'local', ...over })],
    store: { kind: 'sqlite', path: join(directory, 'store.db') },
  }) as unknown as Config

const inputs = (over: object = {}) => {
  told = { out: '', err: '' }
  const to = (key: 'out' | 'err') => ({
    write: (text: string) => {
      told[key] += text
    },
  })
  return { name: null, config: configWith(over), out: to('out'), err: to('err') }
}

/** Runs it with what somebody types. */
const signal = (
  action: 'cancel' | 'terminate',
  { pid }: { readonly pid: number },
  {
    typed = `${action} ${pid}`,
    meanwhile = async () => {},
    over = {},
  }: {
    readonly typed?: string
    readonly meanwhile?: () => Promise<unknown>
    readonly over?: object
  } = {},
) =>
  hostSignal({
    ...{ ...inputs(over), action, pid, now: Date.now, steady: () => performance.now() },
    ask: async () => {
      await meanwhile()
      return typed
    },
  })

const journal = async () =>
  (await readStore(configWith().store, async (tables) => {
    const events = []
    for await (const { event } of tables.journal.all()) events.push(JSON.parse(event))
    return { events, waiting: (await tables.messages.backlog()).count }
  })) ?? { events: [], waiting: 0 }

const isThere = async ({ pid }: TestSession) =>
  (await server.admin.query('SELECT count(*)::int AS n FROM pg_stat_activity WHERE pid = $1', [pid])).rows[0]
    .n === 1

describe('host sessions', () => {
  it('shows who is served, from the operating system, and says what that cannot show', async () => {
    const session = await server.open('checkout', shop)
    await session.query('BEGIN')
    expect(await hostSessions({ ...inputs(), json: false })).toBe(0)
    expect(told.out).toContain('From the operating system: no locks')
    expect(told.out).toMatch(
      new RegExp(`^${session.pid}  shop \\S+ .*: idle in transaction  \\(sleeps; since .* of CPU; read`, 'm'),
    )
    expect(await hostSessions({ ...inputs(), json: true })).toBe(0)
    const { processes } = JSON.parse(told.out)
    expect(processes.find((one: { pid: number }) => one.pid === session.pid)).toMatchObject({ state: 'S' })
  })

  it('needs the word that the server runs here, and a server that does', async () => {
    expect(await hostSessions({ ...inputs({ host: null }), json: false })).toBe(2)
    expect(told.err).toContain('Write host: local')
    expect(await hostSessions({ ...inputs({ url: 'postgres://m@localhost:1/x' }), json: false })).toBe(2)
    expect(told.err).toMatch(/none that listens on port 1\. Write the port/)
    const here = createHost()
    const twice: Host = {
      ...here,
      servers: async (port) => {
        const servers = await here.servers(port)
        return {
          ...servers,
          found: servers.found.flatMap((one) => [one, { ...one, dataDirectory: '/other' }]),
        }
      },
    }
    expect(await hostSessions({ ...inputs(), json: false, host: twice })).toBe(2)
    expect(told.err).toMatch(/: 2 servers of this machine listen on port \d+ \(.* and \/other\)/)
  })
})

describe('doctor', () => {
  it('says whether the processes can be seen, where the server is said to run here', async () => {
    const { marshalUrl: url } = server
    expect(await checkHost({ host: null, url })).toEqual([])
    expect((await checkHost({ host: 'local', url }))[0]).toMatchObject({
      fix: null,
      what: expect.stringContaining(server.dataDir),
    })
    const nobody = await checkHost({ host: 'local', url: 'postgres://m@localhost:1/x' })
    expect(nobody).toMatchObject([{ needed: false, what: expect.stringContaining('port 1') }])
    const blind = createHost()
    const hidden: Host = {
      ...blind,
      backends: async (of) => (await blind.backends(of)).map((one) => ({ ...one, executable: null })),
    }
    expect((await checkHost({ host: 'local', url }, hidden))[0]?.what).toMatch(/programs of (\d+) of \1 /)
    const untouched: Host = { ...blind, mayReach: () => false }
    expect((await checkHost({ host: 'local', url }, untouched))[0]?.fix).toContain('CAP_KILL')
  })
})

describe('a server with update_process_title = off', () => {
  it('shows whom each serves, and it is said why nobody can be ended, and what helps', async () => {
    const silent = await startTestServer({ settings: { update_process_title: 'off' } })
    try {
      const session = await silent.open('checkout')
      await session.query('BEGIN')
      const over = { url: silent.marshalUrl }
      const line = new RegExp(`^${session.pid}  postgres postgres \\S+: (.*)  \\(sleeps`, 'm')
      const why = /update_process_title is off[\s\S]*Set update_process_title = on .* and reload/
      const checked = () => checkHost({ host: 'local', url: silent.marshalUrl })
      expect(await hostSessions({ ...inputs(over), json: false })).toBe(0)
      expect(told.out).toMatch(why)
      expect(line.exec(told.out)?.[1]).toBe('its title does not say what it does')
      expect(await checked()).toMatchObject([
        { what: expect.stringMatching(/update_process_title is off/), fix: expect.stringMatching(/ = on /) },
      ])
      for (const action of ['cancel', 'terminate'] as const) {
        expect(await signal(action, session, { over })).toBe(2)
        expect(told.err).toMatch(why)
      }
      // What is advised helps.
      await silent.admin.query('ALTER SYSTEM SET update_process_title = on')
      await silent.admin.query('SELECT pg_reload_conf()')
      await waitFor(async () => {
        await session.query('SELECT 1')
        await silent.admin.query('SELECT 1')
        await hostSessions({ ...inputs(over), json: false })
        return line.exec(told.out)?.[1] === 'idle in transaction'
      }, 'its title says what it does')
      expect(told.out).not.toContain('update_process_title')
      expect(await checked()).toMatchObject([{ fix: null }])
    } finally {
      await silent.stop()
    }
  })
})

describe('host terminate', () => {
  it('ends the one that was typed, once, and writes it down before and after', async () => {
    const session = await server.open('checkout', shop)
    const other = await server.open('web', shop)
    expect(await signal('terminate', session)).toBe(0)
    expect(told.out).toMatch(new RegExp(`${session.pid} is gone after`))
    expect([await isThere(session), await isThere(other)]).toEqual([false, true])
    const { events, waiting } = await journal()
    const about = { cluster: 'orders', action: 'terminate', pid: session.pid }
    expect(events.slice(-2)).toMatchObject([
      { kind: 'hostIntended', ...about },
      { kind: 'hostOutcome', ...about, sent: true },
    ])
    expect(waiting).toBe(2)
  })

  it.each([
    ['no', 'terminate'],
    ['', 'y'],
    ['cancel', 'cancel'],
  ])('sends nothing for another word (%s)', async (_, word) => {
    const session = await server.open('checkout', shop)
    expect(
      await signal('terminate', session, { typed: `${word} ${session.pid}`.replace('terminate', 'kill') }),
    ).toBe(2)
    expect(told.err).toContain('Nothing was sent.')
    expect(await isThere(session)).toBe(true)
  })

  it('sends nothing where the process is another one by then', async () => {
    const session = await server.open('checkout', shop)
    const gone = async () => {
      await session.close()
      await server.until('SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1', [session.pid])
    }
    expect(await signal('terminate', session, { meanwhile: gone })).toBe(2)
    expect(told.err).toContain(`Nothing was sent: ${session.pid} is gone.`)
    expect((await journal()).events.at(-1)).toMatchObject({ kind: 'hostOutcome', sent: false })
  })

  it('touches no process of the server itself, none of another server, and none that is protected', async () => {
    const { rows } = await server.admin.query(
      "SELECT pid FROM pg_stat_activity WHERE backend_type <> 'client backend'",
    )
    for (const one of rows) {
      expect(await signal('terminate', one)).toBe(2)
      expect(told.err).toMatch(/serves no client/)
    }
    expect(await signal('terminate', { pid: process.pid })).toBe(2)
    expect(told.err).toContain('There is no process')
    const session = await server.open('checkout', shop)
    const rules: Protected[] = [{ user: 'shop' }]
    expect(await signal('terminate', session, { over: { protected: rules } })).toBe(2)
    expect(told.err).toContain('protected by the configuration')
    expect(await isThere(session)).toBe(true)
    // What only the application decides cannot be seen here, and is said.
    const byApplication = { over: { protected: [{ applicationName: 'pg_dump' }] } }
    expect(await signal('terminate', session, byApplication)).toBe(0)
    expect(told.out).toContain('may be the one that is protected (pg_dump)')
  })

  it('says that a signal is pending where the process is stopped', async () => {
    const session = await server.open('checkout', shop)
    process.kill(session.pid, 'SIGSTOP')
    try {
      expect(await signal('terminate', session)).toBe(1)
      expect(told.out).toContain('is stopped (SIGSTOP, or a debugger): the signal is pending')
    } finally {
      process.kill(session.pid, 'SIGCONT')
    }
    await session.ended
  })
})

describe('host cancel', () => {
  it('ends the statement and leaves the session, where every slot of the server is taken', async () => {
    const session = await server.open('report', shop)
    const slept = session.start('SELECT pg_sleep(3600)')
    await server.until("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", [session.pid])
    expect(await signal('cancel', session)).toBe(0)
    expect(told.out).toContain(`The statement of ${session.pid} ended after`)
    expect(await slept).toMatchObject({ code: '57014' })
    expect(await isThere(session)).toBe(true)
  })
})
