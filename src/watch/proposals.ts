import { randomUUID } from 'node:crypto'
import type { ClusterConfig } from '../config/config.ts'
import { differences, stands } from '../domain/approvals/approvedState.ts'
import { bot } from '../domain/approvals/journal.ts'
import {
  isSettled,
  lastDenial,
  type OpenProposal,
  openProposal,
  type Proposal,
  victimsAmong,
} from '../domain/approvals/proposal.ts'
import { offer, withdraw } from '../domain/approvals/transitions.ts'
import { hasOwnCard, type Incident } from '../domain/incidents/incident.ts'
import type { Recommendation } from '../domain/incidents/recommend.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { poolerBefore } from '../domain/session/pooler.ts'
import { sessionKeyOf } from '../domain/session/session.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { advance, begin } from '../notify/advance.ts'
import type { Cards, CardTx } from '../notify/cards.ts'
import type { Store } from '../store/store.ts'

/** The trouble as it was just seen, and what helps; null when it was not seen. */
export type Seen = { readonly recommendation: Recommendation | null } | null

export type ProposalSync = {
  /**
   * Keeps one open proposal on the card of an incident, for whom the recommendation names as it is now, and none when there is
   * nothing left to do. To be run with the change of the incident itself, so that no card is posted without its buttons.
   */
  syncOnCard(tx: CardTx, incident: Incident, seen: Seen, picture: Picture): Promise<void>
  /** The same for an incident that goes on as it was; changes nothing where nothing is to be changed. */
  syncIfNeeded(incident: Incident, seen: Seen, picture: Picture): Promise<void>
  /** Takes back what was requested by hand and cannot be done any more: its card must not offer it. */
  withdrawStale(snapshot: Snapshot): Promise<void>
}

export function createProposalSync(deps: {
  readonly config: ClusterConfig
  readonly store: Store
  readonly cards: Cards
  readonly now: () => number
}): ProposalSync {
  const { config, store, cards, now } = deps

  return {
    async withdrawStale({ sessions, takenAt }) {
      for (const open of await store.proposals.inState('open')) {
        if (open.requestedBy === null || open.key.cluster !== config.name) continue
        if (isNewer(open, takenAt)) continue
        const session = sessions.find(({ pid }) => pid === open.key.pid)
        const [different] = session ? differences(open, session) : [`${open.key.pid} is gone`]
        if (!different) continue
        await cards.commit(open.cardId, (tx) => advance(tx, open, withdraw(open, different)))
      }
    },

    async syncIfNeeded(incident, seen, picture) {
      if (plan(await store.proposals.ofCard(incident.id), incident, seen, picture.snapshot.takenAt))
        await cards.commit(incident.cardId, (tx) => renew(tx, incident, seen, picture))
    },

    syncOnCard: renew,
  }

  async function renew(tx: CardTx, incident: Incident, seen: Seen, { snapshot, forest }: Picture) {
    const { proposals } = tx
    const onCard = await proposals.ofCard(incident.id)
    const planned = plan(onCard, incident, seen, snapshot.takenAt)
    if (!planned) return
    const { stale, target } = planned
    if (stale && !(await advance(tx, stale.open, withdraw(stale.open, stale.because)))) return
    if (!target) return
    const { session } = target
    const key = sessionKeyOf(config.name, session)
    const open = openProposal(
      {
        id: randomUUID(),
        cardId: incident.id,
        action: target.action,
        key,
        denial: lastDenial(await proposals.ofPid(key.pid), key),
        session,
        pooled: poolerBefore(snapshot, session) !== null,
        victims: victimsAmong(forest.behind(session.pid), snapshot.sessions),
        reason: '',
        requestedBy: null,
      },
      now(),
      config.approvals.expireAfterMs,
    )
    await begin(tx, offer(open, bot))
  }
}

/** Looks may overlap by that much; what seems to be made later yet was made before the clock was set back. */
const overlapMs = 60_000

/** Made of a later look than this one: then this one says nothing about it. */
const isNewer = ({ createdAt }: Proposal, takenAt: number): boolean =>
  createdAt > takenAt && createdAt <= takenAt + overlapMs

/** Changes of a card's proposals: what to withdraw first, and what to offer then. */
type Plan = {
  readonly stale: { readonly open: OpenProposal; readonly because: string } | null
  readonly target: Recommendation['target']
}

/** Decides what becomes of the proposal on a card; null: it is as it should be. */
function plan(onCard: readonly Proposal[], incident: Incident, seen: Seen, takenAt: number): Plan | null {
  const latest = onCard.at(-1)
  if (!hasOwnCard(incident) || latest?.state === 'claimed') return null
  if (latest && isNewer(latest, takenAt)) return null
  const over = incident.resolvedAt !== null
  // What is not seen just now (the lock manager is jammed) is left as it is.
  if (!over && !seen) return null
  const target = (over ? null : seen?.recommendation?.target) ?? null
  if (latest && target && stands(latest, target.action, target.session)) return null
  // What a person denied stays denied while the session is as it was, also when another one was named meanwhile.
  const isDenied = (proposal: Proposal) =>
    proposal.state === 'denied' && target !== null && stands(proposal, target.action, target.session)
  const proposed = target && isSettled(target.session) && !onCard.some(isDenied) ? target : null
  if (latest?.state !== 'open') return proposed && { stale: null, target: proposed }
  const because = over
    ? 'the incident is over'
    : target && target.session.pid !== latest.key.pid
      ? 'there is a gentler way out now'
      : 'the session changed'
  return { stale: { open: latest, because }, target: proposed }
}
