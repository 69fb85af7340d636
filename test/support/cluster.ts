import pino from 'pino'
import { type Cluster, type ClusterOptions, createCluster } from '../../src/postgres/cluster.ts'

/** A cluster with whatever a test does not care about; closed by `closeClusters`. */
export function openCluster(options: Partial<ClusterOptions> & { readonly url: string }): Cluster {
  const cluster = createCluster({
    name: 'orders',
    log: pino({ level: 'silent' }),
    maskText: (text) => `masked(${text.length})`,
    now: Date.now,
    ...options,
  })
  opened.push(cluster)
  return cluster
}

export async function closeClusters(): Promise<void> {
  await Promise.all(opened.splice(0).map((cluster) => cluster.close()))
}

const opened: Cluster[] = []

/** Everything that was logged, as one text. */
export function logTo(lines: string[]) {
  return pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
}
