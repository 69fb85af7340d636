import { meaningOf, waitsForLong } from '../session/heldUp.ts'
import { isClient, isIdleInTransaction, type Session, waitsForClient } from '../session/session.ts'
import type { LockTable } from '../session/snapshot.ts'
import type { Suspects, WaitMeaning } from '../session/waitMeaning.ts'
import { formatDuration } from '../text/duration.ts'

/** For what somebody waits who waits for no lock, and who can be behind it. */
export type RootWait = {
  readonly meaning: WaitMeaning
  /** Sessions that can be behind it by what the server shows, the likeliest first; empty: nobody can be named. */
  readonly suspects: readonly Session[]
  /** True when it goes on without help: as its meaning says, unless a member of its own group is held up. */
  readonly endsByItself: boolean
}

/** Null where it works, or where what it does is said well enough by its state. */
export function rootWaitOf(
  root: Session,
  sessions: readonly Session[],
  table: LockTable | null,
): RootWait | null {
  const meaning = meaningOf(root)
  if (!meaning) return null
  const suspects = meaning.suspects === null ? [] : suspectsOf[meaning.suspects](root, sessions, table)
  const isHeldUp = (one: Session) => one.pid !== root.pid && meaningOf(one)?.endsByItself === false
  const inGroup = meaning.suspects === 'workers' ? suspects : []
  return { meaning, suspects, endsByItself: meaning.endsByItself && !inGroup.some(isHeldUp) }
}

/** Largest number of names. */
const mostNamed = 3

/**
 * "It waits for … (IPC/ProcSignalBarrier, at every look for 40 s). Behind it can be 7 (…)."; empty where it works, or waits for
 * a moment for what ends by itself.
 */
export function rootWaitText(
  root: Session,
  found: RootWait | null,
  about: (session: Session) => string,
): string {
  if (!found || (found.endsByItself && !waitsForLong(root))) return ''
  const { meaning, suspects } = found
  const seconds = root.sameWaitSeconds ?? 0
  const since = waitsForLong(root) ? `, at every look for ${formatDuration(seconds)}` : ''
  const event = root.waitEventType === null ? '' : ` (${root.waitEventType}/${root.waitEvent ?? '?'}${since})`
  const named = suspects.slice(0, mostNamed).map((one) => `${one.pid} (${about(one)})`)
  const more = suspects.length > mostNamed ? [`${suspects.length - mostNamed} more`] : []
  const who = named.length > 0 ? `${[...named, ...more].join(', ')}: ${meaning.behind}` : meaning.behind
  return ` ${root.pid} waits for ${meaning.waitsFor}${event}. Behind it can be ${who}.`
}

type Finder = (root: Session, sessions: readonly Session[], table: LockTable | null) => Session[]

const ofType =
  (backendType: string): Finder =>
  (_, sessions) =>
    sessions.filter((session) => session.backendType === backendType)

const suspectsOf: Readonly<Record<Suspects, Finder>> = {
  pins,
  deaf,
  workers: (root, sessions) => {
    const group = root.leaderPid ?? root.pid
    return sessions.filter(({ pid, leaderPid }) => pid !== root.pid && (leaderPid === group || pid === group))
  },
  walsender: ofType('walsender'),
  checkpointer: ofType('checkpointer'),
  archiver: ofType('archiver'),
}

/**
 * A cursor pins the page that it stands on, and has a snapshot. Whose locks are in the table is known to use the same relation;
 * where nobody's are (a fast-path lock is not), it may be any in that database.
 */
function pins(root: Session, sessions: readonly Session[], table: LockTable | null): Session[] {
  const shared = new Set(
    (table?.groups ?? [])
      .filter(
        ({ target, granted, pids }) => granted && target.locktype === 'relation' && pids.includes(root.pid),
      )
      .map(({ target }) => `${target.database} ${target.relation}`),
  )
  const users = new Set(
    (table?.groups ?? [])
      .filter(({ target, granted }) => granted && shared.has(`${target.database} ${target.relation}`))
      .flatMap(({ pids }) => pids),
  )
  const holders = sessions.filter(
    (session) =>
      session.pid !== root.pid &&
      session.backendXmin !== null &&
      (root.datname === null || session.datname === root.datname) &&
      (isIdleInTransaction(session) || (session.state === 'active' && isClient(session))),
  )
  const known = holders.filter(({ pid }) => users.has(pid))
  return oldestFirst(known.length > 0 ? known : holders)
}

/**
 * A process takes note of a barrier at its next CHECK_FOR_INTERRUPTS, also while it waits in the usual ways. Not while it reads
 * from a program, and not while it waits for its client in the middle of a statement (ProcessClientReadInterrupt and
 * ProcessClientWriteInterrupt in postgres.c); nor does the archiver within its command.
 */
function deaf(root: Session, sessions: readonly Session[]): Session[] {
  const isKnown = (session: Session) =>
    waitsForClient(session) ||
    /^(?:Archive|Restore|ArchiveCleanup|RecoveryEnd)Command$/.test(session.waitEvent ?? '') ||
    (session.waitEventType === null && meaningOf(session) !== null)
  const isPossible = (session: Session) =>
    session.state === 'active' &&
    (session.waitEventType === null || session.waitEventType === 'Extension') &&
    isBefore(session, root)
  const found = oldestFirst(sessions.filter((session) => session.pid !== root.pid))
  const known = found.filter(isKnown)
  return [...known, ...found.filter((session) => !known.includes(session) && isPossible(session))]
}

/** Decides whether its statement ran already when the other one was first seen to wait. */
const isBefore = ({ querySeconds }: Session, { sameWaitSeconds }: Session): boolean =>
  (querySeconds ?? Number.POSITIVE_INFINITY) >= (sameWaitSeconds ?? 0)

const oldestFirst = (sessions: readonly Session[]): Session[] =>
  sessions.toSorted((a, b) => (b.xactSeconds ?? 0) - (a.xactSeconds ?? 0) || a.pid - b.pid)
