import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { setLifeline } from './lifeline.ts'
import { type TestServer, waitFor } from './postgres.ts'

/** Debian's package puts it where only root has it on its path. */
const program = ['pgbouncer', '/usr/sbin/pgbouncer'].find(answers)

export const hasPgBouncer = program !== undefined

/** A real PgBouncer before a test server. */
export type TestBouncer = {
  readonly port: number
  /** Connection string of the admin console, as a user of stats_users. */
  readonly consoleUrl: string
  /** Another connection string of the console. */
  consoleUrlFor(user: string, password: string): string
  /** Connection string that leads through it, in place of this one of the server. */
  through(url: string): string
  /** Ends it. May be called twice. */
  stop(): Promise<void>
}

/**
 * Starts a PgBouncer, as the user that the server runs as. Its clients log in by SCRAM with the secrets that the server has.
 * @param users connection strings of roles of the server that may come through it
 */
export async function startBouncer(
  server: TestServer,
  {
    users,
    settings = {},
  }: { readonly users: readonly string[]; readonly settings?: Readonly<Record<string, string | number>> },
): Promise<TestBouncer> {
  if (program === undefined) throw new Error('There is no pgbouncer on this machine.')
  const statsUrl = await server.createRole('stats')
  const { uid, gid } = await stat(server.dataDir)
  const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-bouncer-'))
  const port = await freePort()
  const names = [statsUrl, ...users].map((url) => decodeURIComponent(new URL(url).username))
  const { rows } = await server.admin.query(
    'SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY ($1)',
    [names],
  )
  const userList = rows.map(({ rolname, rolpassword }) => `"${rolname}" "${rolpassword}"\n`).join('')
  const ini = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: join(directory, 'users.txt'),
    stats_users: 'stats',
    pool_mode: 'transaction',
    ignore_startup_parameters: 'extra_float_digits',
    ...settings,
  }
  const lines = Object.entries(ini).map(([key, value]) => `${key} = ${value}\n`)
  const file = join(directory, 'pgbouncer.ini')
  await writeFile(
    file,
    `[databases]\n* = host=${server.host} port=${server.port}\n[pgbouncer]\n${lines.join('')}`,
  )
  await writeFile(ini.auth_file, userList)
  for (const path of [directory, file, ini.auth_file]) await chown(path, uid, gid)

  const child = spawn(program, [file], {
    ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH },
  })
  const log: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text))
  const ended = once(child, 'exit')
  const dismiss = child.pid === undefined ? () => {} : setLifeline(child.pid)
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
    dismiss()
    await rm(directory, { recursive: true, force: true })
  }
  const consoleUrlFor = (user: string, password: string) =>
    `postgres://${user}:${password}@127.0.0.1:${port}/pgbouncer`
  const consoleUrl = consoleUrlFor('stats', new URL(statsUrl).password)
  await waitFor(() => child.exitCode !== null || canConnect(consoleUrl), 'PgBouncer answers', {
    seen: () => log.join(''),
  })
  if (child.exitCode !== null) throw new Error(`PgBouncer ended: ${log.join('')}`)
  return {
    port,
    consoleUrl,
    consoleUrlFor,
    through: (url) => Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href,
    stop,
  }
}

async function canConnect(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function answers(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
