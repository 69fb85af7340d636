import { dirname } from 'node:path'
import type { Notify } from '../domain/incidents/ladder.ts'
import type { Webhook } from '../domain/incidents/webhook.ts'
import type {
  Access,
  Approvals,
  Protected,
  Rule,
  SessionThresholds,
  Watch,
} from '../domain/session/policy.ts'
import { hasPassword } from '../domain/text/databaseUrl.ts'
import type { QueryText } from '../domain/text/mask.ts'
import type { TagSettings } from '../domain/text/tags.ts'
import { type ApiToken, resolveTokens, tokenProblems } from './api.ts'
import { readFileText } from './file.ts'
import { besideConfig, disk, type Files, type Fleet, gatherFleet } from './fleet.ts'
import { ConfigError, type ConfigProblem, type Env, type Path, pathText, problemText } from './problem.ts'
import { type File, fileSchema } from './schema.ts'
import { resolveSweep, type Sweep, sweepProblems } from './sweeps.ts'
import { usualTags } from './tags.ts'

export { ConfigError, type Env } from './problem.ts'
export { asksForCodes, requireSecret, secretProblem } from './secret.ts'
export { requireSlack, type SlackSettings } from './slack.ts'

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

export type LogLevel = (typeof logLevels)[number]

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

const defaultConfigPath = 'pg-marshal.yaml'

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

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

/**
 * Reads the file that PG_MARSHAL_CONFIG names (else `pg-marshal.yaml` in the working directory). Slack's tokens are not
 * needed here: see `requireSlack`.
 * @throws ConfigError
 */
export function loadConfig({
  env,
  readFile = disk.read,
}: {
  readonly env: Env
  readonly readFile?: (path: string) => string
}): Config {
  const path = env.PG_MARSHAL_CONFIG || defaultConfigPath
  let text: string
  try {
    text = readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    const problem =
      code === 'ENOENT'
        ? `There is no file ${path}. Copy pg-marshal.example.yaml to it, or name another in PG_MARSHAL_CONFIG.`
        : `The file ${path} cannot be read (${code}). Check its permissions, or name another in PG_MARSHAL_CONFIG.`
    throw new ConfigError([problem], 'pg-marshal has no configuration:')
  }
  return parseConfig(text, env, path, { ...disk, read: readFile })
}

/**
 * @param text the YAML of the file
 * @param source the path of the file; what it names beside it is looked for there
 * @throws ConfigError with every problem at once
 */
export function parseConfig(text: string, env: Env, source = defaultConfigPath, files: Files = disk): Config {
  const read = readFileText(text, env)
  const problems = [...read.problems]
  const logLevel = logLevels.find((level) => level === (env.LOG_LEVEL || 'info').toLowerCase())
  if (!logLevel) problems.push({ path: ['LOG_LEVEL'], sentence: `Write one of ${logLevels.join(', ')}.` })
  if (read.tree === undefined && problems.length === 0)
    problems.push({ path: [], sentence: 'The file is empty. Copy pg-marshal.example.yaml and fill it in.' })
  if (read.tree !== undefined) {
    const directory = dirname(source)
    const fleet = gatherFleet(read.tree, directory, env, files)
    problems.push(...fleet.problems)
    const parsed = fileSchema.safeParse(fleet.tree)
    if (!parsed.success)
      problems.push(...parsed.error.issues.flatMap(problemsOf).map(fleet.place).filter(isNew(problems)))
    problems.push(
      ...duplicateNames(fleet),
      ...missingApprovers(fleet.tree).filter(isNew(problems)),
      ...badPasswordFiles(fleet),
    )
    if (parsed.success && logLevel && problems.length === 0) {
      const config = resolveConfig(parsed.data, directory, logLevel, env)
      problems.push(...tooFewApprovers(config, parsed.data).map(fleet.place))
      const names = config.clusters.map(({ name }) => name)
      problems.push(...sweepProblems(config.sweeps, names), ...tokenProblems(config.http.tokens, names))
      if (problems.length === 0) return config
    }
  }
  const sentences = problems.map(problemText)
  throw new ConfigError([...new Set(sentences)], `The configuration (${source}) cannot be used:`)
}

/** Leaves out problems at and above a place where `${NAME}` was missing: that place is empty for a reason already given. */
function isNew(known: readonly ConfigProblem[]): (problem: ConfigProblem) => boolean {
  const placeOf = ({ file, path }: ConfigProblem) =>
    problemText({ ...(file && { file }), path, sentence: '' })
  const places = new Set(known.filter(({ file, path }) => file || path.length > 0).map(placeOf))
  return (problem) => !places.has(placeOf(problem))
}

type Issue = {
  readonly code?: string | undefined
  readonly path: PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
}

