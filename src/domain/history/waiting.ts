import { type Picture, pictureOf } from '../locks/picture.ts'
import { isClient, type Session } from '../session/session.ts'
import { type PastLook, reachOf, type SightThen, sightOf } from './look.ts'

/**
 * Time that sessions spent, by looks: each speaks for the time until the next one, at most for its reach. What no look
 * speaks for is not seen, and counts for nothing: it is never zero.
 *
 *     const stretches = stretchesOf(looks, from, to)
 *     const tally = beginTally(spansOf(from, to, 12), waitTypeOf)
 *     tally.add(stretches)
 *     tally.seconds()    // [['Lock', 740], ['working', 12.5]]
 *     tally.buckets()    // of each span: seen for how long, session-seconds by key; see meanIn
 */

/** A look with the interval of its time, milliseconds. */
export type TimedLook = { readonly look: PastLook; readonly everyMs: number }

/** A part of the time that one look speaks for, or none. Milliseconds since the epoch; `to` is not in it. */
export type Stretch = {
  readonly from: number
  readonly to: number
  readonly sight: SightThen
  /** Null: not seen. */
  readonly picture: Picture | null
  /** Reason why nothing was seen; null where something was, or where no look says anything. */
  readonly why: string | null
}

/**
 * Divides a time into stretches: in order, without gaps, none empty. Times that follow on each other may be divided one
 * after the other.
 * @param looks in order; the first ones may be from before, and should be where they speak for the beginning
 */
export function stretchesOf(looks: readonly TimedLook[], from: number, to: number): Stretch[] {
  const stretches: Stretch[] = []
  let at = from
  const add = (until: number, of: Pick<Stretch, 'sight' | 'picture' | 'why'>) => {
    const end = Math.min(until, to)
    if (end <= at) return
    const last = stretches.at(-1)
    const goesOn = of.picture === null && last?.picture === null && last.why === of.why
    if (goesOn) stretches[stretches.length - 1] = { ...last, to: end }
    else stretches.push({ from: at, to: end, ...of })
    at = end
  }
  for (const [index, { look, everyMs }] of looks.entries()) {
    add(look.takenAt, unknown)
    const next = looks[index + 1]?.look.takenAt ?? Number.POSITIVE_INFINITY
    const end = Math.min(next, look.takenAt + reachOf(everyMs))
    if (end > at && look.takenAt < to) add(end, shownBy(look))
  }
  add(to, unknown)
  return stretches
}

const unknown = { sight: 'notSeen', picture: null, why: null } as const

function shownBy(look: PastLook): Pick<Stretch, 'sight' | 'picture' | 'why'> {
  if (!('snapshot' in look)) return { ...unknown, why: look.unseen }
  return { sight: sightOf(look), picture: pictureOf(look.snapshot), why: null }
}

/** Returns what a session is counted as; null: not at all. */
export type KeyOf = (session: Session, picture: Picture) => string | null

/** Count of what sessions did in a span of time. */
export type Bucket = {
  readonly from: number
  readonly to: number
  /** Milliseconds of it in which sessions were seen; the rest was not seen. */
  readonly seenMs: number
  /** Those of them without the locks. */
  readonly partlyMs: number
  /** Session-seconds by key. */
  readonly seconds: ReadonlyMap<string, number>
}

/** Counts session-seconds. */
export type Tally = {
  /** Adds stretches; each once. */
  add(stretches: Iterable<Stretch>): void
  /** Lists keys and their session-seconds, the most first. */
  seconds(): [key: string, seconds: number][]
  buckets(): Bucket[]
}

/**
 * Begins a count in spans of time.
 * @param borders of the buckets, ascending: of n buckets n + 1. What is before the first or after the last counts nowhere.
 */
export function beginTally(borders: readonly number[], keyOf: KeyOf): Tally {
  const buckets = borders.slice(1).map((to, index) => ({
    ...{ from: borders[index] ?? to, to, seenMs: 0, partlyMs: 0 },
    ms: new Map<string, number>(),
  }))
  return {
    add(stretches) {
      for (const { from, to, sight, picture } of stretches) {
        // Who may not see what others do knows nothing of how many wait.
        if (!picture?.snapshot.server.seesOthers) continue
        const counts = new Map<string, number>()
        for (const session of picture.snapshot.sessions) {
          const key = keyOf(session, picture)
          if (key !== null) counts.set(key, (counts.get(key) ?? 0) + 1)
        }
        for (const bucket of buckets) {
          const ms = Math.min(to, bucket.to) - Math.max(from, bucket.from)
          if (ms <= 0) continue
          bucket.seenMs += ms
          if (sight === 'partly') bucket.partlyMs += ms
          for (const [key, count] of counts) bucket.ms.set(key, (bucket.ms.get(key) ?? 0) + count * ms)
        }
      }
    },
    seconds() {
      const all = new Map<string, number>()
      for (const { ms } of buckets)
        for (const [key, one] of ms) all.set(key, (all.get(key) ?? 0) + one / 1000)
      return [...all].sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1))
    },
    buckets: () =>
      buckets.map(({ ms, ...bucket }) => ({
        ...bucket,
        seconds: new Map([...ms].map(([key, one]) => [key, one / 1000])),
      })),
  }
}

/** Borders of so many equal spans. */
export const spansOf = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count + 1 }, (_, index) => from + ((to - from) * index) / count)

/** Returns how many sessions there were at a time, on average over what was seen; null where nothing was. */
export const meanIn = ({ seenMs, seconds }: Bucket, key: string): number | null =>
  seenMs > 0 ? ((seconds.get(key) ?? 0) * 1000) / seenMs : null

const isActive = (session: Session): boolean =>
  isClient(session) && (session.state === 'active' || session.state === 'fastpath function call')

/** Word for active sessions that wait for nothing that the server shows. */
export const working = 'working'

/** Names what an active session waits for, by wait_event_type. */
export const waitTypeOf: KeyOf = (session) => (isActive(session) ? (session.waitEventType ?? working) : null)

/** Decides whether it is active and waits for something. An idle one waits for its client alone. */
export const isWaiting = (session: Session): boolean => isActive(session) && session.waitEventType !== null

/** Returns the statement of a waiting session, masked. */
export const waitingStatement: KeyOf = (session, { snapshot }) =>
  isWaiting(session) ? (snapshot.texts?.get(session.pid) ?? null) : null

/** Returns the application of a waiting session; empty where it has no name. */
export const waitingApplication: KeyOf = (session) => (isWaiting(session) ? session.applicationName : null)

/** Returns the relation whose lock, or the lock of whose row, a session waits for; null where its name is not known. */
export const waitedForRelation: KeyOf = (session, { snapshot, forest }) =>
  // In a lock storm the locks are those of before.
  isWaiting(session) && snapshot.locks.kind === 'read'
    ? (forest.waits.get(session.pid)?.relationName ?? null)
    : null
