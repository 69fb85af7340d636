import { dirname } from 'node:path'
import { sharedTokens } from './api.ts'
import { badPasswordFiles, duplicateNames, missingApprovers, tooFewApprovers } from './clusterProblems.ts'
import { readFileText } from './file.ts'
import { disk, type Files, gatherFleet } from './fleet.ts'
import { nameProblems } from './names.ts'
import { ConfigError, type ConfigProblem, type Env, problemText } from './problem.ts'
import { type Config, logLevels, resolveConfig } from './resolve.ts'
import { fileSchema } from './schema.ts'

export { ConfigError, type Env } from './problem.ts'
export type { ClusterConfig, Config } from './resolve.ts'
export { asksForCodes, requireSecret, secretProblem } from './secret.ts'
export { requireSlack, type SlackSettings } from './slack.ts'

const defaultConfigPath = 'pg-marshal.yaml'

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
      ...missingApprovers(fleet).filter(isNew(problems)),
      ...badPasswordFiles(fleet),
    )
    if (parsed.success && logLevel && problems.length === 0) {
      const config = resolveConfig(parsed.data, directory, logLevel, env)
      problems.push(...tooFewApprovers(config, parsed.data).map(fleet.place))
      const names = config.clusters.map(({ name }) => name)
      const { tokens } = config.http
      problems.push(
        ...nameProblems('sweep', ['sweeps'], config.sweeps, names),
        ...nameProblems('token', ['http', 'api', 'tokens'], tokens, names),
        ...sharedTokens(tokens),
      )
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
