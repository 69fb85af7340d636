import { formatSize } from '../domain/text/size.ts'
import type { Log } from '../log.ts'
import { storeFailureOf } from '../store/failure.ts'
import type { HistoryExtent } from '../store/history/limits.ts'
import type { History } from '../store/history.ts'

/** Keeper of the record's limits, for all replicas. */
export type HistoryKeeping = {
  /** Removes what is too old, and the oldest of what is too much. Never throws. */
  run(): Promise<void>
  /** Reason why nothing can be removed; null: all is well. */
  failure(): string | null
  /** Extent of the record after the last round; null before it. */
  extent(): HistoryExtent | null
}

const dayMs = 86_400_000

/**
 * Makes what keeps the limits.
 * @param keepMs for how long a chunk is kept, milliseconds; null: nothing is recorded, nor kept
 */
export function createHistoryKeeping({
  history,
  keepMs,
  mostBytes,
  log,
  now,
}: {
  readonly history: Pick<History, 'prune' | 'shrink' | 'extent'>
  readonly keepMs: number | null
  readonly mostBytes: number
  readonly log: Log
  readonly now: () => number
}): HistoryKeeping {
  let failure: string | null = null
  let extent: HistoryExtent | null = null
  let saidAt = Number.NEGATIVE_INFINITY

  return {
    failure: () => failure,
    extent: () => extent,
    async run() {
      try {
        await history.prune(now() - (keepMs ?? 0))
        const dropped = await history.shrink(mostBytes)
        extent = await history.extent()
        if (failure !== null) log.info('old looks are removed again')
        failure = null
        // It goes on like this from then on.
        if (dropped === 0 || Math.abs(now() - saidAt) < dayMs) return
        saidAt = now()
        log.warn(
          { dropped, oldest: extent.oldestAt === null ? null : new Date(extent.oldestAt).toISOString() },
          `the record has reached history.most (${formatSize(mostBytes)}): its oldest looks go before history.keep is over`,
        )
      } catch (error) {
        if (failure === null) log.warn({ err: error }, 'old looks cannot be removed')
        failure = storeFailureOf(error) ?? 'a fault of mine, see the log'
      }
    },
  }
}
