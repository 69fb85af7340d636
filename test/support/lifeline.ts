import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { setDeadman, type TemporaryPostgres } from 'temporary-postgres'

/**
 * Ends a process when we die without having done it, even by SIGKILL, and even where it is stopped: a small shell that
 * waits for the end of a pipe that only we hold.
 * @returns to be called when the process has ended
 */
export function setLifeline(pid: number): () => void {
  const script = 'read -r word; [ "$word" = done ] || kill -KILL "$1" 2>/dev/null'
  const child = spawn('/bin/sh', ['-c', script, 'lifeline', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  return () => void child.stdin.end('done\n')
}

/** The same server, which also ends, with all that it has, when we die. */
export function mortal<T extends Pick<TemporaryPostgres, 'dataDir' | 'stop'>>(server: T): T {
  const deadman = setDeadman(server.dataDir, [dirname(server.dataDir)])
  const stop = async () => {
    await server.stop()
    deadman.dismiss()
  }
  return { ...server, stop }
}
