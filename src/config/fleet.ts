import { readdirSync, readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { readFileText } from './file.ts'
import type { ConfigProblem, Env, Path } from './problem.ts'

/** Clusters from everywhere in one tree, and the way back from a place in it to where that was written. */
export type Fleet = {
  readonly tree: unknown
  readonly problems: readonly ConfigProblem[]
  /** Moves a problem of the whole tree to the file and the key that a person has to mend. */
  place(problem: ConfigProblem): ConfigProblem
}

/** Access to the file system. */
export type Files = {
  readonly read: (path: string) => string
  readonly list: (path: string) => readonly string[]
}

export const disk: Files = { read: (path) => readFileSync(path, 'utf8'), list: (path) => readdirSync(path) }

/** Relative paths start where the configuration stands, not where the process was started. */
export const besideConfig = (directory: string, path: string): string =>
  isAbsolute(path) ? path : resolve(directory, path)

type Origin = { readonly file?: string; readonly path: Path; readonly own: unknown }

const isKeys = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Puts the clusters of `clustersFrom` behind those of the file, and under each what its template says.
 * @param directory the directory of the configuration
 */
export function gatherFleet(tree: unknown, directory: string, env: Env, files: Files): Fleet {
  if (!isKeys(tree)) return { tree, problems: [], place: (problem) => problem }
  const { clusters, clustersFrom, templates } = tree
  const problems: ConfigProblem[] = []
  let isWhole = true
  const origins: Origin[] = (Array.isArray(clusters) ? clusters : []).map((own, index) => ({
    path: ['clusters', index],
    own,
  }))
  if (typeof clustersFrom === 'string') {
    const more = readClusters(clustersFrom, directory, env, files)
    problems.push(...more.problems)
    origins.push(...more.origins)
    isWhole = more.isWhole
  }
  const known = isKeys(templates) ? templates : {}
  const templateOf = (own: unknown) => {
    const name = isKeys(own) ? own.template : undefined
    return typeof name === 'string' && Object.hasOwn(known, name) ? { name, keys: known[name] } : null
  }
  const all = origins.map(({ own, ...origin }) => {
    const template = templateOf(own)
    if (!isKeys(own) || own.template === undefined) return own
    if (template === null) {
      const names = Object.keys(known).join(', ')
      const sentence = `There is no such template. Known: ${names || 'none (templates is empty)'}.`
      problems.push({ ...origin, path: [...origin.path, 'template'], sentence })
      return own
    }
    return over(named(template.keys, own.name), own)
  })
  // What no cluster takes is never checked.
  const taken = new Set(origins.map(({ own }) => templateOf(own)?.name))
  if (isWhole)
    for (const name of Object.keys(known).filter((name) => !taken.has(name)))
      problems.push({
        path: ['templates', name],
        sentence:
          'No cluster uses this template. Take it out, or write template: with its name at a cluster.',
      })
  const place = (problem: ConfigProblem): ConfigProblem => {
    const [top, index, ...rest] = problem.path
    const origin = top === 'clusters' && typeof index === 'number' ? origins[index] : undefined
    if (!origin || problem.file !== undefined) return problem
    const template = templateOf(origin.own)
    if (template && !has(origin.own, rest) && has(template.keys, rest))
      return { path: ['templates', template.name, ...rest], sentence: problem.sentence }
    const { own: _own, path, ...file } = origin
    return { ...file, path: [...path, ...rest], sentence: problem.sentence }
  }
  // Where the list itself is no list, the schema says so.
  const isList = clusters === undefined || Array.isArray(clusters)
  const whole = isList && (clusters !== undefined || clustersFrom !== undefined)
  return { tree: whole ? { ...tree, clusters: all } : tree, problems, place }
}

function readClusters(from: string, directory: string, env: Env, files: Files) {
  const origins: Origin[] = []
  const problems: ConfigProblem[] = []
  /** False where something was not read: it may hold any cluster. */
  let isWhole = true
  const reading = <T>(read: () => T, problem: Omit<ConfigProblem, 'sentence'>, what: string): T | null => {
    try {
      return read()
    } catch (error) {
      isWhole = false
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
      problems.push({
        ...problem,
        sentence: `The ${what} cannot be read (${code}). Check that it is there, and its permissions.`,
      })
      return null
    }
  }
  const found = reading(
    () => files.list(besideConfig(directory, from)),
    { path: ['clustersFrom'] },
    'directory',
  )
  // An editor's hidden copies, and the hidden directories of a mounted ConfigMap, are no clusters.
  const names = (found ?? []).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort()
  if (found && names.length === 0)
    problems.push({ path: ['clustersFrom'], sentence: 'There is no file NAME.yaml in this directory.' })
  for (const name of names) {
    const file = join(from, name)
    const text = reading(() => files.read(besideConfig(directory, file)), { file, path: [] }, 'file')
    if (text === null) continue
    const read = readFileText(text, env)
    problems.push(...read.problems.map((problem) => ({ ...problem, file })))
    const { tree } = read
    // An empty file is one whose clusters are gone, or are not there yet.
    if (tree === undefined) {
      isWhole &&= read.problems.length === 0
      continue
    }
    const key = isKeys(tree) && Object.keys(tree).join() === 'clusters' ? ['clusters'] : []
    const list = isKeys(tree) && key.length > 0 ? tree.clusters : tree
    if (Array.isArray(list)) origins.push(...list.map((own, index) => ({ file, path: [...key, index], own })))
    else origins.push({ file, path: key, own: list })
  }
  return { origins, problems, isWhole }
}

/** The template under the cluster: key by key, also inside of what holds keys. */
function over(below: unknown, above: unknown): unknown {
  if (!isKeys(below) || !isKeys(above)) return above === undefined ? below : above
  const keys = new Set([...Object.keys(below), ...Object.keys(above)])
  return Object.fromEntries([...keys].map((key) => [key, over(below[key], above[key])]))
}

/** Puts the name of the cluster where the template has `{name}`. */
function named(value: unknown, name: unknown): unknown {
  if (typeof value === 'string') return typeof name === 'string' ? value.replaceAll('{name}', name) : value
  if (Array.isArray(value)) return value.map((item) => named(item, name))
  if (!isKeys(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, named(item, name)]))
}

/** Returns true where something, be it empty, stands at this place. */
function has(value: unknown, [step, ...rest]: Path): boolean {
  if (step === undefined) return true
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false
  return has(Reflect.get(value, step), rest)
}
