import type { Logger } from 'pino'
import { pictureOf } from '../domain/picture.ts'
import { type Cluster, ClusterFailure } from '../postgres/cluster.ts'
import type { Pace } from './pace.ts'
import type { Report } from './report.ts'

/** One look at one cluster, and what follows from it. Its loop runs it every `watch.every`, never two at once. */
export function createWatcher(deps: {
  readonly cluster: Cluster
  readonly report: Report
  readonly pace: Pace
  readonly log: Logger
}): () => Promise<void> {
  const { cluster, report, pace, log } = deps
  return async () => {
    const gap = pace.begin()
    if (gap) await report.gap(gap)
    try {
      await report.seen(pictureOf(await cluster.snapshot()))
      await report.behind(pace.end())
    } catch (error) {
      if (!(error instanceof ClusterFailure)) throw error
      log.warn({ cluster: cluster.name, code: error.code }, error.reason)
      await report.blind(error.reason)
    }
  }
}
