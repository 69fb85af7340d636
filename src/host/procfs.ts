import { readFileSync, readlinkSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type HostGuard, hindranceOnHost } from '../domain/host/guard.ts'
import { type Backend, type HostProcess, hostSignals, type Postmaster } from '../domain/host/process.ts'
import { clusterNameIn, readTitle } from '../domain/host/title.ts'

/** Ticks a second of all times in /proc: USER_HZ is 100 on every platform that Node runs on (time(7)). */
const ticks = 100

/** Servers of a machine, as far as they may be seen. */
export type Servers = {
  /** Those that listen on the port that was asked for. */
  readonly found: readonly Postmaster[]
  /** Number of processes of PostgreSQL that may not be looked into: they are another user's. */
  readonly hidden: number
  /** Number of all processes of PostgreSQL. */
  readonly all: number
}

/** `sent`: with what a person would have typed. `changed`, `late`, `refused`: nothing was sent, and why. */
export type HostSignal =
  | { readonly kind: 'sent'; readonly command: string }
  | { readonly kind: 'changed'; readonly what: string }
  | { readonly kind: 'late' }
  | { readonly kind: 'refused'; readonly code: string }

/** Server processes of one machine, by /proc (Linux). */
export type Host = {
  /** Finds the servers that listen on a port, by their pid files. */
  servers(port: number): Promise<Servers>
  /** Lists the processes that a postmaster has started. */
  backends(of: Postmaster): Promise<Backend[]>
  /** Reads one of them; null where it is gone. */
  backend(of: Postmaster, pid: number): Promise<Backend | null>
  /** Decides whether a process would take a signal of ours. */
  mayReach(pid: number): boolean
  /** Reads the clock of the machine, in seconds since its start, which nobody sets. */
  seconds(): number
  /** Reads the id of this run of the machine; empty where it may not be seen. */
  bootId(): string
  /** Reads the process once more and sends it the one signal that the action stands for, in one step that nothing of ours interrupts. */
  signal(guard: HostGuard): HostSignal
}

/** Files of a process that are read of each. */
type Files = {
  readonly stat: string | null
  readonly title: string | null
  readonly executable: string | null
  readonly io: string | null
}

