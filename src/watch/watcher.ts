import { setImmediate as turn } from 'node:timers/promises'
import { type Picture, pictureOf } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Log } from '../log.ts'
import { type Cluster, ClusterError } from '../postgres/cluster.ts'
import type { IncidentReport } from './incidents.ts'
import type { Pace } from './pace.ts'
import type { WatchStatus } from './status.ts'

/** Hooks that hear how the looks go. */
export type WatchHooks = {
  /** `seconds`: how long it took. */
  saw(picture: Picture, seconds: number): void
  unseen(why: string): void
  /** After it was worked in. `well`: the sessions were seen, and what follows was written down. */
  done(well: boolean): void
}

/** Reporter of what is seen while the store cannot be used. */
export type WithoutStore = {
  /** Returns true when the error is the store's. */
  noted(error: unknown): boolean
  /** Reports what is seen, or why nothing is. */
  report(seen: Picture | { readonly blind: string }): Promise<void>
}

/** Number of failed health checks in a row before the channel hears of it: one may meet a lock, or a log that is rotated. */
const failedLooks = 3

/** One look at one cluster, and what follows from it. Its loop runs it every `watch.every`, never two at once. */
export function createWatcher(deps: {
  readonly cluster: Cluster
  readonly report: IncidentReport
  readonly status: WatchStatus
  readonly pace: Pace
  readonly withoutStore: WithoutStore
  readonly hooks: WatchHooks
  readonly log: Log
  /** Milliseconds between two health checks. */
  readonly healthEveryMs: number
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number
}): () => Promise<void> {
  const { cluster, report, status, pace, withoutStore, hooks, log, healthEveryMs, steady } = deps
  let lastReason = ''
  let lookAgainAt = Number.NEGATIVE_INFINITY
  let lastFailure = ''
  let failed = 0
  /** @returns false when the store took nothing: that must not keep us from looking */
  const kept = async (write: () => Promise<void>): Promise<boolean> => {
    try {
      await write()
      return true
    } catch (error) {
      if (!withoutStore.noted(error)) throw error
      return false
    }
  }
  /** Adds a health check when one is due. It waits until the locks can be read: both take the same way. */
  const withHealth = async (snapshot: Snapshot): Promise<Snapshot> => {
    if (steady() < lookAgainAt || snapshot.locks.kind === 'jammed') return snapshot
    lookAgainAt = steady() + healthEveryMs
    try {
      const health = await cluster.health()
      lastFailure = ''
      failed = 0
      await kept(() => status.healthUnavailable(null))
      return { ...snapshot, health }
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      // The look itself went well, and what was seen before still stands, with its age.
      const level = error.code === lastFailure ? 'debug' : 'warn'
      log[level]({ cluster: cluster.name, code: error.code }, `no health check: ${error.reason}`)
      lastFailure = error.code
      if (++failed >= failedLooks) await kept(() => status.healthUnavailable(error.reason))
      return snapshot
    }
  }
  return async () => {
    const gap = pace.begin()
    if (gap) await kept(() => status.gap(gap))
    let well = false
    try {
      const startedAt = steady()
      const snapshot = await cluster.snapshot()
      const seconds = (steady() - startedAt) / 1000
      const picture = pictureOf(await withHealth(snapshot))
      lastReason = ''
      // Where there is much to see, the looks at others have a turn before it is worked in.
      await turn()
      hooks.saw(picture, seconds)
      const isKept = await kept(async () => {
        await status.seen(snapshot.server.seesOthers)
        await report.seen(picture)
        await status.behind(pace.end())
      })
      if (!isKept) return await withoutStore.report(picture)
      well = picture.snapshot.server.seesOthers
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      hooks.unseen(error.reason)
      // That nothing at all is seen says more than that the health check failed.
      failed = 0
      // The same again at every look is no news.
      log[error.reason === lastReason ? 'debug' : 'warn'](
        { cluster: cluster.name, code: error.code },
        error.reason,
      )
      lastReason = error.reason
      if (!(await kept(() => report.unseen(error)))) await withoutStore.report({ blind: error.reason })
    } finally {
      hooks.done(well)
    }
  }
}
