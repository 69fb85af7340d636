import { narrows } from '../domain/lists/bulkList.ts'
import type { Filters } from '../domain/lists/filters.ts'
import { nearest } from '../domain/text/nearest.ts'
import {
  type CommandProblem,
  isPid,
  listOptions,
  meantOption,
  problem,
  readPid,
  takeOptions,
} from './grammar.ts'
import { filtersIn } from './listCommand.ts'
import { optionOf, type Word } from './words.ts'

/** `/pg cancel PID [reason]`, `/pg terminate PID [reason]`: asks for an approval. */
export type ActionCommand = {
  readonly kind: 'cancel' | 'terminate'
  readonly pid: number
  /** Null when none was given. */
  readonly reason: string | null
  readonly cluster: string | null
}

/** `/pg cancel FILTERS [reason]`, `/pg terminate FILTERS [reason]`: asks for an approval of a whole list. */
export type BulkCommand = {
  readonly kind: 'cancel' | 'terminate'
  /** At least one of them leaves something out. */
  readonly filters: Filters
  readonly reason: string | null
  readonly cluster: string | null
}

const longestReason = 500

/** The reason is free text; only `--cluster` is no part of it, wherever it stands. */
export function parseAction(
  kind: ActionCommand['kind'],
  words: readonly Word[],
): ActionCommand | BulkCommand | CommandProblem {
  return words.some(isFilter) && !isPid(firstPlain(words)) ? parseBulk(kind, words) : parseOne(kind, words)
}

const isFilter = (word: Word): boolean =>
  filterOptions.some((name) => name === meantOption(optionOf(word)?.name ?? ''))

const filterOptions = listOptions.filter((name) => name !== 'cluster')

/** The first word that is no option and no value of one: a PID, where one is asked for. */
function firstPlain(words: readonly Word[]): string {
  const [first, second, third] = words
  if (first === undefined) return ''
  const option = optionOf(first)
  if (option === null) return first.text
  if (meantOption(option.name) !== 'cluster') return ''
  const next = option.value === null ? third : second
  return next && optionOf(next) === null ? next.text : ''
}

/** An option that is not understood must not become part of the reason: more would be ended than somebody meant. */
function parseBulk(kind: BulkCommand['kind'], words: readonly Word[]): BulkCommand | CommandProblem {
  const given = takeOptions(kind, words, listOptions)
  if ('kind' in given) return given
  const filters = filtersIn(given.values)
  if ('kind' in filters) return filters
  const [first] = given.others
  if (first !== undefined && isPid(first.text))
    return problem(
      `\`${kind}\` takes a PID or filters, not both: type \`/pg ${kind} ${Number(first.text)}\`, or leave the PID out.`,
    )
  if (!narrows(filters))
    return problem(
      `That leaves nobody out: give a filter that does, like \`/pg ${kind} --app web --state idle --older 10m\`.`,
    )
  const reason = readReason(given.others)
  return typeof reason === 'object' && reason !== null
    ? reason
    : { kind, filters, reason, cluster: given.values.get('cluster') ?? null }
}

/** The reason is free text: the rest of the words. Null when there is none. */
function readReason(words: readonly Word[]): string | null | CommandProblem {
  const reason = words
    .map(({ text }) => text)
    .join(' ')
    .trim()
  return reason.length > longestReason
    ? problem(`The reason is too long: say it in ${longestReason} characters, and the rest in the thread.`)
    : reason || null
}

function parseOne(kind: ActionCommand['kind'], words: readonly Word[]): ActionCommand | CommandProblem {
  let cluster: string | null = null
  const others: Word[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]
    if (word === undefined) break
    const option = optionOf(word)
    const isCluster = option?.name === 'cluster' || option?.name === 'server'
    // A cluster that is not understood must not become part of the reason: another server would be acted on.
    const nearlyCluster = option !== null && nearest(option.name, ['cluster']) !== null
    const beforePid = option !== null && others.length === 0
    if (option === null || !(isCluster || nearlyCluster || beforePid)) {
      others.push(word)
      continue
    }
    const given = takeOptions(kind, words.slice(at, at + (option.value === null ? 2 : 1)), ['cluster'])
    if ('kind' in given) return given
    const name = given.values.get('cluster')
    if (cluster !== null || name === undefined)
      return problem('`--cluster` stands there twice: give it once.')
    cluster = name
    if (option.value === null) at++
  }
  const [first, ...rest] = others
  const pid = readPid(kind, first)
  if (typeof pid !== 'number') return pid
  const reason = readReason(rest)
  return typeof reason === 'object' && reason !== null ? reason : { kind, pid, reason, cluster }
}
