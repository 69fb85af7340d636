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
  /** Resolves when it has said these words. */
  says(words: string, boundMs?: number): Promise<void>
  /** Resolves with the exit code, or with the name of the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

/** Deadline of what a process does: its start alone is a second of work, and a busy machine has many to start. */
const processMs = 45_000

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
  const name = args.join(' ') || 'the bot'
  let isOver = false
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('close', (code, signal) => {
      isOver = true
      resolve(code ?? signal)
    }),
  )
  const end = (what: string) => within(ended, `${name} ${what}`, { boundMs: processMs, seen: () => output })
  return {
    child,
    output: () => output,
    says: (words, boundMs = processMs) =>
      waitFor(
        () => {
          if (output.includes(words)) return true
          if (isOver) throw new Error(`${name} ended before it said "${words}":\n${output}`)
          return false
        },
        `${name} says "${words}"`,
        { boundMs, seen: () => output },
      ),
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
  await bot.says('pg-marshal is ready', boundMs).catch((error: unknown) => {
    // Whoever waits for it never gets it, and could not end it.
    bot.child.kill('SIGKILL')
    throw error
  })
  return bot
}
