import { type SweepMatch, sweepWords } from '../domain/lists/bulkList.ts'
import type { Action } from '../domain/session/action.ts'
import { bold, bullets, code, type Line, moment, plainWords, richText, section, type View } from './kit.ts'
import { count } from './words.ts'

/** Lines about sweeps: what was not asked for and why, and the list of all of them. */

type Named = { readonly name: string }

export const missedLine = (
  { name }: Named,
  cluster: string,
  { count: many, last }: { readonly count: number; readonly last: number },
  next: number | null,
): View =>
  said([
    bold(`Sweep ${name} missed on ${cluster}: `),
    ...(many > 1 ? [`${many} times, the last `] : []),
    moment(last, '{date_short_pretty} {time}'),
    '. It is not made up for: ',
    code(`/pg sweep ${name}`),
    ' asks now.',
    ...(next === null ? [] : [' Next: ', moment(next, '{date_short_pretty} {time}'), '.']),
  ])

export const quietLine = ({ name }: Named, cluster: string, until: number): View =>
  said([bold(`Sweep ${name} left out: `), `${cluster} is quiet until `, moment(until), '.'])

export const unseenLine = ({ name }: Named, cluster: string, reason: string): View =>
  said([bold(`Sweep ${name} left out: `), `${cluster} cannot be seen: ${reason}`])

/** A sweep as the list shows it. */
export type SweepShown = Named & {
  readonly action: Action
  readonly match: SweepMatch
  readonly clusters: readonly string[]
  readonly schedule: string
  readonly timeZone: string
  readonly most: number
  /** Null when it never comes. */
  readonly next: number | null
}

/** Lists the sweeps, with the time at which each asks next. */
export function sweepsView(sweeps: readonly SweepShown[]): View {
  if (sweeps.length === 0) return said(['No sweep is configured here (', code('sweeps:'), ').'])
  const lines = sweeps.map(
    ({ name, action, match, clusters, schedule, timeZone, most, next }): Line => [
      bold(name),
      `: ${action} ${sweepWords(match)}, on ${clusters.slice(0, 5).join(', ')}${clusters.length > 5 ? ` and ${clusters.length - 5} more` : ''}, at most ${count(most, 'session')}. `,
      code(schedule),
      ` ${timeZone}; next `,
      ...(next === null ? ['never'] : [moment(next, '{date_short_pretty} {time}')]),
      '.',
    ],
  )
  const title = 'Each asks for an approval at its times:'
  return {
    text: [title, ...lines.map(plainWords)].join('\n').slice(0, 3000),
    blocks: [richText(section(title), bullets(...lines))],
  }
}

const said = (line: Line): View => ({ text: plainWords(line), blocks: [richText(section(...line))] })
