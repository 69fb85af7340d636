import { type Session, sessionsByPid, waitsForLock } from '../session/session.ts'

/** Observation after an approval. Times in milliseconds since the signal was sent. */
export type Outcome =
  /** The session is gone (terminate) or its statement ended (cancel). */
  | {
      readonly kind: 'effective'
      readonly afterMs: number
      readonly victims: number
      readonly movedOn: number
      /** Number of sessions expected to move on at once; absent when the lock table could not be read. */
      readonly expected?: number
      /** Sessions that keep others waiting who were expected to move on. 0: a prepared transaction. */
      readonly heldBy?: readonly number[]
    }
  /** The signal was sent, and the session was still there when we stopped to look. */
  | {
      readonly kind: 'still'
      readonly afterMs: number
      readonly state: string | null
      readonly waitEventType: string | null
      readonly waitEvent: string | null
      /** Reason that the operating system shows; absent where the server was asked. */
      readonly why?: string | undefined
    }
  /** Nothing was sent: it was not the session, or not the state, that was approved. */
  | { readonly kind: 'changed'; readonly what: string }
  /** Nothing was sent: the server refused (42501), could not be reached, or it came too late. */
  | { readonly kind: 'refused' | 'unreachable' | 'notSent'; readonly why: string }
  /** The signal may have been sent; the bot stopped or lost the connection. `now` says how the session looks. */
  | { readonly kind: 'unknown'; readonly now: string }

/** A waiting session and the statement that it waits in: when either has changed, it has moved on. */
export type Victim = {
  readonly pid: number
  readonly backendStart: string
  readonly queryStart: string | null
}

/** Counts the victims that no longer wait in the statement in which they waited. */
export function movedOn(victims: readonly Victim[], now: readonly Session[]): number {
  const waiting = sessionsByPid(now.filter(waitsForLock))
  return victims.filter(({ pid, backendStart, queryStart }) => {
    const session = waiting.get(pid)
    return !session || session.backendStart !== backendStart || session.queryStart !== queryStart
  }).length
}
