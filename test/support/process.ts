import { type ChildProcess, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Room } from './harness.ts'
import { waitFor, within } from './postgres.ts'

/** The bot as a process of its own, as `npm start` runs it. */
export type Bot = {
  readonly child: ChildProcess
  /** Everything it said so far, on both streams. */
  output(): string
  /** Resolves with the exit code, or with the name of the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

const mainOfNow = resolve(import.meta.dirname, '../../src/main.ts')

/** Surroundings of a process. `main` is that of another version of the code. */
export type Place = Pick<Room, 'directory' | 'env' | 'yaml'> & { readonly main?: string }

/**
 * Runs `node src/main.ts` with these arguments in the room's environment.
 * @param nodeArgs options of Node itself; with any, the process can be talked to over IPC
 */
export async function run(
  room: Place,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Promise<Bot> {
  const config = join(room.directory, 'pg-marshal.yaml')
  await writeFile(config, room.yaml)
  const child = spawn(process.execPath, [...nodeArgs, room.main ?? mainOfNow, ...args], {
    env: { PATH: process.env.PATH, ...room.env, LOG_LEVEL: 'info', PG_MARSHAL_CONFIG: config },
    stdio: ['ignore', 'pipe', 'pipe', ...(nodeArgs.length > 0 ? (['ipc'] as const) : [])],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal)),
  )
  const end = (what: string) =>
    within(ended, `${args.join(' ') || 'the bot'} ${what}`, { seen: () => output })
  return {
    child,
    output: () => output,
    get ended() {
      return end('ends')
    },
    kill(signal) {
      child.kill(signal)
      return end(`ends on ${signal}`)
    },
  }
}

/**
 * Runs the service and waits until it says that it is ready.
 * @param begun is called with the process as soon as there is one
 * @param boundMs of the wait, where many start at once on a busy machine
 */
export async function serve(
  room: Place,
  nodeArgs: readonly string[] = [],
  begun: (bot: Bot) => void = () => {},
  boundMs?: number,
): Promise<Bot> {
  const bot = await run(room, [], nodeArgs)
  begun(bot)
  await waitFor(
    () => {
      if (bot.child.exitCode !== null || bot.child.signalCode !== null)
        throw new Error(`it ended before it was ready:\n${bot.output()}`)
      return bot.output().includes('pg-marshal is ready')
    },
    'the bot is ready',
    { seen: bot.output, ...(boundMs !== undefined && { boundMs }) },
  ).catch((error: unknown) => {
    // Whoever waits for it never gets it, and could not end it.
    bot.child.kill('SIGKILL')
    throw error
  })
  return bot
}
