import { markTextsMs } from '../store/history/texts.ts'
import type { History } from '../store/history.ts'

/** Keeper of the statements that looks name: they are there before the look is, and stay as long as it does. */
export type TextMarks = {
  /** Writes those that are new, and marks those as used that were marked long ago. */
  mark(cluster: string, texts: ReadonlyMap<string, string>): Promise<void>
  /** Frees the memory of a cluster that is not watched here any more. */
  forget(cluster: string): void
}

export function createTextMarks({
  history,
  now,
}: {
  readonly history: Pick<History, 'addTexts'>
  readonly now: () => number
}): TextMarks {
  /** By cluster and id. */
  const markedAt = new Map<string, Map<string, number>>()
  return {
    async mark(cluster, texts) {
      const at = now()
      const marked = markedAt.get(cluster) ?? new Map<string, number>()
      markedAt.set(cluster, marked)
      const due = new Map(
        [...texts].filter(
          ([id]) => Math.abs(at - (marked.get(id) ?? Number.NEGATIVE_INFINITY)) > markTextsMs / 2,
        ),
      )
      if (due.size === 0) return
      await history.addTexts(cluster, due, at)
      for (const id of due.keys()) marked.set(id, at)
      for (const [id, then] of marked) if (Math.abs(at - then) > 2 * markTextsMs) marked.delete(id)
    },
    forget: (cluster) => void markedAt.delete(cluster),
  }
}
