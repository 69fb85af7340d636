import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** Memory of sweeps, by cluster: each time of theirs is seen to once. */
export type Sweeps = {
  /**
   * Reads the last time that was seen to. One that is not known, or has another schedule now, begins now: its earlier times
   * were never promised. So does one that was seen to by a clock that was far ahead.
   */
  seenTo(sweep: string, cluster: string, schedule: string, now: number): Promise<number>
  /**
   * Takes the times until then, in the transaction that does what they ask for.
   * @returns false where somebody else has
   */
  take(sweep: string, cluster: string, schedule: string, until: number): Promise<boolean>
  /** Forgets all others: one that comes back begins then. */
  keepOnly(those: readonly { readonly sweep: string; readonly cluster: string }[]): Promise<void>
}

/** A clock that is set back by no more brings no time twice. */
const mostAheadMs = 3_600_000

export function sweepsIn(db: Kysely<Schema>): Sweeps {
  const find = (sweep: string, cluster: string) =>
    db.selectFrom('sweeps').selectAll().where('sweep', '=', sweep).where('cluster', '=', cluster)
  return {
    async seenTo(sweep, cluster, schedule, now) {
      const row = await find(sweep, cluster).executeTakeFirst()
      if (row?.schedule === schedule && Number(row.seen_to) - now <= mostAheadMs) return Number(row.seen_to)
      await db
        .insertInto('sweeps')
        .values({ sweep, cluster, schedule, seen_to: now })
        .onConflict((on) => on.columns(['sweep', 'cluster']).doUpdateSet({ schedule, seen_to: now }))
        .execute()
      return now
    },
    async take(sweep, cluster, schedule, until) {
      const { numUpdatedRows } = await db
        .updateTable('sweeps')
        .set({ seen_to: until })
        .where('sweep', '=', sweep)
        .where('cluster', '=', cluster)
        .where('schedule', '=', schedule)
        .where('seen_to', '<', until)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    async keepOnly(those) {
      const known = await db.selectFrom('sweeps').select(['sweep', 'cluster']).execute()
      for (const row of known)
        if (!those.some(({ sweep, cluster }) => sweep === row.sweep && cluster === row.cluster))
          await db
            .deleteFrom('sweeps')
            .where('sweep', '=', row.sweep)
            .where('cluster', '=', row.cluster)
            .execute()
    },
  }
}
