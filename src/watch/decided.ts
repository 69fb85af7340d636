import { randomUUID } from 'node:crypto'
import type { ClusterConfig } from '../config/config.ts'
import { differences } from '../domain/approvals/approvedState.ts'
import { bot } from '../domain/approvals/journal.ts'
import {
  isSettled,
  lastDenial,
  mayBeOfferedAgain,
  openProposal,
  type Proposal,
  standingFor,
  victimsAmong,
} from '../domain/approvals/proposal.ts'
import { notePast, offer } from '../domain/approvals/transitions.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { fittingAction, objection } from '../domain/session/allowedAction.ts'
import { poolerBefore } from '../domain/session/pooler.ts'
import { isUntold, type Session, sessionsByPid } from '../domain/session/session.ts'
import { advance, begin } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import type { Cluster } from '../postgres/cluster.ts'
import type { Store } from '../store/store.ts'

/** Cards of the last day are followed. An older button is refused when it is pressed. */
const followedForMs = 24 * 3_600_000

/**
 * Follows what was decided: "Offer again" stands on a card for as long as its session is there as it was, and after an outcome
 * that nobody knows, or where we stopped in the middle, a session that still is what was approved is offered again, for approvals of its own.
 */
export function createDecidedSync(deps: {
  readonly cluster: Pick<Cluster, 'withText'>
  readonly config: ClusterConfig
  readonly store: Store
  readonly cards: Cards
  readonly now: () => number
}): (picture: Picture) => Promise<void> {
  const { cluster, config, store, cards, now } = deps

  return async (picture) => {
    const { snapshot } = picture
    const decided = await store.proposals.decidedSince(snapshot.takenAt - followedForMs)
    if (decided.length === 0) return
    const sessions = sessionsByPid(snapshot.sessions)
    for (const one of decided) {
      if (one.key.cluster !== config.name || one.createdAt > snapshot.takenAt) continue
      if (!mayBeOfferedAgain({ ...one, isPast: false })) continue
      // Claimed later than this look began, its session may look as it did before the signal.
      if (one.claimedAt !== null && one.claimedAt > snapshot.takenAt) continue
      const session = sessions.get(one.key.pid)
      if (session && isUntold(session)) continue
      const isPast = !session || !isAsItWas(one, session, picture)
      if (session && !isPast && isOfferedAfresh(one)) await offerAfresh(one, session, picture)
      if (isPast !== (one.isPast ?? false))
        await cards.commit(one.cardId, (tx) => advance(tx, one, notePast(one, isPast)))
    }
  }

  function isAsItWas(decided: Proposal, session: Session, { snapshot }: Picture): boolean {
    return (
      differences(decided, session).length === 0 &&
      fittingAction(session, snapshot.server, config.protected).action !== null
    )
  }

  async function offerAfresh(unknown: Proposal, seen: Session, { snapshot, forest }: Picture) {
    if (!isSettled(seen) || objection(unknown.action, seen, snapshot.server, config.protected)) return
    if (!(await isLatest(unknown, store.proposals))) return
    const [session] = await cluster.withText([seen])
    if (!session) return
    const { cardId, action, key, reason, requestedBy, joined } = unknown
    await cards.commit(cardId, async (tx) => {
      const incident = await tx.incidents.get(cardId)
      const earlier = await tx.proposals.ofPid(key.pid)
      const isWanted = incident === null || incident.resolvedAt === null
      if (!isWanted || standingFor(earlier, key) || !(await isLatest(unknown, tx.proposals))) return
      const about = { id: randomUUID(), cardId, action, key, reason, requestedBy, joined, session }
      const open = openProposal(
        {
          ...about,
          denial: lastDenial(earlier, key),
          insteadOf: unknown.id,
          pooled: poolerBefore(snapshot, session) !== null,
          victims: victimsAmong(forest.behind(key.pid), snapshot.sessions),
        },
        now(),
        config.approvals.expireAfterMs,
      )
      await begin(tx, offer(open, bot))
    })
  }
}

/** Nobody knows what came of it, or we stopped before it began. */
const isOfferedAfresh = ({ outcome }: Proposal): boolean =>
  outcome?.kind === 'unknown' || outcome?.kind === 'notSent'

const isLatest = async ({ id, cardId }: Proposal, proposals: Pick<Store['proposals'], 'ofCard'>) =>
  (await proposals.ofCard(cardId)).at(-1)?.id === id
