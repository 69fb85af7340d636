import type { HistoryDatabase } from '../database.ts'
import { batch } from './pieces.ts'

/** A statement is marked as used no more often than so, milliseconds. */
export const markTextsMs = 3_600_000

/** Table of the statements by id, which the looks name. */
export function textsIn(use: HistoryDatabase) {
  return {
    /** Writes them, or marks them as used at this time. */
    async add(cluster: string, texts: ReadonlyMap<string, string>, at: number): Promise<void> {
      const all = [...texts].map(([id, text]) => ({
        ...{ cluster, id, text, used_at: at },
        bytes: Buffer.byteLength(text),
      }))
      for (let from = 0; from < all.length; from += batch)
        await use((db) =>
          db
            .insertInto('history_texts')
            .values(all.slice(from, from + batch))
            .onConflict((conflict) =>
              conflict
                .columns(['cluster', 'id'])
                .doUpdateSet({ used_at: at })
                // What was seen before a clock was set back still needs it.
                .where('history_texts.used_at', '<', at),
            )
            .execute(),
        )
    },
    async find(cluster: string, ids: readonly string[]): Promise<Map<string, string>> {
      const texts = new Map<string, string>()
      for (let at = 0; at < ids.length; at += batch) {
        const some = await use((db) =>
          db
            .selectFrom('history_texts')
            .select(['id', 'text'])
            .where('cluster', '=', cluster)
            .where('id', 'in', ids.slice(at, at + batch))
            .execute(),
        )
        for (const { id, text } of some) texts.set(id, text)
      }
      return texts
    },
    /** Removes those that no look since this time names. @returns their number */
    remove: (before: number): Promise<number> =>
      use(async (db) => {
        const { numDeletedRows } = await db
          .deleteFrom('history_texts')
          .where('used_at', '<', before - markTextsMs)
          .executeTakeFirst()
        return Number(numDeletedRows)
      }),
  }
}
