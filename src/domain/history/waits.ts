import { isClient, type Session } from '../session/session.ts'
import {
  type Bucket,
  beginTally,
  type KeyOf,
  type Stretch,
  waitedForRelation,
  waitingApplication,
  waitingStatement,
  waitTypeOf,
  working,
} from './waiting.ts'

/** A time that was not seen, and why where that is known. */
export type UnseenTime = Pick<Stretch, 'from' | 'to' | 'why'>

/** The most sessions at one look. */
export type Peak = { readonly count: number; readonly at: number }

/** Names with their session-seconds, the most first. */
export type Ranking = readonly (readonly [name: string, seconds: number])[]

/** Record of what active sessions waited for in a time. */
export type WaitSums = {
  readonly from: number
  readonly to: number
  /** Active sessions by wait_event_type, or `working`. */
  readonly buckets: readonly Bucket[]
  readonly types: Ranking
  readonly peaks: ReadonlyMap<string, Peak>
  /** Session-seconds in which active sessions waited for something. */
  readonly waitedSeconds: number
  /** Those who waited most. An application without a name is empty. */
  readonly statements: Ranking
  readonly applications: Ranking
  readonly relations: Ranking
  readonly seenMs: number
  readonly partlyMs: number
  readonly gaps: readonly UnseenTime[]
  /** True where a session counted, active or not. */
  readonly hasSessions: boolean
}

/** Longest ranking. */
const most = 10

/** Reason for a gap where sessions were hidden from us. */
const hidden = 'pg-marshal may not see what other sessions do'

/**
 * Begins to put together what sessions waited for.
 * @param borders of the buckets
 * @param counts decides whether a session is meant
 */
export function beginWaits(
  borders: readonly number[],
  counts: (session: Session) => boolean,
): {
  /** Adds stretches in order, each once. */
  add(stretches: readonly Stretch[]): void
  end(): WaitSums
} {
  const only =
    (keyOf: KeyOf): KeyOf =>
    (session, picture) =>
      counts(session) ? keyOf(session, picture) : null
  const types = beginTally(borders, only(waitTypeOf))
  const whole = [borders[0] ?? 0, borders.at(-1) ?? 0]
  const rankings = [waitingStatement, waitingApplication, waitedForRelation].map((keyOf) =>
    beginTally(whole, only(keyOf)),
  )
  const peaks = new Map<string, Peak>()
  const gaps: UnseenTime[] = []
  let hasSessions = false
  return {
    add(stretches) {
      for (const tally of [types, ...rankings]) tally.add(stretches)
      for (const { from, to, picture, why } of stretches) {
        if (!picture?.snapshot.server.seesOthers) {
          addGap(gaps, { from, to, why: picture ? hidden : why })
          continue
        }
        const meant = picture.snapshot.sessions.filter((session) => isClient(session) && counts(session))
        hasSessions ||= meant.length > 0
        const numbers = Map.groupBy(meant, (session) => waitTypeOf(session, picture))
        for (const [type, { length: count }] of numbers)
          if (type !== null && count > (peaks.get(type)?.count ?? 0)) peaks.set(type, { count, at: from })
      }
    },
    end() {
      const buckets = types.buckets()
      const all = types.seconds()
      const sum = (of: (bucket: Bucket) => number) => buckets.reduce((total, one) => total + of(one), 0)
      const [statements = [], applications = [], relations = []] = rankings.map((tally) =>
        tally.seconds().slice(0, most),
      )
      return {
        ...{ from: borders[0] ?? 0, to: borders.at(-1) ?? 0 },
        ...{ buckets, types: all, peaks, statements, applications, relations, gaps, hasSessions },
        waitedSeconds: all.reduce((total, [type, one]) => total + (type === working ? 0 : one), 0),
        seenMs: sum(({ seenMs }) => seenMs),
        partlyMs: sum(({ partlyMs }) => partlyMs),
      }
    },
  }
}

/** Parts of one gap come one after the other. */
function addGap(gaps: UnseenTime[], gap: UnseenTime) {
  const last = gaps.at(-1)
  if (last && last.to === gap.from && last.why === gap.why) gaps[gaps.length - 1] = { ...last, to: gap.to }
  else gaps.push(gap)
}
