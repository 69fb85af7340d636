import { subjectOf } from '../incidents/finding.ts'
import type { Incident } from '../incidents/incident.ts'
import type { Root } from '../locks/blocking.ts'
import { contendedTargets } from '../locks/list.ts'
import type { Picture } from '../locks/picture.ts'
import { type Session, sessionsByPid } from '../session/session.ts'
import type { HeldThen, PastHolder } from './report.ts'
import { rootKey, type Trail } from './trail.ts'

/** Entries of what a holder did. */
const mostDid = 20

/** Collects who was in the way, and what they did. */
export function collectHolders(trail: Trail, { finding }: Incident) {
  const subject = subjectOf(finding)
  const keys = new Set([
    ...[...trail.roots.values()].flatMap((roots) => [...roots]),
    ...(subject ? [`${subject.pid} ${subject.backendStart}`] : []),
  ])
  type Known = { -readonly [K in keyof PastHolder]: PastHolder[K] }
  const known = new Map<string, Known>()
  const did = new Map<string, PastHolder['did'][number][]>()
  const note = (session: Session, takenAt: number) => {
    const key = `${session.pid} ${session.backendStart}`
    if (!keys.has(key)) return
    const all = did.get(key) ?? []
    did.set(key, all)
    const say = (at: number | null, state: string | null, query: string | null) => {
      const same = all.findLast((one) => (query === null ? one.query === null : one.query !== null))
      if (at === null || all.length >= mostDid || (same?.state === state && same.query === query)) return
      all.push({ at: takenAt - at * 1000, state, query })
    }
    say(session.querySeconds, 'active', session.query)
    if (session.state !== 'active') say(session.stateSeconds, session.state, null)
  }
  return {
    all: (): PastHolder[] =>
      [...known].map(([key, one]) => ({
        ...one,
        did: (did.get(key) ?? []).toSorted((a, b) => a.at - b.at),
      })),
    add(picture: Picture, roots: readonly Root[]) {
      const { takenAt, sessions } = picture.snapshot
      for (const session of sessions) note(session, takenAt)
      const byPid = sessionsByPid(sessions)
      for (const root of roots) {
        const session = byPid.get(root.pid) ?? null
        const key = rootKey(root, session ?? undefined)
        const before = known.get(key)
        const isMost = root.victims.length > (before?.mostVictims ?? 0)
        known.set(key, {
          ...{ session, prepared: root.prepared, pid: root.pid, to: takenAt, did: [] },
          transactionAt: began(root, session, takenAt) ?? before?.transactionAt ?? null,
          from: before?.from ?? takenAt,
          mostVictims: Math.max(before?.mostVictims ?? 0, root.victims.length),
          held: isMost || !before ? heldBy(root, picture) : before.held,
        })
      }
    },
  }
}

function began({ prepared }: Root, session: Session | null, takenAt: number): number | null {
  const seconds = prepared ? prepared.preparedSeconds : (session?.xactSeconds ?? null)
  return seconds === null ? null : takenAt - seconds * 1000
}

function heldBy({ pid, prepared }: Root, { snapshot, forest }: Picture): HeldThen[] {
  if (snapshot.locks.kind !== 'read') return []
  return contendedTargets(snapshot.locks.table, snapshot.sessions, forest).flatMap(
    ({ target, relationName, holders }) =>
      holders
        .filter((one) => (prepared ? one.prepared?.gid === prepared.gid : one.pid === pid))
        .map(({ modes }) => ({ target, relationName, modes })),
  )
}
