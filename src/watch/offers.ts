import { randomUUID } from 'node:crypto'
import type { Board } from '../channel/board.ts'
import type { ClusterConfig } from '../config.ts'
import type { Finding } from '../domain/finding.ts'
import { hasOwnCard, type Incident } from '../domain/incident.ts'
import { bot } from '../domain/journal.ts'
import type { Picture } from '../domain/picture.ts'
import {
  differences,
  isSettled,
  openProposal,
  type Proposal,
  stands,
  victimsAmong,
} from '../domain/proposal.ts'
import type { Remedy } from '../domain/remedy.ts'
import { keyOf, type Snapshot } from '../domain/session.ts'
import type { Cluster } from '../postgres/cluster.ts'
import type { Store } from '../store/store.ts'

type Seen = { readonly finding: Finding; readonly remedy: Remedy | null }

export type Offers = {
  /**
   * Keeps one open proposal on the card of an incident that fits the session as it is now, and none when there is
   * nothing left to do.
   * @param seen the trouble as it was just seen and what helps; null when it was not seen
   */
  renew(incident: Incident, seen: Seen | null, picture: Picture): Promise<void>
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

    async renew(incident, seen, { snapshot, forest }) {
      if (!hasOwnCard(incident)) return
      const latest = (await store.proposals.ofCard(incident.id)).at(-1) ?? null
      if (latest?.state === 'claimed') return
      const over = incident.resolvedAt !== null
      // What is not seen just now (the lock manager is jammed) is left as it is.
      if (!over && !seen) return
      const target = (over ? null : seen?.remedy?.target) ?? null
      if (latest && target && stands(latest, target.action, target.session)) return
      const isReady = target !== null && isSettled(target.session)
      if (latest?.state !== 'open' && !isReady) return
      const [told = null] = isReady ? await cluster.withText([target.session]) : []
      await board.change(incident.id, async ({ proposals }, record) => {
        if (latest?.state === 'open') {
          const decision = over
            ? 'the incident is over'
            : target && target.session.pid !== latest.key.pid
              ? 'there is a gentler way out now'
              : 'the session changed'
          if (!(await proposals.change(latest, { state: 'withdrawn', decision }))) return
          await record({ kind: 'withdrawn', actor: bot, proposalId: latest.id, reason: decision })
        }
        if (!told || !target) return
        // Somebody may have asked for a fresh look meanwhile.
        if (latest?.state !== 'open' && (await proposals.ofCard(incident.id)).at(-1)?.id !== latest?.id)
          return
        const offered: Proposal = openProposal(
          {
            id: randomUUID(),
            cardId: incident.id,
            action: target.action,
            key: keyOf(config.name, told),
            session: told,
            victims: victimsAmong(forest.behind(told.pid), snapshot.sessions),
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
          statement: told.query,
        })
      })
    },
  }
}
