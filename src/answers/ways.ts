import type { WatchedCluster } from '../commands/cluster.ts'
import { parseCommand } from '../commands/command.ts'
import { quoted } from '../domain/lists/filters.ts'
import type { Session } from '../domain/session/session.ts'
import { noActions, type Proposed, withActions } from '../views/answers/actions.ts'
import type { Line, View } from '../views/kit.ts'
import { trouble } from './elsewhere.ts'
import { cardOf, openOn, type Past, sessionsIn } from './openCards.ts'
import { mostProposed } from './proposed.ts'

/** Readers of an answer, and what must be said to them first. */
export type Reader = {
  readonly seen: readonly WatchedCluster[]
  readonly notes: readonly Line[]
  /** Null where there are no buttons, as in the terminal. */
  readonly typed: string | null
}

/** An answer with what it proposes, and the pids that it is about. */
export type Looked = {
  readonly view: View
  readonly proposed: readonly Proposed[]
  readonly about: readonly number[]
}

/** Adds what can be done: requests, the open cards of these sessions, trouble elsewhere, and reading it again. */
export async function withWays(
  { view, proposed, about }: Looked,
  {
    watched,
    sessions,
    isWaiting,
    reader,
    past,
    clusters,
  }: {
    readonly watched: WatchedCluster
    /** All that were seen. */
    readonly sessions: readonly Session[]
    /** True where somebody waits for a lock. */
    readonly isWaiting: boolean
    readonly reader: Reader
    readonly past: Past | null
    readonly clusters: ReadonlyMap<string, WatchedCluster>
  },
): Promise<View> {
  const { name } = watched.config
  const open = await openOn(past, name)
  const meant = new Set([...about, ...proposed.map(({ key }) => key.pid)])
  const keys = new Map(
    sessions.flatMap(({ pid, backendStart }) => (meant.has(pid) ? [[pid, backendStart] as const] : [])),
  )
  const own = open
    .filter((one) => sessionsIn(one).some(({ pid, backendStart }) => keys.get(pid) === backendStart))
    .slice(0, mostProposed)
  const cards = past ? await Promise.all(own.map((one) => cardOf(past, name, one))) : []
  const isQuiet = open.length === 0 && !isWaiting
  const others = reader.seen.filter(({ config }) => config.name !== name)
  const elsewhere = isQuiet ? await trouble(past, others) : noActions
  return withActions(view, {
    ...noActions,
    notes: [...reader.notes, ...elsewhere.notes],
    proposed: reader.typed === null ? [] : proposed,
    cards,
    shows: reader.typed === null ? [] : elsewhere.shows,
    refresh: reader.typed === null ? null : pinned(reader.typed, clusters, name),
  })
}

/** The same command about this cluster, wherever its button is pressed. */
function pinned(typed: string, clusters: ReadonlyMap<string, WatchedCluster>, name: string): string {
  if (clusters.size < 2) return typed
  const longer = `${typed} --cluster ${quoted(name)}`
  const parsed = parseCommand(longer)
  return 'cluster' in parsed && parsed.cluster === name ? longer : typed
}
