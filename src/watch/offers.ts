import { randomUUID } from 'node:crypto'
import type { Board } from '../channel/board.ts'
import type { ClusterConfig } from '../config.ts'
import { type Finding, subjectOf } from '../domain/finding.ts'
import { hasOwnCard, type Incident } from '../domain/incident.ts'
import { bot } from '../domain/journal.ts'
import {
  cureFor,
  differences,
  isSettled,
  openProposal,
  type Proposal,
  stands,
  victimsAmong,
} from '../domain/proposal.ts'
import { keyOf, type Snapshot } from '../domain/session.ts'
import type { Cluster } from '../postgres/cluster.ts'
import type { Store } from '../store/store.ts'

export type Offers = {
  /**
   * Keeps one open proposal on the card of an incident that fits the session as it is now, and none when there is
   * nothing left to do.
   * @param finding the trouble as it was just seen; null when it was not
   */
  renew(incident: Incident, finding: Finding | null, snapshot: Snapshot): Promise<void>
  /** Takes back what was asked for by hand and cannot be done any more: its card must not offer it. */
  review(snapshot: Snapshot): Promise<void>
}

export function createOffers(deps: {
  readonly cluster: Cluster
  readonly config: ClusterConfig
  readonly store: Store
  readonly board: Board
  readonly now: () => number
}): Offers {
  const { cluster, config, store, board, now } = deps

  return {
    async review({ sessions }) {
      for (const open of await store.proposals.inState('open')) {
        if (open.requestedBy === null || open.key.cluster !== config.name) continue
        const session = sessions.find(({ pid }) => pid === open.key.pid)
        const [different] = session ? differences(open, session) : [`${open.key.pid} is gone`]
        if (!different) continue
        await board.change(open.cardId, async ({ proposals }, record) => {
          if (await proposals.change(open, { state: 'withdrawn', decision: different }))
            await record({ kind: 'withdrawn', actor: bot, proposalId: open.id, reason: different })
        })
      }
    },

    async renew(incident, finding, snapshot) {
      if (!hasOwnCard(incident)) return
      const latest = (await store.proposals.ofCard(incident.id)).at(-1) ?? null
      if (latest?.state === 'claimed') return
      const over = incident.resolvedAt !== null
      // What is not seen just now (the lock manager is jammed) is left as it is.
      if (!over && !finding) return
      const session = over || !finding ? null : subjectOf(finding)
      const action =
        finding && session ? (cureFor(finding, snapshot.server, config.protected)?.action ?? null) : null
      if (latest && session && action && stands(latest, action, session)) return
      if (latest?.state !== 'open' && (!session || !action || !isSettled(session))) return
      const [told = null] = session && action && isSettled(session) ? await cluster.withText([session]) : []
      const victims = finding?.kind === 'blocking' ? finding.root.victims : []
      await board.change(incident.id, async ({ proposals }, record) => {
        if (latest?.state === 'open') {
          const decision = over ? 'the incident is over' : 'the session changed'
          if (!(await proposals.change(latest, { state: 'withdrawn', decision }))) return
          await record({ kind: 'withdrawn', actor: bot, proposalId: latest.id, reason: decision })
        }
        if (!told || !action) return
        // Somebody may have asked for a fresh look meanwhile.
        if (latest?.state !== 'open' && (await proposals.ofCard(incident.id)).at(-1)?.id !== latest?.id)
          return
        const offered: Proposal = openProposal(
          {
            id: randomUUID(),
            cardId: incident.id,
            action,
            key: keyOf(config.name, told),
            session: told,
            victims: victimsAmong(victims, snapshot.sessions),
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
          action,
          session: offered.key,
          statement: told.query,
        })
      })
    },
  }
}
