import { type Picture, pictureOf } from '../../../src/domain/locks/picture.ts'
import { jamBehind, jamRecommendations } from '../../../src/domain/locks/recommendation.ts'
import { lockTableOf, rehearse } from '../../../src/domain/locks/simulation.ts'
import type { Cluster } from '../../../src/postgres/cluster.ts'
import type { Lane, Step } from './lane.ts'
import { wantsMore } from './moves.ts'

/** Fate of one who waited. `later`: after those who went on had ended their transactions. */
export type Seen = {
  readonly name: string
  readonly kind: string
  readonly promise: 'atOnce' | 'follow' | 'unsure'
  /** Reason why it is not sure; empty where it is, or where it is known to stay. */
  readonly why: string
  readonly went: 'at once' | 'after another' | 'later' | 'into its next lock' | 'not'
}

export type Verdict = {
  readonly steps: readonly Step[]
  /** The session whose jam it is. */
  readonly root: number
  readonly way: string
  readonly seen: readonly Seen[]
  /** Promises that were not true, with the kind of wait; empty when all were. */
  readonly broken: readonly { readonly kind: string; readonly line: string }[]
  readonly isDeadlock: boolean
  readonly isJoint: boolean
}

/**
 * Takes the way out that is recommended for one jam of a lane, and compares what was promised with what happens.
 * @param choose picks the jam by the sessions at the roots; null where nothing can be recommended
 */
