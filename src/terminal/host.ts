import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import type { ClusterConfig, Config } from '../config/config.ts'
import { bot, type JournalEvent } from '../domain/approvals/journal.ts'
import { type Backend, hidesActivity, seenOnHost, untold } from '../domain/host/process.ts'
import { fitOnHost, protectionOnHost, sessionOnHost } from '../domain/host/session.ts'
import type { Action } from '../domain/session/action.ts'
import { objectionIn } from '../domain/session/allowedAction.ts'
import { lookOnHost, type OnHost } from '../host/look.ts'
import { createHost, type Host } from '../host/procfs.ts'
import { signalOnHost, withinSeconds } from '../host/signal.ts'
import { besideBot } from '../store/beside.ts'
import { processWords, usageWords } from '../views/answers/processes.ts'
import { channelLine } from '../views/card/lines.ts'
import { outcomeSentence } from '../views/card/outcome.ts'
import { clean } from '../views/kit.ts'
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

/**
 * `host sessions`: the processes of the server, without a connection to it.
 * @returns 0, or 2 when the server cannot be found on this machine
 */
export const hostSessions = (input: HostInput & { readonly json: boolean }): Promise<0 | 2> =>
  onHost(input, async ({ config, seen: { postmaster, backends } }): Promise<0> => {
    const { json, out } = input
    if (json) {
      out.write(`${JSON.stringify({ cluster: config.name, postmaster, processes: backends }, null, 2)}\n`)
      return 0
    }
    const clients = backends.filter(({ what }) => what?.kind === 'client')
    out.write(`${seenOnHost}\n`)
    out.write(`${clients.length} of ${backends.length} processes of ${config.name} serve clients.\n`)
    const unknown = clients.filter(hidesActivity).length
    if (unknown > 0) out.write(`${unknown} of them cannot be ended from here: ${untold.why}. ${untold.fix}\n`)
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
  onHost(input, async ({ config, seen: { postmaster, backends, host } }): Promise<0 | 1 | 2> => {
    const { action, pid, ask, now, steady, out, err } = input
    const refused = (why: string) => sayProblem(err, clean(why))
    const backend = backends.find((one) => one.pid === pid)
    if (!backend) return refused(`There is no process ${pid} of ${config.name}: host sessions lists them.`)
    const no = objectionIn(action, fitOnHost(backend, postmaster, config.protected))
    if (no !== null) return refused(no)
    out.write(`${seenOnHost}\n${lineOf(backend)}\n${consequences[action]}\n${doubtOf(backend, config)}`)
    const wanted = `${action} ${pid}`
    if ((await ask(`Type "${wanted}" to do it: `)).trim() !== wanted) return refused('Nothing was sent.')

    const by = userInfo().username
    const write = (event: JournalEvent) => tell(input.config, config, event, now())
    const about = { actor: bot, by, cluster: config.name, action, pid }
    const { startTicks, title } = backend
    await write({ kind: 'hostIntended', ...about, startTicks, title })
    const chosen = sessionOnHost(backend, postmaster)
    const before = host.seconds() + withinSeconds
    const guard = { action, postmaster, chosen, protected: config.protected, before }
    const { outcome, command } = await signalOnHost(guard, { host, steady, watchMs })
    const key = { cluster: config.name, pid, backendStart: chosen.backendStart }
    const what = outcomeSentence({ action, key, outcome, session: null })
    // Whoever did it hears of it also where it cannot be written down.
    ;(command ? out : err).write(`${what}\n`)
    await write({ kind: 'hostOutcome', ...about, sent: command !== null, what })
    return command === null ? 2 : outcome.kind === 'effective' ? 0 : 1
  })

type Found = { readonly config: ClusterConfig; readonly seen: Exclude<OnHost, { readonly problem: string }> }

/** Finds the server on this machine, and runs something about its processes. */
async function onHost<T>(
  { name, config: all, err, host = createHost() }: HostInput,
  run: (found: Found) => Promise<T>,
): Promise<T | 2> {
  const picked = pickConfigured(name, all, err)
  if (!picked) return 2
  const { config } = picked
  const seen = await lookOnHost(config, host)
  return 'problem' in seen
    ? sayProblem(err, `The processes of ${config.name} cannot be seen: ${seen.problem}. ${seen.fix}`)
    : run({ config, seen })
}

const doubtOf = (chosen: Backend, { protected: rules }: ClusterConfig): string => {
  const protection = protectionOnHost(chosen, rules)
  return protection
    ? `Its application is not to be seen: it may be the one that is protected (${protection.rule.applicationName}).\n`
    : ''
}

const consequences: Readonly<Record<Action, string>> = {
  cancel: 'Cancel (SIGINT) ends its statement with an error; the connection stays.',
  terminate: 'Terminate (SIGTERM) closes its connection and rolls its transaction back.',
}

/** Writes it into the journal, and into the channel of the cluster, where a bot that runs posts it. */
const tell = (all: Config, { channel }: ClusterConfig, event: JournalEvent, at: number): Promise<void> =>
  besideBot(all.store, async ({ journal, messages }) => {
    const line = channelLine(await journal.append(at, null, event), null)
    const about = { id: `host:${randomUUID()}`, channel, threadOf: null, priority: 4, once: true }
    if (line) await messages.put({ ...about, ...line }, at)
  })

const lineOf = (backend: Backend): string =>
  `${backend.pid}  ${processWords(backend)}  (${usageWords(backend)})`

/** Asks on the terminal. */
export async function askOnTerminal(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return await terminal.question(question)
  } finally {
    terminal.close()
  }
}
