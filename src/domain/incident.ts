import {
  type Finding,
  type FindingKind,
  findingAmount,
  findingKey,
  findingSeconds,
  subjectOf,
} from './finding.ts'
import { healthEnding } from './healthFinding.ts'
import type { Thresholds } from './policy.ts'
import type { Remedy } from './remedy.ts'
import { brief, isIdleInTransaction, type Session, type Snapshot, waitsForLock } from './session.ts'

/** A finding followed over time. It has a card of its own (whose id is the incident's), or stands in a digest. */
export type Incident = {
  readonly id: string
  readonly cardId: string
  /** The digest that it was told in at first; null when it had a card of its own from the start. */
  readonly digestId: string | null
  /** Since when it stands where it stands. */
  readonly placedAt: number
  readonly cluster: string
  readonly key: string
  /** As it was last seen. */
  readonly finding: Finding
  readonly openedAt: number
  /** When the trouble began, as the server tells it: before we opened the incident. */
  readonly beganAt: number
  readonly changedAt: number
  readonly resolvedAt: number | null
  /** Why it is over, one sentence; null while it is not. */
  readonly resolution: string | null
  /** What could be done about it, as last seen; null where it is not about one session or transaction. */
  readonly remedy: Remedy | null
  /** Who said that they look after it; null while nobody did. */
  readonly acknowledgedBy: string | null
  /** The most sessions that it ever kept waiting. */
  readonly mostVictims: number
}

export type Transition = {
  readonly kind: 'opened' | 'changed' | 'reopened' | 'resolved'
  readonly incident: Incident
  /** What a person would want to know of it, one sentence; null when it only went on. */
  readonly reason: string | null
}

/** The same trouble back within this time is the same incident, so that flapping does not fill the channel. */
export const reopenWithinMs = 60_000

/** No jam is remembered for longer, however long its sessions may wait before it is one. */
const longestRememberedMs = 3_600_000

/**
 * For how long after its end an incident may come back, in milliseconds. A jam that began anew within `reopenWithinMs` is
 * found only when somebody has waited for too long again: behind a row everybody's wait starts over when its holder
 * changes, for all of them go on to the new version of the row.
 */
export const rememberedMs = ({ blockedForSeconds, rules }: Thresholds): number =>
  Math.min(
    longestRememberedMs,
    reopenWithinMs +
      1000 * Math.max(blockedForSeconds, ...rules.map(({ thresholds }) => thresholds.blockedForSeconds ?? 0)),
  )

/**
 * Follows incidents from one snapshot to the next.
 * @param known the open incidents of this cluster, and those resolved less than `rememberedMs` ago
 * @param remedyFor what could be done about a finding
 * @param newId makes an id for an incident that opens
 */
export function fold(
  known: readonly Incident[],
  found: readonly Finding[],
  snapshot: Snapshot,
  remedyFor: (finding: Finding) => Remedy | null,
  newId: () => string,
): Transition[] {
  const now = snapshot.takenAt
  const followed = match(known, found)
  const ongoing = found.flatMap((finding): Transition[] => {
    const before = followed.get(finding)
    if (!before || !isBackInTime(before, finding, now))
      return [opened(finding, remedyFor(finding), snapshot.cluster, now, newId())]
    const incident: Incident = {
      ...before,
      key: findingKey(finding),
      finding,
      remedy: remedyFor(finding),
      changedAt: notBefore(before, now),
      resolvedAt: null,
      resolution: null,
      mostVictims: Math.max(before.mostVictims, victimsOf(finding)),
    }
    if (before.resolvedAt !== null)
      return [
        {
          kind: 'reopened',
          incident,
          reason:
            before.key === incident.key ? 'It is back.' : 'The same jam is back behind another session.',
        },
      ]
    if (before.key !== incident.key)
      return [{ kind: 'changed', incident, reason: 'The same jam goes on behind another session.' }]
    const reason = change(before, finding) ?? changedWay(before.remedy, incident.remedy)
    if (reason) return [{ kind: 'changed', incident, reason }]
    return aged(before.finding, finding) ? [{ kind: 'changed', incident, reason: null }] : []
  })
  const ongoingIds = new Set([...followed.values()].map(({ id }) => id))
  const over = known
    .filter((incident) => incident.resolvedAt === null && !ongoingIds.has(incident.id))
    .flatMap((incident): Transition[] => {
      const reason = ending(incident.finding, snapshot, found)
      return reason
        ? [
            {
              kind: 'resolved',
              incident: resolve(incident, notBefore(incident, now), reason),
              reason,
            },
          ]
        : []
    })
  return [...over, ...ongoing]
}

