import type { Leaf, Line } from '../kit.ts'
import { text } from '../kit.ts'
import type { WrittenReport } from './sections.ts'

/** Lists the people and groups that a report names, by their ids in Slack. */
export const peopleIn = (written: WrittenReport): string[] => [
  ...new Set(
    linesOf(written)
      .flat()
      .flatMap((part) => idOf(part) ?? []),
  ),
]

const linesOf = ({ summary, timeline, ways, preventions, limits }: WrittenReport): Line[] => [
  ...summary,
  ...timeline.map(({ line }) => line),
  ...ways,
  ...preventions,
  ...limits,
]

const idOf = (part: Leaf | string): string | null =>
  typeof part === 'string'
    ? null
    : part.type === 'user'
      ? part.user_id
      : part.type === 'usergroup'
        ? part.usergroup_id
        : null

/** Puts names in the place of mentions, so that nobody is notified again by a report. */
export function withNames(written: WrittenReport, names: ReadonlyMap<string, string>): WrittenReport {
  const named = (line: Line): Line =>
    line.map((part) => {
      const id = idOf(part)
      return id === null ? part : text(names.get(id) ?? id)
    })
  return {
    ...written,
    summary: written.summary.map(named),
    timeline: written.timeline.map((entry) => ({ ...entry, line: named(entry.line) })),
    ways: written.ways.map(named),
    preventions: written.preventions.map(named),
    limits: written.limits.map(named),
  }
}
