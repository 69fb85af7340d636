import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Cluster } from '../postgres/cluster.ts'
import { withoutGrant } from './status.ts'

/** Sight of all clusters by this process. */
export type Sight = {
  saw(snapshot: Snapshot): void
  /** A look at a cluster has ended, however it went. */
  looked(cluster: string): void
  /** It is not watched here any more. */
  left(cluster: string): void
  /** Returns true when it was looked at since the start: what is open there is known. */
  isKnown(cluster: string): boolean
  /** Returns why a cluster, or what its sessions do, cannot be seen now; null while it can. */
  unseen(cluster: string): string | null
}

export function createSight(clusters: ReadonlyMap<string, { readonly cluster: Cluster }>): Sight {
  /** Clusters that answer, but not what their sessions do. */
  const veiled = new Set<string>()
  const known = new Set<string>()
  return {
    saw({ cluster, server }) {
      if (server.seesOthers) veiled.delete(cluster)
      else veiled.add(cluster)
    },
    looked: (cluster) => void known.add(cluster),
    left(cluster) {
      veiled.delete(cluster)
      known.delete(cluster)
    },
    isKnown: (cluster) => known.has(cluster),
    unseen: (name) =>
      clusters.get(name)?.cluster.failure()?.reason ?? (veiled.has(name) ? withoutGrant.reason : null),
  }
}
