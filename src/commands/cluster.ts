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
export function pickCluster<Watched extends Pick<WatchedCluster, 'config'>>(
  clusters: ReadonlyMap<string, Watched>,
  name: string | null,
  channelId: string | null,
): Watched | { readonly problem: string } {
  const names = [...clusters.keys()]
  const configured = `Configured: ${some(names)}.`
  if (name !== null) {
    const found = clusters.get(nameAmong(names, name) ?? '')
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

/**
 * Finds the clusters that are meant by what is answered for several: the one that is named, or all.
 * @param seen those that the reader may see
 */
export function clustersMeant(
  name: string | undefined,
  seen: readonly string[],
): readonly string[] | { readonly problem: string } {
  if (name === undefined && seen.length > 0) return seen
  const found = name === undefined ? null : nameAmong(seen, name)
  return found === null
    ? {
        problem: `There is no cluster ${name === undefined ? '' : `${shown(name)} `}that you may see: \`/pg clusters\` lists them.`,
      }
    : [found]
}

/** The name as it was typed, or the only one that differs in upper and lower case alone. */
function nameAmong(names: readonly string[], typed: string): string | null {
  if (names.includes(typed)) return typed
  const [only, ...more] = names.filter((known) => known.toLowerCase() === typed.toLowerCase())
  return only === undefined || more.length > 0 ? null : only
}

/** A few names, so that a sentence stays one. */
const some = (names: readonly string[]): string => {
  const few = names.slice(0, 12).map((name) => `\`${name}\``)
  return names.length > few.length
    ? `${few.join(', ')} and ${names.length - few.length} more`
    : few.join(', ')
}
