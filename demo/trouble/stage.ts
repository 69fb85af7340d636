import { setTimeout as delay } from 'node:timers/promises'
import type { Admin } from '../admin.ts'
import { type Actor, createActor, type Loss } from './actor.ts'
import type { Look } from './look.ts'
import type { Seen } from './scenario.ts'

/** A server to play on: how an ordinary role gets there, and the practice room's own connection. */
export type Place = { readonly url: string; readonly admin: Admin }

/** Stage of one scenario: it opens the sessions and is sure to end every one of them. */
export type Stage = {
  /**
   * Opens a session under this name, as an ordinary role, on the primary if no place is given. Rejects as the server does,
   * and when the stage closes.
   */
  open(name: string, place?: Place): Promise<Actor>
  readonly primary: Place
  /** Lists the sessions that were opened here, also those that have ended. */
  readonly actors: () => readonly Actor[]
  /** The primary's standby, which has replayed all that was; made when it is asked for the first time. */
  standby(): Promise<Place>
  /** Plays a round again and again, with a pause, until it rejects or the stage closes. */
  repeat(round: () => Promise<unknown>, pauseMs: number): void
  /** Resolves when each of them waits for a lock. All of one place. */
  untilWaiting(...actors: readonly Actor[]): Promise<void>
  /** Resolves when the statement yields a row whose column `met` is true. */
  until(place: Place, sql: string, values?: readonly unknown[]): Promise<void>
  /** Resolves after so many milliseconds; rejects when the stage closes. */
  pause(ms: number): Promise<void>
  /** Something that lives no longer than this stage, for names that must be unique. */
  readonly tag: string
  readonly isClosed: () => boolean
}

export type OpenStage = Stage & {
  /** Lists what others ended, in order. */
  readonly losses: () => readonly Loss[]
  /** The part of a look at the server that is about this stage. */
  see(sessions: Iterable<Look>): Seen
  /**
   * Ends what is there and says when nothing of it is left. Rejects when the server does not answer; then the sessions
   * have lost their clients, and it is to be called again.
   */
  close(): Promise<void>
}

class StageClosed extends Error {
  constructor() {
    super('this trouble was stopped')
    this.name = 'StageClosed'
  }
}

const allWait =
  "SELECT count(*) = cardinality($1::int[]) AS met FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ANY ($1)"

export function createStage(primary: Place, makeStandby: () => Promise<Place>): OpenStage {
  const closing = new AbortController()
  const { signal } = closing
  /** Connected actors, and their places. */
  const actors = new Map<Actor, Place>()
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

  const open = async (name: string, place = primary): Promise<Actor> => {
    ensureOpen()
    // What ends because the stage closes is nobody's loss.
    const work = createActor(name, place.url, (loss) => {
      if (!signal.aborted) losses.push(loss)
    })
    opening.add(work)
    const actor = await work.finally(() => opening.delete(work))
    if (signal.aborted) actor.drop()
    ensureOpen()
    actors.set(actor, place)
    all.push(actor)
    void actor.ended.then(() => actors.delete(actor))
    return actor
  }

  const until = async (place: Place, sql: string, values: readonly unknown[] = []): Promise<void> => {
    for (;;) {
      ensureOpen()
      const [row] = await place.admin.query(sql, values)
      if (row?.met === true) return
      await pause(10)
    }
  }

  return {
    open,
    primary,
    standby: async () => {
      const standby = await makeStandby()
      ensureOpen()
      // What a session sees on a standby that lags is old from the start, and replay may wait for it too early.
      const [now] = await primary.admin.query('SELECT pg_current_wal_flush_lsn()::text AS lsn')
      await until(standby, 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS met', [now?.lsn])
      return standby
    },
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
    until,
    untilWaiting: (...waiters) => {
      const [place = primary] = waiters.flatMap((actor) => actors.get(actor) ?? [])
      const pids = waiters.flatMap((actor) => actor.pid() ?? [])
      return until(place, allWait, [pids])
    },
    actors: () => all,
    losses: () => losses,
    see: (sessions) => {
      const mine = new Map([...actors.keys()].map((actor) => [actor.pid(), actor]))
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
      const left = Map.groupBy(actors, ([, place]) => place)
      try {
        // A backend that waits does not see that its client has gone: the server has to end it.
        for (const [{ admin }, there] of left) {
          const pids = there.flatMap(([actor]) => actor.pid() ?? [])
          await admin.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [pids])
          await untilGone(admin, pids)
        }
      } finally {
        for (const actor of actors.keys()) actor.drop()
        await Promise.all([...[...actors.keys()].map(({ ended }) => ended), ...rounds])
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
