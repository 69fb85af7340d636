import type { Wait } from '../locks/blocking.ts'
import type { Picture } from '../locks/picture.ts'
import { type Session, sessionsByPid } from '../session/session.ts'
import { clockOf } from './fields.ts'
import type { Cost, PastWait, Share } from './report.ts'
import { middle } from './report.ts'
import { statementKey } from './trail.ts'

type Open = {
  session: Session
  wait: Wait | null
  from: number
  lastSeenAt: number
  overAt: number | null
  /** Number of the look that first showed it awake again; null while it waits. */
  awakeSince: number | null
}

/** Collector of the waits that looks show one after the other. */
export type Waits = {
  /** Adds who waits at a look. */
  add(picture: Picture, waiting: readonly Session[]): void
  /**
   * Lists all waits, the longest first.
   * @param until nothing is known of what came later
   */
  all(until: number): PastWait[]
}

export function collectWaits(): Waits {
  const known = new Map<string, Open>()
  /** Earlier waits of statements that wait again. */
  const earlier: Open[] = []
  let looks = 0
  let live = new Set<string>()
  return {
    add({ snapshot, forest }, waiting) {
      const { takenAt } = snapshot
      looks++
      const { locks } = snapshot
      // The locks are read a moment after the activity, by which the look is dated.
      const readAt =
        locks.kind === 'read'
          ? takenAt + locks.table.readAt * 1000 - clockOf(snapshot.sessions, takenAt) / 1000
          : null
      const now = new Set<string>()
      for (const session of waiting) {
        const key = statementKey(session)
        now.add(key)
        const wait = readAt !== null ? (forest.waits.get(session.pid) ?? null) : null
        const last = known.get(key)
        // Seen awake at one look alone, it may have been handed on in the same queue.
        const isOther = last?.awakeSince != null && looks - last.awakeSince > 1
        if (last && isOther) earlier.push(last)
        const before = isOther ? undefined : last
        const began = readAt === null || wait?.seconds == null ? takenAt : readAt - wait.seconds * 1000
        if (before) {
          before.lastSeenAt = takenAt
          before.overAt = null
          before.awakeSince = null
          before.wait ??= wait
          // The server's own begin, where it was not known at the first look.
          before.from = Math.min(before.from, began)
        } else
          known.set(key, { session, wait, from: began, lastSeenAt: takenAt, overAt: null, awakeSince: null })
      }
      const sessions = sessionsByPid(snapshot.sessions)
      for (const key of live) {
        const one = known.get(key)
        if (!one || now.has(key)) continue
        one.awakeSince = looks
        one.overAt = endOf(one, sessions.get(one.session.pid), takenAt)
      }
      live = now
    },
    all: (until) =>
      [...earlier, ...known.values()]
        .map((one): PastWait => {
          const end = one.overAt ?? Math.max(until, one.lastSeenAt)
          const { awakeSince: _, ...wait } = one
          return {
            ...wait,
            least: Math.max(0, (one.lastSeenAt - one.from) / 1000),
            most: Math.max(0, (end - one.from) / 1000),
          }
        })
        .sort((a, b) => middle(b) - middle(a) || a.from - b.from || a.session.pid - b.session.pid),
  }
}

/** Finds when it surely did not wait any more: by what it does now, or this look. */
function endOf({ session, lastSeenAt }: Open, now: Session | undefined, takenAt: number): number {
  const latest = [takenAt]
  if (now?.backendStart === session.backendStart) {
    // The statement that waited is over: its session has done something else since.
    const seconds = now.queryStart === session.queryStart ? now.stateSeconds : now.querySeconds
    if (seconds !== null && (now.state !== 'active' || now.queryStart !== session.queryStart))
      latest.push(takenAt - seconds * 1000)
  }
  return Math.max(lastSeenAt, Math.min(...latest))
}

/** Sums waits up by a name of theirs, the most first. Those without one count nowhere. */
export function shareBy(
  waits: readonly PastWait[],
  nameOf: (wait: PastWait) => string | null | undefined,
): Share[] {
  const shares = new Map<string, { seconds: number; readonly who: Set<string> }>()
  for (const wait of waits) {
    const name = nameOf(wait)
    if (name == null) continue
    const share = shares.get(name) ?? { seconds: 0, who: new Set<string>() }
    shares.set(name, share)
    share.seconds += middle(wait)
    share.who.add(`${wait.session.pid} ${wait.session.backendStart}`)
  }
  return [...shares]
    .map(([name, { seconds, who }]) => ({ name, sessions: who.size, seconds }))
    .sort((a, b) => b.seconds - a.seconds || (a.name < b.name ? -1 : 1))
}

/** Sums up what the waits cost. */
export const costOfWaits = (waits: readonly PastWait[]): Omit<Cost, 'rolledBack'> => ({
  least: waits.reduce((sum, { least }) => sum + least, 0),
  most: waits.reduce((sum, { most }) => sum + most, 0),
  sessions: new Set(waits.map(({ session }) => `${session.pid} ${session.backendStart}`)).size,
  users: shareBy(waits, ({ session }) => session.usename),
  applications: shareBy(waits, ({ session }) => session.applicationName),
  databases: shareBy(waits, ({ session }) => session.datname),
  statements: shareBy(waits, ({ session }) => session.query),
  relations: shareBy(waits, ({ wait }) => wait?.relationName),
})
