import type { LockTable, LockTarget, PreparedTransaction, Session } from './session.ts'

/** The lock that somebody waits for. */
export type Wait = {
  readonly pid: number
  readonly target: LockTarget
  /** The mode that is asked for. */
  readonly mode: string
  /** The relation in question, also for a row lock, where the wait itself is for a transaction. */
  readonly relationName: string | null
  /** Seconds; null while the server has not set `waitstart` yet. */
  readonly seconds: number | null
}

/** Somebody who blocks others and waits for no lock: a session, or a prepared transaction (pid 0). */
export type Root = {
  readonly pid: number
  readonly kind: 'session' | 'preparedTransaction'
  readonly prepared: PreparedTransaction | null
  /** Everyone who waits behind it, directly or not, longest wait first. */
  readonly victims: readonly number[]
  readonly oldestWaitSeconds: number | null
  /** What its longest-waiting direct victim waits for. */
  readonly wait: Wait
}

export type Forest = {
  /** Worst first: most victims, then oldest wait. */
  readonly roots: readonly Root[]
  readonly waits: ReadonlyMap<number, Wait>
  /** Lock groups (by their leaders' pids) that wait for each other. */
  readonly cycles: readonly (readonly number[])[]
  /** Exactly what pg_blocking_pids would say, sorted, without repeats; 0 is a prepared transaction. Empty: it does not wait. */
  readonly blockedBy: (pid: number) => readonly number[]
}

export const noForest: Forest = { roots: [], waits: new Map(), cycles: [], blockedBy: () => [] }

/** Who blocks whom. Follows the server's lock.c; pg_blocking_pids is the oracle in the tests. */
export declare function blockingForest(table: LockTable, sessions: readonly Session[]): Forest
