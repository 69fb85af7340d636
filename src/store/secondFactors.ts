import type { Kysely } from 'kysely'
import type { CodeMemory } from '../domain/approvals/secondFactor.ts'
import type { Schema } from './schema.ts'

/** Enrolment of a person: the encrypted secret of their authenticator app, and what is remembered of their codes. */
export type Enrolment = CodeMemory & {
  readonly userId: string
  /** Only who has the key can read it, see `createAuthenticator`. */
  readonly sealed: string
  /** Milliseconds since the epoch. */
  readonly enrolledAt: number
  readonly revision: number
}

export type SecondFactors = {
  /** @returns false when this person is enrolled already, and nothing was written */
  enroll(made: Pick<Enrolment, 'userId' | 'sealed' | 'enrolledAt'> & CodeMemory): Promise<boolean>
  get(userId: string): Promise<Enrolment | null>
  /** Lists all that there are, by user id. */
  all(): Promise<Enrolment[]>
  /** @returns false when there was none */
  remove(userId: string): Promise<boolean>
  /**
   * Compares and swaps: remembers `next` only if nothing was remembered, and nobody enrolled again, since `before` was read.
   * @returns false when somebody was faster, and nothing was written
   */
  swap(before: Enrolment, next: CodeMemory): Promise<boolean>
}

export function secondFactorsIn(db: Kysely<Schema>): SecondFactors {
  const select = db
    .selectFrom('second_factors')
    .select([
      'user_id as userId',
      'sealed',
      'enrolled_at as enrolledAt',
      'last_step as lastStep',
      'wrong',
      'locked_until as lockedUntil',
      'revision',
    ])
  return {
    async enroll({ userId, sealed, enrolledAt, lastStep, wrong, lockedUntil }) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('second_factors')
        .values({
          user_id: userId,
          sealed,
          enrolled_at: enrolledAt,
          last_step: lastStep,
          wrong,
          locked_until: lockedUntil,
          revision: 1,
        })
        .onConflict((conflict) => conflict.column('user_id').doNothing())
        .executeTakeFirstOrThrow()
      return numInsertedOrUpdatedRows === 1n
    },
    async get(userId) {
      return (await select.where('user_id', '=', userId).executeTakeFirst()) ?? null
    },
    all: () => select.orderBy('user_id').execute(),
    async remove(userId) {
      const { numDeletedRows } = await db
        .deleteFrom('second_factors')
        .where('user_id', '=', userId)
        .executeTakeFirst()
      return numDeletedRows === 1n
    },
    async swap(before, { lastStep, wrong, lockedUntil }) {
      const { numUpdatedRows } = await db
        .updateTable('second_factors')
        .set({ last_step: lastStep, wrong, locked_until: lockedUntil, revision: before.revision + 1 })
        .where('user_id', '=', before.userId)
        // Who was enrolled again since has another secret.
        .where('sealed', '=', before.sealed)
        .where('revision', '=', before.revision)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
  }
}
