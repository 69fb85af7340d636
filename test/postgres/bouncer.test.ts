import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer, Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PoolerLook } from '../../src/domain/session/snapshot.ts'
import { createBouncerReader } from '../../src/postgres/bouncerReader.ts'
import { closeClusters, logTo, openCluster } from '../support/cluster.ts'
import { type Forwarder, startForwarder } from '../support/forwarder.ts'
import { hasPgBouncer, startBouncer, type TestBouncer } from '../support/pgbouncer.ts'
import { startTestServer, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'

let server: TestServer
let shop: string

beforeAll(async () => {
  server = await startTestServer()
  shop = await server.createRole('shop')
  await server.admin.query('CREATE TABLE stock (id int PRIMARY KEY, n int); INSERT INTO stock VALUES (1, 1)')
  await server.admin.query('GRANT ALL ON stock TO shop')
})
afterEach(async () => {
  await closeClusters()
  await server.closeAll()
})
afterAll(() => server.stop())

const addressOf = ({ client }: TestSession) => {
  const { stream } = client.connection
  return `127.0.0.1:${stream instanceof Socket ? stream.localPort : ''}`
}

const watching = (url: string, lines: string[] = []) =>
  openCluster({
    url: server.marshalUrl,
    bouncer: createBouncerReader({
      url,
      passwordFile: null,
      steady: () => performance.now(),
      log: logTo(lines),
    }),
  })

describe.skipIf(!hasPgBouncer)('sessions behind PgBouncer', () => {
  describe('in transaction mode', () => {
    let bouncer: TestBouncer
    beforeAll(async () => {
      bouncer = await startBouncer(server, { users: [shop], settings: { default_pool_size: 3 } })
    })
    afterAll(() => bouncer.stop())

    it('have the name of the client whose statement runs, or whose transaction is open, and of nobody else', async () => {
      const cluster = watching(bouncer.consoleUrl)
      await cluster.start()
      const [idle, open, active] = await Promise.all(
        ['idle', 'open', 'active'].map((name) => server.open(name, bouncer.through(shop))),
      )
      if (!idle || !open || !active) throw new Error('not opened')
      await open.query("BEGIN; UPDATE stock SET n = 2; SELECT 'open'")
      void active.start('UPDATE stock SET n = 3')
      await server.until(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'active' AND wait_event_type = 'Lock'",
      )
      await idle.query('SELECT 1')
      let seen = await cluster.snapshot()
      const ofShop = () => seen.sessions.filter(({ usename }) => usename === 'shop')
      // A connection that was made only now is not known yet.
      await waitFor(async () => {
        seen = await cluster.snapshot()
        return ofShop().every(({ state, pooler }) => pooler && (state === 'idle' || pooler.client))
      }, 'all are known')
      const { sessions, pooler } = seen
      const clients = Object.fromEntries(
        ofShop().map(({ applicationName, state, pooler: of }) => [
          `${applicationName}, ${state}`,
          of?.client,
        ]),
      )
      expect(clients).toEqual({
        'open, idle in transaction': {
          address: addressOf(open),
          user: 'shop',
          applicationName: 'open',
        },
        'active, active': { address: addressOf(active), user: 'shop', applicationName: 'active' },
        'idle, idle': null,
      })
      expect(sessions.filter((one) => one.pooler).map((one) => one.pooler?.mode)).toEqual(
        Array(3).fill('transaction'),
      )
      expect(sessions.filter((one) => one.pooler && one.usename !== 'shop')).toEqual([])
      expect(pooler).toEqual({ pools: 1, waiting: [], secondsOld: 0 })
    })

    it('are not taken for those of a client that came after the reading of the console', async () => {
      const forwarder = await startForwarder(bouncer.port)
      try {
        const cluster = watching(to(bouncer.consoleUrl, forwarder.port))
        await cluster.start()
        const first = await server.open('first', bouncer.through(shop))
        await first.query('BEGIN; SELECT 1')
        await untilNamed(cluster, 'first', first)
        forwarder.hold()
        await first.query('COMMIT')
        await first.close()
        const second = await server.open('second', bouncer.through(shop))
        await second.query('BEGIN; SELECT 1')
        const seen = await cluster.snapshot()
        expect(seen.sessions.find(({ pid }) => pid === second.pid)?.state).toBe('idle in transaction')
        expect(seen.sessions.flatMap(({ pooler }) => pooler?.client ?? [])).toEqual([])
        forwarder.heal()
        await untilNamed(cluster, 'second', second)
      } finally {
        await forwarder.close()
      }
    })

    it('send the console nothing but what shows something', async () => {
      const spy = await startSpy(bouncer.port)
      try {
        const cluster = watching(to(bouncer.consoleUrl, spy.port))
        await cluster.start()
        const open = await server.open('open', bouncer.through(shop))
        await open.query('BEGIN; SELECT 1')
        await untilNamed(cluster, 'open', open)
        expect(new Set(spy.commands)).toEqual(new Set(['SHOW POOLS', 'SHOW SERVERS', 'SHOW CLIENTS']))
        expect(spy.kinds).toEqual(new Set(['Q']))
      } finally {
        spy.close()
      }
    })

    it('do not ask for the clients while nobody does anything for long', async () => {
      const spy = await startSpy(bouncer.port)
      try {
        const cluster = watching(to(bouncer.consoleUrl, spy.port))
        await cluster.start()
        await cluster.snapshot()
        await cluster.snapshot()
        expect(new Set(spy.commands)).toEqual(new Set(['SHOW POOLS', 'SHOW SERVERS']))
      } finally {
        spy.close()
      }
    })

    it('show the pool whose clients wait, and since when', async () => {
      const cluster = watching(bouncer.consoleUrl)
      await cluster.start()
      const all = await Promise.all(
        ['a', 'b', 'c', 'd'].map((name) => server.open(name, bouncer.through(shop))),
      )
      for (const one of all.slice(0, 3)) await one.query('BEGIN; SELECT 1')
      const waits = all[3]?.start('SELECT 4')
      await waitFor(async () => waitingIn((await cluster.snapshot()).pooler).length > 0, 'a pool waits')
      const [pool] = waitingIn((await cluster.snapshot()).pooler)
      expect(pool).toMatchObject({
        database: 'postgres',
        user: 'shop',
        mode: 'transaction',
        waiting: 1,
        lent: 3,
        free: 0,
      })
      expect(pool?.waitSeconds).toBeGreaterThan(0)
      await all[0]?.query('COMMIT')
      await waits
      await waitFor(async () => waitingIn((await cluster.snapshot()).pooler).length === 0, 'nobody waits')
    })
  })

  it('have the name of the client also while it does nothing, in session mode', async () => {
    const bouncer = await startBouncer(server, { users: [shop], settings: { pool_mode: 'session' } })
    try {
      const cluster = watching(bouncer.consoleUrl)
      await cluster.start()
      const idle = await server.open('idle', bouncer.through(shop))
      await server.until(
        "SELECT clock_timestamp() - state_change > '1 s' FROM pg_stat_activity WHERE application_name = 'idle'",
      )
      const seen = await cluster.snapshot()
      expect(clientOf(seen, 'idle')).toBe(addressOf(idle))
      expect(seen.sessions.find(({ pid }) => pid === idle.pid)?.pooler).toMatchObject({
        database: 'postgres',
        user: 'shop',
        mode: 'session',
      })
    } finally {
      await bouncer.stop()
    }
  })
})

describe.skipIf(!hasPgBouncer)('a console that cannot be read', () => {
  let bouncer: TestBouncer
  beforeAll(async () => {
    bouncer = await startBouncer(server, { users: [shop] })
  })
  afterAll(() => bouncer.stop())

  it('hangs: a look waits a moment for it once, and no longer; when it answers again, it is seen again', async () => {
    const forwarder = await startForwarder(bouncer.port)
    try {
      const cluster = watching(to(bouncer.consoleUrl, forwarder.port))
      await cluster.start()
      expect((await cluster.snapshot()).pooler).toMatchObject({ waiting: [] })
      forwarder.hold()
      await cluster.snapshot()
      const began = performance.now()
      await cluster.snapshot()
      expect(performance.now() - began).toBeLessThan(200)
      await waitFor(async () => isUnread(await cluster.snapshot()), 'it is known that it is not read')
      expect(unreadIn(await cluster.snapshot())).toContain('No answer in time')
      forwarder.heal()
      await waitFor(async () => !isUnread(await cluster.snapshot()), 'it is read again')
    } finally {
      await forwarder.close()
    }
  })

  it.each<[string, (of: { forwarder: Forwarder }) => string, RegExp]>([
    ['is down', () => 'postgres://stats:hunter2@127.0.0.1:1/pgbouncer', /Nothing listens there/],
    [
      'refuses the password',
      () => bouncer.consoleUrlFor('stats', 'hunter2'),
      /PgBouncer refused the login to its admin console: name a user of stats_users/,
    ],
    [
      'refuses a user that may not look',
      () => to(shop, bouncer.port).replace(/\/[^/]*$/, '/pgbouncer'),
      /PgBouncer refused the login to its admin console/,
    ],
    ['is a server', () => server.urlFor('shop', new URL(shop).password), /is no admin console of PgBouncer/],
    ['is a database behind PgBouncer', () => bouncer.through(shop), /is no admin console of PgBouncer/],
    ['is cut', ({ forwarder }) => to(bouncer.consoleUrl, forwarder.port), /connection was/],
  ])('%s: the look goes on, says why, and nothing secret is in the log', async (_, urlFor, why) => {
    const forwarder = await startForwarder(bouncer.port)
    forwarder.cut()
    try {
      const lines: string[] = []
      const url = urlFor({ forwarder })
      const cluster = watching(url, lines)
      await cluster.start()
      const seen = await cluster.snapshot()
      expect(seen.sessions.length).toBeGreaterThan(0)
      expect(unreadIn(seen)).toMatch(why)
      expect(cluster.failure()).toBeNull()
      await cluster.snapshot()
      expect(lines.filter((line) => line.includes('PgBouncer'))).toHaveLength(1)
      expect(lines.join()).not.toContain(new URL(url).password)
    } finally {
      await forwarder.close()
    }
  })
})

describe('the code', () => {
  it('holds no command of the console but five that show something', () => {
    const directory = new URL('../../src/', import.meta.url)
    // What a view shows is for people to type.
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.ts') && !path.startsWith('views/'),
    )
    const speaks = files.filter((path) =>
      /createBouncerConsole\(|['"`]SHOW [A-Z]/.test(readFileSync(new URL(path, directory), 'utf8')),
    )
    expect(speaks.sort()).toEqual(['postgres/bouncerConsole.ts', 'postgres/bouncerReader.ts'])
    const source = readFileSync(new URL('postgres/bouncerConsole.ts', directory), 'utf8')
    expect(source.match(/\.query\([^)]*\)/g)).toEqual(['.query(commands[what])'])
    const [, commands = ''] = /const commands = \{([^}]*)\} as const/.exec(source) ?? []
    expect(commands.match(/'[^']*'/g)).toEqual([
      "'SHOW POOLS'",
      "'SHOW SERVERS'",
      "'SHOW CLIENTS'",
      "'SHOW CONFIG'",
      "'SHOW VERSION'",
    ])
  })
})

