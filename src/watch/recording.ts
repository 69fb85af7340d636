import type { Log } from '../log.ts'
import type { HistoryExtent } from '../store/history/limits.ts'
import type { History } from '../store/history.ts'
import { createHistoryKeeping } from './historyKeeping.ts'
import { createRecorder, type Recorder } from './recorder.ts'

/** Record of looks as this process keeps it: what it adds, and the limits that the desk holds. */
export type Recording = Recorder & {
  /** Removes what is too old or too much. Never throws. */
  keepLimits(): Promise<void>
  /** Extent of the record when that was done last; null before. */
  extent(): HistoryExtent | null
}

/** Recorder where nothing is recorded. */
const none: Recorder = {
  saw: () => {},
  unseen: () => {},
  left: () => {},
  failure: () => null,
  counts: () => ({ written: 0, lost: 0 }),
  lastLook: async () => null,
  settle: async () => {},
  stop: async () => {},
}

/** @param keepMs null: nothing is recorded, and what was is removed */
export function createRecording({
  keepMs,
  mostBytes,
  ...deps
}: {
  readonly history: History
  readonly keepMs: number | null
  readonly mostBytes: number
  readonly everyMsOf: (cluster: string) => number
  readonly maskText: (text: string) => string | null
  readonly log: Log
  readonly now: () => number
}): Recording {
  const recorder = keepMs === null ? none : createRecorder(deps)
  const keeping = createHistoryKeeping({ ...deps, keepMs, mostBytes })
  return {
    ...recorder,
    keepLimits: keeping.run,
    extent: keeping.extent,
    failure() {
      const [unrecorded, unremoved] = [recorder.failure(), keeping.failure()]
      if (unrecorded !== null) return `looks cannot be recorded: ${unrecorded}`
      return unremoved === null ? null : `old looks cannot be removed: ${unremoved}`
    },
  }
}