function problemsOf(issue: Issue): ConfigProblem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (issue.code !== 'unrecognized_keys') return [{ path, sentence: issue.message }]
  // What stands where a key should may be anything, also a secret: it is named when it looks like a key.
  return (issue.keys ?? []).map((key) =>
    /^[A-Za-z_]{1,40}$/.test(key)
      ? { path: [...path, key], sentence: issue.message }
      : { path, sentence: `There is a key that is not a plain word. ${issue.message}` },
  )
}

const at = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined

const rawClusters = (tree: unknown): readonly unknown[] => {
  const clusters = at(tree, 'clusters')
  return Array.isArray(clusters) ? clusters : []
}

/** Found in the raw tree, so that it is reported together with everything else. */
function duplicateNames({ tree, place }: Fleet): ConfigProblem[] {
  const firsts = new Map<string, number>()
  return rawClusters(tree).flatMap((cluster, index) => {
    const name = at(cluster, 'name')
    if (typeof name !== 'string') return []
    const first = firsts.get(name)
    if (first === undefined) {
      firsts.set(name, index)
      return []
    }
    const { file, path } = place({ path: ['clusters', first], sentence: '' })
    const where = [file, pathText(path)].filter(Boolean).join(': ')
    return [place({ path: ['clusters', index, 'name'], sentence: `${where} has this name already.` })]
  })
}

/** Keys of a cluster that hold a url, and those with the file of its password. */
const urlKeys = [
  ['url', 'passwordFile'],
  ['pgbouncer', 'pgbouncerPasswordFile'],
] as const

/** One of two passwords would be ignored silently, and so would one for no url. */
function badPasswordFiles({ tree, place }: Fleet): ConfigProblem[] {
  return rawClusters(tree).flatMap((cluster, index) =>
    urlKeys.flatMap(([urlKey, fileKey]) => {
      if (at(cluster, fileKey) === undefined) return []
      const problem = (sentence: string) => [place({ path: ['clusters', index, fileKey], sentence })]
      const url = at(cluster, urlKey)
      if (url === undefined && urlKey === 'pgbouncer')
        return problem('There is no url that it is for: write pgbouncer: postgres://….')
      const has = typeof url === 'string' && URL.canParse(url) && hasPassword(url)
      return has ? problem('The url has a password too: keep one of them.') : []
    }),
  )
}

/** Approvers may stand above, or with every cluster. */
function missingApprovers(tree: unknown): ConfigProblem[] {
  const approversOf = (part: unknown) => at(at(part, 'access'), 'approvers')
  const clusters = rawClusters(tree)
  if (
    approversOf(tree) !== undefined ||
    (clusters.length > 0 && clusters.every((c) => approversOf(c) !== undefined))
  )
    return []
  const sentence =
    'Missing. Name who may approve: a list of user and user-group ids like [U0DANA, S0DBAONCALL].'
  return [{ path: ['access', 'approvers'], sentence }]
}

/** Two approvals wanted and one person named: no action could ever be approved. */
function tooFewApprovers(config: Config, file: File): ConfigProblem[] {
  return config.clusters.flatMap(({ access, approvals }, index) => {
    if (access.approvers.some((id) => id.startsWith('S'))) return []
    const own = file.clusters[index]
    const above: Path = own?.access?.approvers || own?.approvals?.people ? ['clusters', index] : []
    return (['cancel', 'terminate'] as const)
      .filter((action) => approvals.people[action] > access.approvers.length)
      .map((action) => ({
        path: [...above, 'approvals', 'people', action],
        sentence: `More people must approve than are named in approvers (${access.approvers.length}). Name more, or ask for fewer.`,
      }))
  })
}

function resolveConfig(file: File, directory: string, logLevel: LogLevel, env: Env): Config {
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
      rules: [...rulesOf(cluster.watch, 'cluster'), ...rulesOf(watch, 'general')],
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

const thresholdNames = {
  blockedFor: 'blockedForSeconds',
  queryLongerThan: 'queryLongerThanSeconds',
  idleInTransactionLongerThan: 'idleInTransactionLongerThanSeconds',
  idleLongerThan: 'idleLongerThanSeconds',
  vacuumHeldBackBy: 'vacuumHeldBackBy',
} as const satisfies Record<string, keyof SessionThresholds>

/** A cluster's own rules are asked before those that hold for all. */
const rulesOf = (watch: File['watch'] | File['clusters'][number]['watch'], from: Rule['from']): Rule[] =>
  (watch?.rules ?? []).map(({ match, limits, hours }) => ({
    match,
    thresholds: Object.fromEntries(
      Object.entries(thresholdNames).flatMap(([name, known]) => {
        const limit = limits[name as keyof typeof thresholdNames]
        return limit === undefined ? [] : [[known, limit]]
      }),
    ),
    hours,
    from,
  }))
