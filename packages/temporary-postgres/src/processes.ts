import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'

/** Facts about processes from the operating system: by /proc on Linux, by ps elsewhere. */

export function commandLine(pid: number): { owner: number; args: string } | null {
  try {
    if (existsSync('/proc/self/stat')) {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return { owner: statSync(`/proc/${pid}`).uid, args }
    }
    const [owner, ...args] = ps('-o', 'uid=,args=', '-p', String(pid)).trim().split(/\s+/)
    return { owner: Number(owner), args: args.join(' ') }
  } catch {
    return null
  }
}

/** Returns when a process began, which distinguishes it from a later one with the same pid; null when there is none. */
export function bornAt(pid: number): string | null {
  try {
    if (existsSync('/proc/self/stat')) {
      const fields = statFields(pid)
      // A zombie has ended; without an init process nobody ever collects it.
      return fields[0] === 'Z' ? null : (fields[19] ?? null)
    }
    return ps('-o', 'lstart=', '-p', String(pid)).trim() || null
  } catch {
    return null
  }
}

export function childrenOf(parent: number): number[] {
  if (existsSync('/proc/self/stat')) {
    const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
    return pids.filter((pid) => {
      try {
        return Number(statFields(pid)[1]) === parent
      } catch {
        return false
      }
    })
  }
  const rows = ps('-A', '-o', 'pid=,ppid=').trim().split('\n')
  return rows
    .map((row) => row.trim().split(/\s+/).map(Number))
    .flatMap(([pid, of]) => (pid && of === parent ? [pid] : []))
}

/** /proc/PID/stat from the third field on; the second is a name that may hold blanks and brackets. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

const ps = (...args: string[]): string => execFileSync('ps', args, { encoding: 'utf8' })

export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone in between.
  }
}
