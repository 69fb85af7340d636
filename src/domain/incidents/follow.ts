import type { Proposal } from '../approvals/proposal.ts'
import type { Watch } from '../session/policy.ts'
import type { Snapshot } from '../session/snapshot.ts'
import { formatDuration } from '../text/duration.ts'
import { assignCards } from './assignCards.ts'
import { causeOf, concerns } from './cause.ts'
import { type Finding, findingKey } from './finding.ts'
import { fold, type Incident, type Transition } from './incident.ts'
import type { Recommendation } from './recommend.ts'
import { severityRank } from './severity.ts'
import { type Silence, silenceOf } from './silence.ts'

/** Result of one look at a cluster: what is wrong, and what helps. */
export type Look = {
  readonly snapshot: Snapshot
  readonly found: readonly Finding[]
  readonly recommendationOf: (finding: Finding) => Recommendation | null
}

/** So many incidents of a kind are followed at a time in a cluster: more than anybody reads, and a moment's work at each look. */
export const mostFollowed = 100

/**
 * Leaves what is followed already, and of what is new the worst, as far as there is room for its kind: a thousand idle sessions
 * take no place from a jam.
 * @param open keys of the incidents that are open
 */
export function withinReach(found: readonly Finding[], open: ReadonlySet<string>): Finding[] {
  const kept = [...Map.groupBy(found, ({ kind }) => kind).values()].flatMap((same) => {
    const [followed = [], fresh = []] = [true, false].map((is) =>
      same.filter((finding) => open.has(findingKey(finding)) === is),
    )
    const worst = fresh.toSorted((a, b) => severityRank({ finding: a }) - severityRank({ finding: b }))
    return [...followed, ...worst.slice(0, Math.max(0, mostFollowed - followed.length))]
  })
  const isKept = new Set(kept)
  return found.filter((finding) => isKept.has(finding))
}

/** Facts from before, with which a look is compared. */
export type Known = {
  /** The open incidents of the cluster, and those that are over and may still come back. */
  readonly incidents: readonly Incident[]
  /** Proposals whose action is under way. */
  readonly claimed: readonly Proposal[]
  /** Proposals that were carried out since the incidents opened, oldest first. */
  readonly done: readonly Proposal[]
  readonly silences: readonly Silence[]
  /** Time of the last look at the cluster, milliseconds since the epoch; null before the first look since the start. */
  readonly lookedAt: number | null
}

/**
 * Follows the incidents of a cluster with what was seen now: what opens, changes, comes back and ends, on which card, and
 * what ended it.
 * @param newId makes an id for an incident that opens, and for a digest
 */
export function follow(
  { snapshot, found, recommendationOf }: Look,
  known: Known,
  { everyMs, cardsPerMinute }: Watch,
  newId: () => string,
): Transition[] {
  const isUnderWay = (incident: Incident) =>
    known.claimed.some((proposal) => proposal.cardId === incident.cardId || concerns(proposal, incident))
  // What ended an incident is known only when an action that is under way has its outcome: the next look says so.
  const folded = fold(known.incidents, found, snapshot, { recommendationOf, newId }).filter(
    ({ kind, incident }) => kind !== 'resolved' || !isUnderWay(incident),
  )
  const isSilent = (incident: Incident) => silenceOf(incident, known.silences) !== null
  const limits = { cardsPerMinute, isSilent }
  const now = snapshot.takenAt
  return assignCards(folded, known.incidents, limits, { now, newId }).map((transition) =>
    transition.kind === 'resolved'
      ? { ...transition, incident: withCause(transition.incident, snapshot, known, everyMs) }
      : transition,
  )
}

/** Says what ended a resolved incident: an approved action of ours, on whichever card, or not. */
function withCause(
  incident: Incident,
  { sessions, takenAt }: Snapshot,
  { done, lookedAt }: Known,
  everyMs: number,
): Incident {
  const cause = causeOf(incident, done, sessions, takenAt)
  const sentences = [incident.resolution, cause, ...unwatched(takenAt, lookedAt, everyMs)]
  return { ...incident, resolution: sentences.join(' ') }
}

/** The deadlines of a look add up to about this much. */
const lookDeadlinesMs = 10_000

/** Says that it may have ended earlier, where the last look lies further back than one that is merely slow. */
function unwatched(takenAt: number, lookedAt: number | null, everyMs: number): string[] {
  if (lookedAt === null) return ['The bot was just started, so it may have ended earlier.']
  const unseenMs = takenAt - lookedAt
  return unseenMs <= everyMs + lookDeadlinesMs
    ? []
    : [`Nobody looked for ${formatDuration(unseenMs / 1000)}, so it may have ended earlier.`]
}
