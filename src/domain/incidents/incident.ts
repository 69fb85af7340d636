import type { Thresholds } from '../session/policy.ts'
import { briefSeconds } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import { describeChange, describeNewTarget, ending, needsRedraw } from './change.ts'
import { type Finding, findingKey, findingSeconds } from './finding.ts'
import type { Recommendation } from './recommend.ts'
import { victimsOf } from './severity.ts'

/** Trouble that the same application makes again and again, as of the last time. */
export type Habit = {
  /** Name of the application, or else of the user: do not trust it. */
  readonly who: string
  /** Number of times, with this one, and when the first of them began. */
  readonly times: number
  readonly firstAt: number
  /** True where all of them began at one time of the day. */
  readonly isAtOneTime: boolean
  /** Ids of the last ones before this one, the newest first. */
  readonly before: readonly string[]
}

/** A finding followed over time. It has a card of its own (whose id is the incident's), or stands in a digest. */
export type Incident = {
  readonly id: string
  readonly cardId: string
  /** The digest that showed it at first; null when it had a card of its own from the start. */
  readonly digestId: string | null
  /** Since when it stands where it stands. */
  readonly placedAt: number
  readonly cluster: string
  readonly key: string
  /** As it was last seen. */
  readonly finding: Finding
  readonly openedAt: number
  /** Begin of the trouble as the server reports it: before we opened the incident. */
  readonly beganAt: number
  /** Since when it is about the same session. */
  readonly headSince: number
  readonly changedAt: number
  readonly resolvedAt: number | null
  /** Reason why it is over, one sentence; null while it is not. */
  readonly resolution: string | null
  /** Recommendation as last seen; null when the finding is not about one session or transaction. */
  readonly recommendation: Recommendation | null
  /** Person who said that they look after it; null while nobody did. */
  readonly acknowledgedBy: string | null
  /** Trouble of its kind that came before; absent where it is no habit. */
  readonly habit?: Habit
  /** Statement that would have prevented it, as of its last end; absent where there is none. */
  readonly prevention?: string
  /** The most sessions that it ever kept waiting. */
  readonly mostVictims: number
}

export type Transition = {
  readonly kind: 'opened' | 'changed' | 'reopened' | 'resolved'
  readonly incident: Incident
  /** News that a person wants to know, one sentence; null when the incident only went on. */
  readonly reason: string | null
}

/** The same trouble back within this time is the same incident, so that flapping does not fill the channel. */
export const reopenWithinMs = 60_000

/** No jam is remembered for longer, however long its sessions may wait before it is one. */
const longestRememberedMs = 3_600_000

/**
 * For how long after its end an incident may come back, in milliseconds. A jam that began again within `reopenWithinMs` is
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
 * @param recommendationOf what could be done about a finding
 * @param newId makes an id for an incident that opens
 */
export function fold(
  known: readonly Incident[],
  found: readonly Finding[],
  snapshot: Snapshot,
  {
    recommendationOf,
    newId,
  }: {
    readonly recommendationOf: (finding: Finding) => Recommendation | null
    readonly newId: () => string
  },
): Transition[] {
  const now = snapshot.takenAt
  const followed = matchIncidents(known, found)
  const ongoing = found.flatMap((finding): Transition[] => {
    const before = followed.get(finding)
    if (!before || !isBackInTime(before, finding, now))
      return [
        {
          kind: 'opened',
          incident: openedWith(finding, recommendationOf(finding), snapshot, newId()),
          reason: 'Seen for the first time.',
        },
      ]
    const incident: Incident = {
      ...before,
      key: findingKey(finding),
      finding,
      recommendation: recommendationOf(finding),
      headSince: before.key === findingKey(finding) ? before.headSince : now,
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
    if (before.key !== incident.key) {
      // A queue that moves on from one to the next is seen on the card; the thread would fill with it.
      const reason = isMovingOn(before, now) ? null : 'The same jam goes on behind another session.'
      return [{ kind: 'changed', incident, reason }]
    }
    const reason =
      describeChange(before, finding) ?? describeNewTarget(before.recommendation, incident.recommendation)
    if (reason) return [{ kind: 'changed', incident, reason }]
    return needsRedraw(before.finding, finding) ? [{ kind: 'changed', incident, reason: null }] : []
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
              incident: resolve(incident, now, reason),
              reason,
            },
          ]
        : []
    })
  return [...over, ...ongoing]
}

