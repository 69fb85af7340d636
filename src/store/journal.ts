import type { Kysely } from 'kysely'
import {
  chainHash,
  firstHash,
  type JournalEvent,
  type JournalRow,
  type StoredRow,
} from '../domain/approvals/journal.ts'
import { readEvent } from './documents.ts'
import { atomically, type Schema } from './schema.ts'

export type Journal = {
  /** Appends a row; it is on disk when this resolves. Throws when it cannot be written: then nothing may be done. */
  append(at: number, cardId: string | null, event: JournalEvent): Promise<JournalRow>
  /** Reads what happened on these cards, oldest first; at most the last `limit`. */
  ofCards(cardIds: readonly string[], limit: number): Promise<JournalRow[]>
  /** The last rows, oldest first. */
  latest(limit: number): Promise<JournalRow[]>
  /** The last few rows of these kinds about a cluster, newest first. */
  latestAbout(cluster: string, kinds: readonly JournalEvent['kind'][]): Promise<JournalRow[]>
  /** The rows of these kinds since then, oldest first. */
  since(at: number, kinds: readonly JournalEvent['kind'][]): Promise<JournalRow[]>
  /** The cards whose id begins so. */
  cardsLike(beginning: string): Promise<string[]>
  /** Every row as it is stored, in the order of `seq`. */
  all(): AsyncIterable<StoredRow>
}

/** Number of rows that are read at once when all are. */
const page = 1000

export function journalIn(db: Kysely<Schema>): Journal {
  const select = db
    .selectFrom('journal')
    .select(['seq', 'at', 'card_id as cardId', 'kind', 'event', 'previous', 'hash'])
  const read = ({ kind: _, event, ...row }: StoredRow): JournalRow => ({
    ...row,
    event: readEvent(row.seq, event),
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
        const unsigned = {
          seq: (last?.seq ?? 0) + 1,
          at,
          cardId,
          kind: event.kind,
          event: JSON.stringify(event),
          previous: last?.hash ?? firstHash,
        }
        const row = { ...unsigned, hash: chainHash(unsigned) }
        const { cardId: card_id, ...columns } = row
        await db
          .insertInto('journal')
          .values({ ...columns, card_id })
          .execute()
        return read(row)
      }),
    async ofCards(cardIds, limit) {
      if (cardIds.length === 0) return []
      const rows = await select.where('card_id', 'in', cardIds).orderBy('seq', 'desc').limit(limit).execute()
      return rows.reverse().map(read)
    },
    async latest(limit) {
      return (await select.orderBy('seq', 'desc').limit(limit).execute()).reverse().map(read)
    },
    async latestAbout(cluster, kinds) {
      const rows = await select
        .where('kind', 'in', kinds)
        .where('event', 'like', `%${JSON.stringify(cluster)}%`)
        .orderBy('seq', 'desc')
        .limit(20)
        .execute()
      return rows.map(read).filter(({ event }) => 'cluster' in event && event.cluster === cluster)
    },
    async since(at, kinds) {
      const rows = await select.where('kind', 'in', kinds).where('at', '>=', at).orderBy('seq').execute()
      return rows.map(read)
    },
    async cardsLike(beginning) {
      const rows = await db
        .selectFrom('journal')
        .select('card_id')
        .distinct()
        .where('card_id', 'like', `${beginning.replaceAll(/[^0-9a-f-]/g, '')}%`)
        .limit(20)
        .execute()
      return rows.flatMap((row) => row.card_id ?? [])
    },
    async *all() {
      for (let after: number | null = null; ; ) {
        // Also rows with a number below zero, which somebody put in.
        const rest: typeof select = after === null ? select : select.where('seq', '>', after)
        const rows: StoredRow[] = await rest.orderBy('seq').limit(page).execute()
        yield* rows
        const last = rows.at(-1)
        if (!last || rows.length < page) return
        after = last.seq
      }
    },
  }
}
