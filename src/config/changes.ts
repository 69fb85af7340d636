import { isDeepStrictEqual } from 'node:util'
import type { ClusterConfig, Config } from './config.ts'

/** Difference between the configuration that holds and one that was read. Clusters stand by their names, in order. */
export type ConfigChanges = {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  /** Keys of what holds for the whole bot, and is another at once. */
  readonly settings: readonly string[]
  /** Keys of what is another from the next start on. */
  readonly restart: readonly string[]
}

const needRestart = {
  'slack.mode': ({ slack }) => slack.mode,
  'http.host': ({ http }) => http.host,
  'http.port': ({ http }) => http.port,
  'store.url': ({ store }) => store,
  queryText: ({ queryText }) => queryText,
  'watch.heartbeatUrl': ({ heartbeatUrl }) => heartbeatUrl,
} as const satisfies Record<string, (config: Config) => unknown>

/** Finds what is another. That clusters stand in another order is no change. */
export function changesOf(before: Config, after: Config): ConfigChanges {
  const old = new Map(before.clusters.map((cluster) => [cluster.name, cluster]))
  const kept = new Set(after.clusters.map(({ name }) => name))
  const names = (clusters: readonly ClusterConfig[]) => clusters.map(({ name }) => name)
  return {
    added: names(after.clusters.filter(({ name }) => !old.has(name))),
    changed: names(
      after.clusters.filter((cluster) => {
        const known = old.get(cluster.name)
        return known !== undefined && !isDeepStrictEqual(known, cluster)
      }),
    ),
    removed: names(before.clusters.filter(({ name }) => !kept.has(name))),
    settings: before.slack.channel === after.slack.channel ? [] : ['slack.channel'],
    restart: Object.entries(needRestart).flatMap(([key, of]) =>
      isDeepStrictEqual(of(before), of(after)) ? [] : [key],
    ),
  }
}

/** Joins what was read with what only a start can change, as it holds until then. */
export const withoutRestart = (before: Config, after: Config): Config => ({
  ...before,
  clusters: after.clusters,
  slack: { mode: before.slack.mode, channel: after.slack.channel },
})

/** Decides whether a cluster is reached in another way: its connections then have to be opened again. */
export const isElsewhere = (before: ClusterConfig, after: ClusterConfig): boolean =>
  before.url !== after.url || before.passwordFile !== after.passwordFile

/** Says in one sentence or two what changed; null where nothing did. */
export function changesSentence({
  added,
  changed,
  removed,
  settings,
  restart,
}: ConfigChanges): string | null {
  const parts = [
    ...(['added', 'changed', 'removed'] as const).flatMap((what) => {
      const names = { added, changed, removed }[what]
      return names.length === 0 ? [] : [{ count: names.length, rest: ` ${what} (${some(names)})` }]
    }),
  ].map(({ count, rest }, index) =>
    index > 0 ? `${count}${rest}` : `${count} ${count === 1 ? 'cluster' : 'clusters'}${rest}`,
  )
  const all = [...parts, ...settings.map((key) => `${key} changed`)]
  if (all.length + restart.length === 0) return null
  const now = all.length > 0 ? `: ${all.join(', ')}.` : '.'
  const later = restart.length > 0 ? ` Needs a restart: ${restart.join(', ')}.` : ''
  return `Configuration read${now}${later}`
}

/** Says in short what is wrong: `problems` hold no secrets. */
export function problemsSentence(problems: readonly string[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  const more = problems.length - mostProblems
  return [
    `Configuration not read, the old one stays: ${count}.`,
    ...problems.slice(0, mostProblems).map((problem) => `• ${problem}`),
    ...(more > 0 ? [`… and ${more} more, all of them in my log.`] : []),
  ].join('\n')
}

const mostProblems = 5
const mostNames = 10

const some = (names: readonly string[]): string =>
  names.length > mostNames
    ? `${names.slice(0, mostNames).join(', ')} and ${names.length - mostNames} more`
    : names.join(', ')
