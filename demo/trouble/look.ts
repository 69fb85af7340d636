import type { Picture } from '../../src/domain/locks/picture.ts'

/** As much of a session as a stage has to know. */
export type Look = {
  readonly pid: number
  readonly isActive: boolean
  /** Seconds that it has waited for a lock; null if it does not wait. */
  readonly waits: number | null
}

/** One look at the servers. */
export type Sight = {
  /** Begin of the look, in milliseconds since 1970. It shows nothing that came later. */
  readonly at: number
  readonly sessions: readonly Look[]
}

export const sightOf = ({ snapshot, forest, forestTakenAt }: Picture): Sight => ({
  at: Math.min(snapshot.takenAt, forestTakenAt ?? 0),
  sessions: snapshot.sessions.map(({ pid, state }) => ({
    pid,
    isActive: state === 'active',
    waits: forest.waits.get(pid)?.seconds ?? (forest.waits.has(pid) ? 0 : null),
  })),
})

/** Joins the looks at several servers, each made in its own time. */
export const together = (sights: readonly Sight[]): Sight => ({
  at: Math.min(...sights.map(({ at }) => at)),
  sessions: sights.flatMap(({ sessions }) => sessions),
})
