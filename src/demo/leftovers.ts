import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bornAt, commandLine, signalIfAlive } from './processes.ts'

/** How the directory of a temporary server is called, up to its random end. */
export const prefix = 'pg-marshal-postgres-'

/** Marks a directory as ours for as long as this process lives. */
export const claim = (base: string): Promise<void> =>
  writeFile(join(base, 'owner.json'), JSON.stringify({ pid: process.pid, born: bornAt(process.pid) }))

/** Servers whose parent was killed before it could end them. Only what is provably ours is touched. */
export async function removeLeftovers(): Promise<void> {
  for (const entry of readdirSync(tmpdir()).filter((name) => name.startsWith(prefix))) {
    const base = join(tmpdir(), entry)
    try {
      const owner = JSON.parse(readFileSync(join(base, 'owner.json'), 'utf8'))
      if (bornAt(owner.pid) === owner.born) continue
      const pid = orphanIn(base)
      if (pid !== null) {
        signalIfAlive(pid, 'SIGCONT')
        signalIfAlive(pid, 'SIGQUIT')
        for (let waited = 0; bornAt(pid) !== null && waited < 5_000; waited += 20) await delay(20)
        if (bornAt(pid) !== null) continue
      }
      await rm(base, { recursive: true, force: true, maxRetries: 5 })
    } catch {
      // Somebody else's, half made, or just being removed by another process: not ours to judge.
    }
  }
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
