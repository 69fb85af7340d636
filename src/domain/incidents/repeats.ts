import { type FindingKind, subjectOf } from './finding.ts'
import type { Habit, Incident } from './incident.ts'

/** Trouble of one kind that one application makes again and again. Names come from the database: do not trust them. */
export type Repeat = {
  readonly cluster: string
  readonly kind: FindingKind
  /** Name of the application, or else of the user. */
  readonly who: string
  /** Incidents, oldest first. */
  readonly incidents: readonly Incident[]
  /** Minute of the day about which all of them began, in the zone that was asked for; null: at all hours. */
  readonly aboutMinute: number | null
}

/** So many incidents make a habit. */
const habit = 3
/** Milliseconds: what comes so soon after the last one, or while that lasts, is the same occasion. */
const oneOccasionMs = 10 * 60_000
/** Minutes from the first to the last hour of the day that still count as one time of the day. */
const oneTime = 60
const dayMinutes = 1440

/** Lists who made trouble again and again, the most incidents first. */
export function repeatsAmong(incidents: readonly Incident[], timeZone: string): Repeat[] {
  const groups = Map.groupBy(incidents, (incident) => keyOf(incident) ?? '')
  groups.delete('')
  return [...groups.values()]
    .map(occasions)
    .filter((group) => group.length >= habit)
    .flatMap((group) => repeatOf(group, timeZone) ?? [])
    .sort((a, b) => b.incidents.length - a.incidents.length || lastOf(b) - lastOf(a))
}

/** Finds the habit that an incident belongs to: itself and those before it; null where there is none. */
export function repeatWith(incident: Incident, others: readonly Incident[], timeZone: string): Repeat | null {
  const key = keyOf(incident)
  if (key === null) return null
  const before = others.filter(
    (other) => other.id !== incident.id && keyOf(other) === key && other.openedAt <= incident.openedAt,
  )
  const apart = occasions([...before, incident])
  // Of a burst the first one says it.
  return apart.length < habit || !apart.includes(incident) ? null : repeatOf(apart, timeZone)
}

/** Reduces it to what a card remembers of those before. */
export const habitOf = ({ who, incidents, aboutMinute }: Repeat): Habit => ({
  who,
  times: incidents.length,
  firstAt: incidents[0]?.beganAt ?? 0,
  isAtOneTime: aboutMinute !== null,
  before: incidents
    .slice(-4, -1)
    .map(({ id }) => id)
    .reverse(),
})

/** Leaves the first incident of each occasion: of a deploy that leaves ten sessions behind, one. */
function occasions(group: readonly Incident[]): Incident[] {
  let over = Number.NEGATIVE_INFINITY
  return group
    .toSorted((a, b) => a.beganAt - b.beganAt)
    .filter(({ beganAt, resolvedAt, changedAt }) => {
      const isApart = beganAt > over + oneOccasionMs
      over = Math.max(over, resolvedAt ?? changedAt)
      return isApart
    })
}

function repeatOf(group: readonly Incident[], timeZone: string): Repeat | null {
  const sorted = group.toSorted((a, b) => a.openedAt - b.openedAt)
  const [first] = sorted
  if (!first) return null
  return {
    ...{ cluster: first.cluster, kind: first.finding.kind, who: whoOf(first) ?? '', incidents: sorted },
    aboutMinute: aboutMinuteOf(
      sorted.map(({ beganAt }) => beganAt),
      timeZone,
    ),
  }
}

const lastOf = ({ incidents }: Repeat): number => incidents.at(-1)?.openedAt ?? 0

/** Null where it is nobody's. */
function keyOf(incident: Incident): string | null {
  const who = whoOf(incident)
  return who === null ? null : JSON.stringify([incident.cluster, incident.finding.kind, who])
}

function whoOf({ finding }: Incident): string | null {
  const session = subjectOf(finding)
  return session?.applicationName || session?.usename || null
}

/** The middle of the shortest part of the day that has all of them; null where it is longer than an hour, or all are of one day. */
function aboutMinuteOf(times: readonly number[], timeZone: string): number | null {
  const format = new Intl.DateTimeFormat('en-CA', {
    ...{ timeZone, hourCycle: 'h23', hour: '2-digit', minute: '2-digit' },
    ...{ year: 'numeric', month: '2-digit', day: '2-digit' },
  })
  const parts = times.map((time) => {
    const part = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]))
    return {
      day: `${part.year}-${part.month}-${part.day}`,
      minute: Number(part.hour) * 60 + Number(part.minute),
    }
  })
  if (new Set(parts.map(({ day }) => day)).size < 2) return null
  const minutes = parts.map(({ minute }) => minute).sort((a, b) => a - b)
  const gaps = minutes.map((minute, index) => {
    const next = minutes[index + 1] ?? (minutes[0] ?? 0) + dayMinutes
    return { from: next % dayMinutes, length: next - minute }
  })
  const widest = gaps.reduce((a, b) => (b.length > a.length ? b : a))
  const span = dayMinutes - widest.length
  return span > oneTime ? null : Math.round(widest.from + span / 2) % dayMinutes
}
