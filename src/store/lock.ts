import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'

/** The store cannot be used; the message says why and what to do. */
export class StoreError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'StoreError'
  }
}

export type StoreWait = {
  readonly signal?: AbortSignal | undefined
  readonly onWait?: (seconds: number) => void
}

/** How long a process that starts waits for the one before it to end. */
const waitMs = 15_000

/**
 * Makes sure that one process alone works with a store: a second one would take what the first is carrying out for
 * something that a crash left behind. The lock is the operating system's, on a file beside the store, so it ends with
 * the process, however that ends.
 * @param onWait told once, with how long at most, when there is another process to wait for
 * @throws StoreError when another process keeps it
 * @returns lets go of it
 */
export async function lockStore(path: string, { signal, onWait }: StoreWait = {}): Promise<() => void> {
  const database = new DatabaseSync(`${path}.lock`)
  for (let turn = 0, until = performance.now() + waitMs; ; turn++) {
    try {
      database.exec('BEGIN EXCLUSIVE')
      return () => database.close()
    } catch (error) {
      if (performance.now() > until || signal?.aborted) {
        database.close()
        throw new StoreError(
          `Another pg-marshal works with the store ${path}. Stop it, or give this one a store of its own (store.url).`,
          error,
        )
      }
    }
    if (turn === 0) onWait?.(waitMs / 1000)
    await pause(200)
  }
}
