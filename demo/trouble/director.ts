import { setTimeout as delay } from 'node:timers/promises'
import type { Loss } from './actor.ts'
import type { Sight } from './look.ts'
import type { Scenario, Seen } from './scenario.ts'
import { createStage, type OpenStage, type Place } from './stage.ts'

/** `over`: the trouble itself is gone, sessions of it may remain. */
export type Phase = 'starting' | 'running' | 'over' | 'stopping'

export type Playing = {
  readonly id: string
  readonly phase: Phase
  readonly sessions: number
  readonly waiting: number
}

export type Director = {
  /** Resolves when the trouble is there. Rejects when it plays already, or as the server refuses. */
  start(id: string): Promise<void>
  /** Resolves when nothing of it is left; while the server does not answer it keeps trying. */
  stop(id: string): Promise<void>
  stopAll(): Promise<void>
  playing(): readonly Playing[]
  /** Takes a look at the server into account. */
  saw(sight: Sight): void
  pidsOf(id: string): readonly number[]
  /** Returns what others ended of it, and what the gentlest way would cost now. */
  damage(id: string): { readonly losses: readonly Loss[]; readonly gentlest: readonly Loss[] }
  onChange(listener: () => void): void
  /** Leaves: the server is about to end anyway. */
  abandon(): void
}

type Play = {
  readonly scenario: Scenario
  readonly stage: OpenStage
  phase: Phase
  seen: Seen
  /**
   * Time when the trouble was there, in milliseconds since 1970. An earlier look shows that it was not there yet, not
   * that it is over.
   */
  since: number
}

const nothing: Seen = { waiting: [], connected: [], active: [] }
const retryMs = 1_000

export function createDirector(
  scenarios: readonly Scenario[],
  primary: Place,
  makeStandby: () => Promise<Place>,
): Director {
  const plays = new Map<string, Play>()
  const stopping = new Map<string, Promise<void>>()
  const listeners = new Set<() => void>()
  const leaving = new AbortController()
  const changed = () => {
    for (const listener of listeners) listener()
  }

  const end = async (id: string, play: Play): Promise<void> => {
    play.phase = 'stopping'
    changed()
    while (!leaving.signal.aborted) {
      try {
        await play.stage.close()
        await play.scenario.clean?.(primary.admin, play.stage)
        break
      } catch {
        // The server hangs, is down, or a lock is in the way.
        await delay(retryMs, undefined, { signal: leaving.signal }).catch(() => {})
      }
    }
    plays.delete(id)
    changed()
  }
  const stop = (id: string): Promise<void> => {
    const play = plays.get(id)
    if (!play) return Promise.resolve()
    const running = stopping.get(id) ?? end(id, play).finally(() => stopping.delete(id))
    stopping.set(id, running)
    return running
  }

  return {
    start: async (id) => {
      const scenario = scenarios.find((one) => one.id === id)
      if (!scenario) throw new Error(`there is no trouble called ${id}`)
      if (plays.has(id)) throw new Error(`“${scenario.title}” plays already`)
      const play: Play = {
        scenario,
        stage: createStage(primary, makeStandby),
        phase: 'starting',
        seen: nothing,
        since: Number.POSITIVE_INFINITY,
      }
      plays.set(id, play)
      changed()
      try {
        await scenario.start(play.stage)
        play.since = Date.now()
        if (play.phase === 'starting') play.phase = 'running'
        changed()
      } catch (error) {
        if (play.stage.isClosed()) return
        await stop(id)
        throw error
      }
    },
    stop,
    stopAll: async () => {
      await Promise.all([...plays.keys()].map(stop))
    },
    playing: () =>
      [...plays].map(([id, { phase, seen }]) => ({
        id,
        phase,
        sessions: seen.connected.length,
        waiting: seen.waiting.length,
      })),
    saw: ({ at, sessions }) => {
      for (const play of plays.values()) {
        const seen = play.stage.see(sessions)
        play.seen = seen
        if (at < play.since) continue
        if (play.phase === 'running' && play.scenario.isOver(seen)) play.phase = 'over'
        else if (play.phase === 'over' && !play.scenario.isOver(seen)) play.phase = 'running'
      }
    },
    pidsOf: (id) => (plays.get(id)?.stage.actors() ?? []).flatMap((actor) => actor.pid() ?? []),
    damage: (id) => {
      const play = plays.get(id)
      const losses = [...(play?.stage.losses() ?? [])]
      const { how = 'terminated', ends = [] } = play?.scenario.gentlest ?? {}
      const gentlest = ends.flatMap((name) => {
        const done = losses.filter((loss) => loss.name === name)
        const actors = play?.stage.actors().filter((one) => one.name === name) ?? []
        return actors.map((actor, n) => ({ name, how, seconds: done[n]?.seconds ?? actor.work() }))
      })
      return { losses, gentlest }
    },
    onChange: (listener) => listeners.add(listener),
    abandon: () => {
      leaving.abort()
      for (const { stage } of plays.values()) for (const actor of stage.actors()) actor.drop()
    },
  }
}
