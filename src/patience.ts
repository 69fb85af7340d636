import { setTimeout as pause } from 'node:timers/promises'
import { backoff } from './backoff.ts'
import type { Log } from './log.ts'
import { isPassing, storeFailureOf } from './store/failure.ts'

/** Longest time for which a restart or a failover of the store's server is waited for. */
const patienceMs = 30_000

/**
 * Starts, and starts again for half a minute when the server of the store fails it in a way that may pass: a replica that comes
 * while the store fails over needs nobody to start it once more. Throws everything else, and what does not pass.
 * @param start leaves nothing behind where it fails
 */
export async function startPatiently<T>(
  start: () => Promise<T>,
  deps: { readonly log: Log; readonly signal: AbortSignal; readonly steady: () => number },
): Promise<T> {
  const { log, signal, steady } = deps
  const begun = steady()
  for (let attempt = 0; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      const retryInMs = backoff(attempt, { firstMs: 500, longestMs: 5000 })
      if (signal.aborted || !isPassing(error) || steady() - begun + retryInMs > patienceMs) throw error
      log.warn({ reason: storeFailureOf(error), retryInMs }, 'the store cannot be used yet')
      await pause(retryInMs, undefined, { signal })
    }
  }
}
