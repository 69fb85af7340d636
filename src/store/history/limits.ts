import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import type { HistoryDatabase } from '../database.ts'
import type { Schema } from '../schema.ts'
import { longestChunkMs } from './pieces.ts'
import { textsIn } from './texts.ts'

/** Room that the record takes, and the time of its oldest look, milliseconds; null: it has none. */
export type HistoryExtent = { readonly bytes: number; readonly oldestAt: number | null }

export type HistoryLimits = {
  /** Removes the chunks that end before this time, and the statements that none names any more. */
  prune(before: number): Promise<void>
  /** Removes the oldest chunks until no more than so many bytes are left. @returns the number of chunks */
  shrink(mostBytes: number): Promise<number>
  extent(): Promise<HistoryExtent>
}

/** Pieces that are looked at to remove their chunks at once, so that others get their turn. */
const removedAtOnce = 50

export function limitsIn(use: HistoryDatabase): HistoryLimits {
  const texts = textsIn(use)

  /** Removes some of the oldest chunks that begin before this time, no more than have so many bytes, but for the last of them. */
  const removeOldest = (before: number, bytes = Number.POSITIVE_INFINITY) =>
    use(async (db) => {
      const oldest = await db
        .selectFrom('history_chunks')
        .select('chunk')
        .where('from_at', '<', before)
        .orderBy('from_at')
        .limit(removedAtOnce)
        .execute()
      if (oldest.length === 0) return []
      const rows = await db
        .selectFrom('history_chunks')
        .select(({ fn }) => ['chunk', fn.min('from_at').as('start'), fn.sum('bytes').as('bytes')])
        .where(
          'chunk',
          'in',
          oldest.map(({ chunk }) => chunk),
        )
        .groupBy('chunk')
        .orderBy('start')
        .execute()
      let sum = 0
      const chunks: { readonly chunk: string; readonly bytes: number }[] = []
      for (const { chunk, bytes: own } of rows) {
        if (sum >= bytes) break
        chunks.push({ chunk, bytes: Number(own) })
        sum += Number(own)
      }
      await db
        .deleteFrom('history_chunks')
        .where(
          'chunk',
          'in',
          chunks.map(({ chunk }) => chunk),
        )
        .execute()
      return chunks
    })

  const extent = (): Promise<HistoryExtent> =>
    use(async (db) => {
      const bytes = async (table: 'history_chunks' | 'history_texts') => {
        const row = await db
          .selectFrom(table)
          .select(sql<number | string | null>`sum(bytes)`.as('bytes'))
          .executeTakeFirst()
        return Number(row?.bytes ?? 0)
      }
      const oldestAt = await startOf(db)
      return { bytes: (await bytes('history_chunks')) + (await bytes('history_texts')), oldestAt }
    })

  return {
    extent,
    async prune(before) {
      // A chunk that begins so early has ended before that time.
      while ((await removeOldest(before - longestChunkMs)).length > 0) await nextTurn()
      await texts.remove(before)
    },
    async shrink(mostBytes) {
      let dropped = 0
      let over = (await extent()).bytes - mostBytes
      while (over > 0) {
        const chunks = await removeOldest(Number.MAX_SAFE_INTEGER, over)
        if (chunks.length === 0) return dropped
        dropped += chunks.length
        over -= chunks.reduce((sum, { bytes }) => sum + bytes, 0)
        const removed = await texts.remove((await use(startOf)) ?? Number.MAX_SAFE_INTEGER)
        if (removed > 0) over = (await extent()).bytes - mostBytes
        await nextTurn()
      }
      return dropped
    },
  }
}

/** Time of the first look of all; null without any. */
async function startOf(db: Kysely<Schema>): Promise<number | null> {
  const row = await db
    .selectFrom('history_chunks')
    .select('from_at')
    .orderBy('from_at')
    .limit(1)
    .executeTakeFirst()
  return row ? Number(row.from_at) : null
}
