import { type Filters, type StateFilter, stateFilters, stateWord } from '../domain/lists/filters.ts'
import { parseDuration } from '../domain/text/duration.ts'
import { nearest } from '../domain/text/nearest.ts'
import {
  type CommandProblem,
  type Given,
  isPid,
  listOptions,
  optional,
  problem,
  shown,
  takeOptions,
} from './grammar.ts'
import type { Word } from './words.ts'

/** The commands that list sessions. */
export const listKinds = ['sessions', 'blocking', 'long', 'idle', 'activity'] as const
export type ListKind = (typeof listKinds)[number]

/** `/pg sessions`, `blocking`, `long`, `idle`, `activity`: the sessions that the filters leave. */
export type ListCommand = {
  readonly kind: ListKind
  readonly filters: Filters
  readonly cluster: string | null
}

export function parseList(kind: ListCommand['kind'], words: readonly Word[]): ListCommand | CommandProblem {
  const given = takeOptions(kind, words, listOptions)
  if ('kind' in given) return given
  const { values, others } = given
  const [extra] = others
  if (extra !== undefined)
    return problem(
      isPid(extra.text)
        ? `\`${kind}\` takes no PID: type \`/pg session ${Number(extra.text)}\`.`
        : `\`${kind}\` does not take the word \`${shown(extra.text)}\`: a filter is written like \`--app web\`.`,
    )
  const filters = filtersIn(values)
  if ('kind' in filters) return filters
  return { kind, filters, cluster: values.get('cluster') ?? null }
}

/** Reads the filters of a list among its options. */
export function filtersIn(values: Given['values']): Filters | CommandProblem {
  const state = values.get('state')
  const asked = state === undefined ? undefined : readState(state)
  if (asked !== undefined && typeof asked !== 'string') return asked
  const older = values.get('older')
  const duration = older === undefined ? undefined : parseDuration(older.toLowerCase())
  if (duration && 'problem' in duration)
    return problem(`\`--older ${shown(older ?? '')}\`: ${duration.problem}`)
  return {
    ...optional('db', values.get('db')),
    ...optional('user', values.get('user')),
    ...optional('app', values.get('app')),
    ...optional('state', asked),
    ...optional('olderSeconds', duration && duration.ms / 1000),
  }
}

/** PostgreSQL's states and the ways people write them: only letters count. */
const stateNames = new Map<string, StateFilter>([
  ...stateFilters.map((state) => [letters(state), state] as const),
  ['aborted', 'idle in transaction (aborted)'],
  ['waits', 'waiting'],
  ['blocked', 'waiting'],
  ['running', 'active'],
  ['idleintx', 'idle in transaction'],
  ['idleintransactions', 'idle in transaction'],
  ['iit', 'idle in transaction'],
])

function letters(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z]/g, '')
}

function readState(typed: string): StateFilter | CommandProblem {
  const state = stateNames.get(letters(typed))
  if (state !== undefined) return state
  const known = stateFilters.map(stateWord)
  const near = nearest(typed, known)
  return problem(
    `There is no state \`${shown(typed)}\`. ${
      near === null
        ? 'Write `active`, `idle`, `idle-in-transaction` or `waiting`.'
        : `Did you mean \`--state ${near}\`?`
    }`,
  )
}
