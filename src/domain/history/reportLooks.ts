import { eachOf } from '../approvals/bulk.ts'
import type { JournalRow } from '../approvals/journal.ts'
import type { Proposal } from '../approvals/proposal.ts'
import type { Incident } from '../incidents/incident.ts'
import type { Picture } from '../locks/picture.ts'
import { jamsIn, layOut } from '../locks/tree.ts'
import type { Protected } from '../session/policy.ts'
import { withTexts } from './look.ts'
import type { CoursePart, Gap, Report, RolledBack, Worst } from './report.ts'
import { collectHolders } from './reportHolders.ts'
import { type Part, partIn } from './reportPart.ts'
import { collectQueues } from './reportQueues.ts'
import { collectWaits, costOfWaits } from './reportWaits.ts'
import { collectWays } from './reportWays.ts'
import type { Trail } from './trail.ts'
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
  /** Their statements are masked. */
  readonly proposals: readonly Proposal[]
  /** End of what is told: the end of the incident, or now. */
  readonly to: number
  readonly cutAt: number | null
  readonly protectedSessions: readonly Protected[]
}

/** Lines and jams of the tree at its worst. */
const treeLines = 40
const mostTrees = 6

export function beginReport(input: ReportInput): ReportWriter {
  const { incident, trail, to } = input
  const waits = collectWaits()
  const ways = collectWays(input)
  const holders = collectHolders(trail, incident)
  const queues = collectQueues()
  const course: CoursePart[] = []
  const gaps: Gap[] = []
  let worst: { readonly picture: Picture; readonly part: Part } | null = null
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
        const shown = withStatements(picture)
        const part = partIn(shown, input)
        const { roots, waiting } = part
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
          queues.add(shown, part)
          ways.add(shown, part)
          if (waiting.length >= (worst?.part.waiting.length ?? 1)) worst = { picture: shown, part }
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
      return {
        ...{ incident, rows: input.rows, proposals: input.proposals, everyMs },
        ...{ from, to, cutAt: input.cutAt },
        began: {
          firstWaitAt,
          firstSeenAt,
          // The look before showed nobody waiting, and spoke for the time until then.
          maybeEarlier: firstSeenAt !== null && calmUntil < firstSeenAt,
        },
        holders: holders.all(),
        worst: worst && worstOf(worst.picture, worst.part),
        course,
        waits: all,
        queues: queues.all(all),
        cost: { ...costOfWaits(all), rolledBack: rolledBackBy(input.proposals) },
        ways: ways.all(),
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

/** Puts the statements of the record into the sessions of a look. */
function withStatements(picture: Picture): Picture {
  const { snapshot } = picture
  if (!snapshot.texts) return picture
  return { ...picture, snapshot: { ...snapshot, sessions: withTexts(snapshot.sessions, snapshot) } }
}

/** Lays out the jams of the incident at its worst. */
function worstOf({ snapshot, forest }: Picture, { roots, waiting }: Part): Worst {
  const mine = new Set([...roots, ...waiting].map(({ pid }) => pid))
  const jams = jamsIn(forest).filter(
    ({ root, cycle, victims }) =>
      (root && roots.includes(root)) || [...cycle, ...victims].some((pid) => mine.has(pid)),
  )
  const trees = layOut(jams, forest, {
    lines: treeLines,
    maxTrees: mostTrees,
    statementOf: (pid) => snapshot.texts?.get(pid) ?? null,
  })
  return { takenAt: snapshot.takenAt, waiting: waiting.length, snapshot, forest, jams, trees }
}

const rolledBackBy = (proposals: readonly Proposal[]): RolledBack[] =>
  proposals.flatMap(eachOf).flatMap(({ outcome, session, action, createdAt, claimedAt }) => {
    if (outcome?.kind !== 'effective') return []
    const seconds = action === 'terminate' ? session.xactSeconds : session.querySeconds
    const since = ((claimedAt ?? createdAt) - createdAt) / 1000
    return [
      {
        ...{ session, action },
        seconds: seconds === null ? null : seconds + since,
        wrote: session.backendXid !== null,
      },
    ]
  })
