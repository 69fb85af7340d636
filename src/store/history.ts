import type { HistoryDatabase } from './database.ts'
import { type HistoryLimits, limitsIn } from './history/limits.ts'
import { type HistoryReading, readingIn } from './history/reading.ts'
import { type HistoryWriting, writingIn } from './history/writing.ts'

/** Record of the looks at all clusters. Nothing of it excludes, or waits for, those who write something of weight. */
export type History = HistoryWriting & HistoryReading & HistoryLimits

/** @param warn see `readingIn` */
export const historyIn = (use: HistoryDatabase, warn: (sentence: string) => void = () => {}): History => ({
  ...writingIn(use),
  ...readingIn(use, warn),
  ...limitsIn(use),
})
