import type { JournalEvent } from '../approvals/journal.ts'
import type { FindingKind } from './finding.ts'
import type { Incident } from './incident.ts'

/** Somebody wants no new cards: of a whole cluster (planned work), of one kind of trouble, or of one incident. */
export type Silence = {
  readonly id: string
  readonly cluster: string
  readonly scope:
    | { readonly kind: 'cluster' }
    | { readonly kind: 'finding'; readonly findingKind: FindingKind }
    /** By the key of its trouble, so that it holds when the trouble comes back as another incident. */
    | { readonly kind: 'incident'; readonly incidentId: string; readonly key: string }
  readonly since: number
  readonly until: number
  /** True where somebody wants quiet until the incident is over; `until` is the latest then. */
  readonly untilOver?: boolean
  readonly by: string
  readonly reason: string
}

/**
 * Decides whether a silence has ended: its time is up, or the incident that it is about is over and does not come back.
 * @param incident that one; null where it is about none, or it is not kept any more
 * @param returnsWithinMs for how long an incident may come back
 */
export function hasEnded(
  { scope, until }: Silence,
  incident: Pick<Incident, 'resolvedAt'> | null,
  returnsWithinMs: number,
  now: number,
): boolean {
  if (until <= now) return true
  if (scope.kind !== 'incident') return false
  return incident === null || (incident.resolvedAt !== null && now - incident.resolvedAt > returnsWithinMs)
}

/** The silence that covers an incident; null when none does. */
export const silenceOf = (incident: Subject, silences: readonly Silence[]): Silence | null =>
  silences.find(({ cluster, scope }) => cluster === incident.cluster && covers(scope, incident)) ?? null

/** Returns true for an event that the watcher reports by itself in the thread of a card. A silence keeps these back. */
export const isNews = (event: JournalEvent): event is News =>
  event.kind === 'incidentChanged' || event.kind === 'incidentReopened'

type News = JournalEvent & { kind: 'incidentChanged' | 'incidentReopened' }

type Subject = Pick<Incident, 'id' | 'cluster' | 'key' | 'finding'>

function covers(scope: Silence['scope'], incident: Subject): boolean {
  switch (scope.kind) {
    case 'cluster':
      // Calm is not claimed where nothing is seen: only who names it holds that back.
      return incident.finding.kind !== 'unreachable'
    case 'finding':
      return scope.findingKind === incident.finding.kind
    case 'incident':
      return scope.incidentId === incident.id || scope.key === incident.key
  }
}
