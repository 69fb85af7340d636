import type { HistoryDatabase } from '../database.ts'
import { batch, type HistoryPiece, packWhole, rowOf, rowsIn, whole } from './pieces.ts'
import { textsIn } from './texts.ts'

export type HistoryWriting = {
  /** Writes statements by id, which the pieces that follow name. */
  addTexts(cluster: string, texts: ReadonlyMap<string, string>, at: number): Promise<void>
  /** Writes pieces, but for those that are there: where it is not known whether they were written, they are written again. */
  addPieces(pieces: readonly HistoryPiece[]): Promise<void>
  /** Puts one row in the place of the pieces of a chunk that nothing is added to any more. */
  join(chunk: string): Promise<void>
}

export function writingIn(use: HistoryDatabase): HistoryWriting {
  return {
    addTexts: textsIn(use).add,
    async addPieces(pieces) {
      for (let from = 0; from < pieces.length; from += batch)
        await use((db) =>
          db
            .insertInto('history_chunks')
            .values(pieces.slice(from, from + batch).map(rowOf))
            .onConflict((conflict) => conflict.columns(['chunk', 'piece']).doNothing())
            .execute(),
        )
    },
    async join(chunk) {
      const pieces = await use((db) =>
        db
          .selectFrom('history_chunks')
          .selectAll()
          .where('chunk', '=', chunk)
          .where('piece', '>', whole)
          .orderBy('piece')
          .execute(),
      )
      const [first] = pieces
      if (!first || pieces.length < 2) return
      const rows = await rowsIn(chunk, pieces)
      if (!rows) return
      const joined = rowOf({
        ...{ chunk, piece: whole, cluster: first.cluster, data: await packWhole(rows) },
        fromAt: Number(first.from_at),
        toAt: Number(pieces.at(-1)?.to_at),
        changes: pieces.flatMap(({ changes }) => JSON.parse(changes) as number[]),
      })
      await use(async (db) => {
        await db.deleteFrom('history_chunks').where('chunk', '=', chunk).execute()
        await db.insertInto('history_chunks').values(joined).execute()
      })
    },
  }
}
