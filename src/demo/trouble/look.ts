import type { Picture } from '../../domain/picture.ts'

/** As much of a session as a stage has to know. */
export type Look = {
  readonly pid: number
  readonly isActive: boolean
  /** Seconds that it has waited for a lock; null if it does not wait. */
  readonly waits: number | null
}

export const looksAt = ({ snapshot, forest }: Picture): readonly Look[] =>
  snapshot.sessions.map(({ pid, state }) => ({
    pid,
    isActive: state === 'active',
    waits: forest.waits.get(pid)?.seconds ?? (forest.waits.has(pid) ? 0 : null),
  }))
