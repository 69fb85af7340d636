import { randomUUID } from 'node:crypto'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { bot } from '../domain/approvals/journal.ts'
import {
  lastDenial,
  mayBeOfferedAgain,
  openProposal,
  type Proposal,
  requestersOf,
  standingFor,
} from '../domain/approvals/proposal.ts'
import { offer } from '../domain/approvals/transitions.ts'
import type { Action } from '../domain/session/action.ts'
import { begin } from '../notify/advance.ts'
import { type Caller, unknownButton } from './authorize.ts'
import { fitOf, readAnyhow } from './freshProcess.ts'
import { createRequests, otherThan, type RequestDeps, type Requests } from './request.ts'

export type Propose = Requests & {
  /** "Offer again" on a card whose proposal does not stand any more. */
  again(caller: Caller, proposalId: string): Promise<Refusal | null>
}

export function createPropose(deps: RequestDeps): Propose {
  const { proposals, clusters } = deps
  const { authorize, refuse } = deps.authorization

  return {
    ...createRequests(deps),

    async again(caller, proposalId) {
      const before = await proposals.get(proposalId)
      const entry = { caller, where: 'button pg_offer_again', about: before }
      const refused = (refusal: Refusal) => refuse(entry, refusal)
      const watched = clusters.get(before?.key.cluster ?? '')
      if (!before || !watched) return refused(unknownButton)
      const refusal = await authorize(entry, watched.config.access.requesters, true)
      if (refusal) return refusal
      const latest = (await proposals.ofCard(before.cardId)).at(-1)
      // Whether its session is as it was is seen below.
      if (latest?.id !== before.id || !mayBeOfferedAgain({ ...before, isPast: false }))
        return refused({ code: 'alreadyDecided', reason: 'the card has moved on; look at its latest state' })
      const seen = await readAnyhow(watched, before.key.pid)
      if ('code' in seen) return refused(seen)
      if (seen.session.backendStart !== before.key.backendStart)
        return refused(otherThan(before.key, seen, watched))
      const fit = fitOf(seen, watched.config)
      if (fit.action === null) return refused({ code: 'untouchable', reason: fit.why })
      const standing = standingFor(await proposals.ofPid(before.key.pid), before.key)
      if (standing)
        return refused({
          code: 'alreadyDecided',
          reason: standing.cardId === before.cardId ? wasFaster : elsewhere,
          on: standing.cardId,
        })
      const notOffered = await offerOn(deps, before, {
        actor: caller.userId,
        expireAfterMs: watched.config.approvals.expireAfterMs,
        made: {
          action: fit.action,
          session: seen.session,
          victims: seen.victims,
          pooled: seen.pooled,
          insteadOf: null,
          ...(!hasBacker(before, fit.action) && { requestedBy: caller.userId, reason: '', joined: [] }),
        },
      })
      return notOffered ? refused({ code: 'alreadyDecided', reason: notOffered }) : null
    },
  }
}

const wasFaster = 'somebody was faster; look at the card'
const elsewhere = 'another card asks for this session already'

/**
 * Decides whether somebody else already supports this action on this session: the watcher, or the person who requested
 * it. Nobody supports a denied proposal, or another action than the requested one. Whoever wants it now must request
 * it.
 */
const hasBacker = (before: Proposal, wanted: Action): boolean =>
  before.state !== 'denied' &&
  ((before.requestedBy === null && before.denial === null) ||
    (requestersOf(before).length > 0 && before.action === wanted))

/** Proposes a terminate after a cancel that had no effect; it needs approvals of its own. */
export async function proposeInstead(
  deps: Pick<RequestDeps, 'cards' | 'now'>,
  done: Proposal,
  { config }: WatchedCluster,
): Promise<void> {
  if (done.action === 'cancel' && done.outcome?.kind === 'still')
    await offerOn(deps, done, {
      actor: bot,
      expireAfterMs: config.approvals.expireAfterMs,
      made: {
        action: 'terminate',
        session: done.session,
        victims: done.victims,
        pooled: done.pooled,
        insteadOf: done.id,
      },
    })
}

/**
 * Puts a fresh proposal on the card of an earlier one, in whose name it is unless `made` says otherwise; not when somebody was faster, and not when
 * its incident is over: nobody follows that one any more, so nobody would take the proposal back.
 * @returns why it was not put there; null when it was
 */
const offerOn = (
  { cards, now }: Pick<RequestDeps, 'cards' | 'now'>,
  before: Proposal,
  {
    actor,
    expireAfterMs,
    made,
  }: {
    readonly actor: string
    readonly expireAfterMs: number
    readonly made: Pick<Proposal, 'action' | 'session' | 'victims' | 'pooled' | 'insteadOf'> &
      Partial<Pick<Proposal, 'requestedBy' | 'reason' | 'joined'>>
  },
): Promise<string | null> =>
  cards.commit(before.cardId, async (tx) => {
    const { proposals, incidents } = tx
    const latest = (await proposals.ofCard(before.cardId)).at(-1)
    if (latest?.id !== before.id) return wasFaster
    const incident = await incidents.get(before.cardId)
    if (incident && incident.resolvedAt !== null) return 'this incident is over'
    if (standingFor(await proposals.ofPid(before.key.pid), before.key)) return elsewhere
    const { cardId, key, reason, requestedBy, joined } = before
    const id = randomUUID()
    const denial = lastDenial(await proposals.ofPid(key.pid), key)
    const about = { id, cardId, key, reason, requestedBy, joined, denial, ...made }
    await begin(tx, offer(openProposal(about, now(), expireAfterMs), actor))
    return null
  })
