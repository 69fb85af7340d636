import { spawn } from 'node:child_process'

/**
 * Ends the server and removes directories when this process dies without having done it, even by SIGKILL: a small shell
 * that waits for the end of a pipe that only we hold.
 */
export type Deadman = { dismiss(): void }

const script = `
read -r word
[ "$word" = done ] && exit 0
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2>/dev/null
  kill -CONT "$pid" 2>/dev/null
  waited=0
  while [ -e "$1/postmaster.pid" ] && kill -0 "$pid" 2>/dev/null && [ "$waited" -lt 80 ]; do
    sleep 0.1
    waited=$((waited + 1))
  done
fi
shift
[ "$#" -gt 0 ] && rm -rf -- "$@"
`

/**
 * @param dataDir of the server; its postmaster.pid names the process
 * @param directories that nobody needs afterwards
 */
export function setDeadman(dataDir: string, directories: readonly string[]): Deadman {
  const child = spawn('/bin/sh', ['-c', script, 'temporary-postgres', dataDir, ...directories], {
    // Ctrl-C in the terminal is not for it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // Without it everything works as well; what a crash leaves then goes at the next start.
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  return { dismiss: () => void child.stdin.end('done\n') }
}
