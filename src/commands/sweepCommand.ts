import { type CommandProblem, problem, shown, takeOptions } from './grammar.ts'
import type { Word } from './words.ts'

/** `/pg sweep [NAME]`: lists the sweeps; with a name, asks for it now. */
export type SweepCommand = {
  readonly kind: 'sweep'
  readonly name: string | null
  /** Null: all of its clusters. */
  readonly cluster: string | null
}

export function parseSweep(words: readonly Word[]): SweepCommand | CommandProblem {
  const given = takeOptions('sweep', words, ['cluster'])
  if ('kind' in given) return given
  const [name, extra] = given.others
  if (extra !== undefined)
    return problem(
      `\`sweep\` takes one name, not \`${shown(extra.text)}\`: \`/pg sweep\` lists them, \`/pg sweep nightly-idle\` asks now.`,
    )
  return {
    kind: 'sweep',
    name: name?.text.toLowerCase() ?? null,
    cluster: given.values.get('cluster') ?? null,
  }
}
