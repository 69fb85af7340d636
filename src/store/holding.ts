import { setTimeout as pause } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { StoreError } from './failure.ts'
import type { StoreWait } from './lock.ts'
import type { Schema } from './schema.ts'

/** Time for which a process has the store without saying so again. It says so with each probe, once a second. */
const holdMs = 10_000
/** Time for which a starting process waits for the one before it: it may have ended without giving the store back. */
const waitMs = 15_000
const turnMs = 500

/** The right to work with a store in PostgreSQL. Another process that begins makes it void. */
export type Holding = {
  readonly epoch: number
  /** @throws StoreError when another process has the store */
  renew(): Promise<void>
  giveBack(): Promise<void>
}

/** Milliseconds since the epoch by the clock of the store's server: those of processes are apart. */
const serverNow = sql<number>`(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint`

export const takenOver = 'another pg-marshal works with it now, so stop me or give me a store of my own'

/**
 * Takes the store for this process alone, as the lock on the file does for SQLite. No lock of a session: it would not
 * survive a pooler, and a process that stops and wakes would not notice that it lost it.
 * @throws StoreError when another process has it and goes on
 */
export async function holdStore(db: Kysely<Schema>, { signal, onWait }: StoreWait): Promise<Holding> {
  for (let turn = 0; ; turn++) {
    const taken = await db
      .updateTable('writer')
      .set({ epoch: sql<number>`epoch + 1`, held_until: sql<number>`${serverNow} + ${holdMs}::bigint` })
      .where('held_until', '<', serverNow)
      .returning('epoch')
      .executeTakeFirst()
    if (taken) return holding(db, taken.epoch)
    if (turn * turnMs > waitMs || signal?.aborted)
      throw new StoreError(
        'Another pg-marshal works with the store. Stop it, or give this one a store of its own (store.url).',
        null,
      )
    if (turn === 0) onWait?.(waitMs / 1000)
    await pause(turnMs)
  }
}

const holding = (db: Kysely<Schema>, epoch: number): Holding => ({
  epoch,
  async renew() {
    const { numUpdatedRows } = await db
      .updateTable('writer')
      .set({ held_until: sql<number>`${serverNow} + ${holdMs}::bigint` })
      .where('epoch', '=', epoch)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) throw new StoreError(takenOver, null)
  },
  async giveBack() {
    await db.updateTable('writer').set({ held_until: 0 }).where('epoch', '=', epoch).execute()
  },
})
