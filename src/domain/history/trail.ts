import type { Incident } from '../incidents/incident.ts'
import type { Root } from '../locks/blocking.ts'
import { type Session, sessionsByPid } from '../session/session.ts'
import type { Stretch } from './waiting.ts'

/**
 * Follows jams from look to look, so that the one of an incident is known before its card and behind whichever session it
 * went on. It is the same jam where its root is still in the same transaction, or else where somebody is still in the same
 * statement that waited in it.
 */

/** A statement of a session. Who is in the same one at two looks, and waits at both, has waited in between. */
export const statementKey = ({ pid, backendStart, queryStart }: Session): string =>
  `${pid} ${backendStart} ${queryStart}`

/** Roots of the jam of an incident, by the time of the look. A root is named as `rootKey` does. */
export type Trail = {
  readonly roots: ReadonlyMap<number, ReadonlySet<string>>
  /** Times of the first and the last look that show it; null: none does. */
  readonly from: number | null
  readonly to: number | null
  /** The first look of all shows it already: it may have begun before. */
  readonly fromTheStart: boolean
  /** Time of the first look of all. */
  readonly firstLookAt: number | null
}

/** Names a session, whatever it does. */
export const sessionName = ({ pid, backendStart }: Pick<Session, 'pid' | 'backendStart'>): string =>
  `${pid} ${backendStart}`

/** Names a root: a session, or a prepared transaction. */
export const rootKey = (root: Root, session: Session | undefined): string =>
  root.prepared ? `prepared ${root.prepared.gid}` : session ? sessionName(session) : `gone ${root.pid}`

type Track = { readonly id: number; readonly transaction: string; readonly waiting: ReadonlySet<string> }

type Seen = {
  readonly at: number
  readonly track: number
  readonly root: string
  readonly victims: Set<string>
}

/** Follower of all jams of a cluster. */
export type Trailing = {
  /** Adds stretches, in order. */
  add(stretches: Iterable<Stretch>): void
  /** Finds the trail of an incident among what was added. */
  of(incident: Incident): Trail
}

export function beginTrail(): Trailing {
  let live: Track[] = []
  let tracks = 0
  let lastAt = Number.NEGATIVE_INFINITY
  let firstAt: number | null = null
  const seen: Seen[] = []
  // Jams that were one at some look: a root whose victims all wait behind another root too stands at the head of the same jam.
  const parents: number[] = []
  const groupOf = (track: number): number => {
    let at = track
    while (parents[at] !== undefined && parents[at] !== at) at = parents[at] ?? at
    return at
  }

  return {
    add(stretches) {
      for (const { picture } of stretches) {
        if (!picture || picture.snapshot.takenAt <= lastAt) continue
        const { snapshot, forest } = picture
        lastAt = snapshot.takenAt
        // Where the locks were not read, what is known of them goes on.
        if (snapshot.locks.kind === 'jammed' || !snapshot.server.seesOthers) continue
        firstAt ??= lastAt
        const sessions = sessionsByPid(snapshot.sessions)
        const heads = forest.roots.map((root) => {
          const session = sessions.get(root.pid)
          const statements = (pids: readonly number[]) =>
            new Set(pids.flatMap((pid) => sessions.get(pid) ?? []).map(statementKey))
          const key = rootKey(root, session)
          return { root, key, transaction: `${key} ${session?.xactStart}`, waiting: statements(root.victims) }
        })
        const before = new Map(live.map((track) => [track.transaction, track]))
        const gone = new Set(live)
        for (const { transaction } of heads) {
          const track = before.get(transaction)
          if (track) gone.delete(track)
        }
        const followed = heads.map((head): Track => {
          const same = before.get(head.transaction)
          const heir = same ?? mostShared(gone, head.waiting)
          if (heir) gone.delete(heir)
          return { id: heir?.id ?? tracks++, transaction: head.transaction, waiting: head.waiting }
        })
        for (const [index, { id }] of followed.entries()) {
          parents[id] ??= id
          const { waiting, key, root } = heads[index] ?? { waiting: new Set<string>(), key: '', root: null }
          for (const other of followed)
            if (other.id !== id && isWithin(waiting, other.waiting)) parents[groupOf(id)] = groupOf(other.id)
          seen.push({
            at: lastAt,
            track: id,
            root: key,
            victims: new Set((root?.victims ?? []).map((pid) => `${pid} ${sessions.get(pid)?.backendStart}`)),
          })
        }
        live = followed
      }
    },
    of({ finding, openedAt, resolvedAt }) {
      if (finding.kind !== 'blocking') return { ...noTrail, firstLookAt: firstAt }
      const subject = rootKey(finding.root, finding.session ?? undefined)
      const end = resolvedAt ?? Number.POSITIVE_INFINITY
      const before = seen.filter(({ at }) => at <= end)
      const last = before.findLast(({ root }) => root === subject)
      const groups = last ? withParts(groupOf(last.track), partsOf(before, openedAt, groupOf)) : new Set()
      const mine = before.filter(({ track }) => groups.has(groupOf(track)))
      const roots = new Map<number, Set<string>>()
      for (const { at, root } of mine) roots.set(at, (roots.get(at) ?? new Set()).add(root))
      const [first] = mine
      return {
        roots,
        from: first?.at ?? null,
        to: mine.at(-1)?.at ?? null,
        fromTheStart: first !== undefined && first.at === firstAt,
        firstLookAt: firstAt,
      }
    },
  }
}

const noTrail = { roots: new Map<number, ReadonlySet<string>>(), from: null, to: null, fromTheStart: false }

/** One unbroken jam, as far as it lay in the time of an incident. */
type Part = {
  readonly to: number
  /** Since when each was a root. */
  readonly roots: Map<string, number>
  readonly victims: Set<string>
}

function partsOf(
  seen: readonly Seen[],
  openedAt: number,
  groupOf: (track: number) => number,
): Map<number, Part> {
  const parts = new Map<number, Part>()
  for (const { at, track, root, victims } of seen) {
    if (at < openedAt) continue
    const group = groupOf(track)
    const part = parts.get(group) ?? { to: at, roots: new Map<string, number>(), victims: new Set<string>() }
    if (!part.roots.has(root)) part.roots.set(root, at)
    for (const victim of victims) part.victims.add(victim)
    parts.set(group, { ...part, to: at })
  }
  return parts
}

/**
 * Adds to a jam the others that its incident went on with: an incident that came back has several, behind the same session or
 * behind one that had waited in the earlier one.
 */
function withParts(last: number, parts: ReadonlyMap<number, Part>): Set<number> {
  const groups = new Set([last])
  // A set hands out what is added while it is walked.
  for (const group of groups) {
    const roots = parts.get(group)?.roots ?? new Map<string, number>()
    for (const [other, part] of parts)
      if (
        [...roots].some(
          ([root, since]) => part.roots.has(root) || (part.to < since && part.victims.has(root)),
        )
      )
        groups.add(other)
  }
  return groups
}

/** Finds the jam whose root is gone and who share the most waiting statements with this one. */
function mostShared(gone: ReadonlySet<Track>, waiting: ReadonlySet<string>): Track | null {
  let best: Track | null = null
  let most = 0
  for (const track of gone) {
    let shared = 0
    for (const key of waiting) if (track.waiting.has(key)) shared++
    if (shared > most) {
      most = shared
      best = track
    }
  }
  return best
}

const isWithin = (some: ReadonlySet<string>, all: ReadonlySet<string>): boolean =>
  some.size > 0 && some.size <= all.size && [...some].every((one) => all.has(one))
