import type { Notify } from '../domain/incidents/ladder.ts'
import type { Webhook } from '../domain/incidents/webhook.ts'
import type { Access, Approvals, Protected, Watch } from '../domain/session/policy.ts'
import type { QueryText } from '../domain/text/mask.ts'
import type { TagSettings } from '../domain/text/tags.ts'
import { type ApiToken, resolveTokens } from './api.ts'
import { besideConfig } from './fleet.ts'
import type { Env } from './problem.ts'
import { resolveRules } from './rules.ts'
import type { File } from './schema.ts'
import { resolveSweep, type Sweep } from './sweeps.ts'
import { usualTags } from './tags.ts'

/** One watched server, with everything that holds for it: its own settings over the general ones over the defaults. */
export type ClusterConfig = {
  readonly name: string
  /** postgres://…, with its password: never log it, never show it. */
  readonly url: string
  /** An absolute path; read at each connect. */
  readonly passwordFile: string | null
  /** Admin console of the PgBouncer before it; its url is as secret as the other. */
  readonly pgbouncer: { readonly url: string; readonly passwordFile: string | null } | null
  /** `local`: it runs on this machine, and its processes may be seen and signalled by us. */
  readonly host: 'local' | null
  readonly channel: string
  readonly access: Access
  readonly approvals: Approvals
  readonly watch: Watch
  readonly protected: readonly Protected[]
  readonly notify: Notify & { readonly webhooks: readonly Webhook[] }
}

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

type LogLevel = (typeof logLevels)[number]

export type Config = {
  readonly slack: { readonly mode: 'socket' | 'http'; readonly channel: string }
  readonly http: {
    readonly host: string
    readonly port: number
    /** Without any, there is no API. */
    readonly tokens: readonly ApiToken[]
  }
  /** At least one; names are different. */
  readonly clusters: readonly ClusterConfig[]
  /** A path relative to the working directory, or absolute. */
  readonly store:
    | { readonly kind: 'sqlite'; readonly path: string }
    | { readonly kind: 'postgres'; readonly url: string }
  readonly queryText: QueryText
  readonly tags: TagSettings
  readonly sweeps: readonly Sweep[]
  /** For how long looks are kept (milliseconds; null: none is), and how much room they may take (bytes). */
  readonly history: { readonly keepMs: number | null; readonly mostBytes: number }
  /** Asked for after each full cycle of watching; who knows it can keep us quiet: never log it, never show it. */
  readonly heartbeatUrl: string | null
  readonly logLevel: LogLevel
  /** The text of PG_MARSHAL_SECRET, see `requireSecret`: never log it, never show it. */
  readonly secret: string | null
}

const watchDefaults = {
  every: 5_000,
  blockedFor: 30,
  queryLongerThan: 3_600,
  idleInTransactionLongerThan: 300,
  idleLongerThan: 1_800,
  connectionsAbove: 85,
  poolWaitsFor: 30,
  preparedLongerThan: 900,
  vacuumHeldBackBy: 10_000_000,
  wraparoundAbove: 50,
  slotRetains: 10 * 2 ** 30,
  cardsPerMinute: 6,
}

/** @param directory the directory of the configuration */
export function resolveConfig(file: File, directory: string, logLevel: LogLevel, env: Env): Config {
  return {
    slack: { mode: file.slack.mode ?? 'socket', channel: file.slack.channel },
    http: {
      host: file.http?.host ?? '127.0.0.1',
      port: file.http?.port ?? 3000,
      tokens: resolveTokens(file.http?.api),
    },
    clusters: file.clusters.map((cluster) => resolveCluster(file, directory, cluster)),
    store: file.store?.url ?? { kind: 'sqlite', path: './data/pg-marshal.db' },
    queryText: file.queryText ?? 'masked',
    tags: file.tags ?? usualTags,
    sweeps: (file.sweeps ?? []).map(resolveSweep),
    history: {
      keepMs: file.history?.keep === undefined ? 7 * 86_400_000 : file.history.keep,
      mostBytes: file.history?.most ?? 2 * 2 ** 30,
    },
    heartbeatUrl: file.watch?.heartbeatUrl ?? null,
    logLevel,
    secret: env.PG_MARSHAL_SECRET?.trim() || null,
  }
}

