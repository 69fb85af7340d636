import type { Kysely } from 'kysely'
import { chainHash, firstHash, type JournalEvent, type JournalRow } from '../domain/journal.ts'
import { atomically, type Schema } from './schema.ts'

export type Journal = {
  /** Appends a row; it is on disk when this resolves. Throws when it cannot be written: then nothing may be done. */
  append(at: number, cardId: string | null, event: JournalEvent): Promise<JournalRow>
  /** What happened around one card, oldest first. */
  ofCard(cardId: string): Promise<JournalRow[]>
  /** Everything from one row on, oldest first. */
  since(seq: number, limit: number): Promise<JournalRow[]>
}

export function journalIn(db: Kysely<Schema>): Journal {
  const read = (row: Schema['journal']): JournalRow => ({
    seq: row.seq,
    at: row.at,
    cardId: row.card_id,
    event: JSON.parse(row.event) as JournalEvent,
    previous: row.previous,
    hash: row.hash,
  })
  return {
    append: (at, cardId, event) =>
      atomically(db, async (db) => {
        const last = await db
          .selectFrom('journal')
          .select(['seq', 'hash'])
          .orderBy('seq', 'desc')
          .limit(1)
          .executeTakeFirst()
        const unsigned = { seq: (last?.seq ?? 0) + 1, at, cardId, event, previous: last?.hash ?? firstHash }
        const row = { ...unsigned, hash: chainHash(unsigned) }
        await db
          .insertInto('journal')
          .values({
            seq: row.seq,
            at,
            card_id: cardId,
            kind: event.kind,
            event: JSON.stringify(event),
            previous: row.previous,
            hash: row.hash,
          })
          .execute()
        return row
      }),
    async ofCard(cardId) {
      const rows = await db
        .selectFrom('journal')
        .selectAll()
        .where('card_id', '=', cardId)
        .orderBy('seq')
        .execute()
      return rows.map(read)
    },
    async since(seq, limit) {
      const rows = await db
        .selectFrom('journal')
        .selectAll()
        .where('seq', '>=', seq)
        .orderBy('seq')
        .limit(limit)
        .execute()
      return rows.map(read)
    },
  }
}
