import type { ClusterConfig } from '../config/config.ts'
import { nearest } from '../domain/text/nearest.ts'
import type { Cluster } from '../postgres/cluster.ts'
import { shown } from './grammar.ts'

/** A cluster with the settings that hold for it. */
export type WatchedCluster = { readonly config: ClusterConfig; readonly cluster: Cluster }

/**
 * Picks the cluster: the one that is named; the only one; or the only one whose channel this is.
 * @param name as it was typed, upper and lower case alike; null when none was
 * @param channelId where the command came from; null outside of Slack
 * @returns or one sentence that says which there are
 */
export function pickCluster(
  clusters: ReadonlyMap<string, WatchedCluster>,
  name: string | null,
  channelId: string | null,
): WatchedCluster | { readonly problem: string } {
  const names = [...clusters.keys()]
  const configured = `Configured: ${some(names)}.`
  if (name !== null) {
    const exact = clusters.get(name)
    if (exact) return exact
    const alike = names.filter((known) => known.toLowerCase() === name.toLowerCase())
    const [only] = alike
    const found = alike.length === 1 && only !== undefined ? clusters.get(only) : undefined
    if (found) return found
    const near = nearest(name, names)
    const guess = near === null ? '' : ` Did you mean \`${near}\`?`
    return { problem: `There is no cluster \`${shown(name)}\` here.${guess} ${configured}` }
  }
  const all = [...clusters.values()]
  const here = channelId === null ? [] : all.filter(({ config }) => config.channel === channelId)
  const [only] = all.length === 1 ? all : here.length === 1 ? here : []
  if (only) return only
  if (all.length === 0) return { problem: 'No cluster is configured.' }
  return { problem: `Which cluster? Add \`--cluster NAME\`. ${configured}` }
}

/** A few names, so that a sentence stays one. */
const some = (names: readonly string[]): string => {
  const few = names.slice(0, 12).map((name) => `\`${name}\``)
  return names.length > few.length
    ? `${few.join(', ')} and ${names.length - few.length} more`
    : few.join(', ')
}
