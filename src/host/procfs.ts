import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Backend, type HostProcess, hostSignals, type Postmaster } from '../domain/host/process.ts'
import { clusterNameIn, readTitle } from '../domain/host/title.ts'
import type { Action } from '../domain/session/action.ts'

/** Ticks a second of all times in /proc: USER_HZ is 100 on every platform that Node runs on (time(7)). */
const ticks = 100

/** Server processes of one machine, by /proc (Linux). */
export type Host = {
  /** Finds those that listen on a port, by their pid files: none where it may not be seen, several on several addresses. */
  postmasters(port: number): Promise<Postmaster[]>
  /** Lists the processes that a postmaster has started. */
  backends(of: Postmaster): Promise<Backend[]>
  /** Reads one of them; null where it is gone. */
  backend(of: Postmaster, pid: number): Promise<Backend | null>
  /** Sends the one signal that the action stands for. Throws the error of the operating system. */
  signal(action: Action, pid: number): void
}

export function createHost({ root = '/proc' }: { readonly root?: string } = {}): Host {
  const read = (pid: number, file: string) =>
    readFile(join(root, String(pid), file), 'utf8').catch(() => null)
  const link = (pid: number, file: string) => readlink(join(root, String(pid), file)).catch(() => null)

  const pids = async (): Promise<number[]> =>
    (await readdir(root).catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number)

  async function processOf(pid: number): Promise<HostProcess | null> {
    const [stat, title, executable, io, uptime] = await Promise.all([
      read(pid, 'stat'),
      read(pid, 'cmdline'),
      link(pid, 'exe'),
      read(pid, 'io'),
      readFile(join(root, 'uptime'), 'utf8').catch(() => ''),
    ])
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
      seconds: Math.max(0, Number.parseFloat(uptime) - Number(startTicks) / ticks),
      io: ioIn(io),
    }
  }

  const children = async (parent: number): Promise<HostProcess[]> => {
    const all = await Promise.all((await pids()).map(processOf))
    return all.flatMap((one) => (one?.parent === parent ? [one] : []))
  }

  async function postmasterAt(pid: number, port: number): Promise<Postmaster | null> {
    const dataDirectory = await link(pid, 'cwd')
    if (dataDirectory === null) return null
    const file = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '')
    const lines = file.split('\n')
    if (Number(lines[0]) !== pid || Number(lines[3]) !== port) return null
    const found = await processOf(pid)
    return found?.executable
      ? { pid, startTicks: found.startTicks, executable: found.executable, dataDirectory, port }
      : null
  }

  const backends = async (of: Postmaster): Promise<Backend[]> => {
    const all = await children(of.pid)
    const name = clusterNameIn(all.map(({ title }) => title))
    return all.map((one) => ({ ...one, what: readTitle(one.title, name) }))
  }

  return {
    backends,
    async postmasters(port) {
      const found = await Promise.all(
        (await pids()).map(async (pid) => {
          const name = await read(pid, 'comm')
          return name?.startsWith('postgres') || name?.startsWith('postmaster')
            ? postmasterAt(pid, port)
            : null
        }),
      )
      return found.filter((one) => one !== null)
    },
    async backend(of, pid) {
      const postmaster = await processOf(of.pid)
      if (postmaster?.startTicks !== of.startTicks) return null
      return (await backends(of)).find((one) => one.pid === pid) ?? null
    },
    signal: (action, pid) => {
      process.kill(pid, hostSignals[action])
    },
  }
}

function ioIn(text: string | null): HostProcess['io'] {
  const value = (name: string) => new RegExp(`^${name}: (\\d+)$`, 'm').exec(text ?? '')?.[1]
  const [read, written] = [value('read_bytes'), value('write_bytes')]
  return read === undefined || written === undefined ? null : { read: Number(read), written: Number(written) }
}