/** A clock that was set back does not turn the story of an incident round. */
const notBefore = ({ changedAt }: Incident, now: number): number => Math.max(changedAt, now)

const resolve = (incident: Incident, at: number, resolution: string): Incident => ({
  ...incident,
  changedAt: at,
  resolvedAt: at,
  resolution,
})

/** Whether it is the same trouble still: open, or back within `reopenWithinMs`; for a jam by when its waits began. */
function isBackInTime({ resolvedAt }: Incident, finding: Finding, now: number): boolean {
  const waitedMs = finding.kind === 'blocking' ? (finding.root.oldestWaitSeconds ?? 0) * 1000 : 0
  return resolvedAt === null || now - waitedMs - resolvedAt <= reopenWithinMs
}

/**
 * Which known incident each finding goes on with: the one with the same key; else, for a jam, an open one whose root is
 * gone and whose sessions are in this jam too, or one that is over and had the root in its queue. So a jam keeps its card
 * when its root is ended and the next one in the queue takes its place.
 */
function match(known: readonly Incident[], found: readonly Finding[]): Map<Finding, Incident> {
  const byKey = new Map(known.map((incident) => [incident.key, incident]))
  const followed = new Map<Finding, Incident>()
  for (const finding of found) {
    const incident = byKey.get(findingKey(finding))
    if (incident) followed.set(finding, incident)
  }
  const taken = new Set([...followed.values()].map(({ id }) => id))
  for (const finding of found) {
    if (followed.has(finding) || finding.kind !== 'blocking') continue
    const here = jamOf(finding)
    const [heir] = known
      .filter(
        ({ id, resolvedAt, finding: before }) =>
          before.kind === 'blocking' &&
          !taken.has(id) &&
          (resolvedAt === null || (finding.root.pid !== 0 && before.root.victims.includes(finding.root.pid))),
      )
      .map((incident) => ({ incident, shared: sharedWith(here, incident.finding) }))
      .filter(({ shared }) => shared > 0)
      .sort(
        (a, b) =>
          Number(a.incident.resolvedAt !== null) - Number(b.incident.resolvedAt !== null) ||
          b.shared - a.shared ||
          b.incident.changedAt - a.incident.changedAt,
      )
    if (!heir) continue
    followed.set(finding, heir.incident)
    taken.add(heir.incident.id)
  }
  return followed
}

const jamOf = ({ root }: Finding & { kind: 'blocking' }): ReadonlySet<number> =>
  new Set([root.pid, ...root.victims])

const sharedWith = (jam: ReadonlySet<number>, other: Finding): number =>
  other.kind === 'blocking' ? [...jamOf(other)].filter((pid) => pid !== 0 && jam.has(pid)).length : 0

const waitsIn = (
  other: Finding & { kind: 'blocking' },
  { root }: Finding & { kind: 'blocking' },
): boolean => {
  const victims = new Set(other.root.victims)
  return root.victims.some((pid) => victims.has(pid))
}

export const hasOwnCard = ({ id, cardId }: Pick<Incident, 'id' | 'cardId'>): boolean => id === cardId

export type Severity = 'critical' | 'warning' | 'notice'

/** The worst is 0. */
const severities: Record<Severity, number> = { critical: 0, warning: 1, notice: 2 }

export const severityRank = ({ finding }: Incident): number => severities[severityOf(finding)]

/** Orders incidents: by severity, then by how many suffer, then the oldest. */
export const worstFirst = (a: Incident, b: Incident): number =>
  severityRank(a) - severityRank(b) || victimsOf(b.finding) - victimsOf(a.finding) || a.openedAt - b.openedAt

/** How bad it is, from who is hurt and for how long. */
export function severityOf(finding: Finding): Severity {
  switch (finding.kind) {
    case 'lockStorm':
      return 'critical'
    case 'blocking':
      return finding.root.victims.length >= 10 || (finding.root.oldestWaitSeconds ?? 0) >= 300
        ? 'critical'
        : 'warning'
    case 'connections':
      // When ordinary roles get none any more, all are taken as far as the applications care.
      return finding.used >= Math.min(finding.max * 0.95, finding.max - finding.reserved)
        ? 'critical'
        : 'warning'
    // From there on autovacuum gives up being gentle: vacuum_failsafe_age is 1.6 billion, three quarters of the way.
    case 'wraparound':
      return finding.ratio >= 0.75 ? 'critical' : 'warning'
    case 'replicationSlot':
      return finding.slot.walStatus === 'unreserved' ? 'critical' : 'warning'
    case 'lockCycle':
    case 'deadlocks':
    case 'preparedTransaction':
    case 'vacuumHeldBack':
    case 'longQuery':
    case 'idleInTransaction':
      return 'warning'
    case 'idle':
      return 'notice'
  }
}

