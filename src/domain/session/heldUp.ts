import { statementsIn } from './command.ts'
import { briefSeconds, isIdleInTransaction, type Session } from './session.ts'
import { type WaitMeaning, waitMeanings } from './waitMeaning.ts'

/** Returns the meaning of a session's current wait; null when it works, rests between statements, or waits for a lock. */
export function meaningOf(session: Session): WaitMeaning | null {
  const { waitEventType, waitEvent, state } = session
  if (state === 'idle' || isIdleInTransaction(session) || waitEventType === 'Lock') return null
  if (waitEventType === null) return isOutside(session) ? meaningFor('', '') : null
  return meaningFor(waitEventType, waitEvent ?? '')
}

/** The entry for a wait event, whatever its capitals. */
export function meaningFor(type: string, event: string): WaitMeaning | null {
  const ofType = waitMeanings.filter((one) => one.type === type)
  const isNamed = ({ events }: WaitMeaning) =>
    events.some((name) => name.toLowerCase() === event.toLowerCase())
  return ofType.find(isNamed) ?? ofType.find(({ events }) => events.length === 0) ?? null
}

/** Recognises a process that reports no wait: it reads from a program (copyfromparse.c), or is inside of libpq (dblink.c, up to 16). */
const isOutside = (session: Session): boolean =>
  session.state === 'active' &&
  statementsIn(session).some((words) => /^COPY\b.*\bPROGRAM\b|(?:^| )DBLINK(?:_EXEC)? \(/.test(words))

/** Decides whether the session goes on without help, as far as anybody can know. */
export const mayFinish = (session: Session): boolean =>
  session.state !== 'idle' && !isIdleInTransaction(session) && (meaningOf(session)?.endsByItself ?? true)

/** Decides whether every look has found it in this wait for long enough to mention it, though it ends by itself. */
export const waitsForLong = ({ sameWaitSeconds }: Session): boolean => (sameWaitSeconds ?? 0) >= briefSeconds

/** By session: where it waits, and since when every look has found it there. */
export type WaitsSeen = ReadonlyMap<string, { readonly at: string; readonly since: number }>

/**
 * Follows who waits where from one look to the next, because the server does not say since when.
 * @param now milliseconds, when these sessions were looked at
 * @returns the sessions with `sameWaitSeconds`, and what to give to the next look
 */
export function followWaits(
  before: WaitsSeen,
  sessions: readonly Session[],
  now: number,
): { readonly sessions: Session[]; readonly seen: WaitsSeen } {
  const seen = new Map<string, { at: string; since: number }>()
  const followed = sessions.map((session): Session => {
    const { pid, backendStart, waitEventType, waitEvent, queryStart, xactStart, stateChange } = session
    if (meaningOf(session) === null || waitEventType === 'Activity') return session
    const key = `${pid} ${backendStart}`
    const at = [waitEventType, waitEvent, queryStart, xactStart, stateChange].join()
    const known = before.get(key)
    const since = known?.at === at ? known.since : now
    seen.set(key, { at, since })
    return { ...session, sameWaitSeconds: Math.max(0, now - since) / 1000 }
  })
  return { sessions: followed, seen }
}
