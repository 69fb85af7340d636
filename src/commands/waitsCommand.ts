import type { Filters } from '../domain/lists/filters.ts'
import { type CommandProblem, type Given, namesIn, problem, readSince, takeOptions } from './grammar.ts'
import type { Word } from './words.ts'

/** `/pg waits [--since 1h] [--db] [--user] [--app]`: what active sessions waited for, by the record. */
export type WaitsQuestion = {
  readonly kind: 'waits'
  readonly sinceMs: number
  readonly filters: Pick<Filters, 'db' | 'user' | 'app'>
  readonly cluster: string | null
}

const usualWaitsMs = 3_600_000

export function parseWaits(words: readonly Word[]): WaitsQuestion | CommandProblem {
  const given = takeOptions('waits', words, ['since', 'db', 'user', 'app', 'cluster'])
  if ('kind' in given) return given
  return given.others.length > 0
    ? problem('`waits` takes `--since` and names of sessions: type `/pg waits --since 1h --app web`.')
    : readWaitsOptions(given.values)
}

/** Reads the values of the options. */
export function readWaitsOptions(values: Given['values']): WaitsQuestion | CommandProblem {
  const sinceMs = readSince(values, usualWaitsMs)
  if (typeof sinceMs !== 'number') return sinceMs
  if (sinceMs < 1000) return problem('`--since`: write at least `1s`.')
  return {
    kind: 'waits',
    sinceMs,
    filters: namesIn(values),
    cluster: values.get('cluster') ?? null,
  }
}
