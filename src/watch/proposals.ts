import { randomUUID } from 'node:crypto'
import type { ClusterConfig } from '../config/config.ts'
import { differences, stands } from '../domain/approvals/approvedState.ts'
import { bot } from '../domain/approvals/journal.ts'
import {
  isSettled,
  lastDenial,
  openProposal,
  type Proposal,
  victimsAmong,
} from '../domain/approvals/proposal.ts'
import { hasOwnCard, type Incident } from '../domain/incidents/incident.ts'
import type { Recommendation } from '../domain/incidents/recommend.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { poolerBefore } from '../domain/session/pooler.ts'
import { sessionKeyOf } from '../domain/session/session.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Cards, RecordEvent } from '../notify/cards.ts'
import type { Store, Tables } from '../store/store.ts'

/** The trouble as it was just seen, and what helps; null when it was not seen. */
export type Seen = { readonly recommendation: Recommendation | null } | null

export type ProposalSync = {
  /**
   * Keeps one open proposal on the card of an incident, for whom the recommendation names as it is now, and none when there is
   * nothing left to do. To be run with the change of the incident itself, so that no card is posted without its buttons.
   */
  syncOnCard(
    records: Tables,
    record: RecordEvent,
    incident: Incident,
    seen: Seen,
    picture: Picture,
  ): Promise<void>
  /** The same for an incident that goes on as it was; changes nothing where nothing is to be changed. */
  syncIfNeeded(incident: Incident, seen: Seen, picture: Picture): Promise<void>
  /** Takes back what was asked for by hand and cannot be done any more: its card must not offer it. */
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
        await cards.change(open.cardId, ({ proposals }, record) =>
          withdrawProposal(proposals, record, open, different),
        )
      }
    },

    async syncIfNeeded(incident, seen, picture) {
      if (plan(await store.proposals.ofCard(incident.id), incident, seen, picture.snapshot.takenAt))
        await cards.change(incident.cardId, (records, record) =>
          renew(records, record, incident, seen, picture),
        )
    },

    syncOnCard: renew,
  }

  async function renew(
    { proposals }: Tables,
    record: RecordEvent,
    incident: Incident,
    seen: Seen,
    { snapshot, forest }: Picture,
  ) {
    const onCard = await proposals.ofCard(incident.id)
    const latest = onCard.at(-1)
    const planned = plan(onCard, incident, seen, snapshot.takenAt)
    if (!planned) return
    if (latest && planned.withdrawBecause)
      if (!(await withdrawProposal(proposals, record, latest, planned.withdrawBecause))) return
    const { offer } = planned
    if (!offer) return
    const { session } = offer
    const key = sessionKeyOf(config.name, session)
    const offered: Proposal = openProposal(
      {
        id: randomUUID(),
        cardId: incident.id,
        action: offer.action,
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
    await proposals.add(offered)
    await record({
      kind: 'offered',
      actor: bot,
      proposalId: offered.id,
      action: offered.action,
      session: offered.key,
      statement: session.query,
    })
  }
}

/** Looks may overlap by that much; what seems to be made later yet was made before the clock was set back. */
const overlapMs = 60_000

/** Made of a later look than this one: then this one tells nothing about it. */
const isNewer = ({ createdAt }: Proposal, takenAt: number): boolean =>
  createdAt > takenAt && createdAt <= takenAt + overlapMs

/**
 * Takes back what is offered on a card.
 * @returns whether it was still open
 */
export async function withdrawProposal(
  proposals: Tables['proposals'],
  record: RecordEvent,
  open: Proposal,
  reason: string,
): Promise<boolean> {
  if (!(await proposals.change(open, { state: 'withdrawn', decision: reason }))) return false
  await record({ kind: 'withdrawn', actor: bot, proposalId: open.id, reason })
  return true
}

type Plan = { readonly withdrawBecause: string | null; readonly offer: Recommendation['target'] }

/** What is to become of the proposal on a card; null: it is as it should be. */
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
  const offer = target && isSettled(target.session) && !onCard.some(isDenied) ? target : null
  if (latest?.state !== 'open') return offer && { withdrawBecause: null, offer }
  const withdrawBecause = over
    ? 'the incident is over'
    : target && target.session.pid !== latest.key.pid
      ? 'there is a gentler way out now'
      : 'the session changed'
  return { withdrawBecause, offer }
}
