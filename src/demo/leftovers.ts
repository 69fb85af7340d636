import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bornAt, childrenOf, commandLine, signalIfAlive } from './processes.ts'

/** How the directory of a temporary server is called, up to its random end. */
export const prefix = 'pg-marshal-postgres-'

/** Marks a directory as ours for as long as this process lives: in one step, so that no mark is ever half written. */
export async function claim(base: string): Promise<void> {
  const draft = join(base, `owner.${process.pid}`)
  await writeFile(draft, ownerText())
  await rename(draft, join(base, 'owner.json'))
}

const ownerText = (): string => JSON.stringify({ pid: process.pid, born: bornAt(process.pid) })

/** Takes a directory that outlives us, for as long as this process lives. Ends what a killed process left running in it. */
export async function claimKept(base: string): Promise<void> {
  const file = join(base, 'owner.json')
  const claimed = await writeFile(file, ownerText(), { flag: 'wx' }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false
      throw error
    },
  )
  if (claimed) return
  const text = await readFile(file, 'utf8').catch(() => '{}')
  const owner = JSON.parse(text)
  if (owner.pid && bornAt(owner.pid) === owner.born)
    throw new Error(`${base} is in use by another practice room (process ${owner.pid}).`)
  if (!(await endOrphan(base))) throw new Error(`A PostgreSQL server still runs in ${base} and does not end.`)
  await writeFile(file, ownerText())
}

/** Servers whose parent was killed before it could end them. Only what is provably ours is touched. */
export async function removeLeftovers(): Promise<void> {
  for (const entry of readdirSync(tmpdir()).filter((name) => name.startsWith(prefix))) {
    const base = join(tmpdir(), entry)
    try {
      const owner = JSON.parse(readFileSync(join(base, 'owner.json'), 'utf8'))
      if (bornAt(owner.pid) === owner.born) continue
      if (!(await endOrphan(base))) continue
      await rm(base, { recursive: true, force: true, maxRetries: 5 })
    } catch {
      // Somebody else's, half made, or just being removed by another process: not ours to judge.
    }
  }
}

/** Whether no server runs in the directory any more. */
async function endOrphan(base: string): Promise<boolean> {
  const pid = orphanIn(base)
  if (pid === null) return true
  // It may have been stopped; and a parent that stands still cannot wake its children.
  for (const one of [pid, ...childrenOf(pid)]) signalIfAlive(one, 'SIGCONT')
  signalIfAlive(pid, 'SIGQUIT')
  for (let waited = 0; bornAt(pid) !== null && waited < 5_000; waited += 20) await delay(20)
  return bornAt(pid) === null
}

/** The process of an abandoned server: it must run on exactly this directory and belong to the directory's owner. */
function orphanIn(base: string): number | null {
  const dataDir = join(base, 'data')
  const pidFile = join(dataDir, 'postmaster.pid')
  if (!existsSync(pidFile)) return null
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  if (!Number.isInteger(pid) || pid < 2) return null
  const line = commandLine(pid)
  return line?.owner === statSync(base).uid && line.args.includes(`postgres -D ${dataDir} `) ? pid : null
}
