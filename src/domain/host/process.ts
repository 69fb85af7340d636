import type { Action } from '../session/action.ts'
import { matchesNames, type Protected } from '../session/policy.ts'
import { formatDuration } from '../text/duration.ts'
import type { Title } from './title.ts'

/** A process as the operating system shows it. It knows no locks, and no statements but the title. */
export type HostProcess = {
  readonly pid: number
  readonly parent: number
  /** Start in ticks since the machine's own: with the pid it tells a process from every other one. */
  readonly startTicks: string
  /** State letter of proc(5): `R` runs, `S` sleeps, `D` waits for a disk or the like, `T` is stopped, `Z` has ended. */
  readonly state: string
  readonly title: string
  /** Path of the program; null where it may not be seen. */
  readonly executable: string | null
  readonly cpuSeconds: number
  /** Seconds since its start. */
  readonly seconds: number
  /** Bytes that it read from disk and wrote to it; null where they may not be seen. */
  readonly io: { readonly read: number; readonly written: number } | null
}

/** A server process with what its title says. */
export type Backend = HostProcess & { readonly what: Title | null }

/** The postmaster of a server, by its own pid file. */
export type Postmaster = {
  readonly pid: number
  readonly startTicks: string
  readonly executable: string
  readonly dataDirectory: string
  readonly port: number
}

/**
 * Says why a process is none to signal: only a client backend of this very server ever is.
 * @returns one sentence; null when it may be signalled
 */
export function untouchableOnHost(
  { pid, parent, executable, what }: Backend,
  postmaster: Postmaster,
): string | null {
  if (parent !== postmaster.pid)
    return `Process ${pid} is no child of the server in ${postmaster.dataDirectory}: it is left alone.`
  if (executable === null)
    return `Which program process ${pid} runs may not be seen: give the bot the right to (doctor says how).`
  if (executable !== postmaster.executable)
    return `Process ${pid} runs ${executable}, and not the server’s program: it is left alone.`
  if (what?.kind !== 'client')
    return `Process ${pid} (${what?.name ?? 'without a title of the server'}) serves no client: it is left alone, for ending it may restart the whole server.`
  return null
}

/** Lists what differs between a process and the one that was chosen, one phrase each; empty: it is the same. */
export function hostDifferences(chosen: Backend, now: Backend | null): string[] {
  if (!now || now.startTicks !== chosen.startTicks) return ['it is gone']
  if (now.state === 'Z') return ['it has ended']
  const [then, is] = [chosen.what, now.what]
  if (then?.kind !== 'client' || is?.kind !== 'client') return ['it serves no client']
  return then.userAndDatabase === is.userAndDatabase && then.client === is.client
    ? []
    : ['it serves another client']
}

/** Effect of a signal on a process. */
export type HostOutcome =
  | { readonly kind: 'gone' | 'statementEnded'; readonly afterMs: number }
  | { readonly kind: 'still'; readonly why: string }

/** Decides what a look after the signal shows; null: look again. */
export function outcomeOnHost(
  action: Action,
  chosen: Backend,
  now: Backend | null,
  afterMs: number,
): HostOutcome | null {
  if (!now || now.startTicks !== chosen.startTicks || now.state === 'Z') return { kind: 'gone', afterMs }
  if (action !== 'cancel' || now.what?.kind !== 'client' || chosen.what?.kind !== 'client') return null
  return now.what.activity.startsWith('idle') && !chosen.what.activity.startsWith('idle')
    ? { kind: 'statementEnded', afterMs }
    : null
}

/** Says why a signal has no effect yet. */
export function whyStill({ pid, state }: Pick<HostProcess, 'pid' | 'state'>, afterMs: number): string {
  const time = formatDuration(afterMs / 1000)
  switch (state) {
    case 'T':
    case 't':
      return `${pid} is stopped (SIGSTOP, or a debugger): the signal is pending, and takes effect when somebody lets it go on (SIGCONT).`
    case 'D':
      return `${pid} waits for the disk or the network in the kernel, for ${time} after the signal: it takes effect when that answers.`
    default:
      return `${pid} is still there, ${time} after the signal: it takes effect when the server next looks for one.`
  }
}

/** Signals of the two actions, which a client backend takes as a cancel and as a termination (postgres.c). */
export const hostSignals = { cancel: 'SIGINT', terminate: 'SIGTERM' } as const satisfies Record<
  Action,
  string
>

/** Rules that may protect a process. `certain` is false where the application decides, which no title shows. */
export type HostProtection = { readonly rule: Protected; readonly certain: boolean }

/**
 * Finds the rule that protects a process. Where its user ends and its database begins, a title does not say: each way
 * counts.
 */
export function protectionOnHost({ what }: Backend, rules: readonly Protected[]): HostProtection | null {
  if (what?.kind !== 'client') return null
  const words = what.userAndDatabase.split(' ')
  const ways = words.slice(1).map((_, index) => ({
    usename: words.slice(0, index + 1).join(' '),
    datname: words.slice(index + 1).join(' '),
    applicationName: null,
  }))
  const matching = rules.filter((rule) => ways.some((names) => matchesNames(names, rule, true)))
  const certain = matching.find(({ applicationName }) => applicationName === undefined)
  const [first] = matching
  if (certain) return { rule: certain, certain: true }
  return first ? { rule: first, certain: false } : null
}
