import type { Filters } from '../domain/lists/filters.ts'
import { type CommandProblem, listOptions, problem, takeOptions } from './grammar.ts'
import { filtersIn, type ListKind, listKinds } from './listCommand.ts'
import type { Word } from './words.ts'

/** `/pg at TIME [blocking]`: what a list would have said then. */
export type AtQuestion = {
  readonly kind: 'at'
  /** As typed: whose clock it is of is known to the answer alone. */
  readonly time: string
  /** The list; null: the one that says most. */
  readonly show: ListKind | null
  readonly filters: Filters
  readonly cluster: string | null
}

/** A time may be several words (`yesterday 23:10`); the list stands before it or after it. */
export function parseAt(words: readonly Word[]): AtQuestion | CommandProblem {
  const given = takeOptions('at', words, listOptions)
  if ('kind' in given) return given
  const filters = filtersIn(given.values)
  if ('kind' in filters) return filters
  const typed = given.others.map(({ text }) => text)
  const named = [typed.at(-1), typed[0]].map((word) => listKinds.find((one) => one === word?.toLowerCase()))
  const show = named.find((one) => one !== undefined) ?? null
  const time = typed.filter((word) => word.toLowerCase() !== show).join(' ')
  if (time === '')
    return problem(
      '`at` needs a time that is over: type `/pg at 14:05`, `/pg at yesterday 23:10` or `/pg at 20 min ago`.',
    )
  return { kind: 'at', time, show, filters, cluster: given.values.get('cluster') ?? null }
}
