import type { Block } from '@slack/types'
import { type Kysely, sql } from 'kysely'
import { readBlocks } from './documents.ts'
import { atomically, type Schema } from './schema.ts'

/** A message as it should stand in Slack. Whoever changes it says how it should look; the outbox makes it so. */
export type Message = {
  readonly id: string
  readonly channel: string
  /** The id of the message in whose thread it stands; null for one in the channel itself. */
  readonly threadOf: string | null
  /** A reply that is also sent to the channel. */
  readonly broadcast?: boolean
  /** The highest goes first. */
  readonly priority: number
  /** It is never edited, so nothing of it is kept once it stands. */
  readonly once: boolean
  /** This change of it is waited for: it does not keep the distance between two edits. */
  readonly urgent?: boolean
  /** The fallback for notifications and screen readers, escaped already. */
  readonly text: string
  /** Block Kit. */
  readonly blocks: readonly Block[]
}

/** A message whose wanted content is not in Slack yet. */
export type Pending = Pick<Message, 'id' | 'channel' | 'threadOf' | 'priority'> & {
  /** Timestamp of the message in Slack; null while it was never posted. */
  readonly ts: string | null
  /** The ts of the message in whose thread it goes; null when it goes into none. */
  readonly threadTs: string | null
  /** Time when its last edit (or its post) reached Slack; 0 before. */
  readonly sentAt: number
  readonly urgent: boolean
  readonly broadcast: boolean
  readonly attempts: number
  readonly notBefore: number
  readonly createdAt: number
  /** Slack's code for the last attempt, or `posting` where the process ended before it heard; null without an attempt. */
  readonly lastError: string | null
}

/** Messages that are not in Slack yet. Times are milliseconds since the epoch; null: nothing of the kind waits. */
export type Backlog = {
  readonly count: number
  /** Since when the oldest message waits that was never posted. */
  readonly oldestAt: number | null
  /** Since when a message in Slack says something else than it should. */
  readonly oldestEditAt: number | null
}

export type Messages = {
  /** Says how a message should look, new or known. The same content again changes nothing. */
  put(message: Message, now: number): Promise<void>
  /**
   * Lists messages that are not in Slack yet and can go there (a thread needs its first message), without their
   * content. The most urgent come first, then in the order of creation; of very many in a channel only the first.
   */
  pending(): Promise<Pending[]>
  /** Reads the current content of a message. */
  content(id: string): Promise<{
    readonly text: string
    readonly blocks: readonly Block[]
    readonly revision: number
  } | null>
  backlog(): Promise<Backlog>
  /**
   * It is about to be posted: should the process end before it hears of it, the message may stand in Slack. Nobody else
   * posts it, or looks for it, until then.
   * @param seen `notBefore` as it was read: whoever was faster has changed it
   * @returns false where somebody else posts it, or has
   */
  posting(id: string, seen: number, until: number): Promise<boolean>
  /**
   * It stands in Slack as of this revision.
   * @returns where else it was seen meanwhile; null as a rule
   */
  delivered(id: string, revision: number, ts: string, now: number): Promise<string | null>
  /**
   * Somebody saw it in Slack: where it is not known to stand, it stands there, and is not posted once more.
   * @returns where it stands; null when no such message belongs into this channel
   */
  seenAt(id: string, channel: string, ts: string): Promise<string | null>
  /**
   * It could not be delivered; not to be tried again before that time. What somebody else posts now stays theirs.
   * @param claimed `notBefore` as who tried it left it
   * @param error null: as it was
   */
  failed(id: string, claimed: number, notBefore: number, error: string | null): Promise<void>
  /** Takes back a message that was never posted, and is not being posted now. */
  drop(id: string): Promise<void>
  /** Returns true for a message that is to be posted, and does not stand in Slack. */
  isWaiting(id: string): Promise<boolean>
  /** Somebody deleted it in Slack where it stood: it is to be posted again. */
  lost(id: string, ts: string): Promise<void>
  /** Finds which of these stand in Slack, and where. */
  standing(
    ids: readonly string[],
  ): Promise<{ readonly id: string; readonly channel: string; readonly ts: string }[]>
  /** Returns true when the message was ever put. */
  isKnown(id: string): Promise<boolean>
}

/** In place of the error of a post that is under way. */
export const posting = 'posting'

/** More than can be delivered in one channel while one call is under way. */
const mostAtOnce = 500

