import { spawn } from 'node:child_process'

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
