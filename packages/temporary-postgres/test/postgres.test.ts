import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { bornAt, startPostgres, type TemporaryPostgres } from '../src/index.ts'

const servers: TemporaryPostgres[] = []
const children: ChildProcess[] = []
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const server of servers.splice(0)) await server.stop()
})
const started = async (...args: Parameters<typeof startPostgres>) => {
  const server = await startPostgres(...args)
  servers.push(server)
  return server
}
const connect = async (url: string) => {
  const client = new pg.Client({ connectionString: url })
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  // The end of the server is no failure of the test by itself.
  client.on('error', () => {})
  await client.connect()
  return { client, ended }
}
/** Another test file may remove it at the same time. */
const untilGone = (directory: string) =>
  expect.poll(() => existsSync(directory), { timeout: 60_000, message: directory }).toBe(false)
/** A zombie has ended; where nobody collects it, a signal still finds it. */
const lives = (pid: number): boolean => bornAt(pid) !== null

test('a server takes settings and roles, restarts, and leaves nothing after stop', async () => {
  const server = await started({
    settings: { max_connections: 33, log_min_messages: 'panic', application_name: "it's" },
  })
  const session = await connect(await server.createRole('Odd "role"', ['pg_monitor']))
  const { rows } = await session.client.query(
    `SELECT current_setting('max_connections') AS max, current_user AS role, pg_has_role('pg_monitor', 'USAGE') AS monitors`,
  )
  expect(rows).toEqual([{ max: '33', role: 'Odd "role"', monitors: true }])
  const before = server.pid()
  await server.restart()
  await session.ended
  expect(server.pid()).not.toBe(before)
  const again = await connect(server.url)
  await again.client.end()
  const last = server.pid()
  await server.stop()
  await server.stop()
  expect([existsSync(dirname(server.dataDir)), lives(before), lives(last)]).toEqual([false, false, false])
})

test('a server that cannot start says why', async () => {
  await expect(startPostgres({ settings: { shared_preload_libraries: 'no_such_library' } })).rejects.toThrow(
    /no_such_library/,
  )
})

test('the next start removes what a killed parent left behind, and nothing of a living one', async () => {
  const script = `
    import { startPostgres } from ${JSON.stringify(fileURLToPath(new URL('../src/index.ts', import.meta.url)))}
    const server = await startPostgres()
    console.log(JSON.stringify({ pid: server.pid(), dataDir: server.dataDir }))
    setInterval(() => {}, 1000)`
  const spawnParent = async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    const [line] = await once(createInterface(child.stdout), 'line')
    return { child, ...(JSON.parse(line) as { pid: number; dataDir: string }) }
  }
  const [killed, living] = await Promise.all([spawnParent(), spawnParent()])
  expect(existsSync(killed.dataDir)).toBe(true)
  killed.child.kill('SIGKILL')
  await once(killed.child, 'exit')

  await started()
  await untilGone(killed.dataDir)
  expect(existsSync(living.dataDir)).toBe(true)
  expect(lives(living.pid)).toBe(true)

  living.child.kill('SIGKILL')
  await once(living.child, 'exit')
  await started()
  await untilGone(living.dataDir)
})
