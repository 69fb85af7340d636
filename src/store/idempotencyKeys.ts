import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** A call of a program that may come again: by the key that it chose, for its token alone. */
export type OnceKey = {
  readonly token: string
  readonly key: string
  /** Hash of the request: the same key with another one is a mistake. */
  readonly fingerprint: string
}

/** Memory of what the calls of programs led to, so that the same call again leads to the same. */
export type IdempotencyKeys = {
  /** Finds what the call with this key asked, and the proposal that it led to; null where there was none. */
  find(
    by: Pick<OnceKey, 'token' | 'key'>,
  ): Promise<{ readonly fingerprint: string; readonly proposalId: string } | null>
  /** Remembers it, in the transaction that makes or joins the proposal. */
  put(call: OnceKey, proposalId: string, now: number): Promise<void>
  /** Forgets what was remembered before that time. */
  forgetBefore(time: number): Promise<void>
}

export function idempotencyKeysIn(db: Kysely<Schema>): IdempotencyKeys {
  return {
    async find({ token, key }) {
      const row = await db
        .selectFrom('idempotency_keys')
        .select(['fingerprint', 'proposal_id'])
        .where('token', '=', token)
        .where('key', '=', key)
        .executeTakeFirst()
      return row ? { fingerprint: row.fingerprint, proposalId: row.proposal_id } : null
    },
    async put({ token, key, fingerprint }, proposalId, now) {
      await db
        .insertInto('idempotency_keys')
        .values({ token, key, fingerprint, proposal_id: proposalId, used_at: now })
        .execute()
    },
    async forgetBefore(time) {
      await db.deleteFrom('idempotency_keys').where('used_at', '<', time).execute()
    },
  }
}
