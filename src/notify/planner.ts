import type { Log } from '../log.ts'

/** Runs a plan when there is something new, or when its time has come; never twice at the same time. */
export type Planner = {
  /** There is something new. */
  kick(): void
  /** Plans again after so many milliseconds, and not at the time that was set before. */
  wakeIn(milliseconds: number): void
  start(): void
  /** Resolves when the plan under way has been made; there is no other until the next start. */
  stop(): Promise<void>
}

/** Pause after a plan that failed. */
const failedPauseMs = 1000

/**
 * Makes one; it does not run before it is started.
 * @param plan starts what can be done now, and sets the alarm for what has to wait
 * @param failed the line for the log where a plan could not be made
 */
export function createPlanner(deps: {
  readonly plan: () => Promise<void>
  readonly failed: string
  readonly log: Log
}): Planner {
  const { plan, failed, log } = deps
  let running = false
  let timer: NodeJS.Timeout | undefined
  let planned: Promise<void> | null = null
  let isStale = false

  return {
    kick,
    wakeIn,
    start() {
      running = true
      kick()
    },
    async stop() {
      running = false
      clearTimeout(timer)
      await planned
    },
  }

  function kick() {
    if (!running) return
    if (planned) {
      isStale = true
      return
    }
    isStale = false
    planned = plan()
      .catch((error: unknown) => {
        log.error({ err: error }, failed)
        wakeIn(failedPauseMs)
      })
      .finally(() => {
        planned = null
        if (isStale) kick()
      })
  }

  function wakeIn(milliseconds: number) {
    clearTimeout(timer)
    if (running) timer = setTimeout(kick, Math.max(1, milliseconds))
  }
}
