import type { JournalRow } from '../approvals/journal.ts'
import type { Proposal } from '../approvals/proposal.ts'
import { subjectOf, withSession } from '../incidents/finding.ts'
import type { Incident } from '../incidents/incident.ts'
import { type Recommendation, recommendationsFor } from '../incidents/recommend.ts'
import type { Root } from '../locks/blocking.ts'
import { contendedTargets } from '../locks/list.ts'
import type { Picture } from '../locks/picture.ts'
import { jamsIn, layOut } from '../locks/tree.ts'
import type { Protected } from '../session/policy.ts'
import { isClient, type Session, sessionsByPid, waitsForLock } from '../session/session.ts'
import { maskQuery } from '../text/mask.ts'
import { remediesOf } from './remedy.ts'
import type {
  CoursePart,
  Gap,
  HeldThen,
  PastHolder,
  PastWait,
  PastWay,
  Report,
  RolledBack,
  Worst,
} from './report.ts'
import { collectWaits, costOfWaits } from './reportWaits.ts'
import { rootKey, statementKey, type Trail } from './trail.ts'
import type { Stretch } from './waiting.ts'

/** Writer of a report, given all looks of its time. */
export type ReportWriter = {
  /** Adds stretches, in order. */
  add(stretches: Iterable<Stretch>): void
  /** @param everyMs interval of the looks; null where there was none */
  end(everyMs: number | null): Report
}

/** Subject of a report, and how far it reaches. */
export type ReportInput = {
  readonly incident: Incident
  readonly trail: Trail
  readonly rows: readonly JournalRow[]
  readonly proposals: readonly Proposal[]
  /** End of what is told: the end of the incident, or now. */
  readonly to: number
  readonly cutAt: number | null
  readonly protectedSessions: readonly Protected[]
}

/** The gentlest way out is looked for at every minute; in a short incident more often. */
const longestStepMs = 60_000
const steps = 20
/** Lines and jams of the tree at its worst. */
const treeLines = 40
const mostTrees = 6
/** Entries of what a holder did. */
const mostDid = 20

export function beginReport(input: ReportInput): ReportWriter {
  const { incident, trail, to } = input
  const waits = collectWaits()
  const advice = createAdvice(input)
  const holders = collectHolders(trail, incident)
  const queues = collectQueues()
  const course: CoursePart[] = []
  const gaps: Gap[] = []
  let worst: Omit<Worst, 'jams' | 'trees'> | null = null
  let lastLook = Number.NEGATIVE_INFINITY
  let firstSeenAt: number | null = null
  let calmUntil = Number.NEGATIVE_INFINITY

  return {
    add(stretches) {
      for (const { from, to: until, sight, picture, why } of stretches) {
        if (sight !== 'seen') extend(gaps, { from, to: until, sight, why: why ?? blindness(picture) })
        if (!picture?.snapshot.server.seesOthers) {
          extend(course, { from, to: until, sight: 'notSeen', waiting: null })
          continue
        }
        const shown = withTexts(picture)
        const { roots, waiting } = partIn(shown, input)
        extend(course, { from, to: until, sight, waiting: waiting.length })
        const { takenAt } = shown.snapshot
        if (takenAt <= lastLook) continue
        lastLook = takenAt
        waits.add(shown, waiting)
        holders.add(shown, roots)
        if (waiting.length === 0) {
          if (firstSeenAt === null) calmUntil = until
          continue
        }
        if (firstSeenAt === null) firstSeenAt = takenAt
        if (sight === 'seen') {
          queues.add(shown, roots, waiting)
          advice.add(shown, roots, waiting.length)
          if (waiting.length >= (worst?.waiting ?? 1))
            worst = { takenAt, waiting: waiting.length, snapshot: shown.snapshot, forest: shown.forest }
        }
      }
    },
    end(everyMs) {
      const all = waits.all(to)
      const firstWaitAt = all.length === 0 ? null : Math.min(...all.map(({ from }) => from))
      const from = Math.min(firstWaitAt ?? incident.beganAt, to)
      const inTime = gaps.flatMap((gap) => {
        const part = { ...gap, from: Math.max(gap.from, from), to: Math.min(gap.to, to) }
        return part.to > part.from ? [part] : []
      })
      const found = holders.all()
      return {
        ...{ incident, rows: input.rows, proposals: input.proposals, everyMs },
        ...{ from, to, cutAt: input.cutAt },
        began: {
          firstWaitAt,
          firstSeenAt,
          // The look before showed nobody waiting, and spoke for the time until then.
          maybeEarlier: firstSeenAt !== null && calmUntil < firstSeenAt,
        },
        holders: found,
        worst: worst && withTree(worst, input),
        course,
        waits: all,
        cost: { ...costOfWaits(all), rolledBack: rolledBackBy(input.proposals) },
        ways: advice.all(),
        remedies: remediesOf({ holders: found, waits: all, queued: queues.all(all) }),
        gaps: inTime,
      }
    },
  }
}

