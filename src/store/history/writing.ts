import { setImmediate as turn } from 'node:timers/promises'
import type { HistoryDatabase } from '../database.ts'
import { batch, type HistoryPiece, pieceRow, rowsIn, whole, wholeRow } from './pieces.ts'
import { textsIn } from './texts.ts'

export type HistoryWriting = {
  /** Writes statements by id, which the pieces that follow name. */
  addTexts(cluster: string, texts: ReadonlyMap<string, string>, at: number): Promise<void>
  addPieces(pieces: readonly HistoryPiece[]): Promise<void>
  /** Puts one row in the place of the pieces of a chunk that nothing is added to any more. */
  join(chunk: string): Promise<void>
}

export function writingIn(use: HistoryDatabase): HistoryWriting {
  return {
    addTexts: textsIn(use).add,
    async addPieces(pieces) {
      const rows: ReturnType<typeof pieceRow>[] = []
      for (const piece of pieces) {
        await turn()
        rows.push(pieceRow(piece))
      }
      for (let from = 0; from < rows.length; from += batch)
        await use((db) =>
          db
            .insertInto('history_chunks')
            .values(rows.slice(from, from + batch))
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
      const joined = await wholeRow({
        ...{ chunk, piece: whole, cluster: first.cluster, rows },
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
