import type { Forest } from '../../src/domain/locks/blocking.ts'
import type { Picture } from '../../src/domain/locks/picture.ts'
import { jamsIn, layOut } from '../../src/domain/locks/tree.ts'
import { isClient, type Session } from '../../src/domain/session/session.ts'
import { versionWords } from '../../src/domain/session/versions.ts'

/** One dot of the picture. */
export type Node = {
  /** A pid and when its backend began, or the name of a prepared transaction. */
  readonly id: string
  /** Null for a prepared transaction. */
  readonly pid: number | null
  readonly name: string
  readonly kind: 'session' | 'prepared' | 'bot'
  readonly state: string
  /** Seconds in this state, or in its transaction when it is idle in one. */
  readonly seconds: number
  readonly query: string | null
  /** The node that it waits behind, and for what. */
  readonly behind: string | null
  /** The other ones that it waits for, where a circle has no root. */
  readonly alsoBehind: readonly string[]
  readonly wait: { readonly mode: string; readonly on: string; readonly seconds: number | null } | null
  readonly isRoot: boolean
}

export type ServerView = {
  /** `silent`: it does not answer. */
  readonly state: 'up' | 'silent'
  /** Reason why it is silent, or why the lock table could not be read; in words. */
  readonly why: string | null
  readonly version: string
  readonly used: number
  readonly slots: number
  readonly waiting: number
  readonly nodes: readonly Node[]
}

export const unseen: ServerView = {
  state: 'silent',
  why: null,
  version: '',
  used: 0,
  slots: 0,
  waiting: 0,
  nodes: [],
}

/** Builds what the page draws, from what the server said. It shows who stands behind whom as the bot's own cards do. */
export function viewOf({ snapshot, forest }: Picture, botUser: string): ServerView {
  const { sessions, server, locks } = snapshot
  const clients = sessions.filter((session) => isClient(session) || forest.waits.has(session.pid))
  const ids = new Map(clients.map((session) => [session.pid, `${session.pid} ${session.backendStart}`]))
  const places = placesIn(forest, ids)

  const nodes = clients.map((session): Node => {
    const id = ids.get(session.pid) ?? ''
    const wait = forest.waits.get(session.pid)
    const place = places.get(session.pid)
    return {
      id,
      pid: session.pid,
      name: session.applicationName || session.usename || session.backendType,
      kind: session.usename === botUser ? 'bot' : 'session',
      state: session.state ?? session.backendType,
      seconds: Math.round(ageOf(session)),
      query: session.query,
      behind: place?.behind ?? null,
      alsoBehind: place?.alsoBehind ?? [],
      wait: wait
        ? {
            mode: wait.mode,
            on: wait.relationName ?? wait.target.locktype,
            seconds: wait.seconds === null ? null : Math.round(wait.seconds),
          }
        : null,
      isRoot: forest.roots.some((root) => root.kind === 'session' && root.pid === session.pid),
    }
  })
  for (const { prepared } of forest.roots) {
    if (prepared === null) continue
    nodes.push({
      id: prepared.gid,
      pid: null,
      name: prepared.gid,
      kind: 'prepared',
      state: 'prepared transaction',
      seconds: Math.round(prepared.preparedSeconds),
      query: null,
      behind: null,
      alsoBehind: [],
      wait: null,
      isRoot: true,
    })
  }
  return {
    state: 'up',
    why: locks.kind === 'jammed' ? locks.why : null,
    version: versionWords(server.versionNum),
    used: sessions.filter(isClient).length + snapshot.ownConnections,
    slots: server.maxConnections,
    waiting: forest.waits.size,
    nodes,
  }
}

type Place = { readonly behind: string | null; readonly alsoBehind: readonly string[] }

function placesIn(forest: Forest, ids: ReadonlyMap<number, string>): Map<number, Place> {
  const places = new Map<number, Place>()
  const all = Number.MAX_SAFE_INTEGER
  const whole = { lines: all, maxTrees: all, statementOf: () => null }
  for (const { root, cycle, branches } of layOut(jamsIn(forest), forest, whole).trees) {
    const rootId = root?.prepared?.gid ?? (root ? (ids.get(root.pid) ?? null) : null)
    for (const { pid, behind } of branches)
      places.set(pid, { behind: behind === root?.pid ? rootId : (ids.get(behind) ?? null), alsoBehind: [] })
    for (const pid of cycle) {
      const others = forest.blockedBy(pid).flatMap((other) => ids.get(other) ?? [])
      places.set(pid, { behind: null, alsoBehind: others })
    }
  }
  return places
}

const ageOf = (session: Session): number =>
  (session.state?.startsWith('idle in transaction') ? session.xactSeconds : session.stateSeconds) ?? 0
