import { type Filters, quoted } from '../domain/lists/filters.ts'
import { parseDuration, writeDuration } from '../domain/text/duration.ts'
import { nearest } from '../domain/text/nearest.ts'
import { type ActionCommand, type BulkCommand, parseAction } from './actionCommand.ts'
import { type AtQuestion, parseAt } from './atCommand.ts'
import {
  type CommandProblem,
  isPid,
  namesIn,
  optional,
  problem,
  readPid,
  shown,
  takeOptions,
} from './grammar.ts'
import { type ListCommand, parseList } from './listCommand.ts'
import { type LocksQuestion, parseLocks } from './locksCommand.ts'
import { parseQuiet, parseSnooze, parseUnsnooze, type SilenceCommand } from './silenceCommand.ts'
import { parseSweep, type SweepCommand } from './sweepCommand.ts'
import { parseWaits, type WaitsQuestion } from './waitsCommand.ts'
import { splitWords, type Word } from './words.ts'

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

/** `/pg history`: what was asked, decided and done: about a pid, about a card (the beginning of its id), or lately. */
export type HistoryQuestion = {
  readonly kind: 'history'
  readonly pid: number | null
  readonly card: string | null
  /** Reach back, in milliseconds, where it is about no card and no pid. */
  readonly sinceMs: number
  /** Page of the list, the newest is 1. */
  readonly page: number
  /** The name as typed; absent for all clusters. */
  readonly cluster?: string
}

/** `/pg report [INCIDENT]`: an incident as one would write it up; the newest where none is named. */
export type ReportQuestion = {
  readonly kind: 'report'
  /** Beginning of the id of an incident or its card. */
  readonly incident: string | null
  /** The name as typed; absent for all clusters. */
  readonly cluster?: string
}

/** `/pg stats [--since 30d]`: how quickly trouble was seen, answered and ended. */
export type StatsQuestion = {
  readonly kind: 'stats'
  readonly sinceMs: number
  /** The name as typed; absent for all clusters. */
  readonly cluster?: string
}

/** `/pg advise [--since 7d]`: what would have prevented the trouble of that time. */
export type AdviseQuestion = {
  readonly kind: 'advise'
  readonly sinceMs: number
  readonly cluster: string | null
}

/** Command after `/pg`. `cluster` is the name as typed; null when none was. */
export type Command =
  | { readonly kind: 'help' }
  /** `/pg` alone: all clusters, what is wrong and what waits for somebody. */
  | { readonly kind: 'overview' }
  /** `part` of the name; absent for all. */
  | { readonly kind: 'clusters'; readonly part?: string }
  | ListCommand
  | TopQuestion
  | LocksQuestion
  | RulesQuestion
  | AdviseQuestion
  | SilenceCommand
  | { readonly kind: 'health'; readonly cluster: string | null }
  /** `/pg oncall`: who is called now, and what happens when. All clusters where none is named. */
  | { readonly kind: 'oncall'; readonly cluster?: string }
  | { readonly kind: 'session'; readonly pid: number; readonly cluster: string | null }
  | HistoryQuestion
  | ReportQuestion
  | WaitsQuestion
  | AtQuestion
  | StatsQuestion
  | ActionCommand
  | BulkCommand
  | SweepCommand

/** The first words after `/pg`. */
export const kinds = [
  'overview',
  'help',
  'sessions',
  'blocking',
  'long',
  'idle',
  'locks',
  'top',
  'activity',
  'session',
  'cancel',
  'terminate',
  'sweep',
  'clusters',
  'health',
  'rules',
  'advise',
  'history',
  'report',
  'waits',
  'at',
  'stats',
  'oncall',
  'snooze',
  'unsnooze',
  'quiet',
] as const

/** Words that people type who know other tools. */
const meant: Readonly<Record<string, string>> = {
  kill: 'terminate',
  stop: 'cancel',
  abort: 'cancel',
  blocked: 'blocking',
  slow: 'long',
  statements: 'top',
  queries: 'top',
  ps: 'sessions',
  list: 'sessions',
  mttr: 'stats',
  pager: 'oncall',
  escalation: 'oncall',
  rotation: 'oncall',
  figures: 'stats',
  ash: 'waits',
  waited: 'waits',
  'wait-events': 'waits',
  states: 'activity',
  mute: 'snooze',
  silence: 'snooze',
  unmute: 'unsnooze',
  maintenance: 'quiet',
  journal: 'history',
  log: 'history',
  audit: 'history',
  postmortem: 'report',
  retrospective: 'report',
  summary: 'report',
  was: 'at',
  past: 'at',
  when: 'at',
  status: 'overview',
  vacuum: 'health',
  bloat: 'health',
  wraparound: 'health',
  xid: 'health',
  slots: 'health',
  replication: 'health',
  deadlock: 'health',
  deadlocks: 'health',
  prepared: 'health',
  checkup: 'health',
  advice: 'advise',
  prevent: 'advise',
  settings: 'advise',
  timeouts: 'advise',
  pid: 'session',
  show: 'session',
  servers: 'clusters',
  databases: 'clusters',
}