const to = (url: string, port: number) => Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href

type Seen = Awaited<ReturnType<ReturnType<typeof openCluster>['snapshot']>>

const clientOf = ({ sessions }: Seen, applicationName: string) =>
  sessions.find((one) => one.applicationName === applicationName)?.pooler?.client?.address

/** Waits until a session that came through the pooler has its client's address. */
const untilNamed = (cluster: ReturnType<typeof openCluster>, name: string, client: TestSession) =>
  waitFor(
    async () => clientOf(await cluster.snapshot(), name) === addressOf(client),
    `the client ${name} is named`,
  )

const isUnread = ({ pooler }: Seen) => pooler !== undefined && 'unread' in pooler
const unreadIn = ({ pooler }: Seen) => (pooler && 'unread' in pooler ? pooler.unread : '')
const waitingIn = (pooler: PoolerLook | undefined) => (pooler && 'waiting' in pooler ? pooler.waiting : [])

/** Passes everything on to a console, and notes the messages that it is sent once the login is over. */
async function startSpy(target: number) {
  const commands: string[] = []
  const kinds = new Set<string>()
  const sockets = new Set<Socket>()
  const spy = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}))
    far.pipe(near)
    near.on('data', (chunk) => {
      far.write(chunk)
      // One command at a time: each is a piece of its own. `p`: the steps of the login; before them what has no kind.
      const kind = String.fromCharCode(chunk[0] ?? 0)
      if (kind === 'p' || kind === '\0') return
      kinds.add(kind)
      if (kind === 'Q') commands.push(chunk.toString('utf8', 5, chunk.length - 1))
    })
  })
  await new Promise<void>((resolve) => spy.listen(0, '127.0.0.1', resolve))
  const address = spy.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    commands,
    kinds,
    close() {
      spy.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
