import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import type { Config } from '../config/config.ts'
import { readStore } from '../store/reading.ts'
import { type Out, sayProblem } from './out.ts'

/**
 * Runs something that only reads the store. A bot that runs is not disturbed.
 * @returns 2 where there is none, which is said
 */
export async function withStore<T>(
  { store }: Config,
  err: Out,
  run: Parameters<typeof readStore<T>>[1],
): Promise<T | 2> {
  const result = await readStore(store, run, (sentence) => sayProblem(err, sentence))
  if (result !== null) return result
  const place = store.kind === 'sqlite' ? `at ${store.path}` : 'in the schema that its role works in'
  return sayProblem(err, `There is no store ${place}; store.url in the configuration says where it is.`)
}

/** Picks the cluster that is meant, without a connection to any. @returns null where there is none, which is said */
export function pickConfigured(
  name: string | null,
  { clusters }: Config,
  err: Out,
): Pick<WatchedCluster, 'config'> | null {
  const picked = pickCluster(new Map(clusters.map((config) => [config.name, { config }])), name, null)
  if (!('problem' in picked)) return picked
  sayProblem(err, picked.problem)
  return null
}