/** A clock that was set back does not turn the story of an incident round. */
const notBefore = ({ changedAt }: Incident, now: number): number => Math.max(changedAt, now)

export const resolve = (incident: Incident, now: number, resolution: string): Incident => {
  const at = notBefore(incident, now)
  return { ...incident, changedAt: at, resolvedAt: at, resolution }
}

/** Decides whether the head of the jam had only just come there from the queue. */
export const isMovingOn = ({ headSince, openedAt }: Incident, now: number): boolean =>
  headSince > openedAt && now - headSince < briefSeconds * 1000

/**
 * Decides whether it is still the same trouble: open, or back within `reopenWithinMs`. A jam is dated by the begin of
 * its waits.
 */
function isBackInTime({ resolvedAt }: Incident, finding: Finding, now: number): boolean {
  const waitedMs = finding.kind === 'blocking' ? (finding.root.oldestWaitSeconds ?? 0) * 1000 : 0
  return resolvedAt === null || now - waitedMs - resolvedAt <= reopenWithinMs
}

/**
 * Matches each finding with the known incident that it continues: the one with the same key. A jam may also continue an
 * open incident whose root is gone and whose sessions are in this jam too, or one that is over and had the root in its
 * queue. So a jam keeps its card when its root is ended and the next one in the queue takes its place.
 */
function matchIncidents(known: readonly Incident[], found: readonly Finding[]): Map<Finding, Incident> {
  const byKey = new Map(known.map((incident) => [incident.key, incident]))
  const followed = new Map<Finding, Incident>()
  for (const finding of found) {
    const incident = byKey.get(findingKey(finding))
    if (incident) followed.set(finding, incident)
  }
  const taken = new Set([...followed.values()].map(({ id }) => id))
  for (const finding of found) {
    if (followed.has(finding) || finding.kind !== 'blocking') continue
    const here = pidsOfJam(finding)
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

/** Lists who waits in the jams among these incidents, as last seen. */
export const waitersOf = (incidents: readonly Incident[]): ReadonlySet<number> =>
  new Set(incidents.flatMap(({ finding }) => (finding.kind === 'blocking' ? finding.root.victims : [])))

const pidsOfJam = ({ root }: Finding & { kind: 'blocking' }): ReadonlySet<number> =>
  new Set([root.pid, ...root.victims])

const sharedWith = (jam: ReadonlySet<number>, other: Finding): number =>
  other.kind === 'blocking' ? [...pidsOfJam(other)].filter((pid) => pid !== 0 && jam.has(pid)).length : 0

export const hasOwnCard = ({ id, cardId }: Pick<Incident, 'id' | 'cardId'>): boolean => id === cardId

/** Makes the incident of a finding that is seen for the first time. */
export const openedWith = (
  finding: Finding,
  recommendation: Recommendation | null,
  { cluster, takenAt: now }: Pick<Snapshot, 'cluster' | 'takenAt'>,
  id: string,
): Incident => ({
  id,
  cardId: id,
  digestId: null,
  placedAt: now,
  cluster,
  key: findingKey(finding),
  finding,
  recommendation,
  openedAt: now,
  beganAt: now - (findingSeconds(finding) ?? 0) * 1000,
  headSince: now,
  changedAt: now,
  resolvedAt: null,
  resolution: null,
  acknowledgedBy: null,
  mostVictims: victimsOf(finding),
})
