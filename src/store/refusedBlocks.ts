import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** Kinds of blocks that the workspace refused, each with when it did so last. */
export type RefusedBlocksTable = {
  put(kind: string, at: number): Promise<void>
  all(): Promise<{ readonly kind: string; readonly at: number }[]>
}

export function refusedBlocksIn(db: Kysely<Schema>): RefusedBlocksTable {
  return {
    async put(kind, at) {
      await db
        .insertInto('refused_blocks')
        .values({ kind, refused_at: at })
        .onConflict((conflict) => conflict.column('kind').doUpdateSet({ refused_at: at }))
        .execute()
    },
    async all() {
      const rows = await db.selectFrom('refused_blocks').selectAll().orderBy('kind').execute()
      return rows.map((row) => ({ kind: row.kind, at: row.refused_at }))
    },
  }
}
