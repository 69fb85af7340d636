import type { Kysely } from 'kysely'
import type { Calls } from '../domain/incidents/ladder.ts'
import { callsDocument } from './documents.ts'
import type { Schema } from './schema.ts'

/** Memory of who was called, by the id of the incident, or of the proposal that somebody requested by hand. */
export type CallsTable = {
  get(id: string): Promise<Calls | null>
  put(id: string, calls: Calls): Promise<void>
  /** Those for which somebody was called after this time. */
  calledSince(at: number): Promise<{ readonly id: string; readonly calls: Calls }[]>
}

export function callsIn(db: Kysely<Schema>): CallsTable {
  const select = db.selectFrom('calls').select(['id', 'data'])
  const { read, write } = callsDocument
  return {
    async get(id) {
      const row = await select.where('id', '=', id).executeTakeFirst()
      return row ? read(row) : null
    },
    async put(id, calls) {
      const state = { called_at: calls.sent.at(-1)?.at ?? 0, data: write(calls) }
      await db
        .insertInto('calls')
        .values({ id, ...state })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(state))
        .execute()
    },
    async calledSince(at) {
      const rows = await select.where('called_at', '>', at).orderBy('called_at').execute()
      return rows.map((row) => ({ id: row.id, calls: read(row) }))
    },
  }
}
