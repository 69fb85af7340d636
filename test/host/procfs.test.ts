import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hostDifferences, type Postmaster, untouchableOnHost } from '../../src/domain/host/process.ts'
import { createHost } from '../../src/host/procfs.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

const host = createHost()
let server: TestServer
let postmaster: Postmaster

beforeAll(async () => {
  server = await startTestServer({ settings: { cluster_name: 'my: server' } })
  const [found] = await host.postmasters(server.port)
  if (!found) throw new Error('no postmaster')
  postmaster = found
})
afterEach(() => server.closeAll())
afterAll(() => server.stop())

const backendOf = async (pid: number) => {
  const found = await host.backend(postmaster, pid)
  if (!found) throw new Error(`no backend ${pid}`)
  return found
}

describe('the processes of a server', () => {
  it('are found by its port, with what each does', async () => {
    const session = await server.open('checkout')
    await session.query('BEGIN')
    expect(postmaster).toMatchObject({ dataDirectory: server.dataDir, port: server.port })
    const found = await backendOf(session.pid)
    expect(found).toMatchObject({
      parent: postmaster.pid,
      executable: postmaster.executable,
      state: 'S',
      what: { kind: 'client', userAndDatabase: 'postgres postgres', activity: 'idle in transaction' },
    })
    expect(found.seconds).toBeLessThan(60)
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
  })

  it('of another server beside it are strangers', async () => {
    const other = await startTestServer()
    try {
      const session = await other.open('web')
      expect(await host.backend(postmaster, session.pid)).toBeNull()
      const [beside] = await host.postmasters(other.port)
      expect(beside?.pid).not.toBe(postmaster.pid)
      const [stranger] = beside ? await host.backends(beside) : []
      expect(stranger && untouchableOnHost(stranger, postmaster)).toMatch(/no child of the server/)
    } finally {
      await other.stop()
    }
  })

  it('are not found where nothing listens', async () => {
    expect(await host.postmasters(1)).toEqual([])
  })

  it('end by a termination, and their statement by a cancel', async () => {
    const session = await server.open('web')
    const slept = session.start('SELECT pg_sleep(3600)')
    await server.until("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", [session.pid])
    const chosen = await backendOf(session.pid)
    expect(chosen.what).toMatchObject({ activity: 'SELECT' })
    host.signal('cancel', session.pid)
    expect(await slept).toMatchObject({ code: '57014' })
    expect(hostDifferences(chosen, await backendOf(session.pid))).toEqual([])
    host.signal('terminate', session.pid)
    await session.ended
    await expect
      .poll(async () => hostDifferences(chosen, await host.backend(postmaster, session.pid)))
      .toEqual(['it is gone'])
    await server.admin.query('SELECT 1')
  })
})
