import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { ClusterConfig, Config } from '../config/config.ts'
import { bot, type JournalEvent } from '../domain/approvals/journal.ts'
import {
  type Backend,
  hostDifferences,
  outcomeOnHost,
  type Postmaster,
  protectionOnHost,
  untouchableOnHost,
  whyStill,
} from '../domain/host/process.ts'
import type { Action } from '../domain/session/action.ts'
import { portIn } from '../domain/text/databaseUrl.ts'
import { formatDuration } from '../domain/text/duration.ts'
import { list } from '../domain/text/sentence.ts'
import { formatSize } from '../domain/text/size.ts'
import { createHost, type Host } from '../host/procfs.ts'
import { besideBot } from '../store/beside.ts'
import { channelLine } from '../views/card/lines.ts'
import { clean } from '../views/kit.ts'
import { onOneLine } from '../views/words.ts'
import { type Out, sayProblem } from './out.ts'
import { pickConfigured } from './withStore.ts'

type HostInput = {
  /** Name of the cluster; null when none was given. */
  readonly name: string | null
  readonly config: Config
  readonly out: Out
  readonly err: Out
  readonly host?: Host
}

/** Time for which a process is watched after its signal. */
const watchMs = 10_000
const lookEveryMs = 100

const seenFrom = 'From the operating system: no locks, and no statements but what each process calls itself.'

/**
 * `host sessions`: the processes of the server, without a connection to it.
 * @returns 0, or 2 when the server cannot be found on this machine
 */
export const hostSessions = (input: HostInput & { readonly json: boolean }): Promise<0 | 2> =>
  onHost(input, async ({ config, postmaster, host }): Promise<0> => {
    const { json, out } = input
    const backends = await host.backends(postmaster)
    if (json) {
      out.write(`${JSON.stringify({ cluster: config.name, postmaster, processes: backends }, null, 2)}\n`)
      return 0
    }
    const clients = backends.filter(({ what }) => what?.kind === 'client')
    out.write(`${seenFrom}\n`)
    out.write(`${clients.length} of ${backends.length} processes of ${config.name} serve clients.\n`)
    for (const one of clients.sort((a, b) => b.seconds - a.seconds)) out.write(`${lineOf(one)}\n`)
    return 0
  })

/**
 * `host cancel|terminate PID`: the last resort, for a server that answers nobody. Whoever runs it types what is to be done.
 * @param ask shows a question, and returns what was typed
 * @returns 0 when it had its effect, 1 when not, 2 when nothing was sent
 */
export const hostSignal = (
  input: HostInput & {
    readonly action: Action
    readonly pid: number
    readonly ask: (question: string) => Promise<string>
    readonly now: () => number
    /** Milliseconds of a clock that nobody sets. */
    readonly steady: () => number
  },
): Promise<0 | 1 | 2> =>
  onHost(input, async ({ config, postmaster, host }): Promise<0 | 1 | 2> => {
    const { action, pid, ask, now, steady, out, err } = input
    const refused = (why: string) => sayProblem(err, onOneLine(clean(why)))
    const chosen = await host.backend(postmaster, pid)
    if (!chosen) return refused(`There is no process ${pid} of ${config.name}: host sessions lists them.`)
    const no = refusalOf(chosen, postmaster, config)
    if (no !== null) return refused(no)
    out.write(`${seenFrom}\n${lineOf(chosen)}\n${consequences[action]}\n${doubtOf(chosen, config)}`)
    const wanted = `${action} ${pid}`
    if ((await ask(`Type "${wanted}" to do it: `)).trim() !== wanted) return refused('Nothing was sent.')

    const by = userInfo().username
    const write = (event: JournalEvent) => tell(input.config, config, event, now())
    const about = { actor: bot, by, cluster: config.name, action, pid }
    const { startTicks, title } = chosen
    await write({ kind: 'hostIntended', ...about, startTicks, title })
    const result = await carryOut({ action, chosen, config, postmaster, host, steady })
    // Whoever did it hears of it also where it cannot be written down.
    ;(result.sent ? out : err).write(`${result.what}\n`)
    await write({ kind: 'hostOutcome', ...about, sent: result.sent, what: result.what })
    return result.sent ? (result.worked ? 0 : 1) : 2
  })

type Found = { readonly config: ClusterConfig; readonly postmaster: Postmaster; readonly host: Host }

