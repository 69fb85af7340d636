import { type Kysely, sql } from 'kysely'
import type { Severity } from '../domain/incidents/severity.ts'
import type { Told } from '../domain/incidents/webhook.ts'
import { atomically, type Schema } from './schema.ts'

/** A document that a receiver has not taken yet. */
export type Delivery = {
  readonly id: string
  readonly receiver: string
  /** The incident or card that it is about: for each, a receiver gets its documents in order. */
  readonly subject: string
  readonly attempts: number
  readonly notBefore: number
  /** Code of the last attempt; null without one. */
  readonly error: string | null
  readonly createdAt: number
}

/** Deliveries that wait for one receiver. */
export type WebhookBacklog = { readonly receiver: string; readonly count: number; readonly oldestAt: number }

export type Webhooks = {
  /** Reads what the receivers have heard of these incidents. */
  told(
    incidentIds: readonly string[],
  ): Promise<(Told & { readonly receiver: string; readonly incidentId: string })[]>
  /** Remembers what a receiver has heard of an incident; null: that it is over, or nothing. */
  tell(receiver: string, incidentId: string, told: Told | null): Promise<void>
  enqueue(
    delivery: Pick<Delivery, 'id' | 'receiver' | 'subject'> & { readonly document: string },
    now: number,
  ): Promise<void>
  /** Takes back what a receiver need not get any more about this subject. What is under way to it stays. */
  drop(receiver: string, subject: string): Promise<void>
  /** Lists the oldest delivery of each subject and receiver, in the order in which they came. */
  heads(): Promise<Delivery[]>
  document(id: string): Promise<string | null>
  /**
   * Begins an attempt: until then nobody else sends it.
   * @returns false when somebody else began it since `delivery` was read
   */
  begin(delivery: Pick<Delivery, 'id' | 'attempts'>, until: number): Promise<boolean>
  /** It was not taken, and is not to be tried before then. */
  failed(id: string, notBefore: number, error: string): Promise<void>
  /** Forgets a delivery: it was taken, or is given up. */
  remove(id: string): Promise<void>
  backlog(): Promise<WebhookBacklog[]>
  /** Forgets all receivers but these. */
  keepOnly(receivers: readonly string[]): Promise<void>
}

/** In place of the error of an attempt that is under way. */
export const sending = 'sending'

/** More than can be sent while one call is under way. */
const mostAtOnce = 500

export function webhooksIn(db: Kysely<Schema>): Webhooks {
  return {
    async told(incidentIds) {
      if (incidentIds.length === 0) return []
      const rows = await db
        .selectFrom('webhook_told')
        .selectAll()
        .where('incident_id', 'in', incidentIds)
        .execute()
      return rows.map((row) => ({
        receiver: row.receiver,
        incidentId: row.incident_id,
        severity: row.severity as Severity,
        acknowledgedBy: row.acknowledged_by,
      }))
    },
    async tell(receiver, incidentId, told) {
      if (!told) {
        await db
          .deleteFrom('webhook_told')
          .where('receiver', '=', receiver)
          .where('incident_id', '=', incidentId)
          .execute()
        return
      }
      const state = { severity: told.severity, acknowledged_by: told.acknowledgedBy }
      await db
        .insertInto('webhook_told')
        .values({ receiver, incident_id: incidentId, ...state })
        .onConflict((conflict) => conflict.columns(['receiver', 'incident_id']).doUpdateSet(state))
        .execute()
    },
    enqueue: ({ id, receiver, subject, document }, now) =>
      atomically(db, async (db) => {
        const { last } = await db
          .selectFrom('webhook_deliveries')
          .select(({ fn }) => fn.max('seq').as('last'))
          .executeTakeFirstOrThrow()
        await db
          .insertInto('webhook_deliveries')
          .values({
            id,
            seq: Number(last ?? 0) + 1,
            receiver,
            subject,
            document,
            attempts: 0,
            not_before: 0,
            error: null,
            created_at: now,
          })
          .execute()
      }),
    async drop(receiver, subject) {
      await db
        .deleteFrom('webhook_deliveries')
        .where('receiver', '=', receiver)
        .where('subject', '=', subject)
        .where((where) => where.or([where('error', 'is', null), where('error', '!=', sending)]))
        .execute()
    },
    async heads() {
      const ordered = db
        .selectFrom('webhook_deliveries')
        .select(['id', 'seq', 'receiver', 'subject', 'attempts', 'not_before', 'error', 'created_at'])
        .select(({ fn }) =>
          fn
            .agg<number>('row_number')
            .over((over) => over.partitionBy(['receiver', 'subject']).orderBy('seq'))
            .as('place'),
        )
      const first = db
        .selectFrom(ordered.as('ordered'))
        .selectAll()
        .select(({ fn }) =>
          fn
            .agg<number>('row_number')
            .over((over) => over.partitionBy('receiver').orderBy('not_before').orderBy('seq'))
            .as('turn'),
        )
        .where('place', '=', 1)
      const rows = await db
        .selectFrom(first.as('first'))
        .selectAll()
        .where('turn', '<=', mostAtOnce)
        .orderBy('seq')
        .execute()
      return rows.map((row) => ({
        id: row.id,
        receiver: row.receiver,
        subject: row.subject,
        attempts: row.attempts,
        notBefore: row.not_before,
        error: row.error,
        createdAt: row.created_at,
      }))
    },
    async document(id) {
      const row = await db
        .selectFrom('webhook_deliveries')
        .select('document')
        .where('id', '=', id)
        .executeTakeFirst()
      return row?.document ?? null
    },
    async begin({ id, attempts }, until) {
      const { numUpdatedRows } = await db
        .updateTable('webhook_deliveries')
        .set({ attempts: sql<number>`attempts + 1`, not_before: until, error: sending })
        .where('id', '=', id)
        .where('attempts', '=', attempts)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    async failed(id, notBefore, error) {
      await db
        .updateTable('webhook_deliveries')
        .set({ not_before: notBefore, error })
        .where('id', '=', id)
        .execute()
    },
    async remove(id) {
      await db.deleteFrom('webhook_deliveries').where('id', '=', id).execute()
    },
    async backlog() {
      const rows = await db
        .selectFrom('webhook_deliveries')
        .select('receiver')
        .select(({ fn }) => [fn.countAll<number>().as('count'), fn.min('created_at').as('oldest')])
        .groupBy('receiver')
        .execute()
      return rows.map(({ receiver, count, oldest }) => ({
        receiver,
        count: Number(count),
        oldestAt: Number(oldest),
      }))
    },
    keepOnly: (receivers) =>
      atomically(db, async (db) => {
        for (const table of ['webhook_told', 'webhook_deliveries'] as const)
          await db
            .deleteFrom(table)
            .$if(receivers.length > 0, (all) => all.where('receiver', 'not in', receivers))
            .execute()
      }),
  }
}
