import { realpathSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError } from './failure.ts'

export type StoreWait = {
  readonly signal?: AbortSignal | undefined
  readonly onWait?: (seconds: number) => void
}

/** Time for which a starting process waits for the one before it to end. */
const waitMs = 15_000
const turnMs = 200

/**
 * Makes sure that one process alone works with a store: a second one would take what the first is carrying out for
 * something that a crash left behind. Two locks of the operating system, which end with the process, however that ends:
 * one on a file beside the store, for other containers and other files at this path; one on the store's device and
 * inode, for the same file by another name (a hard link, a bind mount).
 * @param path of a file that is there
 * @param onWait called once, with how long at most, when there is another process to wait for
 * @throws StoreError when another process keeps it
 * @returns lets go of it
 */
export async function lockStore(path: string, { signal, onWait }: StoreWait = {}): Promise<() => void> {
  const database = new DatabaseSync(`${realpathSync(path)}.lock`)
  for (let turn = 0; ; turn++) {
    try {
      if (!database.isTransaction) database.exec('BEGIN EXCLUSIVE')
      const unlockInode = await lockInode(path)
      return () => {
        unlockInode()
        database.close()
      }
    } catch (error) {
      if (turn * turnMs > waitMs || signal?.aborted) {
        database.close()
        throw new StoreError(
          `Another pg-marshal works with the store ${path}. Stop it, or give this one a store of its own (store.url).`,
          error,
        )
      }
    }
    if (turn === 0) onWait?.(waitMs / 1000)
    await pause(turnMs)
  }
}

/** Takes a name in Linux's abstract namespace of sockets, which leaves no file behind; elsewhere there is none. */
async function lockInode(path: string): Promise<() => void> {
  if (process.platform !== 'linux') return () => {}
  const { dev, ino } = statSync(path, { bigint: true })
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(`\0pg-marshal-store-${dev}-${ino}`, resolve)
  })
  server.unref()
  return () => server.close()
}
