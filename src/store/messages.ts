import { type Kysely, sql } from 'kysely'
import { atomically, type Schema } from './schema.ts'

/** A message as it should stand in Slack. Whoever changes it says how it should look; the outbox makes it so. */
export type Message = {
  readonly id: string
  readonly channel: string
  /** The id of the message in whose thread it stands; null for one in the channel itself. */
  readonly threadOf: string | null
  /** The highest goes first. */
  readonly priority: number
  /** It is never edited, so nothing of it is kept once it stands. */
  readonly once: boolean
  /** The fallback for notifications and screen readers, escaped already. */
  readonly text: string
  /** Block Kit. */
  readonly blocks: readonly unknown[]
}

/** A message whose wanted content is not in Slack yet. */
export type Pending = Pick<Message, 'id' | 'channel' | 'threadOf' | 'priority'> & {
  /** Where it stands; null while it was never posted. */
  readonly ts: string | null
  /** The ts of the message in whose thread it goes; null when it goes into none. */
  readonly threadTs: string | null
  readonly attempts: number
  readonly notBefore: number
  readonly createdAt: number
  /** The last attempt may have gone through without our hearing of it. */
  readonly replyLost: boolean
}

export type Messages = {
  /** Says how a message should look, new or known. The same content again changes nothing. */
  put(message: Message, now: number): Promise<void>
  /**
   * What is not in Slack yet and can go there (a thread needs its first message), without what it says: the most
   * urgent first, then in the order of its making; of very many only the first.
   */
  pending(): Promise<Pending[]>
  /** What a message is to say now. */
  content(
    id: string,
  ): Promise<{ readonly text: string; readonly blocks: readonly unknown[]; readonly revision: number } | null>
  /** How much is not in Slack yet, and since when the oldest message waits that was never posted; null: none does. */
  backlog(): Promise<{ readonly count: number; readonly oldestAt: number | null }>
  /** It stands in Slack as of this revision. */
  delivered(id: string, revision: number, ts: string): Promise<void>
  /** It could not be delivered; not to be tried again before that time. */
  failed(id: string, notBefore: number, error: string): Promise<void>
  /** Somebody deleted it in Slack: it is to be posted anew. */
  lost(id: string): Promise<void>
  /** Whether it was ever put. */
  isKnown(id: string): Promise<boolean>
  /** Where a message stands; null when it was not posted yet. */
  tsOf(id: string): Promise<string | null>
}

/** More than can be delivered while one call is under way. */
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
          text: message.text,
          blocks: JSON.stringify(message.blocks),
        }
        const known = await db
          .selectFrom('messages')
          .select(['text', 'blocks', 'revision'])
          .where('id', '=', message.id)
          .executeTakeFirst()
        if (known && known.text === content.text && known.blocks === content.blocks) return
        if (known) {
          await db
            .updateTable('messages')
            .set({ ...content, revision: known.revision + 1, not_before: 0 })
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
            attempts: 0,
            not_before: 0,
            error: null,
            created_at: now,
          })
          .execute()
      }),
    async pending() {
      const rows = await undelivered
        .leftJoin('messages as first', 'first.id', 'message.thread_of')
        .select(['message.id', 'message.channel', 'message.thread_of', 'message.priority', 'message.ts'])
        .select(['message.attempts', 'message.not_before', 'message.error', 'message.created_at'])
        .select('first.ts as thread_ts')
        .where((where) =>
          where.or([where('message.thread_of', 'is', null), where('first.ts', 'is not', null)]),
        )
        .orderBy('message.priority', 'desc')
        .orderBy('message.seq')
        .limit(mostAtOnce)
        .execute()
      return rows.map((row) => ({
        id: row.id,
        channel: row.channel,
        threadOf: row.thread_of,
        priority: row.priority,
        ts: row.ts,
        threadTs: row.thread_ts,
        attempts: row.attempts,
        notBefore: row.not_before,
        createdAt: row.created_at,
        replyLost: row.error === 'unreachable' || (row.error?.startsWith('http_5') ?? false),
      }))
    },
    async content(id) {
      const row = await db
        .selectFrom('messages')
        .select(['text', 'blocks', 'revision'])
        .where('id', '=', id)
        .executeTakeFirst()
      return row ? { ...row, blocks: JSON.parse(row.blocks) as unknown[] } : null
    },
    async backlog() {
      const { count } = await undelivered
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      const { oldest } = await undelivered
        .where('message.ts', 'is', null)
        .select(({ fn }) => fn.min('message.created_at').as('oldest'))
        .executeTakeFirstOrThrow()
      return { count: Number(count), oldestAt: oldest }
    },
    delivered: (id, revision, ts) =>
      atomically(db, async (db) => {
        await db.deleteFrom('messages').where('id', '=', id).where('once', '=', 1).execute()
        await db
          .updateTable('messages')
          .set({ ts, sent_revision: revision, attempts: 0, not_before: 0, error: null })
          .where('id', '=', id)
          .execute()
      }),
    async failed(id, notBefore, error) {
      await db
        .updateTable('messages')
        .set({ not_before: notBefore, error, attempts: sql<number>`attempts + 1` })
        .where('id', '=', id)
        .execute()
    },
    async lost(id) {
      await db.updateTable('messages').set({ ts: null, sent_revision: 0 }).where('id', '=', id).execute()
    },
    async isKnown(id) {
      const row = await db.selectFrom('messages').select('id').where('id', '=', id).executeTakeFirst()
      return row !== undefined
    },
    async tsOf(id) {
      const row = await db.selectFrom('messages').select('ts').where('id', '=', id).executeTakeFirst()
      return row?.ts ?? null
    },
  }
}
