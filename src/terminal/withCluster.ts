import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import type { Config } from '../config/config.ts'
import { createMasker } from '../domain/text/mask.ts'
import { createLog } from '../log.ts'
import { ClusterError, createCluster } from '../postgres/cluster.ts'

export type Out = { write(text: string): unknown }

/** Input of a command of the terminal that looks at one cluster. */
export type LookInput = {
  /** Name of the cluster; null when none was given. */
  readonly name: string | null
  readonly json: boolean
  readonly config: Config
  readonly out: Out
  readonly err: Out
  readonly now: () => number
}

/**
 * Connects to the cluster that is meant, and runs something that looks at it.
 * @returns 2 when the cluster is not known or cannot be seen
 */
export async function withCluster<T>(
  { name, config, err, now }: LookInput,
  run: (watched: WatchedCluster, clusters: ReadonlyMap<string, WatchedCluster>) => Promise<T>,
): Promise<T | 2> {
  const log = createLog({ level: 'silent' })
  const maskText = createMasker(config.queryText)
  const clusters = new Map<string, WatchedCluster>(
    config.clusters.map((config) => [
      config.name,
      { config, cluster: createCluster({ ...config, log, maskText, now }) },
    ]),
  )
  const picked = pickCluster(clusters, name, null)
  if ('problem' in picked) {
    err.write(`${picked.problem}\n`)
    return 2
  }
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

/** Returns a view in plain words: the fallback text of a message is escaped for Slack, a terminal wants it as it is. */
export const plainView = ({ text }: { readonly text: string }): string =>
  `${text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')}\n`
