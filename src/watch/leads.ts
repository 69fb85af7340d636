import type { Clock } from '../clock.ts'
import { clusterLease, deskLease } from '../domain/fleet/share.ts'
import type { Log } from '../log.ts'
import { type Lease, LeaseLost, type Membership, type Round } from '../store/replicas.ts'

/** Work that goes on for as long as this replica has the lease for it. */
export type Duty = {
  /** Begins it, or begins it anew. */
  start(): void
  /** Does the next of it now, where it does not already. */
  hurry(): void
  /**
   * Resolves when nothing of it is under way.
   * @param isLast the process ends, and nobody has taken it over yet
   */
  stop(isLast: boolean): Promise<void>
}

/** Part of this replica in all that is to be done, and what it knows of the others. */
export type Leads = {
  /** Says that this replica lives, and begins and ends what came and went. Throws what keeps it from the store. */
  round(): Promise<void>
  /** Returns the last round; null before the first. */
  last(): Round | null
  /** Returns true while it does the work for all. */
  hasDesk(): boolean
  hurry(): void
  /** Ends the watching of these clusters; the next round begins it with what holds then, where the lease is still ours. */
  renew(clusters: readonly string[]): Promise<void>
  /** Ends everything, and gives it back at once. */
  stop(): Promise<void>
}

/**
 * Begins and ends the watching of clusters, and the work for all, as the leases come and go. While the store does not answer
 * it goes on as it was: an alert must not depend on the store.
 */
export function createLeads(deps: {
  readonly membership: Membership
  /** Goes by the clock of the store, where there is one. */
  readonly clock: Pick<Clock, 'following'>
  /** The clusters of the configuration, and which of them are not seen. */
  readonly about: () => { readonly clusters: readonly string[]; readonly unseen: readonly string[] }
  /** Makes what watches a cluster, with what is written under this lease. */
  readonly watch: (cluster: string, lease: Lease) => Duty
  /** The work for all. */
  readonly desk: Duty
  /** Is called after each round. */
  readonly after: (round: Round) => void
  readonly log: Log
}): Leads {
  const { membership, clock, about, watch, desk, after, log } = deps
  const duties = new Map<string, { readonly lease: Lease; readonly duty: Duty }>()
  /** By their leases. */
  const ending = new Map<string, Promise<void>>()
  let last: Round | null = null
  let stopping = false

  return {
    async round() {
      if (stopping) return
      const round = await clock.following(() => membership.round(about()))
      if (stopping) return
      last = round
      for (const [name, { lease, duty }] of duties)
        if (round.leases.get(name)?.epoch !== lease.epoch) end(name, duty)
      for (const cluster of about().clusters) {
        const lease = round.leases.get(clusterLease(cluster))
        if (lease) begin(lease, () => watch(cluster, lease))
      }
      const lease = round.leases.get(deskLease)
      if (lease) begin(lease, () => desk)
      after(round)
    },
    last: () => last,
    hasDesk: () => duties.has(deskLease),
    hurry() {
      for (const { duty } of duties.values()) duty.hurry()
    },
    async renew(clusters) {
      const names = clusters.map(clusterLease)
      for (const name of names) {
        const has = duties.get(name)
        if (has) end(name, has.duty)
      }
      await Promise.all(names.map((name) => ending.get(name)))
    },
    async stop() {
      stopping = true
      for (const [name, { duty }] of duties) end(name, duty, true)
      await Promise.all(ending.values())
      await membership.leave()
    },
  }

  function begin(lease: Lease, make: () => Duty) {
    // What is under way from before has to end first.
    if (duties.has(lease.name) || ending.has(lease.name)) return
    const duty = make()
    duties.set(lease.name, { lease, duty })
    log.info({ lease: lease.name, epoch: lease.epoch }, 'this replica leads')
    duty.start()
  }

  function end(name: string, duty: Duty, isLast = false) {
    duties.delete(name)
    log.info({ lease: name }, 'this replica leads no longer')
    ending.set(
      name,
      duty.stop(isLast).finally(() => ending.delete(name)),
    )
  }
}

/** Runs one round of a duty; that its lease was lost meanwhile is no fault. */
export const unlessLost = (log: Log, runOnce: () => Promise<void>) => async (): Promise<void> => {
  try {
    await runOnce()
  } catch (error) {
    if (!(error instanceof LeaseLost)) throw error
    log.info({ reason: error.message }, 'what was to be written is left to another replica')
  }
}

/** Decides whether each of these clusters is watched by somebody, and none that another replica has is out of its sight. */
export const othersSee = (round: Round, clusters: readonly string[], ownId: string): boolean =>
  clusters.every((cluster) => round.leaders.has(clusterLease(cluster))) &&
  round.replicas.every(
    ({ id, unseen }) =>
      id === ownId || unseen.every((cluster) => round.leaders.get(clusterLease(cluster)) !== id),
  )

/** Returns how many replicas live, and every lease with since when this one has it: milliseconds since the epoch, or null. */
export const leadershipIn = ({ replicas, leases }: Round, clusters: readonly string[]) => ({
  replicas: replicas.length,
  leases: [deskLease, ...clusters.map(clusterLease)].map((name) => ({
    name,
    takenAt: leases.get(name)?.takenAt ?? null,
  })),
})

/** Finds the name of the replica that watches a cluster; null where one process watches all, or nobody this one. */
export function watcherIn(round: Round | null, cluster: string): string | null {
  const { replicas = [], leaders } = round ?? {}
  const watcher = replicas.find(({ id }) => id === leaders?.get(clusterLease(cluster)))
  return replicas.length > 1 && watcher ? watcher.name : null
}