/** Reads the text after `/pg`. Never throws, whatever is typed. */
export function parseCommand(typed: string): Command | CommandProblem {
  const [first, ...rest] = splitWords(typed)
  if (first === undefined) return { kind: 'overview' }
  const word = first.text.toLowerCase()
  const kind = kinds.find((known) => known === word)
  switch (kind) {
    case undefined:
      return unknownWord(first)
    case 'help':
    case 'overview':
      return { kind }
    case 'sessions':
    case 'blocking':
    case 'long':
    case 'idle':
    case 'activity':
      return parseList(kind, rest)
    case 'locks':
      return parseLocks(rest)
    case 'top':
      return parseTop(rest)
    case 'rules':
      return parseRules(rest)
    case 'advise':
      return parseAdvise(rest)
    case 'clusters':
      if (rest.length > 1)
        return problem(
          '`clusters` takes a part of a name at most: type `/pg clusters` or `/pg clusters orders`.',
        )
      return rest[0] === undefined ? { kind } : { kind, part: rest[0].text.toLowerCase() }
    case 'health':
      return parseHealth(rest)
    case 'session':
      return parseSession(rest)
    case 'history':
      return parseHistory(rest)
    case 'report':
      return parseReport(rest)
    case 'waits':
      return parseWaits(rest)
    case 'at':
      return parseAt(rest)
    case 'stats':
      return parseStats(rest)
    case 'oncall':
      return parseOncall(rest)
    case 'snooze':
      return parseSnooze(rest)
    case 'unsnooze':
      return parseUnsnooze(rest)
    case 'quiet':
      return parseQuiet(rest)
    case 'sweep':
      return parseSweep(rest)
    case 'cancel':
    case 'terminate':
      return parseAction(kind, rest)
  }
}

function unknownWord({ text }: Word): CommandProblem {
  if (isPid(text))
    return problem(`Did you mean \`session ${Number(text)}\`? Type \`/pg help\` for all commands.`)
  const word = text.toLowerCase()
  const guess = (Object.hasOwn(meant, word) ? meant[word] : undefined) ?? nearest(word, kinds)
  const advice = guess == null ? 'Type `/pg help` for the commands.' : `Did you mean \`${guess}\`?`
  return problem(`I do not know the command \`${shown(text)}\`. ${advice}`)
}

function parseRules(words: readonly Word[]): Command | CommandProblem {
  const given = takeOptions('rules', words, ['db', 'user', 'app', 'cluster'])
  if ('kind' in given) return given
  if (given.others.length > 0)
    return problem('`rules` takes names of a session: type `/pg rules --app pg_dump --user backup`.')
  const { values } = given
  return { kind: 'rules', filters: namesIn(values), cluster: values.get('cluster') ?? null }
}

