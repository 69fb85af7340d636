import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Backend, type Postmaster, untouchableOnHost } from '../../src/domain/host/process.ts'
import { sessionOnHost } from '../../src/domain/host/session.ts'
import { lookOnHost } from '../../src/host/look.ts'
import { createHost } from '../../src/host/procfs.ts'
import { signalOnHost } from '../../src/host/signal.ts'
import { createFakeProc, type FakeProc } from '../support/fakeProc.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

const host = createHost()
const steady = () => performance.now()

const postmasterOn = async (port: number): Promise<Postmaster> => {
  const [found] = (await host.servers(port)).found
  if (!found) throw new Error('no postmaster')
  return found
}
const guardFor = (action: 'cancel' | 'terminate', chosen: Backend, postmaster: Postmaster) => ({
  ...{ action, postmaster, chosen: sessionOnHost(chosen, postmaster), protected: [] },
  before: host.seconds() + 5,
})

describe('the processes of a server', () => {
  let server: TestServer
  let postmaster: Postmaster
  beforeAll(async () => {
    server = await startTestServer({ settings: { cluster_name: 'my: server' } })
    postmaster = await postmasterOn(server.port)
  })
  afterEach(() => server.closeAll())
  afterAll(() => server.stop())

  const backendOf = async (pid: number) => {
    const found = await host.backend(postmaster, pid)
    if (!found) throw new Error(`no backend ${pid}`)
    return found
  }

  it('are found by its port, with what each does', async () => {
    const session = await server.open('checkout')
    await session.query('BEGIN')
    expect(postmaster).toMatchObject({
      ...{ dataDirectory: server.dataDir, port: server.port, clusterName: 'my: server' },
      bootId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    const found = await backendOf(session.pid)
    expect(found).toMatchObject({
      parent: postmaster.pid,
      executable: postmaster.executable,
      state: expect.stringMatching(/^[RS]$/),
      what: { kind: 'client', userAndDatabase: 'postgres postgres', activity: 'idle in transaction' },
    })
    expect(found.seconds).toBeLessThan(60)
    expect([host.mayReach(session.pid), host.mayReach(2 ** 30)]).toEqual([true, false])
    expect(found.io).toMatchObject({ read: expect.any(Number), written: expect.any(Number) })
    const others = (await host.backends(postmaster)).flatMap(({ what }) =>
      what?.kind === 'server' ? what.name : [],
    )
    expect(others).toEqual(expect.arrayContaining([expect.stringMatching(/^checkpointer/), 'walwriter']))
  })

  it('may be signalled where they serve a client, and no others', async () => {
    const session = await server.open('web')
    const all = await host.backends(postmaster)
    const touchable = all.filter((one) => untouchableOnHost(one, postmaster) === null).map(({ pid }) => pid)
    const { rows } = await server.admin.query(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' ORDER BY pid",
    )
    expect(touchable.sort((a, b) => a - b)).toEqual(rows.map(({ pid }) => pid))
    expect(touchable).toContain(session.pid)
    for (const one of all.filter(({ pid }) => !touchable.includes(pid)))
      expect(host.signal(guardFor('terminate', one, postmaster))).toMatchObject({ kind: 'changed' })
    await server.admin.query('SELECT 1')
  })

  it('of another server beside it are strangers', async () => {
    const other = await startTestServer()
    try {
      const session = await other.open('web')
      expect(await host.backend(postmaster, session.pid)).toBeNull()
      const beside = await postmasterOn(other.port)
      expect(beside.pid).not.toBe(postmaster.pid)
      const stranger = await host.backend(beside, session.pid)
      if (!stranger) throw new Error('no stranger')
      expect(untouchableOnHost(stranger, postmaster)).toMatch(/no child of the server/)
      // As if somebody had said that it is of this server.
      expect(host.signal(guardFor('terminate', stranger, postmaster))).toMatchObject({
        kind: 'changed',
      })
      expect((await session.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
    } finally {
      await other.stop()
    }
  })

  it('end by a termination, and their statement by a cancel', async () => {
    const session = await server.open('web')
    const slept = session.start('SELECT pg_sleep(3600)')
    await server.until("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", [session.pid])
    const running = await backendOf(session.pid)
    expect(running.what).toMatchObject({ activity: 'SELECT' })
    const cancel = guardFor('cancel', running, postmaster)
    expect(await signalOnHost(cancel, { host, steady, watchMs: 5000 })).toMatchObject({
      outcome: { kind: 'effective' },
      command: `kill -INT ${session.pid}`,
    })
    expect(await slept).toMatchObject({ code: '57014' })
    // The statement that was approved is over.
    expect(host.signal(cancel)).toMatchObject({
      kind: 'changed',
      what: expect.stringMatching(/its statement ended/),
    })
    const terminate = guardFor('terminate', await backendOf(session.pid), postmaster)
    expect(host.signal({ ...terminate, before: host.seconds() })).toEqual({ kind: 'late' })
    expect(await signalOnHost(terminate, { host, steady, watchMs: 5000 })).toMatchObject({
      outcome: { kind: 'effective' },
    })
    await session.ended
    expect(host.signal(terminate)).toMatchObject({ kind: 'changed', what: `${session.pid} is gone` })
    await server.admin.query('SELECT 1')
  })

  it('that are stopped keep a signal pending, which is said', async () => {
    const session = await server.open('web')
    process.kill(session.pid, 'SIGSTOP')
    const guard = guardFor('terminate', await backendOf(session.pid), postmaster)
    const startedAt = steady()
    const signalled = await signalOnHost(guard, { host, steady, watchMs: 100 })
    expect(steady() - startedAt).toBeGreaterThanOrEqual(100)
    expect(signalled).toMatchObject({
      outcome: { kind: 'still', state: 'idle', why: expect.stringMatching(/stopped.*signal is pending/) },
    })
    process.kill(session.pid, 'SIGCONT')
    await session.ended
  })
})

describe('a guard', () => {
  let proc: FakeProc
  let victim: ChildProcess
  let pid: number
  let fake: ReturnType<typeof createHost>
  beforeEach(async () => {
    proc = await createFakeProc()
    fake = createHost({ root: proc.root })
    victim = spawn('sleep', ['60'])
    pid = victim.pid ?? 0
    await writeFile(join(proc.root, 'postmaster.pid'), `10\n/data\n1\n5432\n`)
    await proc.put(10, { parent: 1, startTicks: '100', title: '/pg/postgres -D /data' })
    await proc.put(pid)
  })
  afterEach(async () => {
    victim.kill('SIGCONT')
    victim.kill()
    await proc.remove()
  })

  const chosen = async () => {
    const [postmaster] = (await fake.servers(5432)).found
    const backend = postmaster && (await fake.backend(postmaster, pid))
    if (!backend) throw new Error('nobody')
    return { ...guardFor('terminate', backend, postmaster), before: 1005 }
  }
  const isAlive = () => victim.exitCode === null && victim.signalCode === null

  it('lets one signal through where all is as it was approved', async () => {
    const ended = once(victim, 'exit')
    expect(fake.signal(await chosen())).toEqual({ kind: 'sent', command: `kill -TERM ${pid}` })
    expect(await ended).toEqual([null, 'SIGTERM'])
  })

  it.each<[string, () => Promise<void>, RegExp]>([
    ['its pid was given to another process', () => proc.put(pid, { startTicks: '5001' }), /another process/],
    ['it has another parent', () => proc.put(pid, { parent: 11 }), /no child/],
    ['it runs another program', () => proc.put(pid, { executable: '/bin/sh' }), /runs \/bin\/sh/],
    ['its program is not to be seen', () => proc.put(pid, { executable: null }), /may not be seen/],
    [
      'it serves no client any more',
      () => proc.put(pid, { title: 'postgres: checkpointer' }),
      /another client/,
    ],
    ['its title is none of the server', () => proc.put(pid, { title: 'sleep 60' }), /another client/],
    [
      'it serves another client',
      () => proc.put(pid, { title: 'postgres: shop orders 10.0.0.7(1) idle' }),
      /another client/,
    ],
    [
      'it is in use again',
      () => proc.put(pid, { title: 'postgres: shop orders [local] SELECT' }),
      /in use again/,
    ],
    ['it has ended', () => proc.put(pid, { state: 'Z' }), /is gone/],
    ['the server was started again', () => proc.put(10, { parent: 1, startTicks: '101' }), /started again/],
    ['the machine was started again', () => proc.boot('boot-2'), /started again/],
  ])('sends nothing where %s', async (_, change, what) => {
    const guard = await chosen()
    await change()
    expect(fake.signal(guard)).toEqual({ kind: 'changed', what: expect.stringMatching(what) })
    expect(isAlive()).toBe(true)
  })

  it('sends nothing to a protected one, nor when its time is over', async () => {
    const guard = await chosen()
    expect(fake.signal({ ...guard, protected: [{ user: 'shop' }] })).toMatchObject({ kind: 'changed' })
    await proc.uptime(1005)
    expect(fake.signal(guard)).toEqual({ kind: 'late' })
    await proc.uptime(1004)
    expect(isAlive()).toBe(true)
    expect(fake.signal({ ...guard, before: Number.NaN })).toEqual({ kind: 'late' })
    expect(isAlive()).toBe(true)
  })
})

describe('a server', () => {
  let proc: FakeProc
  beforeEach(async () => {
    proc = await createFakeProc()
    await writeFile(join(proc.root, 'postmaster.pid'), '10\n/data\n1\n5432\n')
  })
  afterEach(() => proc.remove())
  const look = (port = 5432) =>
    lookOnHost(
      { host: 'local', url: `postgres://m@localhost:${port}/orders` },
      createHost({ root: proc.root }),
    )

  it('is found by its pid file, also from outside of its container', async () => {
    await proc.put(4001, { parent: 1, inside: [4001, 10] })
    await proc.put(4002, { parent: 4001 })
    await proc.put(4003, { parent: 4001, title: 'postgres: main: checkpointer' })
    await proc.put(4004, { parent: 4002 })
    const seen = await look()
    expect('backends' in seen && seen.backends[0]).toMatchObject({ seconds: 950, cpuSeconds: 2 })
    expect(seen).toMatchObject({
      postmaster: { pid: 4001, insidePid: 10, clusterName: 'main', dataDirectory: proc.root },
    })
    expect('backends' in seen && seen.backends.map(({ pid }) => pid)).toEqual([4002, 4003])
    // A backend works in the same directory, and is no postmaster.
    await proc.put(10, { parent: 4001 })
    expect(await look()).toMatchObject({
      problem: expect.stringMatching(/^2 servers .* listen on port 5432/),
    })
  })

  it('that cannot be found is told with what is missing', async () => {
    expect(await lookOnHost({ host: null, url: 'postgres://m@localhost/orders' })).toMatchObject({
      fix: expect.stringMatching(/host: local/),
    })
    await proc.put(77, { comm: 'bash' })
    expect(await look()).toMatchObject({
      problem: expect.stringMatching(/another container/),
      fix: expect.stringMatching(/--pid=container/),
    })
    await proc.put(10, { parent: 1 })
    expect(await look(6432)).toMatchObject({
      problem: expect.stringMatching(/none that listens on port 6432/),
      fix: expect.stringMatching(/pooler/),
    })
    expect(await look()).toMatchObject({ postmaster: { pid: 10 } })
    const hidden = { ...createHost(), servers: async () => ({ found: [], hidden: 3, all: 4 }) }
    const server = { host: 'local', url: 'postgres://m@localhost/orders' } as const
    expect(await lookOnHost(server, hidden)).toMatchObject({
      problem: expect.stringMatching(/^3 of 4 processes .* another user/),
      fix: expect.stringMatching(/CAP_SYS_PTRACE.*CAP_KILL/),
    })
    const elsewhere = join(proc.root, 'elsewhere')
    await mkdir(elsewhere)
    await proc.put(10, { parent: 1, cwd: elsewhere })
    expect(await look()).toMatchObject({ problem: expect.stringMatching(/none that listens/) })
  })
})
