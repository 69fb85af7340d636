import { isDeepStrictEqual } from 'node:util'
import type { ConfigChanges } from '../domain/approvals/journal.ts'
import type { ClusterConfig, Config } from './config.ts'

export type { ConfigChanges }

const needRestart = {
  'slack.mode': ({ slack }) => slack.mode,
  'http.host': ({ http }) => http.host,
  'http.port': ({ http }) => http.port,
  'store.url': ({ store }) => store,
  queryText: ({ queryText }) => queryText,
  tags: ({ tags }) => tags,
  history: ({ history }) => history,
  'watch.heartbeatUrl': ({ heartbeatUrl }) => heartbeatUrl,
} as const satisfies Record<string, (config: Config) => unknown>

const holdAtOnce = {
  'slack.channel': ({ slack }) => slack.channel,
  sweeps: ({ sweeps }) => sweeps,
  'http.api': ({ http }) => http.tokens,
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
    settings: Object.entries(holdAtOnce).flatMap(([key, of]) =>
      isDeepStrictEqual(of(before), of(after)) ? [] : [key],
    ),
    restart: Object.entries(needRestart).flatMap(([key, of]) =>
      isDeepStrictEqual(of(before), of(after)) ? [] : [key],
    ),
  }
}

/** Joins what was read with what only a start can change, as it holds until then. */
export const withoutRestart = (before: Config, after: Config): Config => ({
  ...before,
  clusters: after.clusters,
  sweeps: after.sweeps,
  http: { ...before.http, tokens: after.http.tokens },
  slack: { mode: before.slack.mode, channel: after.slack.channel },
})

/** Decides whether a cluster is reached in another way: its connections then have to be opened again. */
export const isElsewhere = (before: ClusterConfig, after: ClusterConfig): boolean =>
  before.url !== after.url ||
  before.passwordFile !== after.passwordFile ||
  !isDeepStrictEqual(before.pgbouncer, after.pgbouncer)

/** Decides whether all is as it was. */
export const changesNothing = (changes: ConfigChanges): boolean =>
  Object.values(changes).every((names) => names.length === 0)
