import type { Filters } from '../domain/lists/filters.ts'
import { type CommandProblem, namesIn, optional, problem, readPid, takeOptions } from './grammar.ts'
import type { Word } from './words.ts'

/** `/pg rules [--db] [--user] [--app]`. */
export type RulesQuestion = {
  readonly kind: 'rules'
  readonly filters: Pick<Filters, 'db' | 'user' | 'app'>
  readonly cluster: string | null
}

/** `/pg top [total] [all] [--db] [--user]`: what works most, beside what runs now. */
export type TopQuestion = {
  readonly kind: 'top'
  /** Everything since the statistics were reset, also where there is an earlier look to compare with. */
  readonly sinceReset: boolean
  /** Also our own statements, and those of drivers that read catalogs or set up sessions. */
  readonly all: boolean
  readonly filters: Pick<Filters, 'db' | 'user'>
  readonly cluster: string | null
}

/** `/pg health`. */
export type HealthQuestion = { readonly kind: 'health'; readonly cluster: string | null }

/** `/pg session PID`. */
export type SessionQuestion = {
  readonly kind: 'session'
  readonly pid: number
  readonly cluster: string | null
}

/** `/pg oncall`: who is called now, and what happens when. All clusters where none is named. */
export type OncallQuestion = { readonly kind: 'oncall'; readonly cluster?: string }

export function parseRules(words: readonly Word[]): RulesQuestion | CommandProblem {
  const given = takeOptions('rules', words, ['db', 'user', 'app', 'cluster'])
  if ('kind' in given) return given
  if (given.others.length > 0)
    return problem('`rules` takes names of a session: type `/pg rules --app pg_dump --user backup`.')
  const { values } = given
  return { kind: 'rules', filters: namesIn(values), cluster: values.get('cluster') ?? null }
}

/** A statement of pg_stat_statements has a database and a user, and no application, state or age. */
export function parseTop(typed: readonly Word[]): TopQuestion | CommandProblem {
  const given = takeOptions('top', typed, ['db', 'user', 'cluster'])
  if ('kind' in given) return given
  const words = new Set(given.others.map(({ text }) => text.toLowerCase()))
  if (words.size < given.others.length || [...words].some((word) => word !== 'total' && word !== 'all'))
    return problem(
      '`top` takes `--db`, `--user`, and the words `total` (everything since the last reset) and `all` (also what drivers and I run on our own): type `/pg top total`.',
    )
  const { values } = given
  const filters = { ...optional('db', values.get('db')), ...optional('user', values.get('user')) }
  return {
    kind: 'top',
    sinceReset: words.has('total'),
    all: words.has('all'),
    filters,
    cluster: values.get('cluster') ?? null,
  }
}

export function parseHealth(words: readonly Word[]): HealthQuestion | CommandProblem {
  const given = takeOptions('health', words, ['cluster'])
  if ('kind' in given) return given
  return given.others.length === 0
    ? { kind: 'health', cluster: given.values.get('cluster') ?? null }
    : problem('`health` shows all of it and takes nothing but `--cluster`: type `/pg health`.')
}

export function parseSession(words: readonly Word[]): SessionQuestion | CommandProblem {
  const given = takeOptions('session', words, ['cluster'])
  if ('kind' in given) return given
  const [first, ...more] = given.others
  const pid = readPid('session', first)
  if (typeof pid !== 'number') return pid
  if (more.length > 0) return problem(`\`session\` takes one PID: type \`/pg session ${pid}\`.`)
  return { kind: 'session', pid, cluster: given.values.get('cluster') ?? null }
}

export function parseOncall(words: readonly Word[]): OncallQuestion | CommandProblem {
  const given = takeOptions('oncall', words, ['cluster'])
  if ('kind' in given) return given
  return given.others.length === 0
    ? { kind: 'oncall', ...optional('cluster', given.values.get('cluster')) }
    : problem('`oncall` shows who is called and takes nothing but `--cluster`: type `/pg oncall`.')
}