/** Joins it with the part before where both say the same. */
function extend<T extends { readonly from: number; readonly to: number }>(parts: T[], part: T): void {
  const last = parts.at(-1)
  const same = (one: T) => JSON.stringify({ ...one, from: 0, to: 0 })
  if (last && last.to === part.from && same(last) === same(part))
    parts[parts.length - 1] = { ...last, to: part.to }
  else parts.push(part)
}

/** Says why only a part of it was seen. */
function blindness(picture: Picture | null): string | null {
  if (!picture) return null
  const { locks, server } = picture.snapshot
  if (!server.seesOthers) return 'pg-marshal may not see what other sessions do.'
  return locks.kind === 'jammed' ? locks.why : null
}

/** Puts the statements of the record into its sessions. */
function withTexts(picture: Picture): Picture {
  const { snapshot } = picture
  const { texts } = snapshot
  if (!texts) return picture
  const sessions = snapshot.sessions.map((one) => ({ ...one, query: texts.get(one.pid) ?? null }))
  return { ...picture, snapshot: { ...snapshot, sessions } }
}

/** Finds who waits because of the incident, and behind whom. */
function partIn(
  picture: Picture,
  { incident: { finding }, trail }: ReportInput,
): { readonly roots: readonly Root[]; readonly waiting: readonly Session[] } {
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

function withTree(worst: Omit<Worst, 'jams' | 'trees'>, input: ReportInput): Worst {
  const { snapshot, forest } = worst
  const { roots, waiting } = partIn({ snapshot, forest, forestTakenAt: snapshot.takenAt }, input)
  const mine = new Set([...roots.map(({ pid }) => pid), ...waiting.map(({ pid }) => pid)])
  const jams = jamsIn(forest).filter(
    ({ root, cycle, victims }) =>
      (root && roots.includes(root)) || [...cycle, ...victims].some((pid) => mine.has(pid)),
  )
  const trees = layOut(jams, forest, {
    lines: treeLines,
    maxTrees: mostTrees,
    statementOf: (pid) => snapshot.texts?.get(pid) ?? null,
  })
  return { ...worst, jams, trees }
}

/** Rehearses the way out again at each step, and keeps where it became another one. */
function createAdvice({ incident, protectedSessions, to }: ReportInput) {
  const step = Math.min(longestStepMs, Math.max(1, (to - incident.beganAt) / steps))
  const ways: PastWay[] = []
  let next = Number.NEGATIVE_INFINITY
  let standing: Recommendation['target'] = null
  let last: string | null = null
  return {
    all: () => ways,
    add(picture: Picture, roots: readonly Root[], waiting: number) {
      const { takenAt, sessions } = picture.snapshot
      if (takenAt < next) return
      next = takenAt + step
      const [root] = roots.toSorted((a, b) => b.victims.length - a.victims.length)
      const byPid = sessionsByPid(sessions)
      const finding =
        incident.finding.kind === 'blocking' || (root && subjectOf(incident.finding) === null)
          ? root && ({ kind: 'blocking', root, session: byPid.get(root.pid) ?? null } as const)
          : withSession(incident.finding, byPid)
      if (!finding) return
      const recommendation = recommendationsFor(picture, {
        ...{ protectedSessions, sessions },
        standingFor: () => standing,
      })(finding)
      if (!recommendation) return
      const { target } = recommendation
      standing = target
      const key = target ? `${target.action} ${target.session.pid} ${target.session.backendStart}` : 'none'
      if (key !== last) ways.push({ at: takenAt, waiting, recommendation })
      last = key
    },
  }
}

/** Collects who was in the way, and what they did. */
function collectHolders(trail: Trail, { finding }: Incident) {
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

/** Collects requests for a lock on a relation that waited and kept others waiting, who would not have waited otherwise. */
function collectQueues() {
  const behind = new Map<string, Set<string>>()
  return {
    add({ forest }: Picture, roots: readonly Root[], waiting: readonly Session[]) {
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
    all(waits: readonly PastWait[]) {
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

const rolledBackBy = (proposals: readonly Proposal[]): RolledBack[] =>
  proposals.flatMap(({ outcome, session, action, createdAt, claimedAt }) => {
    if (outcome?.kind !== 'effective') return []
    const seconds = action === 'terminate' ? session.xactSeconds : session.querySeconds
    const since = ((claimedAt ?? createdAt) - createdAt) / 1000
    return [
      {
        // It was read as the configuration shows statements, perhaps in full.
        ...{
          session: { ...session, query: session.query === null ? null : maskQuery(session.query) },
          action,
        },
        seconds: seconds === null ? null : seconds + since,
        wrote: session.backendXid !== null,
      },
    ]
  })
