import type { PastHolder, PastWait, Report } from '../history/report.ts'
import type { Session } from '../session/session.ts'
import type { AdvisedServer, Prevention } from './prevention.ts'
import { preventsWaits, serverSettings } from './serverSettings.ts'
import { unreadSettings } from './settings.ts'
import { isStrong, type SpellKind } from './spells.ts'
import { type Blamed, blame, blameQueued, blameSession, type Limited, limitsFor } from './timeLimits.ts'

/** Prevention of an incident that is reported. */
export type ReportPrevention = Prevention & {
  /** Session that it would have stopped first, and when; null where nobody was seen to wait for it, or no single one is blamed. */
  readonly stops: Stop | null
}

type Stop = {
  readonly pid: number
  readonly at: number
  /** Session-seconds that were waited after that. */
  readonly spared: number
}

/** Whoever is blamed, with those who waited meanwhile. */
type Culprit = Blamed & {
  readonly seen: { readonly pid: number; readonly since: number; readonly kept: readonly PastWait[] } | null
}

/** Weight below which a limit for somebody else in the way would not have changed much: share of all that was waited. */
const worthIt = 0.1
const most = 3

/**
 * Finds what would have prevented an incident: first what its card names, then what would have stopped the others in its way.
 * @param server null: nobody can say what is set there
 */
export function preventionsIn(report: Report, server: AdvisedServer | null): ReportPrevention[] {
  const { incident, holders, queues, waits } = report
  const known = { ...(server ?? unread(report)), spells: [], isRecorded: false }
  const inTheWay = [...holders.flatMap((holder) => heldUp(holder, waits)), ...queues.flatMap(queuedUp)]
  const own = blame(incident).map(
    (one): Culprit => ({ ...one, seen: inTheWay.find((other) => isSame(one, other))?.seen ?? null }),
  )
  const others = inTheWay.filter((one) => !own.some((other) => isSame(one, other)))
  const limits = limitsFor([...own, ...others], known)
  const ofIncident = new Set(limits.filter(({ stopped }) => stopped.some((one) => own.includes(one))))
  const least = worthIt * sparedOf(waits, Number.NEGATIVE_INFINITY)
  return [
    ...[...ofIncident].map(withStop),
    ...serverSettings({ ...known, troubles: [incident] })
      .filter(preventsWaits)
      .map((one) => ({ ...one, stops: null })),
    ...limits
      .filter((one) => !ofIncident.has(one))
      .map(withStop)
      .filter(({ stops }) => stops !== null && stops.spared > 0 && stops.spared >= least)
      .sort((a, b) => (b.stops?.spared ?? 0) - (a.stops?.spared ?? 0)),
  ].slice(0, most)
}

const isSame = (one: Blamed, other: Blamed): boolean => one.who === other.who && one.limit === other.limit

/** The server as the record has it. */
function unread({ worst }: Report): AdvisedServer {
  const server = worst?.snapshot.server
  return {
    settings: unreadSettings(server?.versionNum ?? 0),
    target: server ?? { platform: 'own', inRecovery: false },
    slotRetainsBytes: Number.POSITIVE_INFINITY,
  }
}

/** Blames who held what others waited for, for what it did when it was last seen in the way. */
function heldUp({ session, pid, from, to, mostVictims }: PastHolder, waits: readonly PastWait[]): Culprit[] {
  if (!session) return []
  const kept = waits.filter((wait) => wait.from <= to && wait.lastSeenAt >= from)
  return blameSession(session, mostVictims).map((one) => ({
    ...one,
    seen: { pid, since: to - lasted(session, one.limit.kind) * 1000, kept },
  }))
}

/** Seconds for which a session does what a limit ends. */
function lasted({ stateSeconds, querySeconds, xactSeconds }: Session, kind: SpellKind): number {
  const seconds = kind === 'transaction' ? xactSeconds : kind === 'statement' ? querySeconds : stateSeconds
  return seconds ?? 0
}

/** Blames who waited for a strong lock, with others behind its request alone. */
const queuedUp = ({ wait, behind }: Report['queues'][number]): Culprit[] =>
  wait.wait === null || !isStrong(wait.wait)
    ? []
    : blameQueued(wait.session, wait.least, behind.length).map((one) => ({
        ...one,
        seen: { pid: wait.session.pid, since: wait.from, kept: behind },
      }))

function withStop({ prevention, seconds, stopped }: Limited<Culprit>): ReportPrevention {
  const stops = stopped
    .flatMap(({ seen }) => (seen ? [{ ...seen, at: seen.since + seconds * 1000 }] : []))
    .sort((a, b) => a.at - b.at)
  const [first] = stops
  if (!first) return { ...prevention, stops: null }
  // Who waited behind several is spared from the first of them on.
  const counted = new Set<PastWait>()
  let spared = 0
  for (const { at, kept } of stops) {
    const more = kept.filter((wait) => !counted.has(wait))
    spared += sparedOf(more, at)
    for (const wait of more) counted.add(wait)
  }
  return { ...prevention, stops: { pid: first.pid, at: first.at, spared } }
}

/** Session-seconds that were surely waited after a time. */
const sparedOf = (waits: readonly PastWait[], at: number): number =>
  waits.reduce(
    (sum, { from, least }) => sum + Math.max(0, (from + least * 1000 - Math.max(at, from)) / 1000),
    0,
  )
