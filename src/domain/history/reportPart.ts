import { subjectOf } from '../incidents/finding.ts'
import type { Incident } from '../incidents/incident.ts'
import type { Root } from '../locks/blocking.ts'
import type { Picture } from '../locks/picture.ts'
import { jamsIn } from '../locks/tree.ts'
import { isClient, type Session, sessionsByPid, waitsForLock } from '../session/session.ts'
import { rootKey, type Trail } from './trail.ts'

/** Part of a look that belongs to an incident: who waits because of it, and behind whom. */
export type Part = { readonly roots: readonly Root[]; readonly waiting: readonly Session[] }

/** Finds the part of an incident in a look. */
export function partIn(
  picture: Picture,
  { incident: { finding }, trail }: { readonly incident: Incident; readonly trail: Trail },
): Part {
  const { snapshot, forest } = picture
  const sessions = sessionsByPid(snapshot.sessions)
  const those = (pids: Iterable<number>) => [...new Set(pids)].flatMap((pid) => sessions.get(pid) ?? [])
  // Behind whom cannot be read: any of them may belong to it.
  if (snapshot.locks.kind === 'jammed') {
    const isInTime =
      trail.from !== null &&
      trail.to !== null &&
      snapshot.takenAt >= trail.from &&
      snapshot.takenAt <= trail.to
    const counts = isInTime || finding.kind === 'lockStorm'
    return {
      roots: [],
      waiting: counts ? snapshot.sessions.filter((one) => isClient(one) && waitsForLock(one)) : [],
    }
  }
  if (finding.kind === 'blocking') {
    const keys = trail.roots.get(snapshot.takenAt)
    const roots = forest.roots.filter((root) => keys?.has(rootKey(root, sessions.get(root.pid))))
    return { roots, waiting: those(roots.flatMap(({ victims }) => victims)) }
  }
  if (finding.kind === 'lockCycle') {
    const pids = new Set(finding.pids)
    const jams = jamsIn(forest).filter(({ cycle }) => cycle.some((pid) => pids.has(pid)))
    return { roots: [], waiting: those(jams.flatMap(({ victims }) => victims)) }
  }
  if (finding.kind === 'preparedTransaction') {
    const roots = forest.roots.filter(({ prepared }) => prepared?.gid === finding.prepared.gid)
    return { roots, waiting: those(roots.flatMap(({ victims }) => victims)) }
  }
  const subject = subjectOf(finding)
  if (subject === null) return { roots: forest.roots, waiting: those(forest.waits.keys()) }
  if (sessions.get(subject.pid)?.backendStart !== subject.backendStart) return { roots: [], waiting: [] }
  return {
    roots: forest.roots.filter(({ pid }) => pid === subject.pid),
    waiting: those(forest.behind(subject.pid)),
  }
}
