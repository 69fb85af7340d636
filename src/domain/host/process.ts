import type { Action } from '../session/action.ts'
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
  /** Its pid in its own container, whose numbers the server shows; the same where it has none. */
  readonly insidePid: number
  readonly startTicks: string
  /** Id of this run of the machine: ticks begin again at each. */
  readonly bootId: string
  readonly executable: string
  readonly dataDirectory: string
  readonly port: number
  /** Its cluster_name, which stands in every title; null for none. */
  readonly clusterName: string | null
}

/** Shown first wherever processes are: what they cannot show. */
export const seenOnHost = 'From the operating system: no locks, and no statements but titles.'

/** Reason why titles do not say what a process does, with what helps. */
export const untold = {
  why: 'update_process_title is off, so no title says what its process does',
  fix: 'Set update_process_title = on in postgresql.conf and reload (pg_ctl reload): each session shows it from its next statement.',
} as const

/** Decides whether a process serves a client, and its title does not say what it does. */
export const hidesActivity = ({ what }: Pick<Backend, 'what'>): boolean =>
  what?.kind === 'client' && what.activity === null

/** Lines about the signal that people think of next: what it does, and what to do instead, in order. */
export const neverKill =
  'Never kill -9: the whole server restarts, everybody is dropped, and it recovers before it takes anybody, for minutes where much was written.\nInstead, in this order: cancel it, terminate it, mend what holds it up (a disk, a network file system; SIGCONT where it is stopped), and at last restart the server in order (pg_ctl restart -m fast).'

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
    return `Process ${pid} (${what?.name.replaceAll(/\s+/g, ' ') ?? 'without a title of the server'}) serves no client: it is left alone, for ending it may restart the whole server. ${neverKill}`
  // Without it nobody can tell whether it is still what was approved.
  if (what.activity === null) return `Process ${pid} is left alone: ${untold.why}. ${untold.fix}`
  return null
}

/** Says why a signal has no effect yet. */
export function whyStill({ pid, state }: Pick<HostProcess, 'pid' | 'state'>): string {
  switch (state) {
    case 'T':
    case 't':
      return `${pid} is stopped (SIGSTOP, or a debugger): the signal is pending, and takes effect when somebody lets it go on (SIGCONT).`
    case 'D':
      return `${pid} waits for a disk or the network in the kernel: the signal is pending, and takes effect when that answers.`
    default:
      return `${pid} takes it when it next looks for one.`
  }
}

/** Signals of the two actions, which a client backend takes as a cancel and as a termination (postgres.c). */
export const hostSignals = { cancel: 'SIGINT', terminate: 'SIGTERM' } as const satisfies Record<
  Action,
  string
>
