import type { PastHolder, PastQueue, PastWait, Report } from '../history/report.ts'
import type { Prevention } from './prevention.ts'
import { unreadSettings } from './settings.ts'
import { isStrong } from './spells.ts'
import { type Blamed, blameQueued, blameSession, type Limited, limitsFor } from './timeLimits.ts'

/** Limit that would have cut an incident short. */
export type ReportPrevention = Prevention & {
  /** Session that it would have stopped first, and when. */
  readonly pid: number
  readonly at: number
  /** Session-seconds that were surely waited behind those whom it would have stopped, from then on. */
  readonly spared: number
}

/** Session that others waited for, blamed for what it did when it was last seen in the way. */
type Blocker = Blamed & {
  readonly pid: number
  readonly lastSeenAt: number
  readonly kept: ReadonlySet<PastWait>
}

/** Weight up to which a limit would not have changed much: share of all that was waited. */
const worthIt = 0.1
const most = 3

/**
 * Finds the limits that would have cut an incident short, the one that would have spared most first. Those are advised that are
 * set by now as well: the report is about the time before.
 */
export function preventionsIn({ holders, queues, waits, cost, worst }: Report): ReportPrevention[] {
  const blockers = [...holders.flatMap((holder) => heldUp(holder, waits)), ...queues.flatMap(queuedUp)]
  const server = worst?.snapshot.server
  return limitsFor(blockers, {
    settings: unreadSettings(server?.versionNum ?? 0),
    target: server ?? { platform: 'own', inRecovery: false },
    ...{ spells: [], isRecorded: false },
  })
    .flatMap(asSeen)
    .filter(({ spared }) => spared > worthIt * cost.least)
    .toSorted((a, b) => b.spared - a.spared)
    .slice(0, most)
}

/** Blames who held what others waited for. */
const heldUp = (
  { session, pid, from, to, mostVictims }: PastHolder,
  waits: readonly PastWait[],
): Blocker[] =>
  session === null
    ? []
    : blameSession(session, mostVictims).map((blamed) => ({
        ...{ ...blamed, pid, lastSeenAt: to },
        kept: new Set(waits.filter(({ lastSeenAt }) => lastSeenAt >= from)),
      }))

/** Blames who waited for a strong lock, with others behind its request alone. */
const queuedUp = ({ wait: { session, wait, from, least }, behind }: PastQueue): Blocker[] =>
  wait === null || !isStrong(wait)
    ? []
    : blameQueued(session, least, behind.length).map((blamed) => ({
        ...{ ...blamed, pid: session.pid, lastSeenAt: from + least * 1000, kept: new Set(behind) },
      }))

/** Time in which a session was in the way, and would not have been with the limit. */
type Stop = Pick<Blocker, 'pid' | 'kept'> & { readonly from: number; readonly to: number }

function asSeen({ prevention, seconds: limit, stopped }: Limited<Blocker>): ReportPrevention[] {
  const stops = stopped
    .map(
      ({ pid, seconds, lastSeenAt, kept }): Stop => ({
        ...{ pid, kept, from: lastSeenAt - (seconds - limit) * 1000, to: lastSeenAt },
      }),
    )
    .toSorted((a, b) => a.from - b.from)
  const [first] = stops
  if (!first) return []
  const kept = new Set(stops.flatMap((stop) => [...stop.kept]))
  const spared = [...kept].reduce((sum, wait) => sum + sparedOf(wait, stops), 0)
  return [{ ...prevention, pid: first.pid, at: first.from, spared }]
}

/** Counts the seconds that a session waited for one of them or several. */
function sparedOf(wait: PastWait, stops: readonly Stop[]): number {
  const end = wait.from + wait.least * 1000
  let counted = wait.from
  let spared = 0
  for (const { from, to, kept } of stops) {
    if (!kept.has(wait)) continue
    const begin = Math.max(counted, from)
    counted = Math.max(begin, Math.min(end, to))
    spared += counted - begin
  }
  return spared / 1000
}
