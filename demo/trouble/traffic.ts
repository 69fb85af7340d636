import { setTimeout as delay } from 'node:timers/promises'
import { type Actor, createActor } from './actor.ts'

const names = ['visitor-1', 'visitor-2', 'visitor-3']
/** Milliseconds, at least and at most. */
const pause = [300, 1500] as const

/** The healthy part of the company: short statements all day. Who is ended comes back, as a pool does. */
export function startTraffic(url: string): { stop(): void } {
  const closing = new AbortController()
  const { signal } = closing
  const actors = new Set<Actor>()
  const rest = () => delay(pause[0] + Math.random() * (pause[1] - pause[0]), undefined, { signal })

  const visit = async (name: string) => {
    while (!signal.aborted) {
      try {
        const actor = await createActor(name, url, () => {})
        actors.add(actor)
        void actor.ended.then(() => actors.delete(actor))
        if (signal.aborted) actor.drop()
        for (;;) {
          await actor.run('UPDATE visits SET seen = seen + 1 WHERE page = $1', [
            `page ${1 + Math.floor(Math.random() * 20)}`,
          ])
          await rest()
        }
      } catch {
        // Refused, ended, or stopped.
        await rest().catch(() => {})
      }
    }
  }
  for (const name of names) void visit(name)

  return {
    stop: () => {
      closing.abort()
      for (const actor of actors) actor.drop()
    },
  }
}
