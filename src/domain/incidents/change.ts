import { briefSeconds, isIdleInTransaction, type Session, waitsForLock } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import { type Finding, findingAmount, subjectOf } from './finding.ts'
import { healthEnding } from './healthFinding.ts'
import { poolWaitsEnding } from './poolWaits.ts'
import type { Recommendation } from './recommend.ts'
import { severityOf, victimsOf } from './severity.ts'

/** Describes a change that a person cares about; null when the picture is the same, a little older. */
export function describeChange(
  { finding: before, mostVictims }: { readonly finding: Finding; readonly mostVictims: number },
  after: Finding,
): string | null {
  const was = subjectOf(before)
  const is = subjectOf(after)
  // Who holds vacuum back does so by its transaction: pg_dump runs one statement for each table in one.
  if (before.kind !== 'vacuumHeldBack' && isElsewhere(was, is) && !wasBrief(was, is))
    return was?.state === is?.state
      ? 'Its session runs another statement.'
      : `Its session went from ${was?.state ?? 'unseen'} to ${is?.state ?? 'unseen'}.`
  if (was?.xactStart !== is?.xactStart) return 'Its session is in another transaction.'
  // In a jam where sessions come and go the number swings: more than ever is news, less is on the card.
  if (step(victimsOf(after)) > step(mostVictims))
    return `${victimsOf(after)} sessions wait, before it were ${mostVictims} at most.`
  if (before.kind === 'connections' && after.kind === 'connections' && step(before.used) !== step(after.used))
    return `${after.used} connections are used, before it were ${before.used}.`
  if (before.kind === 'poolWaits' && after.kind === 'poolWaits' && step(after.clients) > step(before.clients))
    return `${after.clients} clients wait, before it were ${before.clients}.`
  return null
}

type Subject = ReturnType<typeof subjectOf>

/** In another state, or at another statement. */
const isElsewhere = (was: Subject, is: Subject): boolean =>
  was?.state !== is?.state || (is?.state === 'active' && was?.queryStart !== is.queryStart)

/**
 * Decides whether a session left in its transaction what it had begun a moment before. If it does so all the time, it
 * is no news.
 */
function wasBrief(was: Subject, is: Subject): boolean {
  if (!was || !is || was.xactStart === null || was.xactStart !== is.xactStart) return false
  const began = ({ xactSeconds, stateSeconds }: Session) => (xactSeconds ?? 0) - (stateSeconds ?? 0)
  return began(is) - began(was) < briefSeconds
}

/** Describes a new target or another action on the same one; null when both are the same. */
export function describeNewTarget(
  before: Recommendation | null,
  after: Recommendation | null,
): string | null {
  const was = before?.target
  const is = after?.target
  if (was?.action === is?.action && was?.session.pid === is?.session.pid) return null
  return is ? `Another way out fits now: ${is.action} ${is.session.pid}.` : 'No action fits any more.'
}

/** Decides whether the finding lasts so much longer, or is so much worse, that its card misleads. */
export const needsRedraw = (before: Finding, after: Finding): boolean =>
  isElsewhere(subjectOf(before), subjectOf(after)) ||
  step(victimsOf(before)) !== step(victimsOf(after)) ||
  step(findingAmount(before)) !== step(findingAmount(after)) ||
  severityOf(before) !== severityOf(after)

/** 0, 1, 2, 3, 4, 6, 8, 11, 16, …: two steps for each doubling, so that a growing number is reported while it matters. */
const step = (count: number): number => (count < 4 ? Math.floor(count) : Math.round(2 * Math.log2(count)))

/** Says why the finding is over; null when this snapshot does not show it. */
export function ending(finding: Finding, snapshot: Snapshot, found: readonly Finding[]): string | null {
  const blindToLocks = snapshot.locks.kind === 'jammed'
  const before = subjectOf(finding)
  const session = snapshot.sessions.find(
    ({ pid, backendStart }) => pid === before?.pid && backendStart === before.backendStart,
  )
  if (before && !session) return 'The session is gone.'
  switch (finding.kind) {
    case 'blocking':
      if (blindToLocks) return null
      if (found.some((other) => other.kind === 'blocking' && waitsIn(other, finding)))
        return 'Those who waited behind it wait in another incident.'
      if (finding.root.kind === 'preparedTransaction')
        return 'The prepared transaction blocks nobody any more.'
      return session ? 'Nobody waits behind it any more.' : 'The session is gone.'
    case 'longQuery':
      if (!session || session.queryStart !== before?.queryStart || session.state !== 'active')
        return 'The statement ended.'
      return elsewhere(session, found) ?? (waitsForLock(session) ? 'It waits for a lock now.' : withinLimit)
    case 'idleInTransaction':
      if (!session || session.xactStart !== before?.xactStart) return 'The transaction ended.'
      return (
        elsewhere(session, found) ??
        (isIdleInTransaction(session) && session.stateChange === before?.stateChange
          ? withinLimit
          : 'The session is in use again, in the same transaction.')
      )
    case 'idle':
      return session?.stateChange === before?.stateChange ? withinLimit : 'The session is in use again.'
    case 'connections':
      return 'Enough connections are free again.'
    case 'poolWaits':
      return poolWaitsEnding(snapshot)
    case 'unreachable':
      return 'The server answers again.'
    case 'lockStorm':
      return 'The lock manager answers again.'
    case 'lockCycle':
      return blindToLocks ? null : 'They do not wait for each other any more.'
    default:
      return healthEnding(finding, snapshot)
  }
}

/** Its rule holds at other hours, or another threshold was configured. */
const withinLimit = 'It is within its limit now (see /pg rules).'

/** Names the other finding that now covers an unchanged session; null when none does. */
const elsewhere = ({ pid, backendStart }: Session, found: readonly Finding[]): string | null =>
  found.some((finding) => {
    const subject = subjectOf(finding)
    return (
      (subject?.pid === pid && subject.backendStart === backendStart) ||
      (finding.kind === 'blocking' && finding.root.victims.includes(pid))
    )
  })
    ? 'It counts with another incident now.'
    : null

const waitsIn = (
  other: Finding & { kind: 'blocking' },
  { root }: Finding & { kind: 'blocking' },
): boolean => {
  const victims = new Set(other.root.victims)
  return root.victims.some((pid) => victims.has(pid))
}
