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
 * whichever is later. A round that throws is logged and does not end the loop.
 */
export function createLoop(deps: {
  readonly name: string
  readonly everyMs: number
  readonly runOnce: () => Promise<void>
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number
  readonly log: Log
}): Loop {
  const { name, everyMs, runOnce, steady, log } = deps
  let running = false
  let busy = false
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> | null = null

  async function run() {
    const startedAt = steady()
    busy = true
    round = runOnce().catch((error: unknown) => log.error({ err: error }, `${name} failed`))
    await round
    busy = false
    if (running) timer = setTimeout(run, Math.max(0, everyMs - (steady() - startedAt)))
  }

  return {
    start() {
      running = true
      void run()
    },
    hurry() {
      if (!running || busy) return
      clearTimeout(timer)
      void run()
    },
    async stop() {
      running = false
      clearTimeout(timer)
      await round
    },
  }
}