const opened = (
  finding: Finding,
  remedy: Remedy | null,
  cluster: string,
  now: number,
  id: string,
): Transition => ({
  kind: 'opened',
  incident: {
    id,
    cardId: id,
    digestId: null,
    placedAt: now,
    cluster,
    key: findingKey(finding),
    finding,
    remedy,
    openedAt: now,
    beganAt: now - (findingSeconds(finding) ?? 0) * 1000,
    changedAt: now,
    resolvedAt: null,
    resolution: null,
    acknowledgedBy: null,
    mostVictims: victimsOf(finding),
  },
  reason: 'Seen for the first time.',
})

/** How many sessions suffer from it. */
export const victimsOf = (finding: Finding): number =>
  finding.kind === 'blocking'
    ? finding.root.victims.length
    : finding.kind === 'lockStorm' || finding.kind === 'lockCycle'
      ? finding.waiting
      : 0

/** What changed that a person cares about; null when it is the same picture, a little older. */
function change({ finding: before, mostVictims }: Incident, after: Finding): string | null {
  const was = subjectOf(before)
  const is = subjectOf(after)
  if (isElsewhere(was, is) && !wasBrief(was, is))
    return was?.state === is?.state
      ? 'Its session runs another statement.'
      : `Its session went from ${was?.state ?? 'unseen'} to ${is?.state ?? 'unseen'}.`
  if (was?.xactStart !== is?.xactStart) return 'Its session is in another transaction.'
  // In a jam where sessions come and go the number swings: more than ever is news, less is on the card.
  if (step(victimsOf(after)) > step(mostVictims))
    return `${victimsOf(after)} sessions wait, before it were ${mostVictims} at most.`
  if (before.kind === 'connections' && after.kind === 'connections' && step(before.used) !== step(after.used))
    return `${after.used} connections are used, before it were ${before.used}.`
  return null
}

type Subject = ReturnType<typeof subjectOf>

/** In another state, or at another statement. */
const isElsewhere = (was: Subject, is: Subject): boolean =>
  was?.state !== is?.state || (is?.state === 'active' && was?.queryStart !== is.queryStart)

/** Whether a session left in its transaction what it had begun a moment before: one that does so all the time is no news. */
function wasBrief(was: Subject, is: Subject): boolean {
  if (!was || !is || was.xactStart === null || was.xactStart !== is.xactStart) return false
  const began = ({ xactSeconds, stateSeconds }: Session) => (xactSeconds ?? 0) - (stateSeconds ?? 0)
  return began(is) - began(was) < brief
}

/** Whether somebody else is to be ended now, or in another way; null when it is the same. */
function changedWay(before: Remedy | null, after: Remedy | null): string | null {
  const was = before?.target
  const is = after?.target
  if (was?.action === is?.action && was?.session.pid === is?.session.pid) return null
  return is ? `Another way out fits now: ${is.action} ${is.session.pid}.` : 'No action fits any more.'
}

/** Whether it lasts so much longer, or is so much worse, that its card misleads. */
const aged = (before: Finding, after: Finding): boolean =>
  isElsewhere(subjectOf(before), subjectOf(after)) ||
  step(victimsOf(before)) !== step(victimsOf(after)) ||
  step(findingAmount(before)) !== step(findingAmount(after)) ||
  severityOf(before) !== severityOf(after)

/** 0, 1, 2, 3, 4, 6, 8, 11, 16, …: two steps for each doubling, so that a growing number is told while it matters. */
const step = (count: number): number => (count < 4 ? Math.floor(count) : Math.round(2 * Math.log2(count)))

/** Why it is over; null when it cannot be told from this snapshot. */
function ending(finding: Finding, snapshot: Snapshot, found: readonly Finding[]): string | null {
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

/** That a session which goes on as it was is told of for something else; null when it is not. */
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

/** The kinds in the words of a headline. */
export const kindNames: Record<FindingKind, string> = {
  blocking: 'Blocking',
  longQuery: 'Long-running query',
  idleInTransaction: 'Idle in transaction',
  idle: 'Long-idle session',
  connections: 'Connections running out',
  lockStorm: 'Lock storm',
  lockCycle: 'Sessions that wait for each other',
  deadlocks: 'Deadlocks',
  preparedTransaction: 'Prepared transaction',
  vacuumHeldBack: 'Vacuum held back',
  wraparound: 'Transaction ids running out',
  replicationSlot: 'Replication slot holds WAL back',
}
