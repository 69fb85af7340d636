import { hasPassword } from '../domain/text/databaseUrl.ts'
import type { Fleet } from './fleet.ts'
import { type ConfigProblem, type Path, pathText } from './problem.ts'
import type { Config } from './resolve.ts'
import type { File } from './schema.ts'

/** Problems of clusters that no key shows alone. All but the last are found in the raw tree, to be reported with everything else. */

const at = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined

const rawClusters = (tree: unknown): readonly unknown[] => {
  const clusters = at(tree, 'clusters')
  return Array.isArray(clusters) ? clusters : []
}

export function duplicateNames({ tree, place }: Fleet): ConfigProblem[] {
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
export function badPasswordFiles({ tree, place }: Fleet): ConfigProblem[] {
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
export function missingApprovers({ tree }: Fleet): ConfigProblem[] {
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
export function tooFewApprovers(config: Config, file: File): ConfigProblem[] {
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
