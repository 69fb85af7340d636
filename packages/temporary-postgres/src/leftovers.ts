import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { link, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bornAt, childrenOf, commandLine, signalIfAlive } from './processes.ts'

/** The name of a temporary server's directory, up to its random end. */
const prefix = 'temporary-postgres-'

/** A new directory for a temporary server. */
export async function makeBase(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), prefix))
  } catch (cause) {
    throw new Error(`Nothing can be written in ${tmpdir()}: set TMPDIR to a directory of your own.`, {
      cause,
    })
  }
}

/** Marks a directory as ours for as long as this process lives: in one step, so that no mark is ever half written. */
export async function claim(base: string): Promise<void> {
  await rename(await draftIn(base), join(base, 'owner.json'))
}

async function draftIn(base: string): Promise<string> {
  const draft = join(base, `owner.${process.pid}`)
  await writeFile(draft, JSON.stringify({ pid: process.pid, born: bornAt(process.pid) }))
  return draft
}

/** Takes a directory that outlives us, for as long as this process lives. Ends what a killed process left running in it. */
export async function claimKept(base: string): Promise<void> {
  const file = join(base, 'owner.json')
  const draft = await draftIn(base)
  try {
    // Of two at once, one gets it.
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const owner = await readOwner(file)
    if (owner.pid && bornAt(owner.pid) === owner.born)
      throw new Error(`${base} is in use by process ${owner.pid}.`)
    if (!(await endOrphan(base)))
      throw new Error(`A PostgreSQL server still runs in ${base} and does not end.`)
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
}

/** Reads the owner from a mark; null for a mark that a crash of the machine tore. */
async function readOwner(file: string): Promise<{ readonly pid?: number; readonly born?: string }> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch {
    return {}
  }
}

/** Servers whose parent was killed before it could end them. Only what is provably ours is touched. */
export async function removeLeftovers(): Promise<void> {
  // Without a temporary directory there are none.
  const entries = existsSync(tmpdir()) ? readdirSync(tmpdir()) : []
  for (const entry of entries.filter((name) => name.startsWith(prefix))) {
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

/** Ends a server without an owner. Returns true when none runs in the directory any more. */
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
