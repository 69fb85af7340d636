export type Visibility<L extends Loss> = {
  /**
   * Reports once that nothing can be seen. That a connection has ended is not the reason yet: the attempt to make another one
   * shows the reason, or that all is well.
   */
  lost(why: L): Promise<void>
  /** Reports that the cluster is seen, when it was not before, also when that was before a restart. */
  back(): Promise<void>
}

export type Loss = {
  readonly reason: string
  /** It may pass without anybody's help. */
  readonly retryable: boolean
  /** The connection has just ended. */
  readonly isInterruption: boolean
}

/** Milliseconds that an interruption may last without a report: the first attempts to connect come sooner. */
const interruptionMs = 3000

/** A server that is lost again so soon after it was reported to be back flaps. It is reported only when it stays away longer. */
const flappingMs = 60_000
const flapMs = 10_000

/** Decides when somebody hears that watching is blind, and when that it sees again: a blink is no news. */
export function createVisibility<L extends Loss, Remembered>(deps: {
  readonly now: () => number
  /** Reads what was reported and is not over; null while the cluster is seen. */
  readonly current: () => Promise<Remembered | null>
  /** `since`: milliseconds since the epoch. */
  readonly lost: (since: number, why: L) => Promise<void>
  readonly goesOn: (before: Remembered, why: L) => Promise<void>
  readonly back: (before: Remembered) => Promise<void>
}): Visibility<L> {
  const { now, current } = deps
  let lostAt: number | null = null
  let backAt = Number.NEGATIVE_INFINITY

  return {
    async lost(why) {
      const before = await current()
      lostAt ??= now()
      if (before) return deps.goesOn(before, why)
      const patience = lostAt - backAt < flappingMs ? flapMs : why.isInterruption ? interruptionMs : 0
      if (now() - lostAt < patience) return
      // Remembered when it is written down: while the store takes nothing, it is still to be reported.
      await deps.lost(lostAt, why)
    },
    async back() {
      const before = await current()
      lostAt = null
      if (!before) return
      await deps.back(before)
      backAt = now()
    },
  }
}