export function createHost({ root = '/proc' }: { readonly root?: string } = {}): Host {
  const path = (pid: number, file: string) => join(root, String(pid), file)
  const read = (pid: number, file: string) => readFile(path(pid, file), 'utf8').catch(() => null)
  const link = (pid: number, file: string) => readlink(path(pid, file)).catch(() => null)

  const pids = async (): Promise<number[]> =>
    (await readdir(root).catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number)
  const seconds = (): number =>
    Number.parseFloat(orNull(() => readFileSync(join(root, 'uptime'), 'utf8')) ?? '')
  const bootId = (): string =>
    orNull(() => readFileSync(join(root, 'sys/kernel/random/boot_id'), 'utf8'))?.trim() ?? ''

  async function processOf(pid: number): Promise<HostProcess | null> {
    const [stat, title, executable, io] = await Promise.all([
      read(pid, 'stat'),
      read(pid, 'cmdline'),
      link(pid, 'exe'),
      read(pid, 'io'),
    ])
    return processIn(pid, { stat, title, executable, io }, seconds())
  }

  function processAtOnce(pid: number): HostProcess | null {
    const [stat = null, title = null, io = null] = ['stat', 'cmdline', 'io'].map((file) =>
      orNull(() => readFileSync(path(pid, file), 'utf8')),
    )
    return processIn(
      pid,
      { stat, title, executable: orNull(() => readlinkSync(path(pid, 'exe'))), io },
      seconds(),
    )
  }

  const isHidden = (pid: number): Promise<boolean> =>
    readlink(path(pid, 'cwd')).then(
      () => false,
      // One that ends at this moment has none.
      (error: unknown) => error instanceof Error && 'code' in error && error.code === 'EACCES',
    )

  const children = async (parent: number): Promise<HostProcess[]> => {
    const all = await Promise.all((await pids()).map(processOf))
    return all.flatMap((one) => (one?.parent === parent ? [one] : []))
  }

  async function postmasterAt(pid: number, port: number): Promise<Postmaster | null> {
    // By the link, which leads into its container where it has one.
    const [dataDirectory, file, status] = await Promise.all([
      link(pid, 'cwd'),
      read(pid, 'cwd/postmaster.pid'),
      read(pid, 'status'),
    ])
    const lines = file?.split('\n') ?? []
    // In its container it has another pid, and knows no other.
    const insidePid = Number(/^NSpid:.*?(\d+)$/m.exec(status ?? '')?.[1] ?? pid)
    if (dataDirectory === null || Number(lines[0]) !== insidePid || Number(lines[3]) !== port) return null
    const found = await processOf(pid)
    if (!found?.executable) return null
    const { startTicks, executable } = found
    const clusterName = clusterNameIn((await children(pid)).map(({ title }) => title))
    return { pid, insidePid, startTicks, bootId: bootId(), executable, dataDirectory, port, clusterName }
  }

  const backendFrom = (one: HostProcess, { clusterName }: Postmaster): Backend => ({
    ...one,
    what: readTitle(one.title, clusterName),
  })

  return {
    seconds,
    bootId,
    async servers(port) {
      const names = await Promise.all(
        (await pids()).map(async (pid) => ({ pid, name: await read(pid, 'comm') })),
      )
      const all = names.filter(({ name }) => name?.startsWith('postgres') || name?.startsWith('postmaster'))
      const looked = await Promise.all(
        all.map(async ({ pid }) => ({
          isHidden: await isHidden(pid),
          postmaster: await postmasterAt(pid, port),
        })),
      )
      return {
        found: looked.flatMap(({ postmaster }) => postmaster ?? []),
        hidden: looked.filter(({ isHidden }) => isHidden).length,
        all: all.length,
      }
    },
    backends: async (of) => (await children(of.pid)).map((one) => backendFrom(one, of)),
    async backend(of, pid) {
      const [postmaster, one] = await Promise.all([processOf(of.pid), processOf(pid)])
      return postmaster?.startTicks === of.startTicks && one?.parent === of.pid ? backendFrom(one, of) : null
    },
    mayReach(pid) {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    },
    signal(guard) {
      const { action, chosen, postmaster } = guard
      const now = processAtOnce(chosen.pid)
      const isServer =
        bootId() === postmaster.bootId && processAtOnce(postmaster.pid)?.startTicks === postmaster.startTicks
      const what = isServer
        ? hindranceOnHost(guard, now && backendFrom(now, postmaster))
        : 'the server was started again meanwhile'
      if (what !== null) return { kind: 'changed', what }
      if (!(seconds() < guard.before)) return { kind: 'late' }
      const name = hostSignals[action]
      try {
        process.kill(chosen.pid, name)
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
        return { kind: 'refused', code }
      }
      return { kind: 'sent', command: `kill -${name.slice(3)} ${chosen.pid}` }
    },
  }
}

function orNull<T>(get: () => T): T | null {
  try {
    return get()
  } catch {
    return null
  }
}

function processIn(pid: number, { stat, title, executable, io }: Files, uptime: number): HostProcess | null {
  if (stat === null || title === null) return null
  // The name in parentheses may hold anything, also spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTicks = fields[19] ?? '0'
  return {
    pid,
    state: fields[0] ?? '?',
    parent: Number(fields[1]),
    startTicks,
    title: title.replaceAll('\0', ' ').trim(),
    // The program was replaced by an upgrade while it runs.
    executable: executable?.replace(/ \(deleted\)$/, '') ?? null,
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticks,
    seconds: Math.max(0, uptime - Number(startTicks) / ticks),
    io: ioIn(io),
  }
}

function ioIn(text: string | null): HostProcess['io'] {
  const value = (name: string) => new RegExp(`^${name}: (\\d+)$`, 'm').exec(text ?? '')?.[1]
  const [read, written] = [value('read_bytes'), value('write_bytes')]
  return read === undefined || written === undefined ? null : { read: Number(read), written: Number(written) }
}