/** Finds the server on this machine, and runs something about its processes. */
async function onHost<T>(
  { name, config: all, err, host = createHost() }: HostInput,
  run: (found: Found) => Promise<T>,
): Promise<T | 2> {
  const picked = pickConfigured(name, all, err)
  if (!picked) return 2
  const { config } = picked
  if (config.host !== 'local')
    return sayProblem(
      err,
      `${config.name} is not said to run on this machine: write host: local under it, where it does.`,
    )
  const port = portIn(config.url)
  const [postmaster, ...others] = await host.postmasters(port)
  if (!postmaster)
    return sayProblem(
      err,
      `No server of this machine that may be seen here listens on port ${port}: it is down, it runs in another container, or its data directory belongs to another user. Run this as that user.`,
    )
  if (others.length > 0)
    return sayProblem(
      err,
      `${others.length + 1} servers of this machine listen on port ${port} (${list([postmaster, ...others].map(({ dataDirectory }) => dataDirectory))}), and which of them is ${config.name} is not to be seen: nothing is sent to either.`,
    )
  return run({ config, postmaster, host })
}

/** Says why a process may not be signalled; null when it may. */
function refusalOf(
  chosen: Backend,
  postmaster: Postmaster,
  { protected: rules }: ClusterConfig,
): string | null {
  const protection = protectionOnHost(chosen, rules)
  if (protection?.certain)
    return `It is protected by the configuration (${JSON.stringify(protection.rule)}), or may be.`
  return untouchableOnHost(chosen, postmaster)
}

const doubtOf = (chosen: Backend, { protected: rules }: ClusterConfig): string => {
  const protection = protectionOnHost(chosen, rules)
  return protection
    ? `Its application is not to be seen: it may be the one that is protected (${protection.rule.applicationName}).\n`
    : ''
}

const consequences: Readonly<Record<Action, string>> = {
  cancel:
    'Cancel (SIGINT) ends its statement with an error; the connection stays. It does nothing where none runs.',
  terminate: 'Terminate (SIGTERM) closes its connection and rolls its transaction back.',
}

type Result = { readonly sent: boolean; readonly worked: boolean; readonly what: string }

/** Reads the process again, signals it once, and watches what becomes of it. */
async function carryOut({
  action,
  chosen,
  config,
  postmaster,
  host,
  steady,
}: Found & {
  readonly action: Action
  readonly chosen: Backend
  readonly steady: () => number
}): Promise<Result> {
  const { pid } = chosen
  const before = await host.backend(postmaster, pid)
  const [different] = hostDifferences(chosen, before)
  const no = before && refusalOf(before, postmaster, config)
  if (different ?? no) return { sent: false, worked: false, what: `Nothing was sent: ${different ?? no}.` }
  try {
    host.signal(action, pid)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return {
      sent: false,
      worked: false,
      what: `Nothing was sent: the operating system refused it (${code}).`,
    }
  }
  const sentAt = steady()
  for (;;) {
    const now = await host.backend(postmaster, pid)
    const afterMs = Math.round(steady() - sentAt)
    const outcome = outcomeOnHost(action, chosen, now, afterMs)
    if (outcome)
      return {
        sent: true,
        worked: true,
        what: `${outcome.kind === 'gone' ? `${pid} is gone` : 'Its statement has ended'}, ${formatDuration(afterMs / 1000)} after the signal.`,
      }
    if (afterMs >= watchMs) return { sent: true, worked: false, what: whyStill(now ?? chosen, afterMs) }
    await pause(lookEveryMs)
  }
}

/** Writes it into the journal, and into the channel of the cluster, where a bot that runs posts it. */
const tell = (all: Config, { channel }: ClusterConfig, event: JournalEvent, at: number): Promise<void> =>
  besideBot(all.store, async ({ journal, messages }) => {
    const line = channelLine(await journal.append(at, null, event), null)
    const about = { id: `host:${randomUUID()}`, channel, threadOf: null, priority: 4, once: true }
    if (line) await messages.put({ ...about, ...line }, at)
  })

function lineOf({ pid, what, state, seconds, cpuSeconds, io }: Backend): string {
  const named =
    what?.kind === 'client' ? `${what.userAndDatabase} ${what.client}: ${what.activity}` : (what?.name ?? '?')
  const disk = io
    ? `read ${formatSize(io.read)}, wrote ${formatSize(io.written)}`
    : 'input and output not to be seen'
  return `${pid}  ${onOneLine(clean(named))}  (${states[state] ?? state}; since ${formatDuration(seconds)}; ${formatDuration(cpuSeconds)} of CPU; ${disk})`
}

/** See proc(5). */
const states: Readonly<Record<string, string>> = {
  R: 'runs',
  S: 'sleeps',
  D: 'waits for a disk or the network',
  T: 'is stopped',
  t: 'is stopped by a debugger',
  Z: 'has ended',
  I: 'sleeps',
}

/** Asks on the terminal. */
export async function askOnTerminal(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return await terminal.question(question)
  } finally {
    terminal.close()
  }
}
