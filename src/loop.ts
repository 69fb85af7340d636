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
export function createLoop(name: string, everyMs: number, runOnce: () => Promise<void>, log: Log): Loop {
  let running = false
  let busy = false
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> | null = null

  async function run() {
    const startedAt = performance.now()
    busy = true
    round = runOnce().catch((error: unknown) => log.error({ err: error }, `${name} failed`))
    await round
    busy = false
    if (running) timer = setTimeout(run, Math.max(0, everyMs - (performance.now() - startedAt)))
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
