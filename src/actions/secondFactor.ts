import { type Refusal, refusalOf } from '../domain/approvals/access.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import {
  type CodeVerdict,
  judgeCode,
  lockedUntil,
  lockMs,
  mostWrong,
  readCode,
} from '../domain/approvals/secondFactor.ts'
import { formatDuration } from '../domain/text/duration.ts'
import type { Cards } from '../notify/cards.ts'
import type { Enrolment, SecondFactors } from '../store/secondFactors.ts'
import type { Authenticator, OpenSecret } from './authenticator.ts'
import type { Authorization, Caller } from './authorize.ts'

/** Proof that a code of this person was used up for this proposal, and for nothing else. */
export type AcceptedCode = { readonly userId: string; readonly proposalId: string }

export type SecondFactor = {
  /** Says why no code of this person would count now; null when one may. */
  hindrance(userId: string): Promise<Refusal | null>
  /**
   * Uses up a code that somebody typed. Of any number of presses with the same code, on any number of replicas, one gets it.
   * What was wrong is counted and journalled first, without the code.
   */
  use(caller: Caller, proposal: Proposal, typed: string): Promise<AcceptedCode | Refusal>
}

export function createSecondFactor(deps: {
  readonly factors: SecondFactors
  readonly authenticator: Authenticator
  readonly cards: Cards
  readonly authorization: Authorization
  readonly now: () => number
}): SecondFactor {
  const { factors, authenticator, cards, now } = deps

  return {
    async hindrance(userId) {
      const opened = await open(userId)
      return 'code' in opened ? opened : null
    },

    async use(caller, proposal, typed) {
      const { userId } = caller
      const entry = { caller, where: 'code', about: proposal }
      const refused = (refusal: Refusal) => deps.authorization.refuse(entry, refusal)
      const code = readCode(typed)
      if (code === null) return refusalOf('wrongCode', 'a code has six digits')
      for (;;) {
        const opened = await open(userId)
        if ('code' in opened) return refused(opened)
        const verdict = judgeCode(opened.enrolment, code, opened.secret.codeAt, now())
        if (verdict.kind === 'locked') return refused(locked(verdict.until, now()))
        if (verdict.kind === 'used')
          return refused(
            refusalOf(
              'usedCode',
              'this code was used already, or a newer one was: wait for the next one',
              'a code that was used already',
            ),
          )
        if (await remember(opened.enrolment, verdict, proposal))
          return verdict.kind === 'right' ? { userId, proposalId: proposal.id } : wrongCode(verdict.left)
        // Another press of the same person was faster: what is remembered now decides.
      }
    },
  }

  async function open(
    userId: string,
  ): Promise<{ readonly enrolment: Enrolment; readonly secret: OpenSecret } | Refusal> {
    const enrolment = await factors.get(userId)
    if (!enrolment)
      return refusalOf(
        'notEnrolled',
        `you are not enrolled for codes: on my machine somebody runs "node src/main.ts enroll ${userId}", and you scan what it shows`,
        'not enrolled for codes',
      )
    const until = lockedUntil(enrolment, now())
    if (until !== null) return locked(until, now())
    const secret = await authenticator.open(userId, enrolment.sealed)
    return secret ? { enrolment, secret } : refusalOf('notEnrolled', otherKey(userId), 'must enrol again')
  }

  /** @returns false when somebody was faster, and nothing was written */
  function remember(
    enrolment: Enrolment,
    verdict: Extract<CodeVerdict, { readonly kind: 'right' | 'wrong' }>,
    { id: proposalId, cardId, key: { cluster } }: Proposal,
  ): Promise<boolean> {
    const actor = enrolment.userId
    return cards.commit(cardId, async (tx) => {
      if (!(await tx.secondFactors.swap(enrolment, verdict.next))) return false
      if (verdict.kind === 'right') {
        await tx.record({ kind: 'codeAccepted', actor, proposalId })
        return true
      }
      const { code, reason } = wrongCode(verdict.left)
      await tx.record({ kind: 'refused', actor, entry: 'code', proposalId, code, reason })
      const { wrong, lockedUntil: until } = verdict.next
      if (until !== null) await tx.record({ kind: 'codesLocked', actor, proposalId, cluster, wrong, until })
      return true
    })
  }
}

const otherKey = (userId: string): string =>
  `your enrolment cannot be opened with the present PG_MARSHAL_SECRET, so enrol again: on my machine "node src/main.ts enroll --remove ${userId}", then "node src/main.ts enroll ${userId}"`

const lockWords = formatDuration(lockMs / 1000)

const locked = (until: number, now: number): Refusal =>
  refusalOf(
    'locked',
    `${mostWrong} of your codes were wrong, so none counts for another ${formatDuration(Math.ceil((until - now) / 1000))}`,
    `${mostWrong} codes were wrong, so none counts for ${lockWords}`,
  )

const wrongCode = (left: number): Refusal =>
  refusalOf(
    'wrongCode',
    left === 0
      ? `this code is wrong, and none counts for ${lockWords} now`
      : `this code is wrong; ${left === 1 ? 'after one more' : `after ${left} more`} none counts for ${lockWords}`,
  )
