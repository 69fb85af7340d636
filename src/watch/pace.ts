import { formatDuration } from '../domain/text/duration.ts'

/** Largest jump of the clock that is not reported. */
const jumpMs = 30_000
/** Longest pause of the loop beyond its interval: longer than the deadlines of a failed look add up to. */
const stallMs = 20_000
/** Number of looks in a row that must be too slow. */
const behindAfter = 3

export type Pace = {
  /**
   * Begins a round: called at the start of each.
   * @returns what happened since the last one that makes what was watched doubtful, one sentence; null when nothing
   */
  begin(): string | null
  /**
   * Ends a round: called at the end of each.
   * @returns why watching is behind, as long as it is; null when it keeps up
   */
  end(): string | null
}

/**
 * Notices when watching itself goes wrong: the process stood still, the clock was set, or looks take longer than the
 * time between them.
 */
export function createPace(deps: {
  readonly everyMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number
}): Pace {
  const { everyMs, now: wall, steady } = deps
  let last: { readonly wall: number; readonly steady: number } | null = null
  let began = 0
  let slow = 0
  return {
    begin() {
      const now = { wall: wall(), steady: steady() }
      const before = last
      last = now
      began = now.steady
      if (!before) return null
      const passed = now.steady - before.steady
      const jump = now.wall - before.wall - passed
      const by = formatDuration(Math.abs(jump) / 1000)
      // The steady clock stands still in a machine that sleeps, so the two look the same.
      if (jump > jumpMs)
        return `The clock was set forward by ${by}, or the machine slept for so long. Watching goes on now.`
      if (jump < -jumpMs) return `The clock was set back by ${by}. Watching goes on now.`
      if (passed > everyMs + stallMs)
        return `Monitoring was paused for ${formatDuration(passed / 1000)}. It goes on now.`
      return null
    },
    end() {
      const took = steady() - began
      slow = took > everyMs ? slow + 1 : 0
      return slow >= behindAfter
        ? `one look takes ${formatDuration(took / 1000)}, longer than the ${formatDuration(everyMs / 1000)} between two.`
        : null
    },
  }
}
