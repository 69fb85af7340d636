import type { Session } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import { formatDuration } from '../text/duration.ts'
import { maskQuery } from '../text/mask.ts'
import { eachOf } from './bulk.ts'
import type { Proposal, ProposalIn } from './proposal.ts'

/** Reaction of an application to the end of its statements. */
export type Retries = {
  /** Number of times that one was ended here. */
  readonly ended: number
  /** Number of times that it ran the same one again at once. */
  readonly again: number
  /** Shortest time until it did so. */
  readonly withinSeconds: number
}

/** Later than this it is the application's next turn rather than a retry. */
const retriesWithinMs = 10_000
/** For so long an application is taken for one that retries; it may have been mended since. */
export const retriesRememberedMs = 24 * 3_600_000

const isSameClient = (a: Session, b: Session): boolean =>
  a.usename === b.usename && a.datname === b.datname && a.applicationName === b.applicationName

/**
 * Decides whether two sessions of one application run the same statement. It compares the server's own statement ids
 * when they are computed (compute_query_id), else the texts without constants. Two statements with hidden texts are not
 * the same.
 */
export function isSameWork(a: Session, b: Session): boolean {
  if (!isSameClient(a, b)) return false
  if (a.queryId !== null && b.queryId !== null) return a.queryId === b.queryId
  return a.query !== null && b.query !== null && maskQuery(a.query) === maskQuery(b.query)
}

/** Decides whether something was cut off that may be tried again: an idle session had nothing under way. */
export const isCutOff = ({ outcome, session }: Proposal): boolean =>
  outcome?.kind === 'effective' && session.state !== 'idle'

/** Lists what an action cut off a moment ago, each session for itself, and of which is not known yet that it was tried again. */
export const mayBeRetried = (done: ProposalIn<'done'>, now: number): Proposal[] =>
  eachOf(done).filter(
    (one) =>
      isCutOff(one) &&
      one.retriedAfterMs === null &&
      one.claimedAt !== null &&
      now - one.claimedAt <= 2 * retriesWithinMs,
  )

/**
 * Sessions that began a statement within `retriesWithinMs` of the signal and may be the ended one's work again: the session
 * that was cancelled itself, and those of the same user and application that have come since. Others may always have done
 * the same.
 * @returns each with the milliseconds from the signal to its new statement
 */
export function retryCandidates(
  ended: Proposal,
  { sessions, takenAt }: Pick<Snapshot, 'sessions' | 'takenAt'>,
): { readonly session: Session; readonly afterMs: number }[] {
  const { session: before, claimedAt } = ended
  if (claimedAt === null) return []
  const since = (seconds: number | null) =>
    seconds === null ? -1 : Math.round(takenAt - seconds * 1000 - claimedAt)
  return sessions.flatMap((session) => {
    const isSame = session.pid === before.pid && session.backendStart === before.backendStart
    const isNew = since(session.backendSeconds) >= 0
    const isAgain = isSame ? session.queryStart !== before.queryStart : isNew
    const afterMs = since(session.querySeconds)
    return isAgain && isSameClient(before, session) && afterMs >= 0 && afterMs <= retriesWithinMs
      ? [{ session, afterMs }]
      : []
  })
}

/**
 * Returns how this session's application reacted to earlier actions; null when none of them ended anything. A list counts once,
 * however much of it was the same work.
 */
export function retriesIn(done: readonly Proposal[]): (session: Session) => Retries | null {
  const ended = done.map((proposal) => eachOf(proposal).filter(isCutOff))
  return (session) => {
    const same = ended.flatMap((each) => each.find((one) => isSameWork(one.session, session)) ?? [])
    const retried = same.flatMap(({ retriedAfterMs }) => retriedAfterMs ?? [])
    return same.length === 0
      ? null
      : {
          ended: same.length,
          again: retried.length,
          withinSeconds: retried.length === 0 ? 0 : Math.min(...retried) / 1000,
        }
  }
}

/** "when it was ended before, 2 times of 3, its application ran the same again within 1 s". */
export const againWords = ({ ended, again, withinSeconds }: Retries): string =>
  `${ended === 1 ? 'when it was ended before' : `${again} of the last ${ended} times that it was ended`}, its application ran the same again within ${formatDuration(Math.max(1, Math.ceil(withinSeconds)))}`
