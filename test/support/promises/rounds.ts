import type { Cluster } from '../../../src/postgres/cluster.ts'
import { chooser } from '../chooser.ts'
import { closeClusters, openCluster } from '../cluster.ts'
import { startTestServer } from '../postgres.ts'
import { type Lane, openLane, type Step } from './lane.ts'
import { type Family, families } from './moves.ts'
import { prove, type Verdict } from './prove.ts'

type At = { readonly lane: Lane; readonly cluster: Cluster }

/** A seed whose sessions happen not to meet proves nothing: another one plays in its place. */
const nextTry = 1_000_000
const mostTries = 1000
/** Number of broken promises that are made smaller, each by some dozens of rounds. */
const mostSmaller = 12

export type Round = Verdict & { readonly seed: number; readonly family: string }

export type Rounds = {
  /** Makes the jams of so many seeds, and takes their ways out. Those that are `news` are made smaller first. */
  play(
    rounds: number,
    first: number,
    isNews?: (round: Verdict) => boolean,
    from?: readonly Family[],
  ): Promise<Round[]>
  /** Makes one jam again from its steps. */
  replay(steps: readonly Step[], root?: number): Promise<Verdict | null>
  close(): Promise<void>
}

export async function openRounds(laneCount: number): Promise<Rounds> {
  const server = await startTestServer({
    // A deadlock stays, and no queue is re-ordered, until the round is over.
    settings: {
      ...{ max_connections: 120, autovacuum: false, deadlock_timeout: '10min', wal_level: 'logical' },
      ...{ max_prepared_transactions: 40, max_replication_slots: 20 },
    },
  })
  const shop = await server.createRole('shop')
  await server.admin.query('ALTER ROLE shop REPLICATION')
  const lanes: At[] = []
  for (let number = 1; number <= laneCount; number++) {
    const lane = await openLane(server, shop, number)
    const cluster = openCluster({
      url: lane.url,
      maskText: (text) => text,
      deadlines: { locks: 20_000, activity: 20_000 },
    })
    await cluster.start()
    lanes.push({ lane, cluster })
  }

  async function round(at: At, seed: number, among: readonly Family[]): Promise<Round> {
    const family = among[seed % among.length]
    if (!family) throw new Error('no family')
    for (let again = seed; again < seed + mostTries * nextTry; again += nextTry) {
      const choose = chooser(again)
      try {
        const steps = await at.lane.invent(family, choose, `${again}`)
        const verdict = await prove(at.lane, at.cluster, steps, (roots) => choose.one(roots))
        if (verdict) return { ...verdict, seed: again, family: family.name }
      } catch (error) {
        throw new Error(`seed ${again} (${family.name}): ${error}`, { cause: error })
      } finally {
        await at.lane.reset()
      }
    }
    throw new Error(`seed ${seed} (${family.name}): its sessions never meet`)
  }

  async function replayIn({ lane, cluster }: At, steps: readonly Step[], root?: number) {
    try {
      await lane.play(steps)
      return await prove(lane, cluster, steps, (roots) =>
        root !== undefined && roots.includes(root) ? root : roots[0],
      )
    } finally {
      await lane.reset()
    }
  }

  /** Leaves out whatever the broken promise does not need. */
  async function smaller(at: At, found: Round, isNews: (round: Verdict) => boolean): Promise<Round> {
    let best = found
    for (let index = best.steps.length - 1; index >= 0; index--) {
      const steps = best.steps.filter((_, other) => other !== index)
      const verdict = await replayIn(at, steps, best.root).catch(() => null)
      if (verdict && isNews(verdict)) best = { ...best, ...verdict }
    }
    return best
  }

  let left = mostSmaller
  async function work(
    at: At,
    seeds: number[],
    isNews: (round: Verdict) => boolean,
    among: readonly Family[],
  ): Promise<Round[]> {
    const done: Round[] = []
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const found = await round(at, seed, among)
      done.push(isNews(found) && left-- > 0 ? await smaller(at, found, isNews) : found)
    }
    return done
  }

  return {
    play: async (rounds, first, isNews = ({ broken }) => broken.length > 0, from = families) => {
      const isMerge = (sql: string) => sql.startsWith('MERGE')
      const among = from.filter(({ orders }) => server.versionNum >= 150_000 || !orders?.flat().some(isMerge))
      const seeds = Array.from({ length: rounds }, (_, index) => first + index)
      const isAlone = (seed: number) => among[seed % among.length]?.alone === true
      const together = seeds.filter((seed) => !isAlone(seed))
      const results = (await Promise.all(lanes.map((at) => work(at, together, isNews, among)))).flat()
      const [at] = lanes
      if (at) results.push(...(await work(at, seeds.filter(isAlone), isNews, among)))
      return results.sort((a, b) => (a.seed % nextTry) - (b.seed % nextTry))
    },
    replay: async (steps, root) => {
      const [at] = lanes
      return at ? replayIn(at, steps, root) : null
    },
    close: async () => {
      await closeClusters()
      await Promise.all(lanes.map(({ lane }) => lane.close()))
      await server.stop()
    },
  }
}

/** A jam that can be made again by hand, or written down as a test. */
export const describeRound = ({ seed, family, steps, way, broken }: Round): string =>
  [
    `seed ${seed} (${family}), ${way}`,
    ...broken.map(({ line }) => `  ${line}`),
    ...steps.map(({ session, sql }) => `    s${session + 1}: ${sql}`),
  ].join('\n')

/** By kind of wait: how many waited, and what came of what was promised. */
export function tableOf(rounds: readonly Round[]) {
  const all = rounds.flatMap(({ seen }) => seen)
  const row = (kind: string, seen: typeof all) => {
    const count = (promise: string, ...went: string[]) =>
      seen.filter((one) => one.promise === promise && went.includes(one.went)).length
    const atOnce = seen.filter(({ went }) => went === 'at once').length
    const hedged = atOnce - count('atOnce', 'at once')
    return {
      kind,
      waited: seen.length,
      atOnce,
      hedged,
      untrue: count('atOnce', 'later', 'not'),
      follow: seen.filter(({ promise }) => promise === 'follow').length,
      neverFollowed: count('follow', 'not'),
      unsure: seen.filter(({ promise }) => promise === 'unsure').length,
      nextLock: seen.filter(({ went }) => went === 'into its next lock').length,
    }
  }
  const kinds = [...Map.groupBy(all, ({ kind }) => kind)].sort(([, a], [, b]) => b.length - a.length)
  return [...kinds.map(([kind, seen]) => row(kind, seen)), row('all', all)]
}

/** Counts why somebody was in doubt, and how many of them went on at once all the same. */
export function doubtsOf(rounds: readonly Round[]) {
  const unsure = rounds.flatMap(({ seen }) => seen).filter(({ promise }) => promise === 'unsure')
  return [...Map.groupBy(unsure, ({ kind, why }) => `${kind}: ${why || 'stays'}`)]
    .map(([why, seen]) => ({
      why,
      unsure: seen.length,
      hedged: seen.filter(({ went }) => went === 'at once').length,
    }))
    .sort((a, b) => b.hedged - a.hedged)
}

/** Counts by family which jams are hard. */
export function familiesOf(rounds: readonly Round[]) {
  return [...Map.groupBy(rounds, ({ family }) => family)].map(([family, played]) => {
    const { waited, atOnce, hedged, untrue } = tableOf(played).at(-1) ?? {}
    return { family, jams: played.length, waited, atOnce, hedged, untrue }
  })
}
