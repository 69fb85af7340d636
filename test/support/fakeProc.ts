import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A /proc of our own, in which processes are whatever a test says. */
export type FakeProc = {
  readonly root: string
  /** Writes a process; what is not given is that of a client backend of postmaster 10. */
  put(pid: number, over?: Partial<FakeProcess>): Promise<void>
  /** Sets the clock, in seconds since the start of the machine. */
  uptime(seconds: number): Promise<void>
  boot(id: string): Promise<void>
  remove(): Promise<void>
}

type FakeProcess = {
  readonly parent: number
  readonly state: string
  readonly startTicks: string
  readonly title: string
  readonly executable: string | null
  readonly comm: string
  /** Working directory; null where it may not be seen. */
  readonly cwd: string | null
  /** Its pids, from outside to its own container. */
  readonly inside: readonly number[]
}

export async function createFakeProc(): Promise<FakeProc> {
  const root = await mkdtemp(join(tmpdir(), 'pg-marshal-proc-'))
  const uptime = (seconds: number) => writeFile(join(root, 'uptime'), `${seconds} 1.00\n`)
  const boot = async (id: string) => {
    await mkdir(join(root, 'sys/kernel/random'), { recursive: true })
    await writeFile(join(root, 'sys/kernel/random/boot_id'), `${id}\n`)
  }
  await boot('boot-1')
  await uptime(1000)
  return {
    ...{ root, uptime, boot },
    async put(pid, over = {}) {
      const { parent, state, startTicks, title, executable, comm, cwd, inside }: FakeProcess = {
        ...{ parent: 10, state: 'S', startTicks: '5000', title: 'postgres: shop orders [local] idle' },
        ...{ executable: '/pg/postgres', comm: 'postgres', cwd: root, inside: [pid] },
        ...over,
      }
      const directory = join(root, String(pid))
      await rm(directory, { recursive: true, force: true })
      await mkdir(directory)
      // Fields 3 to 22 of proc_pid_stat(5); the name may hold anything.
      const fields = [state, parent, ...Array(9).fill(0), 150, 50, ...Array(6).fill(0), startTicks]
      await writeFile(join(directory, 'stat'), `${pid} (a) b (c) ${fields.join(' ')} 0 0\n`)
      await writeFile(join(directory, 'cmdline'), `${title}\0\0`)
      await writeFile(join(directory, 'comm'), `${comm}\n`)
      await writeFile(join(directory, 'io'), 'rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n')
      await writeFile(join(directory, 'status'), `Name:\tpostgres\nNSpid:\t${inside.join('\t')}\n`)
      if (executable !== null) await symlink(executable, join(directory, 'exe'))
      if (cwd !== null) await symlink(cwd, join(directory, 'cwd'))
    },
    remove: () => rm(root, { recursive: true, force: true }),
  }
}