export async function prove(
  lane: Lane,
  cluster: Cluster,
  steps: readonly Step[],
  choose: (roots: readonly number[]) => number | undefined,
): Promise<Verdict | null> {
  const before = await fresh(cluster)
  const sessions = await cluster.withText(before.snapshot.sessions)
  const { actors } = lane
  const indexOf = (pid: number) => actors.findIndex(({ session }) => session.pid === pid)
  const nameOf = (pid: number) => (indexOf(pid) < 0 ? String(pid) : `s${indexOf(pid) + 1}`)
  const recommendFor = jamRecommendations(before, [], sessions)
  const jams = before.forest.roots.flatMap((root) => {
    const mine = root.victims.length > 0 && root.victims.every((pid) => indexOf(pid) >= 0)
    const best = mine ? recommendFor(jamBehind(root))?.best : null
    return best && indexOf(best.pid) >= 0 ? [{ root, best, session: indexOf(root.pid) }] : []
  })
  const chosen = choose(jams.map(({ session }) => session))
  const jam = jams.find(({ session }) => session === chosen)
  if (!jam) return null
  const { root, best } = jam
  const endings = [{ pid: best.pid, action: best.action }, ...best.together]
  const targets = new Set(endings.map(({ pid }) => pid))
  const victims = root.victims.filter((pid) => !targets.has(pid))
  const { expected } = best
  const table = lockTableOf(before)
  const doubts = table ? rehearse(table, sessions).whatIf(...endings).doubts : new Map()
  const way = endings.map(({ pid, action }) => `${action} ${nameOf(pid)}`).join(', ')
  const lists = Object.entries(expected)
    .map(([list, pids]) => `${list} [${pids.map(nameOf).join(' ')}]`)
    .join(', ')
  const broken: { kind: string; line: string }[] = []
  const listed = [...expected.atOnce, ...expected.follow, ...expected.unsure]
  if (listed.toSorted().join() !== victims.toSorted().join())
    broken.push({
      kind: 'lists',
      line: `not each victim stands in exactly one list: ${victims.map(nameOf).join(' ')}`,
    })

  const waiters = victims.map((pid) => {
    const actor = actors[indexOf(pid)]
    const busy = actor?.busy ?? ''
    return { pid, actor, busy, kind: kindOf(busy, before.forest.waits.get(pid)?.target.locktype ?? '') }
  })
  await lane.end(endings)
  const after = await fresh(cluster)
  const moved = new Set(waiters.filter(({ actor }) => actor?.busy === null).map(({ pid }) => pid))
  // Who ends its transaction with its statement lets others follow already.
  const ended = waiters.some(
    ({ pid, actor }) => moved.has(pid) && (!actor?.inTransaction || actor.error !== null),
  )

  // Of all jams: with several roots ended, who was freed may stand before a victim of this one.
  const freed = actors.filter(({ session: { pid } }) => before.forest.waits.has(pid) && !targets.has(pid))
  const holdsForItself = (index: number) =>
    steps.some(({ session, sql }) => session === index && sql.includes('advisory_lock'))
  const unlocked = new Set<number>()
  for (let more = true; more; ) {
    more = false
    for (const actor of freed) {
      if (actor.busy !== null) continue
      const { pid } = actor.session
      const index = indexOf(pid)
      if (actor.inTransaction) {
        await lane.run(index, actor.error === null && index % 2 === 0 ? 'COMMIT' : 'ROLLBACK')
        more = true
      }
      if (holdsForItself(index) && !unlocked.has(pid)) {
        await lane.run(index, 'SELECT pg_advisory_unlock_all()')
        unlocked.add(pid)
        more = true
      }
    }
  }
  const last = await fresh(cluster)
  const isDeadlock = last.forest.cycles.some((pids) => pids.some((pid) => indexOf(pid) >= 0))

  const seen = waiters.map(({ pid, actor, busy, kind }): Seen => {
    const promise = expected.atOnce.includes(pid)
      ? 'atOnce'
      : expected.follow.includes(pid)
        ? 'follow'
        : 'unsure'
    const was = before.forest.waits.get(pid)
    const is = after.forest.waits.get(pid)
    const isNext = wantsMore(busy) && JSON.stringify(is?.target) !== JSON.stringify(was?.target)
    const went = moved.has(pid)
      ? ended && promise !== 'atOnce'
        ? 'after another'
        : 'at once'
      : isNext
        ? 'into its next lock'
        : actor?.busy === null
          ? 'later'
          : 'not'
    const now = (picture: Picture) =>
      `waits ${picture === after ? 'then' : 'in the end'} for ${picture.forest.blockedBy(pid).map(nameOf).join(' ')} (${picture.forest.waits.get(pid)?.target.locktype})`
    if (promise === 'atOnce' && (went === 'later' || went === 'not'))
      broken.push({ kind, line: `${nameOf(pid)} was to go on at once: it ${now(after)}` })
    if (promise === 'follow' && went === 'not' && !isDeadlock)
      broken.push({ kind, line: `${nameOf(pid)} was to follow: it ${now(last)}` })
    const why = promise === 'unsure' ? (doubts.get(pid)?.kind ?? '') : ''
    return { name: nameOf(pid), kind, promise, why, went }
  })
  return {
    steps,
    root: jam.session,
    way: `${way}: ${lists}`,
    seen,
    broken,
    isDeadlock,
    isJoint: endings.length > 1,
  }
}

/** Not one whose locks are those of the last look, since the lock manager was busy just then. */
async function fresh(cluster: Cluster): Promise<Picture> {
  for (;;) {
    const picture = pictureOf(await cluster.snapshot())
    if (picture.snapshot.locks.kind !== 'jammed') return picture
  }
}

function kindOf(busy: string, locktype: string): string {
  if (/REFRESH/.test(busy)) return 'relation'
  if (/CONCURRENTLY/.test(busy)) return 'a command CONCURRENTLY'
  if (/replication_slot/.test(busy)) return 'a new slot'
  if (locktype === 'safe snapshot') return 'a safe snapshot'
  if (locktype === 'tuple') return 'a row, in its queue'
  if (locktype !== 'transactionid') return locktype
  if (/^INSERT INTO parent/.test(busy)) return 'a key that comes twice'
  return /^INSERT/.test(busy) ? 'a row, for a foreign key' : 'a row, at its head'
}
