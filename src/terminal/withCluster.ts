import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import type { Config } from '../config/config.ts'
import { createMasker } from '../domain/text/mask.ts'
import { createTagReader } from '../domain/text/tags.ts'
import { createLog } from '../log.ts'
import { bouncerOf } from '../postgres/bouncerReader.ts'
import { ClusterError, createCluster } from '../postgres/cluster.ts'
import { type Out, sayProblem } from './out.ts'

/** Input of a command of the terminal that looks at one cluster. */
export type LookInput = {
  /** Name of the cluster; null when none was given. */
  readonly name: string | null
  readonly json: boolean
  readonly config: Config
  readonly out: Out
  readonly err: Out
  readonly now: () => number
  readonly steady: () => number
}

/**
 * Connects to the cluster that is meant, and runs something that looks at it.
 * @returns 2 when the cluster is not known or cannot be seen
 */
export async function withCluster<T>(
  { name, config, err, now, steady }: LookInput,
  run: (watched: WatchedCluster, clusters: ReadonlyMap<string, WatchedCluster>) => Promise<T>,
): Promise<T | 2> {
  const log = createLog({ level: 'silent' })
  const maskText = createMasker(config.queryText)
  const readTags = createTagReader(config)
  const clusters = new Map<string, WatchedCluster>(
    config.clusters.map((config) => {
      const bouncer = bouncerOf(config, { steady, log })
      return [
        config.name,
        { config, cluster: createCluster({ ...config, bouncer, log, maskText, readTags, now }) },
      ]
    }),
  )
  const picked = pickCluster(clusters, name, null)
  if ('problem' in picked) return sayProblem(err, picked.problem)
  const { cluster } = picked
  try {
    await cluster.start()
    const failure = cluster.failure()
    if (failure) throw failure
    return await run(picked, clusters)
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    err.write(`Cannot see ${cluster.name}: ${error.reason}\nThis says nothing about how it is doing.\n`)
    return 2
  } finally {
    await cluster.close()
  }
}
