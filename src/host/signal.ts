import { setTimeout as pause } from 'node:timers/promises'
import type { Outcome } from '../domain/approvals/outcome.ts'
import { type HostGuard, outcomeOnHost, stillOnHost } from '../domain/host/guard.ts'
import type { Host } from './procfs.ts'

/** Outcome of a signal of the system, with what a person would have typed for it; null where none was sent. */
export type Signalled = { readonly outcome: Outcome; readonly command: string | null }

/** Seconds from the look at a process to its signal. */
export const withinSeconds = 5

const lookEveryMs = 50

/**
 * Sends one guarded signal, and watches the process until it has had its effect or time is up.
 */
export async function signalOnHost(
  guard: HostGuard,
  { host, steady, watchMs }: { readonly host: Host; readonly steady: () => number; readonly watchMs: number },
): Promise<Signalled> {
  const unsent = (outcome: Outcome): Signalled => ({ outcome, command: null })
  const sentAt = steady()
  const result = host.signal(guard)
  switch (result.kind) {
    case 'changed':
      return unsent({ kind: 'changed', what: result.what })
    case 'late':
      return unsent({ kind: 'notSent', why: 'more than five seconds had passed since the process was read.' })
    case 'refused':
      return unsent({
        kind: 'refused',
        why: `The operating system refused it (${result.code}): doctor says what is missing.`,
      })
    case 'sent':
      for (;;) {
        const now = await host.backend(guard.postmaster, guard.chosen.pid)
        const afterMs = Math.round(steady() - sentAt)
        const outcome = outcomeOnHost(guard, now, afterMs)
        if (outcome) return { outcome, command: result.command }
        if (now !== null && afterMs >= watchMs)
          return { outcome: stillOnHost(now, guard.postmaster, afterMs), command: result.command }
        await pause(lookEveryMs)
      }
  }
}