export function messagesIn(db: Kysely<Schema>): Messages {
  const undelivered = db
    .selectFrom('messages as message')
    .whereRef('message.sent_revision', '<', 'message.revision')
  return {
    put: (message, now) =>
      atomically(db, async (db) => {
        const content = {
          channel: message.channel,
          priority: message.priority,
          once: message.once ? 1 : 0,
          broadcast: message.broadcast ? 1 : 0,
          text: message.text,
          blocks: JSON.stringify(message.blocks),
        }
        const known = await db
          .selectFrom('messages')
          .select(['text', 'blocks', 'revision', 'sent_revision', 'urgent', 'wanted_at', 'ts', 'error'])
          .where('id', '=', message.id)
          .executeTakeFirst()
        if (known && known.text === content.text && known.blocks === content.blocks) return
        if (known) {
          const waits = known.sent_revision < known.revision
          const isBeingPosted = known.ts === null && known.error === posting
          await db
            .updateTable('messages')
            .set({
              ...content,
              revision: known.revision + 1,
              urgent: message.urgent || (waits && known.urgent === 1) ? 1 : 0,
              wanted_at: waits ? known.wanted_at : now,
              ...(!isBeingPosted && { not_before: 0 }),
            })
            .where('id', '=', message.id)
            .execute()
          return
        }
        const { last } = await db
          .selectFrom('messages')
          .select(({ fn }) => fn.max('seq').as('last'))
          .executeTakeFirstOrThrow()
        await db
          .insertInto('messages')
          .values({
            id: message.id,
            seq: (last ?? 0) + 1,
            thread_of: message.threadOf,
            ...content,
            ts: null,
            revision: 1,
            sent_revision: 0,
            urgent: message.urgent ? 1 : 0,
            wanted_at: now,
            sent_at: 0,
            attempts: 0,
            not_before: 0,
            error: null,
            created_at: now,
          })
          .execute()
      }),
    async pending() {
      const ordered = undelivered
        .leftJoin('messages as first', 'first.id', 'message.thread_of')
        .select(['message.id', 'message.channel', 'message.thread_of', 'message.priority', 'message.ts'])
        .select(['message.attempts', 'message.not_before', 'message.error', 'message.created_at'])
        .select(['message.urgent', 'message.broadcast', 'message.sent_at', 'message.seq'])
        .select('first.ts as thread_ts')
        // So many of each channel: what waits for one that takes nothing must not hide what another one would take.
        .select(({ fn }) =>
          fn
            .agg<number>('row_number')
            .over((over) =>
              over.partitionBy('message.channel').orderBy('message.priority', 'desc').orderBy('message.seq'),
            )
            .as('place'),
        )
        .where((where) =>
          where.or([where('message.thread_of', 'is', null), where('first.ts', 'is not', null)]),
        )
      const rows = await db
        .selectFrom(ordered.as('ordered'))
        .selectAll()
        .where('place', '<=', mostAtOnce)
        .orderBy('priority', 'desc')
        .orderBy('seq')
        .execute()
      return rows.map((row) => ({
        id: row.id,
        channel: row.channel,
        threadOf: row.thread_of,
        priority: row.priority,
        ts: row.ts,
        threadTs: row.thread_ts,
        sentAt: row.sent_at,
        urgent: row.urgent === 1,
        broadcast: row.broadcast === 1,
        attempts: row.attempts,
        notBefore: row.not_before,
        createdAt: row.created_at,
        lastError: row.error,
      }))
    },
    async content(id) {
      const row = await db
        .selectFrom('messages')
        .select(['text', 'blocks', 'revision'])
        .where('id', '=', id)
        .executeTakeFirst()
      return row ? { ...row, blocks: readBlocks(id, row.blocks) } : null
    },
    async backlog() {
      const { count } = await undelivered
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      const oldest = async (standing: 'is' | 'is not') => {
        const { at } = await undelivered
          .where('message.ts', standing, null)
          .select(({ fn }) => fn.min('message.wanted_at').as('at'))
          .executeTakeFirstOrThrow()
        return at
      }
      return { count: Number(count), oldestAt: await oldest('is'), oldestEditAt: await oldest('is not') }
    },
    async posting(id, seen, until) {
      const { numUpdatedRows } = await db
        .updateTable('messages')
        .set({ error: posting, not_before: until })
        .where('id', '=', id)
        .where('ts', 'is', null)
        .where('not_before', '=', seen)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
    delivered: (id, revision, ts, now) =>
      atomically(db, async (db) => {
        const before = await db.selectFrom('messages').select('ts').where('id', '=', id).executeTakeFirst()
        await db.deleteFrom('messages').where('id', '=', id).where('once', '=', 1).execute()
        await db
          .updateTable('messages')
          .set({
            ts,
            sent_revision: revision,
            sent_at: now,
            wanted_at: now,
            attempts: 0,
            not_before: 0,
            error: null,
          })
          .where('id', '=', id)
          .execute()
        return before?.ts === ts ? null : (before?.ts ?? null)
      }),
    seenAt: (id, channel, ts) =>
      atomically(db, async (db) => {
        const message = db.selectFrom('messages').where('id', '=', id).where('channel', '=', channel)
        const known = await message.select('ts').executeTakeFirst()
        if (!known || known.ts !== null) return known?.ts ?? null
        await db.updateTable('messages').set({ ts }).where('id', '=', id).execute()
        return ts
      }),
    async failed(id, claimed, notBefore, error) {
      await db
        .updateTable('messages')
        .set({
          not_before: notBefore,
          attempts: sql<number>`attempts + 1`,
          ...(error !== null && { error }),
        })
        .where('id', '=', id)
        .where((where) =>
          where.or([
            where('ts', 'is not', null),
            where('error', 'is', null),
            where('error', '!=', posting),
            where('not_before', '=', claimed),
          ]),
        )
        .execute()
    },
    async drop(id) {
      await db
        .deleteFrom('messages')
        .where('id', '=', id)
        .where('ts', 'is', null)
        .where((where) => where.or([where('error', 'is', null), where('error', '!=', posting)]))
        .execute()
    },
    async isWaiting(id) {
      const waiting = db.selectFrom('messages').select('id').where('id', '=', id).where('ts', 'is', null)
      const row = await waiting
        .where((where) => where.or([where('error', 'is', null), where('error', '!=', posting)]))
        .executeTakeFirst()
      return row !== undefined
    },
    async lost(id, ts) {
      await db
        .updateTable('messages')
        .set({ ts: null, sent_revision: 0 })
        .where('id', '=', id)
        .where('ts', '=', ts)
        .execute()
    },
    standing: async (ids) =>
      ids.length === 0
        ? []
        : db
            .selectFrom('messages')
            .select(['id', 'channel', 'ts'])
            .where('id', 'in', ids)
            .where('ts', 'is not', null)
            .orderBy('seq')
            .$narrowType<{ ts: string }>()
            .execute(),
    async isKnown(id) {
      const row = await db.selectFrom('messages').select('id').where('id', '=', id).executeTakeFirst()
      return row !== undefined
    },
  }
}
