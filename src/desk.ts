import { setTimeout as pause } from 'node:timers/promises'
import { expireDue } from './actions/expire.ts'
import { reconcile } from './actions/reconcile.ts'
import type { WatchedCluster } from './commands/cluster.ts'
import { deskLease } from './domain/fleet/share.ts'
import type { Log } from './log.ts'
import type { Cards } from './notify/cards.ts'
import type { Outbox } from './notify/outbox.ts'
import { restoreDeleted } from './notify/repost.ts'
import type { Membership, Round } from './store/replicas.ts'
import type { Store } from './store/store.ts'
import { closeAbandoned } from './watch/abandoned.ts'
import { type Duty, unlessLost } from './watch/leads.ts'

/** Work that one replica does for all: it brings what there is to say, finishes what was cut off, closes what is over. */
export type Desk = {
  readonly duty: Duty
  /** Does what is due. */
  chores(): Promise<void>
  /** Has the open cards posted again that somebody deleted. */
  checkCards(): Promise<void>
  /** Forgets what the calls of programs led to, when it is so old that none comes again. */
  forgetCalls(): Promise<void>
  /** Goes on with other receivers and clusters. */
  reconfigured(): void
}

/** Time for which a stopping process goes on delivering messages to Slack. */
const flushMs = 5000

/** Time for which the same call of a program leads to the same proposal. */
const callsKeptMs = 7 * 86_400_000

export function createDesk(deps: {
  readonly store: Store
  readonly cards: Cards
  readonly membership: Pick<Membership, 'fence'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Receivers of webhooks, by their ids. */
  readonly receivers: ReadonlyMap<string, unknown>
  readonly outbox: Outbox
  readonly webhooks: Pick<Duty, 'start'> & { stop(): Promise<void> }
  /** Returns true when the message still stands where it was posted; throws SlackError. */
  readonly stands: (channel: string, ts: string) => Promise<boolean>
  /** Returns the last round of this replica while it has the desk, else null. */
  readonly turn: () => Round | null
  readonly now: () => number
  readonly log: Log
}): Desk {
  const { store, membership, clusters, receivers, outbox, webhooks, stands, turn, now, log } = deps
  const { proposals } = store
  let isNew = true

  return {
    duty: {
      start() {
        isNew = true
        outbox.start()
        webhooks.start()
      },
      hurry: outbox.kick,
      async stop(isLast) {
        if (isLast) await Promise.race([outbox.empty(), pause(flushMs, undefined, { ref: false })])
        await Promise.all([outbox.stop(), webhooks.stop()])
      },
    },
    chores: unlessLost(log, async () => {
      const round = turn()
      const lease = round?.leases.get(deskLease)
      if (!round || !lease) return
      // Who was stopped for a while knows of no cluster, and of no decision, that came since.
      const cards = deps.cards.fencedBy(membership.fence(lease))
      if (isNew) await store.webhooks.keepOnly([...receivers.keys()])
      isNew = false
      await reconcile({ cards, proposals, clusters, isGone: round.isGone, now })
      const known = new Set(round.replicas.flatMap((replica) => replica.clusters))
      await closeAbandoned({ cards, store, clusters: [...known], now })
      await expireDue({ cards, proposals, now })
    }),
    async checkCards() {
      if (turn()) await restoreDeleted({ store, stands, outbox, clusters: [...clusters.keys()], log })
    },
    async forgetCalls() {
      if (turn()) await store.idempotencyKeys.forgetBefore(now() - callsKeptMs)
    },
    reconfigured() {
      isNew = true
    },
  }
}
