import { type RelationName, readRelationName } from '../domain/text/identifier.ts'
import { type CommandProblem, isPid, problem, readPid, shown, takeOptions } from './grammar.ts'
import type { Word } from './words.ts'

/** `/pg locks [PID|RELATION]`: what is contended; every lock of a session; everybody who locks a relation. */
export type LocksQuestion = {
  readonly kind: 'locks'
  readonly about: { readonly pid: number } | { readonly relation: RelationName } | null
  readonly cluster: string | null
}

const example =
  'type `/pg locks`, `/pg locks 4312`, `/pg locks orders`, or `/pg locks sales.orders` with its schema'

export function parseLocks(words: readonly Word[]): LocksQuestion | CommandProblem {
  const given = takeOptions('locks', words, ['cluster'])
  if ('kind' in given) return given
  const cluster = given.values.get('cluster') ?? null
  const [first, ...more] = given.others
  if (first === undefined) return { kind: 'locks', about: null, cluster }
  if (more.length === 0 && !first.quoted && /^\d+$/.test(first.text)) {
    if (!isPid(first.text)) {
      const wrong = readPid('locks', first)
      if (typeof wrong !== 'number') return wrong
    }
    return { kind: 'locks', about: { pid: Number(first.text) }, cluster }
  }
  // The quotes of a name that begins with one were taken off with the words.
  const typed = given.others.map(({ text, quoted }) => (quoted ? `"${text}"` : text)).join(' ')
  const relation = readRelationName(typed)
  if (relation) return { kind: 'locks', about: { relation }, cluster }
  return problem(`\`${shown(typed)}\` is neither a PID nor the name of a relation: ${example}.`)
}
