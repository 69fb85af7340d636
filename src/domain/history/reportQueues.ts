import type { Picture } from '../locks/picture.ts'
import type { PastQueue, PastWait } from './report.ts'
import type { Part } from './reportPart.ts'
import { statementKey } from './trail.ts'

/** Collects requests for a lock on a relation that waited and kept others waiting, who would not have waited otherwise. */
export function collectQueues() {
  const behind = new Map<string, Set<string>>()
  return {
    add({ forest }: Picture, { roots, waiting }: Part) {
      const heads = new Set(roots.map(({ pid }) => pid))
      const heavy = waiting.filter(({ pid }) => {
        const wait = forest.waits.get(pid)
        return wait?.target.locktype === 'relation' && forest.behind(pid).length > 0
      })
      if (heavy.length === 0) return
      const freed = new Map(
        waiting.map((session) => [session.pid, forest.blockedBy(session.pid).some((pid) => heads.has(pid))]),
      )
      const byPid = new Map(waiting.map((session) => [session.pid, session]))
      for (const session of heavy) {
        const key = statementKey(session)
        const those = behind.get(key) ?? new Set<string>()
        behind.set(key, those)
        for (const pid of forest.behind(session.pid)) {
          const one = byPid.get(pid)
          if (one && freed.get(pid) === false) those.add(statementKey(one))
        }
      }
    },
    all(waits: readonly PastWait[]): PastQueue[] {
      const byKey = new Map(waits.map((wait) => [statementKey(wait.session), wait]))
      return [...behind].flatMap(([key, those]) => {
        const wait = byKey.get(key)
        return wait && those.size > 0
          ? [{ wait, behind: [...those].flatMap((one) => byKey.get(one) ?? []) }]
          : []
      })
    },
  }
}
