import type { ClusterConfig } from '../config/config.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Log } from '../log.ts'
import { createLoop } from '../loop.ts'
import type { Cards } from '../notify/cards.ts'
import type { StoreAlarm } from '../notify/storeAlarm.ts'
import type { Cluster } from '../postgres/cluster.ts'
import type { Lease, Membership } from '../store/replicas.ts'
import type { Store } from '../store/store.ts'
import type { CalledCluster } from './calls.ts'
import { createClusterWatch } from './clusterWatch.ts'
import type { ClusterHooks } from './hooks.ts'
import { type Duty, unlessLost } from './leads.ts'

/** The watching of the clusters that this replica leads. */
export type Watching = {
  /** Makes what watches a cluster for as long as a lease lasts. What it writes is checked against that. */
  duty(cluster: string, lease: Lease): Duty
  /** Lists the clusters that are watched here now. */
  led(): CalledCluster[]
}

export function createWatching(deps: {
  readonly clusters: ReadonlyMap<string, { readonly config: ClusterConfig; readonly cluster: Cluster }>
  readonly store: Store
  readonly cards: Cards
  readonly storeAlarm: Pick<StoreAlarm, 'noted' | 'report'>
  readonly membership: Pick<Membership, 'fence'>
  /** Reads the last look at a cluster that was recorded, by whomever; null where none is known. Never throws. */
  readonly lastLook: (cluster: string) => Promise<Snapshot | null>
  readonly hooksOf: (cluster: string) => ClusterHooks
  readonly log: Log
  readonly now: () => number
  readonly steady: () => number
}): Watching {
  const { clusters, membership, log, steady } = deps
  const led = new Map<string, CalledCluster>()

  return {
    led: () => [...led.values()],
    duty(name, lease) {
      const { cluster, config } = clusters.get(name) ?? unknown(name)
      const hooks = deps.hooksOf(name)
      const cards = deps.cards.fencedBy(membership.fence(lease))
      const neighbours = () =>
        [...clusters.values()].flatMap((one) =>
          one.config.channel === config.channel ? [one.config.name] : [],
        )
      const look = createClusterWatch({
        ...deps,
        cluster,
        config,
        neighbours,
        cards,
        hooks,
      })
      /** Whoever watched it before saw since when its sessions wait. */
      let recalled: Promise<void> | null = null
      const recall = async () => {
        const last = await deps.lastLook(name)
        if (last) cluster.recall(last)
      }
      const loop = createLoop({
        name: `watcher ${name}`,
        everyMs: config.watch.everyMs,
        phase: [...clusters.keys()].indexOf(name) / clusters.size,
        runOnce: unlessLost(log, async () => {
          recalled ??= recall()
          await recalled
          await look()
        }),
        steady,
        log,
      })
      return {
        start() {
          led.set(name, { config, cards })
          loop.start()
        },
        hurry: loop.hurry,
        async stop() {
          led.delete(name)
          await loop.stop()
          hooks.left()
        },
      }
    },
  }
}

function unknown(cluster: string): never {
  throw new Error(`no cluster ${cluster} is configured`)
}
