import { setTimeout as delay } from 'node:timers/promises'
import type { Admin } from '../admin.ts'
import { type Actor, createActor, type Loss } from './actor.ts'
import type { Seen } from './scenario.ts'

/** Where one scenario plays: it opens the sessions and is sure to end every one of them. */
export type Stage = {
  /** Opens a session under this name, as an ordinary role. Rejects as the server does, and when the stage closes. */
  open(name: string): Promise<Actor>
  /** Plays a round again and again, with a pause, until it rejects or the stage closes. */
  repeat(round: () => Promise<unknown>, pauseMs: number): void
  /** Resolves when each of them waits for a lock. */
  untilWaiting(...actors: readonly Actor[]): Promise<void>
  /** Resolves after so many milliseconds; rejects when the stage closes. */
  pause(ms: number): Promise<void>
  /** Something that lives no longer than this stage, for names that must be unique. */
  readonly tag: string
  readonly isClosed: () => boolean
}

export type OpenStage = Stage & {
  readonly actors: () => readonly Actor[]
  /** What others ended, in order. */
  readonly losses: () => readonly Loss[]
  /** The part of a look at the server that is about this stage. */
  see(sessions: Iterable<Look>): Seen
  /**
   * Ends what is there and says when nothing of it is left. Rejects when the server does not answer; then the sessions
   * have lost their clients, and it is to be called again.
   */
  close(): Promise<void>
}

/** As much of a session as a stage has to know. */
export type Look = {
  readonly pid: number
  readonly isActive: boolean
  /** Seconds that it has waited for a lock; null if it does not wait. */
  readonly waits: number | null
}

class StageClosed extends Error {
  constructor() {
    super('this trouble was stopped')
    this.name = 'StageClosed'
  }
}

export function createStage(url: string, admin: Admin): OpenStage {
  const closing = new AbortController()
  const { signal } = closing
  const actors = new Set<Actor>()
  const all: Actor[] = []
  const losses: Loss[] = []
  const opening = new Set<Promise<unknown>>()
  const rounds = new Set<Promise<unknown>>()
  const ensureOpen = () => {
    if (signal.aborted) throw new StageClosed()
  }
  const pause = (ms: number): Promise<void> =>
    delay(ms, undefined, { signal }).catch(() => {
      throw new StageClosed()
    })
  const pids = () => [...actors].flatMap((actor) => actor.pid() ?? [])

  const open = async (name: string): Promise<Actor> => {
    ensureOpen()
    // What ends because the stage closes is nobody's loss.
    const work = createActor(name, url, (loss) => {
      if (!signal.aborted) losses.push(loss)
    })
    opening.add(work)
    const actor = await work.finally(() => opening.delete(work))
    if (signal.aborted) actor.drop()
    ensureOpen()
    actors.add(actor)
    all.push(actor)
    void actor.ended.then(() => actors.delete(actor))
    return actor
  }

  return {
    open,
    pause,
    tag: Math.random().toString(16).slice(2, 8),
    isClosed: () => signal.aborted,
    repeat: (round, pauseMs) => {
      const play = async () => {
        for (;;) {
          await round()
          await pause(pauseMs)
        }
      }
      // It ends with its session, or with the stage: both are the plan.
      const playing = play().catch(() => {})
      rounds.add(playing)
      void playing.then(() => rounds.delete(playing))
    },
    untilWaiting: async (...waiters) => {
      for (;;) {
        ensureOpen()
        const wanted = waiters.flatMap((actor) => actor.pid() ?? [])
        const [row] = await admin.query(
          "SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ANY ($1)",
          [wanted],
        )
        if (row?.waiting === wanted.length) return
        await pause(10)
      }
    },
    actors: () => all,
    losses: () => losses,
    see: (sessions) => {
      const mine = new Map([...actors].map((actor) => [actor.pid(), actor]))
      const seen = { waiting: [] as string[], connected: [] as string[], active: [] as string[] }
      for (const { pid, isActive, waits } of sessions) {
        const actor = mine.get(pid)
        if (!actor) continue
        seen.connected.push(actor.name)
        if (isActive) seen.active.push(actor.name)
        actor.sawWaiting(waits)
        if (waits !== null) seen.waiting.push(actor.name)
      }
      return seen
    },
    close: async () => {
      closing.abort()
      await Promise.allSettled(opening)
      const left = pids()
      try {
        // A backend that waits does not see that its client has gone: the server has to end it.
        if (left.length > 0) {
          await admin.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [left])
          await untilGone(admin, left)
        }
      } finally {
        for (const actor of actors) actor.drop()
        await Promise.all([...[...actors].map(({ ended }) => ended), ...rounds])
      }
    },
  }
}

async function untilGone(admin: Admin, pids: readonly number[]): Promise<void> {
  for (let waited = 0; waited < 5_000; waited += 20) {
    const [row] = await admin.query(
      'SELECT count(*)::int AS left FROM pg_stat_activity WHERE pid = ANY ($1)',
      [pids],
    )
    if (row?.left === 0) return
    await delay(20)
  }
}
