import { tellingRoles } from '../domain/session/platform.ts'
import { newerWords } from '../domain/session/versions.ts'
import type { Log } from '../log.ts'
import type { Connection } from './connection.ts'
import { type CatalogNames, type Facts, factsFrom, laterFunctions, namesFrom } from './rows.ts'
import { statements } from './statements.ts'

/** Facts of a server, and the names of its databases and roles, as they were last read. */
export type ServerFacts = {
  /** Returns null before they were read for the first time. */
  latest(): Facts | null
  names(): CatalogNames
  /** Returns true when they were read so long ago that they are not believed any more. */
  areOld(): boolean
  /** Reads both. Throws ClusterError; what was known stays. */
  learn(query: Connection['query']): Promise<Facts>
}

/** Time for which names of databases and roles, and our own grants, are believed. */
const factsLastMs = 60_000

export function createServerFacts({
  log,
  now,
}: {
  readonly log: Log
  readonly now: () => number
}): ServerFacts {
  let facts: Facts | null = null
  let readAt = 0
  let names: CatalogNames = { databases: new Map(), roles: new Map() }
  return {
    latest: () => facts,
    names: () => names,
    areOld: () => now() - readAt > factsLastMs,
    learn: async (query) => {
      const latest = factsFrom(await query(statements.facts, [tellingRoles, laterFunctions]))
      const newer = newerWords(latest.version_num)
      if (newer !== null && facts?.version_num !== latest.version_num) log.warn(newer)
      facts = latest
      names = namesFrom(await query(statements.names, []))
      readAt = now()
      return facts
    },
  }
}
