import type { Logger } from 'pino'
import { type Picture, pictureOf } from '../domain/picture.ts'
import { type Cluster, ClusterFailure } from '../postgres/cluster.ts'
import type { Pace } from './pace.ts'
import type { Report } from './report.ts'

/** Who wants to know how the looks go. */
export type Onlooker = {
  /** `seconds`: how long it took. */
  saw(picture: Picture, seconds: number): void
  unseen(): void
  /** After it was worked in. `well`: the sessions were seen, and what follows was written down. */
  done(well: boolean): void
}

/** One look at one cluster, and what follows from it. Its loop runs it every `watch.every`, never two at once. */
export function createWatcher(deps: {
  readonly cluster: Cluster
  readonly report: Report
  readonly pace: Pace
  readonly onlooker: Onlooker
  readonly log: Logger
}): () => Promise<void> {
  const { cluster, report, pace, onlooker, log } = deps
  let lastReason = ''
  return async () => {
    const gap = pace.begin()
    if (gap) await report.gap(gap)
    let well = false
    try {
      const startedAt = performance.now()
      const picture = pictureOf(await cluster.snapshot())
      lastReason = ''
      onlooker.saw(picture, (performance.now() - startedAt) / 1000)
      await report.seen(picture)
      await report.behind(pace.end())
      well = picture.snapshot.server.seesOthers
    } catch (error) {
      if (!(error instanceof ClusterFailure)) throw error
      onlooker.unseen()
      // The same again at every look tells nothing new.
      log[error.reason === lastReason ? 'debug' : 'warn'](
        { cluster: cluster.name, code: error.code },
        error.reason,
      )
      lastReason = error.reason
      await report.blind(error)
    } finally {
      onlooker.done(well)
    }
  }
}
