import type { Snapshot } from '../session/snapshot.ts'
import { blockingForest, type Forest, noForest } from './blocking.ts'

/** A snapshot and who blocks whom in it. */
export type Picture = {
  readonly snapshot: Snapshot
  readonly forest: Forest
  /**
   * Time when the locks were read (milliseconds since the epoch); older than the snapshot in a lock storm, null when
   * never.
   */
  readonly forestTakenAt: number | null
}

export function pictureOf(snapshot: Snapshot): Picture {
  const { locks, sessions, takenAt } = snapshot
  if (locks.kind === 'none') return { snapshot, forest: noForest, forestTakenAt: takenAt }
  if (locks.kind === 'read')
    return { snapshot, forest: blockingForest(locks.table, sessions), forestTakenAt: takenAt }
  return {
    snapshot,
    forest: locks.last ? blockingForest(locks.last, sessions) : noForest,
    forestTakenAt: locks.last ? locks.lastTakenAt : null,
  }
}