/** Key by key: the cluster's own, else the general one, else the default. */
function resolveCluster(file: File, directory: string, cluster: File['clusters'][number]): ClusterConfig {
  const { access, approvals, watch, notify } = file
  const fileOf = (path: string | undefined) => (path === undefined ? null : besideConfig(directory, path))
  const people = (action: 'cancel' | 'terminate') =>
    cluster.approvals?.people?.[action] ?? approvals?.people?.[action] ?? 1
  const secondFactor = (action: 'cancel' | 'terminate') =>
    cluster.approvals?.secondFactor?.[action] ?? approvals?.secondFactor?.[action] ?? false
  const limit = (key: keyof typeof watchDefaults) =>
    cluster.watch?.[key] ?? watch?.[key] ?? watchDefaults[key]
  return {
    name: cluster.name,
    url: cluster.url,
    passwordFile: fileOf(cluster.passwordFile),
    pgbouncer: cluster.pgbouncer
      ? { url: cluster.pgbouncer, passwordFile: fileOf(cluster.pgbouncerPasswordFile) }
      : null,
    host: cluster.host ?? null,
    channel: cluster.channel ?? file.slack.channel,
    access: {
      viewers: cluster.access?.viewers ?? access?.viewers ?? 'everyone',
      requesters: cluster.access?.requesters ?? access?.requesters ?? 'everyone',
      approvers: cluster.access?.approvers ?? access?.approvers ?? [],
    },
    approvals: {
      people: { cancel: people('cancel'), terminate: people('terminate') },
      requesterMayApprove: cluster.approvals?.requesterMayApprove ?? approvals?.requesterMayApprove ?? false,
      secondFactor: { cancel: secondFactor('cancel'), terminate: secondFactor('terminate') },
      breakGlass: cluster.approvals?.breakGlass?.who ?? approvals?.breakGlass?.who ?? [],
      expireAfterMs: cluster.approvals?.expireAfter ?? approvals?.expireAfter ?? 900_000,
    },
    watch: {
      everyMs: limit('every'),
      cardsPerMinute: limit('cardsPerMinute'),
      blockedForSeconds: limit('blockedFor'),
      queryLongerThanSeconds: limit('queryLongerThan'),
      idleInTransactionLongerThanSeconds: limit('idleInTransactionLongerThan'),
      idleLongerThanSeconds: limit('idleLongerThan'),
      connectionsAbovePercent: limit('connectionsAbove'),
      poolWaitsForSeconds: limit('poolWaitsFor'),
      preparedLongerThanSeconds: limit('preparedLongerThan'),
      vacuumHeldBackBy: limit('vacuumHeldBackBy'),
      wraparoundAbovePercent: limit('wraparoundAbove'),
      slotRetainsBytes: limit('slotRetains'),
      // A cluster's own are asked before those that hold for all.
      rules: [...resolveRules(cluster.watch?.rules, 'cluster'), ...resolveRules(watch?.rules, 'general')],
    },
    protected: cluster.protected ?? [],
    notify: {
      mention: cluster.notify?.mention ?? notify?.mention ?? [],
      from: cluster.notify?.from ?? notify?.from ?? 'critical',
      remindAfterMs: cluster.notify?.remindAfter ?? notify?.remindAfter ?? Number.POSITIVE_INFINITY,
      escalate: (cluster.notify?.escalate ?? notify?.escalate ?? [])
        .map(({ after, mention }) => ({ afterMs: after, mention }))
        .sort((a, b) => a.afterMs - b.afterMs),
      webhooks: cluster.notify?.webhooks ?? notify?.webhooks ?? [],
    },
  }
}
