import type { WatchedCluster } from '../commands/cluster.ts'
import { type Sweep, timesOf } from '../config/sweeps.ts'
import { matchesSweep, sweepWords } from '../domain/lists/bulkList.ts'
import { dueTimes } from '../domain/lists/sweepTimes.ts'
import type { Log } from '../log.ts'
import type { Cards, CardTx } from '../notify/cards.ts'
import { ClusterError } from '../postgres/cluster.ts'
import type { Store } from '../store/store.ts'
import type { View } from '../views/kit.ts'
import { missedLine, quietLine, unseenLine } from '../views/sweepLines.ts'
import type { Choice, ProposeBulk } from './proposeBulk.ts'

/** The sweeps at their times. */
export type Sweeper = {
  /** Asks for what is due now, and tells what was missed. To be run by one replica, every second. */
  runOnce(): Promise<void>
}

/** Makes of a sweep the choice of a bulk request. */
export const choiceOf = ({ name, match, action, most }: Sweep): Choice & { readonly sweep: string } => ({
  action,
  most,
  sweep: name,
  isChosen: (session) => matchesSweep(session, match),
  chosenBy: `sweep ${name}: ${sweepWords(match)}`,
})

/** Names of the clusters of a sweep that are there. */
export const clustersOf = (
  { clusters: named }: Sweep,
  clusters: ReadonlyMap<string, WatchedCluster>,
): WatchedCluster[] => [...clusters.values()].filter(({ config }) => named?.includes(config.name) ?? true)

export function createSweeper(deps: {
  /** Returns those that are configured now. */
  readonly sweeps: () => readonly Sweep[]
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly store: Pick<Store, 'sweeps' | 'silences'>
  readonly cards: Cards
  readonly proposeBulk: Pick<ProposeBulk, 'bySweep'>
  /** Decides whether this replica has the desk. */
  readonly hasDesk: () => boolean
  readonly now: () => number
  readonly log: Log
}): Sweeper {
  const { sweeps, clusters, store, cards, proposeBulk, hasDesk, now, log } = deps
  /** Time at which each is looked at again: the store is asked when it comes, not every second. Null without the desk. */
  let awaited: ReadonlyMap<string, number> | null = null
  let lookedAt = Number.NEGATIVE_INFINITY

  return {
    async runOnce() {
      if (!hasDesk()) {
        awaited = null
        return
      }
      // Of all clusters: one that does not answer makes none of the others late.
      const at = now()
      // What was awaited by a clock that was ahead may be long.
      if (at < lookedAt) awaited = null
      lookedAt = at
      const all = new Map(
        sweeps().flatMap((sweep) =>
          clustersOf(sweep, clusters).map((watched) => [keyOf(sweep, watched), { sweep, watched }] as const),
        ),
      )
      const isAsBefore = awaited?.size === all.size && [...all.keys()].every((key) => awaited?.has(key))
      // What leaves the configuration and comes back has missed nothing meanwhile.
      if (!isAsBefore)
        await store.sweeps.keepOnly(
          [...all.values()].map(({ sweep, watched }) => ({
            sweep: sweep.name,
            cluster: watched.config.name,
          })),
        )
      const seen = new Map<string, number>()
      for (const [key, { sweep, watched }] of all) {
        const before = awaited?.get(key) ?? Number.NEGATIVE_INFINITY
        const next =
          now() < before
            ? before
            : await look(sweep, watched, at).catch((err: unknown) => {
                log.error({ err, sweep: sweep.name }, 'a sweep failed, and is tried again')
                return now()
              })
        seen.set(key, next)
      }
      awaited = seen
    },
  }

  /** @returns the time at which it is to be looked at again */
  async function look(sweep: Sweep, watched: WatchedCluster, at: number): Promise<number> {
    const { name: cluster } = watched.config
    const times = timesOf(sweep)
    const seenTo = await store.sweeps.seenTo(sweep.name, cluster, scheduleOf(sweep), now())
    const { run, missed } = dueTimes(times, seenTo, at)
    if (missed) {
      log.warn({ sweep: sweep.name, cluster, ...missed }, 'a sweep was missed')
      await tell(sweep, watched, missed.last, missedLine(sweep, cluster, missed, times(now())))
    }
    if (run !== null) await ask(sweep, watched, run)
    return Math.max(times(Math.max(now(), seenTo)) ?? Number.POSITIVE_INFINITY, now())
  }

  async function ask(sweep: Sweep, watched: WatchedCluster, at: number): Promise<void> {
    const { name: cluster } = watched.config
    const quiet = (await store.silences.ofCluster(cluster)).find(
      ({ scope, until }) => scope.kind === 'cluster' && until > now(),
    )
    if (quiet) return tell(sweep, watched, at, quietLine(sweep, cluster, quiet.until))
    try {
      await proposeBulk.bySweep(watched, choiceOf(sweep), (tx) => take(tx, sweep, cluster, at))
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      await tell(sweep, watched, at, unseenLine(sweep, cluster, error.reason))
    }
  }

  /** Says one line in the channel of the cluster, once, and takes the times until then. */
  function tell(sweep: Sweep, { config }: WatchedCluster, at: number, said: View): Promise<void> {
    return cards.commit(null, async (tx) => {
      if (!(await take(tx, sweep, config.name, at))) return
      const id = `sweep:${sweep.name}:${config.name}:${at}`
      const where = { id, channel: config.channel, threadOf: null, priority: linePriority, once: true }
      await tx.messages.put({ ...where, ...said }, now())
    })
  }
}

const take = (tx: CardTx, sweep: Sweep, cluster: string, at: number): Promise<boolean> =>
  tx.sweeps.take(sweep.name, cluster, scheduleOf(sweep), at)

const keyOf = (sweep: Sweep, { config }: WatchedCluster): string =>
  JSON.stringify([sweep.name, config.name, scheduleOf(sweep)])

const scheduleOf = ({ schedule, timeZone }: Sweep): string => `${schedule} ${timeZone}`

/** As for a line about an action. */
const linePriority = 2