/** A statement of pg_stat_statements has a database and a user, and no application, state or age. */
function parseTop(typed: readonly Word[]): Command | CommandProblem {
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

function parseHealth(words: readonly Word[]): Command | CommandProblem {
  const given = takeOptions('health', words, ['cluster'])
  if ('kind' in given) return given
  return given.others.length === 0
    ? { kind: 'health', cluster: given.values.get('cluster') ?? null }
    : problem('`health` shows all of it and takes nothing but `--cluster`: type `/pg health`.')
}

function parseSession(words: readonly Word[]): Command | CommandProblem {
  const given = takeOptions('session', words, ['cluster'])
  if ('kind' in given) return given
  const [first, ...more] = given.others
  const pid = readPid('session', first)
  if (typeof pid !== 'number') return pid
  if (more.length > 0) return problem(`\`session\` takes one PID: type \`/pg session ${pid}\`.`)
  return { kind: 'session', pid, cluster: given.values.get('cluster') ?? null }
}

/** A night and the day before it. */
const usualHistoryMs = 24 * 3_600_000

function parseHistory(words: readonly Word[]): Command | CommandProblem {
  const given = takeOptions('history', words, ['since', 'page', 'cluster'])
  if ('kind' in given) return given
  const { values, others } = given
  const since = values.get('since')
  const age = since === undefined ? { ms: usualHistoryMs } : parseDuration(since)
  if ('problem' in age) return problem(`\`--since\`: ${age.problem}`)
  const page = values.get('page') ?? '1'
  if (!/^[1-9]\d{0,3}$/.test(page))
    return problem('`--page` takes a number: `--page 2` is the page after the newest.')
  const asked = {
    kind: 'history',
    sinceMs: age.ms,
    page: Number(page),
    ...optional('cluster', values.get('cluster')),
  } as const
  const [about, ...more] = others
  if (about === undefined) return { ...asked, pid: null, card: null }
  const example =
    'type `/pg history`, `/pg history 4312`, or `/pg history 3f2a9c1b` with the id at the foot of a card'
  if (since !== undefined || values.has('page'))
    return problem(
      '`--since` and `--page` are for the list of all: a PID or an incident has its whole story. Leave one of them out.',
    )
  if (more.length > 0) return problem(`\`history\` takes one PID or one incident: ${example}.`)
  const word = about.text.toLowerCase()
  // Eight digits may be the beginning of an id; a PID is shorter almost everywhere.
  if (isPid(word) && word.length < 8) return { ...asked, pid: Number(word), card: null }
  if (isIncidentId(word)) return { ...asked, pid: null, card: word }
  if (isPid(word)) return { ...asked, pid: Number(word), card: null }
  return problem(`\`${shown(about.text)}\` is neither a PID nor an incident: ${example}.`)
}

/** Recognises the beginning of an id, as it stands at the foot of a card. */
const isIncidentId = (word: string): boolean => /^[0-9a-f]{8}[0-9a-f-]{0,28}$/.test(word)

function parseReport(words: readonly Word[]): Command | CommandProblem {
  const given = takeOptions('report', words, ['cluster'])
  if ('kind' in given) return given
  const asked = { kind: 'report', ...optional('cluster', given.values.get('cluster')) } as const
  const [about, ...more] = given.others
  if (about === undefined) return { ...asked, incident: null }
  const example =
    'type `/pg report` for the newest one, or `/pg report 3f2a9c1b` with the id at the foot of a card'
  if (more.length > 0) return problem(`\`report\` takes one incident: ${example}.`)
  const word = about.text.toLowerCase()
  if (isIncidentId(word)) return { ...asked, incident: word }
  return problem(`\`${shown(about.text)}\` is no id of an incident: ${example}.`)
}

function parseOncall(words: readonly Word[]): Command | CommandProblem {
  const given = takeOptions('oncall', words, ['cluster'])
  if ('kind' in given) return given
  return given.others.length === 0
    ? { kind: 'oncall', ...optional('cluster', given.values.get('cluster')) }
    : problem('`oncall` shows who is called and takes nothing but `--cluster`: type `/pg oncall`.')
}

/** Writes the command that reads a page of the list, as it would be typed. */
export const historyPage = ({ sinceMs, cluster }: HistoryQuestion, page: number): string =>
  [
    `history --since ${writeDuration(sinceMs)} --page ${page}`,
    ...(cluster === undefined ? [] : [`--cluster ${quoted(cluster)}`]),
  ].join(' ')

/** A week: what happens once in a while happened in it. */
export const usualAdviseMs = 7 * 86_400_000

function parseAdvise(words: readonly Word[]): Command | CommandProblem {
  const given = takeOptions('advise', words, ['since', 'cluster'])
  if ('kind' in given) return given
  if (given.others.length > 0)
    return problem('`advise` takes `--since` and `--cluster`: type `/pg advise --since 30d`.')
  const since = given.values.get('since')
  const age = since === undefined ? { ms: usualAdviseMs } : parseDuration(since)
  if ('problem' in age) return problem(`\`--since\`: ${age.problem}`)
  return { kind: 'advise', sinceMs: age.ms, cluster: given.values.get('cluster') ?? null }
}

const usualStatsMs = 30 * 86_400_000

function parseStats(words: readonly Word[]): Command | CommandProblem {
  const given = takeOptions('stats', words, ['since', 'cluster'])
  if ('kind' in given) return given
  if (given.others.length > 0)
    return problem('`stats` takes `--since` and `--cluster`: type `/pg stats --since 30d`.')
  const since = given.values.get('since')
  const age = since === undefined ? { ms: usualStatsMs } : parseDuration(since)
  if ('problem' in age) return problem(`\`--since\`: ${age.problem}`)
  return { kind: 'stats', sinceMs: age.ms, ...optional('cluster', given.values.get('cluster')) }
}

export type { CommandProblem as Problem } from './grammar.ts'
