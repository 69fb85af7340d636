import { setTimeout as pause } from 'node:timers/promises'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Outcome } from '../domain/approvals/outcome.ts'
import type { Execution } from '../domain/approvals/transitions.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'

/** Parts that carry out what was claimed. */
export type ExecuteDeps = {
  readonly cards: Cards
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number
  /** Decides whether this process is asked to end: then nothing more is begun. */
  readonly isStopping: () => boolean
  readonly log: Log
}

/** An action of which no signal went out, or of whose signal nobody knows. */
export const nothingSent = (outcome: Outcome): Execution => ({ outcome, sql: null, returned: null })

export const notConfigured: Execution = nothingSent({
  kind: 'unreachable',
  why: 'this cluster is not configured any more.',
})

/** Takes a fault of ours in the middle: whether the signal went out is not known here any more. */
export const afterFault =
  (log: Log) =>
  (error: unknown): Execution => {
    log.error({ err: error }, 'an action ended in a fault')
    return nothingSent({
      kind: 'unknown',
      now: 'A fault on my side, see my log; look at the session yourself.',
    })
  }

/** Once a second; after that another process, or the next start, says what is known. */
const finishAttempts = 300

/** Writes down what was done. While the store refuses, it tries again, for as long as anybody would wait. */
export async function surely<T>(
  write: () => Promise<T>,
  about: { readonly outcome: Outcome['kind'] },
  log: Log,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      log.error({ err: error, ...about }, 'an outcome could not be written down')
      if (attempt === finishAttempts) throw error
    }
    await pause(1000)
  }
}
