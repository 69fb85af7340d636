/** Looks of a jam that is over. All times are seconds after `takenAt` of the builders. */
import type { JournalEvent, JournalRow } from '../../src/domain/approvals/journal.ts'
import type { Report } from '../../src/domain/history/report.ts'
import { beginReport, type ReportInput } from '../../src/domain/history/reportLooks.ts'
import { beginTrail } from '../../src/domain/history/trail.ts'
import { stretchesOf, type TimedLook } from '../../src/domain/history/waiting.ts'
import type { Finding } from '../../src/domain/incidents/finding.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import { pictureOf } from '../../src/domain/locks/picture.ts'
import type { Session } from '../../src/domain/session/session.ts'
import type { LockGroup, Locks } from '../../src/domain/session/snapshot.ts'
import {
  idle,
  idleInTransaction,
  incident,
  lockTable,
  rowQueue,
  server,
  serverTime,
  snapshot,
  takenAt,
  waiting,
} from './builders.ts'

export const everyMs = 5_000
export const at = (seconds: number): number => takenAt + seconds * 1000

/** One who holds a row from one time to another, idle in its transaction. */
export type Holder = {
  readonly pid: number
  readonly from: number
  readonly to: number
  readonly over?: Partial<Session>
}
/** One who wants it, and in which statement since when. */
export type Waiter = Holder

type Over = { readonly locks?: Locks; readonly seesOthers?: boolean }

/** The same session with its times where they belong at another moment. */
export function movedTo(seconds: number, session: Session): Session {
  const time = (age: number | null) => (age === null ? null : serverTime(age - seconds))
  const { backendSeconds, xactSeconds, querySeconds, stateSeconds } = session
  return {
    ...session,
    backendSeconds: backendSeconds + seconds,
    backendStart: serverTime(backendSeconds),
    xactStart: time(xactSeconds),
    queryStart: time(querySeconds),
    stateChange: time(stateSeconds),
  }
}

/** A look with these sessions. */
export const look = (
  seconds: number,
  sessions: readonly Session[],
  groups: readonly LockGroup[],
  { locks, texts, seesOthers = true }: Over & { readonly texts?: ReadonlyMap<number, string> } = {},
): TimedLook => ({
  everyMs,
  look: {
    takenAt: at(seconds),
    snapshot: snapshot(
      sessions.map((one) => movedTo(seconds, one)),
      {
        takenAt: at(seconds),
        server: server({ seesOthers }),
        locks:
          locks ??
          (groups.length === 0
            ? { kind: 'none' }
            : { kind: 'read', table: lockTable(groups, { readAt: at(seconds) / 1000 }) }),
        texts: texts ?? new Map(sessions.map(({ pid }) => [pid, 'UPDATE orders SET state = ?'])),
      },
    ),
  },
})

/** A look at a queue for one row: who holds it then, and who waits then. */
export function rowLook(
  seconds: number,
  holders: readonly Holder[],
  waiters: readonly Waiter[],
  over: Over = {},
): TimedLook {
  const now = ({ from, to }: Holder) => from <= seconds && seconds < to
  const holder = holders.find(now)
  const queue = waiters.filter((one) => now(one) && one.pid !== holder?.pid)
  return look(
    seconds,
    [
      ...holders
        .filter((one) => now(one))
        .map((one) => idleInTransaction(one.pid, seconds - one.from, { backendXid: '7', ...one.over })),
      ...waiters
        .map((one) =>
          queue.includes(one)
            ? waiting(one.pid, seconds - one.from, { xactSeconds: seconds - one.from, ...one.over })
            : idle(one.pid, Math.max(0, seconds - one.to), { querySeconds: seconds - one.from, ...one.over }),
        )
        .filter(({ pid }) => pid !== holder?.pid),
    ],
    holder && queue.length > 0
      ? rowQueue(
          holder.pid,
          queue.map(({ pid, from }) => [pid, -from]),
        )
      : [],
    over,
  )
}

/** Every five seconds, from one time to another. */
export const every5 = (from: number, to: number, lookAt: (seconds: number) => TimedLook): TimedLook[] =>
  Array.from({ length: Math.floor((to - from) / 5) + 1 }, (_, index) => lookAt(from + 5 * index))

/** The incident behind this session, as its last look shows it. */
export function jamIncident(
  looks: readonly TimedLook[],
  pid: number,
  over: Partial<Incident> = {},
): Incident {
  const pictures = looks.flatMap(({ look: one }) => ('snapshot' in one ? [pictureOf(one.snapshot)] : []))
  const end = over.resolvedAt ?? Number.POSITIVE_INFINITY
  const found = pictures
    .filter(({ snapshot: one }) => one.takenAt <= end)
    .findLast(({ forest }) => forest.roots.some((root) => root.pid === pid))
  const root = found?.forest.roots.find((one) => one.pid === pid)
  if (!found || !root) throw new Error(`${pid} is no root`)
  const session = found.snapshot.sessions.find((one) => one.pid === pid) ?? null
  const finding: Finding = { kind: 'blocking', root, session }
  return incident({ finding, mostVictims: root.victims.length, ...over })
}

/** Writes the report of an incident from these looks. */
export function reportFrom(
  looks: readonly TimedLook[],
  about: Incident,
  { from, to, ...over }: { readonly from: number; readonly to: number } & Partial<ReportInput>,
): Report {
  const trailing = beginTrail()
  trailing.add(stretchesOf(looks, at(from), at(to)))
  const writer = beginReport({
    ...{ incident: about, trail: trailing.of(about), rows: [], proposals: [], protectedSessions: [] },
    ...{ to: about.resolvedAt ?? at(to), cutAt: null },
    ...over,
  })
  writer.add(stretchesOf(looks, at(from), at(to)))
  return writer.end(everyMs)
}

/** A row of the journal, so many seconds after the beginning. */
export const journalRow = (seconds: number, event: JournalEvent): JournalRow => ({
  ...{ seq: seconds, at: at(seconds), cardId: incident().id, previous: '', hash: '' },
  event,
})
