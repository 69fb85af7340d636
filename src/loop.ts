import type { Log } from './log.ts'

export type Loop = {
  start(): void
  /** Begins the next round now, unless one is under way. */
  hurry(): void
  /** Ends after the round that is under way. */
  stop(): Promise<void>
}

/**
 * Runs one thing again and again: a round starts `everyMs` after the last one started, or when that one has ended,
 * whichever is later. A round that throws is logged and does not end the loop. Of many loops that start together, each has a
 * phase of its own: what runs together once, at the start or in a hurry, is spread over the interval from then on.
 */
export function createLoop(deps: {
  readonly name: string
  readonly everyMs: number
  /** Part of the interval, from 0 up to 1. */
  readonly phase?: number
  readonly runOnce: () => Promise<void>
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number
  readonly log: Log
}): Loop {
  const { name, everyMs, phase = 0, runOnce, steady, log } = deps
  // Not sooner than after half an interval, and not later than after one and a half.
  const spreadMs = (phase < 0.5 ? 1 + phase : phase) * everyMs
  let running = false
  let busy = false
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> | null = null

  /** @param nextMs from the start of this round to that of the next one */
  async function run(nextMs = everyMs) {
    const startedAt = steady()
    busy = true
    round = runOnce().catch((error: unknown) => log.error({ err: error }, `${name} failed`))
    await round
    busy = false
    if (running) timer = setTimeout(() => void run(), Math.max(0, nextMs - (steady() - startedAt)))
  }

  return {
    start() {
      running = true
      void run(spreadMs)
    },
    hurry() {
      if (!running || busy) return
      clearTimeout(timer)
      void run(spreadMs)
    },
    async stop() {
      running = false
      clearTimeout(timer)
      await round
    },
  }
}
