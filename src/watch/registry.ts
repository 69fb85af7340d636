import { type ConfigChanges, changesOf, isElsewhere, withoutRestart } from '../config/changes.ts'
import type { ClusterConfig, Config } from '../config/config.ts'
import { receiversIn, type Webhook } from '../domain/incidents/webhook.ts'
import type { Cluster } from '../postgres/cluster.ts'

type Watched = { readonly config: ClusterConfig; readonly cluster: Cluster }

/**
 * Clusters and settings that hold now. They may be others at any moment, so everybody looks here when they need them, and keeps
 * none of it. The collections stay the same ones.
 */
export type Registry = {
  readonly clusters: ReadonlyMap<string, Watched>
  readonly settings: ReadonlyMap<string, ClusterConfig>
  /** Every channel that the bot writes to by itself. */
  readonly channels: ReadonlySet<string>
  /** Receivers outside of Slack, by the ids under which the store knows them. */
  readonly receivers: ReadonlyMap<string, Webhook>
  /** The configuration that holds; what needs a restart is as it was at the start. */
  config(): Config
  /** Connects to all clusters. */
  start(): Promise<void>
  /**
   * Puts another configuration in the place of this one, once what is new was connected to. A cluster that is reached as before
   * keeps its connections; others stay open for a while, for what is under way on them.
   */
  replace(after: Config): Promise<ConfigChanges>
  close(): Promise<void>
}

/** Clusters that are connected to at the same time. A login takes time of both sides: hundreds at once would miss their deadlines. */
const atOnce = 50

/** Longer than an action that was begun needs its connection. */
const retiredMs = 30_000

export function createRegistry(deps: {
  readonly config: Config
  readonly connect: (config: ClusterConfig) => Cluster
}): Registry {
  const { connect } = deps
  let config = deps.config
  const clusters = new Map<string, Watched>()
  const settings = new Map<string, ClusterConfig>()
  const channels = new Set<string>()
  const receivers = new Map<string, Webhook>()
  const retired = new Map<Cluster, NodeJS.Timeout>()
  adopt(new Map(config.clusters.map((one) => [one.name, { config: one, cluster: connect(one) }])))

  return {
    ...{ clusters, settings, channels, receivers },
    config: () => config,
    async start() {
      await startAll([...clusters.values()].map(({ cluster }) => cluster))
    },
    async replace(read) {
      const changes = changesOf(config, read)
      const next = new Map(
        read.clusters.map((one) => {
          const known = clusters.get(one.name)
          const stays = known !== undefined && !isElsewhere(known.config, one)
          return [one.name, { config: one, cluster: stays ? known.cluster : connect(one) }]
        }),
      )
      const before = new Set([...clusters.values()].map(({ cluster }) => cluster))
      const after = [...next.values()].map(({ cluster }) => cluster)
      await startAll(after.filter((cluster) => !before.has(cluster)))
      config = withoutRestart(config, read)
      adopt(next)
      for (const cluster of before) if (!after.includes(cluster)) retire(cluster)
      return changes
    },
    async close() {
      for (const timer of retired.values()) clearTimeout(timer)
      const all = [...retired.keys(), ...[...clusters.values()].map(({ cluster }) => cluster)]
      await Promise.all(all.map((cluster) => cluster.close()))
    },
  }

  function adopt(next: ReadonlyMap<string, Watched>) {
    fill(clusters, next)
    fill(settings, new Map([...next].map(([name, { config }]) => [name, config])))
    fill(receivers, receiversIn(settings.values()))
    channels.clear()
    for (const channel of [config.slack.channel, ...[...settings.values()].map(({ channel }) => channel)])
      channels.add(channel)
  }

  function retire(cluster: Cluster) {
    const close = () => {
      retired.delete(cluster)
      void cluster.close()
    }
    retired.set(cluster, setTimeout(close, retiredMs).unref())
  }
}

async function startAll(clusters: readonly Cluster[]): Promise<void> {
  const waiting = clusters.values()
  const startThem = async () => {
    for (const cluster of waiting) await cluster.start()
  }
  await Promise.all(Array.from({ length: atOnce }, startThem))
}

/** Makes a collection hold what another one holds. */
function fill<Value>(target: Map<string, Value>, from: ReadonlyMap<string, Value>) {
  for (const name of target.keys()) if (!from.has(name)) target.delete(name)
  for (const [name, value] of from) target.set(name, value)
}
