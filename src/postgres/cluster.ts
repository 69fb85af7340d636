import type { Action } from '../domain/action.ts'
import type { LockGroup, Session, SessionKey, Snapshot } from '../domain/session.ts'

/** Why a cluster could not be asked. `reason` is one sentence for people, told from the SQLSTATE. */
export class ClusterFailure extends Error {
  readonly reason: string
  /** SQLSTATE, or the code of the socket error, or `DEADLINE`. */
  readonly code: string
  readonly retryable: boolean
  constructor(reason: string, code: string, retryable: boolean, cause?: unknown) {
    super(reason, { cause })
    this.name = 'ClusterFailure'
    this.reason = reason
    this.code = code
    this.retryable = retryable
  }
}

/** What must still be true of the session for the signal to be sent; checked by the server in the same statement. */
export type Guard = {
  readonly key: SessionKey
  /** For a cancel: the very statement that was approved. Else the next one would die. */
  readonly queryStart: string | null
  /** For a terminate: the transaction that was approved. */
  readonly xactStart: string | null
}

/** `sent`: what pg_cancel_backend or pg_terminate_backend returned. `changed`: the guard matched nothing. */
export type SignalResult = { readonly kind: 'sent'; readonly returned: boolean; readonly sql: string } | { readonly kind: 'changed'; readonly sql: string }

/** One thing that is missing on the server, and the statement that grants it. */
export type Lack = { readonly what: string; readonly remedy: string }

export type Cluster = {
  readonly name: string
  /** Opens both connections. Never throws: what is wrong is told by `failure()`, and it keeps trying. */
  start(): Promise<void>
  /** The reason why the cluster cannot be seen at the moment; null when it can. */
  failure(): ClusterFailure | null
  /** One look at the server in three tiers; callers at the same time share one. Throws ClusterFailure. */
  snapshot(): Promise<Snapshot>
  /** The same sessions with their (masked) statements filled in, in one query. Throws ClusterFailure. */
  withText(sessions: readonly Session[], maxLength?: number): Promise<Session[]>
  /** Reads sessions again by pid, on the connection that never touches the lock manager. Throws ClusterFailure. */
  look(pids: readonly number[]): Promise<Session[]>
  /** Every lock that one session holds or waits for. Throws ClusterFailure. */
  locksOf(pid: number): Promise<LockGroup[]>
  /** Sends the signal in one guarded statement. Throws ClusterFailure (42501 when the server refuses). */
  signal(action: Action, guard: Guard): Promise<SignalResult>
  /** What the bot's role lacks here. Throws ClusterFailure. */
  lacks(): Promise<Lack[]>
  close(): Promise<void>
}
