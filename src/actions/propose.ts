import { randomUUID } from 'node:crypto'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { bot } from '../domain/approvals/journal.ts'
import { lastDenial, mayBeOfferedAgain, openProposal, type Proposal } from '../domain/approvals/proposal.ts'
import { offer, request } from '../domain/approvals/transitions.ts'
import type { Action } from '../domain/session/action.ts'
import { fittingAction, objection } from '../domain/session/allowedAction.ts'
import { sessionKeyOf } from '../domain/session/session.ts'
import { begin } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import type { Proposals } from '../store/proposals.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'
import { readSession } from './freshSession.ts'

type Deps = {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly now: () => number
}

export type Request = {
  readonly caller: Caller
  readonly cluster: string
  readonly action: Action
  readonly pid: number
  readonly reason: string
  /** Start of the session that somebody saw under the pid; any session if absent. */
  readonly backendStart?: string
}

export type Propose = {
  /** `/pg cancel PID reason` and `/pg terminate PID reason`: a card that asks the approvers. */
  byHand(request: Request): Promise<{ readonly refusal: Refusal } | { readonly proposal: Proposal }>
  /** "Offer again" on a card whose proposal does not stand any more. */
  again(caller: Caller, proposalId: string): Promise<Refusal | null>
}

export function createPropose(deps: Deps): Propose {
  const { cards, proposals, clusters, now } = deps
  const { authorize, refuse } = deps.authorization

  return {
    async byHand({ caller, cluster: name, action, pid, reason, backendStart }) {
      const entry = { caller, where: `/pg ${action} ${pid}` }
      const refused = async (refusal: Refusal) => ({ refusal: await refuse(entry, refusal) })
      const watched = clusters.get(name)
      if (!watched) return refused({ code: 'notWatched', reason: `there is no cluster ${name}` })
      const refusal = await authorize(entry, watched.config.access.requesters, true)
      if (refusal) return { refusal }
      const seen = await readSession(watched.cluster, pid)
      if ('code' in seen) return refused(seen)
      if (backendStart !== undefined && backendStart !== seen.session.backendStart)
        return refused(otherSession(pid))
      const objects = objection(action, seen.session, seen.server, watched.config.protected)
      if (objects) return refused({ code: 'untouchable', reason: objects })
      const id = randomUUID()
      const key = sessionKeyOf(name, seen.session)
      const proposal = openProposal(
        {
          id,
          cardId: id,
          action,
          key,
          denial: lastDenial(await proposals.ofPid(pid), key),
          session: seen.session,
          victims: seen.victims,
          pooled: seen.pooled,
          reason,
          requestedBy: caller.userId,
        },
        now(),
        watched.config.approvals.expireAfterMs,
      )
      await cards.commit(id, (tx) => begin(tx, request(proposal, caller.userId)))
      return { proposal }
    },

    async again(caller, proposalId) {
      const before = await proposals.get(proposalId)
      const entry = { caller, where: 'button pg_offer_again', about: before }
      const refused = (refusal: Refusal) => refuse(entry, refusal)
      const watched = clusters.get(before?.key.cluster ?? '')
      if (!before || !watched) return refused(unknownButton)
      const refusal = await authorize(entry, watched.config.access.requesters, true)
      if (refusal) return refusal
      const latest = (await proposals.ofCard(before.cardId)).at(-1)
      if (latest?.id !== before.id || !mayBeOfferedAgain(before))
        return refused({ code: 'alreadyDecided', reason: 'the card has moved on; look at its latest state' })
      const seen = await readSession(watched.cluster, before.key.pid)
      if ('code' in seen) return refused(seen)
      if (seen.session.backendStart !== before.key.backendStart) return refused(otherSession(before.key.pid))
      const fit = fittingAction(seen.session, seen.server, watched.config.protected)
      if (fit.action === null) return refused({ code: 'untouchable', reason: fit.why })
      const notOffered = await offerOn(deps, before, {
        actor: caller.userId,
        expireAfterMs: watched.config.approvals.expireAfterMs,
        made: {
          action: fit.action,
          session: seen.session,
          victims: seen.victims,
          pooled: seen.pooled,
          insteadOf: null,
          ...(!hasBacker(before, fit.action) && { requestedBy: caller.userId, reason: '' }),
        },
      })
      return notOffered ? refused({ code: 'alreadyDecided', reason: notOffered }) : null
    },
  }
}

const otherSession = (pid: number): Refusal => ({
  code: 'changed',
  reason: `${pid} is another session now; /pg session ${pid} shows it`,
})

/**
 * Decides whether somebody else already supports this action on this session: the watcher, or the person who requested
 * it. Nobody supports a denied proposal, or another action than the requested one. Whoever wants it now must request
 * it.
 */
const hasBacker = ({ state, denial, requestedBy, action }: Proposal, wanted: Action): boolean =>
  state !== 'denied' && (requestedBy === null ? denial === null : action === wanted)

/** Proposes a terminate after a cancel that had no effect; it needs approvals of its own. */
export async function proposeInstead(
  deps: Pick<Deps, 'cards' | 'now'>,
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
  { cards, now }: Pick<Deps, 'cards' | 'now'>,
  before: Proposal,
  {
    actor,
    expireAfterMs,
    made,
  }: {
    readonly actor: string
    readonly expireAfterMs: number
    readonly made: Pick<Proposal, 'action' | 'session' | 'victims' | 'pooled' | 'insteadOf'> &
      Partial<Pick<Proposal, 'requestedBy' | 'reason'>>
  },
): Promise<string | null> =>
  cards.commit(before.cardId, async (tx) => {
    const { proposals, incidents } = tx
    const latest = (await proposals.ofCard(before.cardId)).at(-1)
    if (latest?.id !== before.id) return 'somebody was faster; look at the card'
    const incident = await incidents.get(before.cardId)
    if (incident && incident.resolvedAt !== null) return 'this incident is over'
    const { cardId, key, reason, requestedBy } = before
    const id = randomUUID()
    const denial = lastDenial(await proposals.ofPid(key.pid), key)
    const about = { id, cardId, key, reason, requestedBy, denial, ...made }
    await begin(tx, offer(openProposal(about, now(), expireAfterMs), actor))
    return null
  })
