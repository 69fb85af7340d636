import type { ClusterConfig } from '../config/config.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'
import type { StoreAlarm } from '../notify/storeAlarm.ts'
import type { Cluster } from '../postgres/cluster.ts'
import type { Store } from '../store/store.ts'
import { escapeText } from '../views/kit.ts'
import { createIncidentReport } from './incidents.ts'
import { createPace } from './pace.ts'
import { createWatchStatus } from './status.ts'
import { createWatcher, type WatchHooks } from './watcher.ts'
import { seenWithoutStore } from './withoutStore.ts'

/** Looks from one health check to the next: what it shows changes slowly, and who looks often wants to know soon. */
const healthEveryLooks = 12
const longestHealthMs = 60_000

/**
 * Makes all that watches one cluster.
 * @param neighbours returns the clusters whose cards stand in the same channel, this one among them
 * @returns one look, and what follows from it
 */
export function createClusterWatch(deps: {
  readonly cluster: Cluster
  readonly config: ClusterConfig
  readonly neighbours: () => readonly string[]
  readonly store: Store
  readonly cards: Cards
  readonly storeAlarm: Pick<StoreAlarm, 'noted' | 'report'>
  readonly hooks: WatchHooks
  readonly log: Log
  readonly now: () => number
  readonly steady: () => number
}): () => Promise<void> {
  const { cluster, config, store, cards, storeAlarm, hooks, log, now, steady } = deps
  const { everyMs } = config.watch
  return createWatcher({
    cluster,
    report: createIncidentReport(deps),
    status: createWatchStatus({ cluster, journal: store.journal, cards, now }),
    pace: createPace({ everyMs, now, steady }),
    withoutStore: {
      noted: storeAlarm.noted,
      report: (seen) =>
        storeAlarm.report(
          config.channel,
          'blind' in seen
            ? `I cannot see ${cluster.name}: ${escapeText(seen.blind)}`
            : seenWithoutStore(config, seen),
        ),
    },
    healthEveryMs: Math.min(longestHealthMs, healthEveryLooks * everyMs),
    hooks,
    log,
    steady,
  })
}
