import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { Recording } from './recording.ts'
import type { Sight } from './sight.ts'
import type { WatchHooks } from './watcher.ts'

/** Hooks for the looks at one cluster; `left`: it is not watched here any more. */
export type ClusterHooks = WatchHooks & { readonly left: () => void }

/** Tells all who follow the looks: what works most, what is seen, the metrics, the record and the heartbeat. */
export const createHooks =
  ({
    top,
    sight,
    metrics,
    recording,
    heartbeat,
    now,
  }: {
    readonly top: { saw(snapshot: Snapshot): void; left(cluster: string): void }
    readonly sight: Sight
    readonly metrics: {
      observeSnapshot(picture: Picture, seconds: number): void
      clusterUnseen(cluster: string): void
    }
    readonly recording: Pick<Recording, 'saw' | 'unseen' | 'left'>
    readonly heartbeat: Pick<Heartbeat, 'looked'>
    readonly now: () => number
  }) =>
  (cluster: string): ClusterHooks => ({
    saw(picture, seconds) {
      top.saw(picture.snapshot)
      sight.saw(picture.snapshot)
      metrics.observeSnapshot(picture, seconds)
      recording.saw(picture)
    },
    unseen(why) {
      metrics.clusterUnseen(cluster)
      recording.unseen(cluster, now(), why)
    },
    done(well) {
      sight.looked(cluster)
      heartbeat.looked(cluster, well)
    },
    left() {
      top.left(cluster)
      sight.left(cluster)
      recording.left(cluster)
    },
  })
