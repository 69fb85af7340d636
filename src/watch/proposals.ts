import { randomUUID } from 'node:crypto'
import type { ClusterConfig } from '../config/config.ts'
import { differences, stands } from '../domain/approvals/approvedState.ts'
import { eachOf } from '../domain/approvals/bulk.ts'
import { bot } from '../domain/approvals/journal.ts'
import {
  isSettled,
  lastDenial,
  type OpenProposal,
  openProposal,
  type Proposal,
  standingFor,
  victimsAmong,
} from '../domain/approvals/proposal.ts'
import { offer, withdraw } from '../domain/approvals/transitions.ts'
import { isFromHost } from '../domain/host/identity.ts'
import { hasOwnCard, type Incident } from '../domain/incidents/incident.ts'
import type { Recommendation } from '../domain/incidents/recommend.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { poolerBefore } from '../domain/session/pooler.ts'
import { type Session, type SessionKey, sessionKeyOf } from '../domain/session/session.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { advance, begin } from '../notify/advance.ts'
import type { Cards, CardsTx } from '../notify/cards.ts'
import type { Store, Tables } from '../store/store.ts'

/** The trouble as it was just seen, and what helps; null when it was not seen. */
export type Seen = { readonly recommendation: Recommendation | null } | null

/** A transaction, and the cards that are drawn again when it is through. */
export type CardsChange = { readonly tx: CardsTx; readonly drawn: string[] }

export type ProposalSync = {
  /**
   * Keeps one open proposal on the card of an incident, for whom the recommendation names as it is now, and none when there is
   * nothing left to do. To be run with the change of the incident itself, so that no card is posted without its buttons.
   */
  syncOnCard(change: CardsChange, incident: Incident, seen: Seen, picture: Picture): Promise<void>
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
        // Nobody else takes a list back; it stands as long as one of it is as it was listed.
        if ((open.requestedBy === null && !open.bulk) || open.key.cluster !== config.name) continue
        if (isNewer(open, takenAt)) continue
        const because = staleBecause(open, sessions)
        if (because) await cards.commit(open.cardId, (tx) => advance(tx, open, withdraw(open, because)))
      }
    },

    async syncIfNeeded(incident, seen, picture) {
      if (await planIn(store, incident, seen, picture.snapshot.takenAt))
        await commitOn(incident.cardId, (change) => renew(change, incident, seen, picture))
    },

    syncOnCard: renew,
  }

  function commitOn(cardId: string, run: (change: CardsChange) => Promise<void>): Promise<void> {
    const drawn = [cardId]
    return cards.commitAll(drawn, (tx) => run({ tx, drawn }))
  }

  async function renew(
    { tx, drawn }: CardsChange,
    incident: Incident,
    seen: Seen,
    { snapshot, forest }: Picture,
  ) {
    const onCard = tx.on(incident.cardId)
    const planned = await planIn(tx, incident, seen, snapshot.takenAt)
    if (!planned) return
    const { stale, target, request } = planned
    if (stale && !(await advance(onCard, stale.open, withdraw(stale.open, stale.because)))) return
    if (!target) return
    if (request) {
      drawn.push(request.cardId)
      if (!(await advance(tx.on(request.cardId), request, withdraw(request, goesOnThere)))) return
    }
    const { session } = target
    const key = sessionKeyOf(config.name, session)
    const open = openProposal(
      {
        id: randomUUID(),
        cardId: incident.id,
        action: target.action,
        key,
        denial: lastDenial(await tx.proposals.ofPid(key.pid), key),
        session,
        pooled: poolerBefore(snapshot, session) !== null,
        victims: victimsAmong(forest.behind(session.pid), snapshot.sessions),
        reason: request?.reason ?? '',
        requestedBy: request?.requestedBy ?? null,
        ...(request && { insteadOf: request.id, joined: request.joined }),
      },
      now(),
      config.approvals.expireAfterMs,
    )
    await begin(onCard, offer(open, bot))
  }

  /** Plans with what was requested by hand in mind: one session has one card, so what stands on a card of its own comes over. */
  async function planIn(
    { proposals, incidents }: Pick<Tables, 'proposals' | 'incidents'>,
    incident: Incident,
    seen: Seen,
    takenAt: number,
  ): Promise<(Plan & { readonly request: OpenProposal | null }) | null> {
    const planned = plan(await proposals.ofCard(incident.id), incident, seen, takenAt)
    if (!planned?.target) return planned && { ...planned, request: null }
    const { action, session } = planned.target
    const key = sessionKeyOf(config.name, session)
    const request = standingFor(await proposals.ofPid(key.pid), key)
    if (!request || request.cardId === incident.id || (await incidents.get(request.cardId)))
      return { ...planned, request: null }
    // What somebody approves there already, or what is asked for another action, is decided there.
    if (request.state !== 'open' || request.action !== action || request.approvals.length > 0)
      return planned.stale && { ...planned, target: null, request: null }
    return { ...planned, request }
  }
}

/** Says why there is nothing left to do of what was requested; null where there is. */
function staleBecause(open: OpenProposal, sessions: readonly Session[]): string | null {
  if (isFromHost(open.key)) return serverAnswers(open.key)
  const whys = eachOf(open).map((one) => {
    const session = sessions.find(({ pid }) => pid === one.key.pid)
    return session ? (differences(one, session)[0] ?? null) : `${one.key.pid} is gone`
  })
  if (whys.includes(null)) return null
  return open.bulk ? 'nobody on the list is as it was listed' : (whys[0] ?? null)
}

/** Reason for which what was asked of the operating system is taken back: the server shows more, and has the stricter guard. */
const serverAnswers = ({ pid }: SessionKey): string =>
  `the server answers again: ask once more, with what /pg session ${pid} shows`

/** Reason for which a request leaves its own card. */
const goesOnThere = 'it stands on the card of the trouble now'

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
