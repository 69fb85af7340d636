import { nearest } from '../domain/text/nearest.ts'
import { type ActionCommand, type BulkCommand, parseAction } from './actionCommand.ts'
import { type AtQuestion, parseAt } from './atCommand.ts'
import { type CommandProblem, isPid, problem, shown } from './grammar.ts'
import { type ListCommand, parseList } from './listCommand.ts'
import { type LocksQuestion, parseLocks } from './locksCommand.ts'
import {
  type HealthQuestion,
  type OncallQuestion,
  parseHealth,
  parseOncall,
  parseRules,
  parseSession,
  parseTop,
  type RulesQuestion,
  type SessionQuestion,
  type TopQuestion,
} from './lookCommand.ts'
import {
  type AdviseQuestion,
  type HistoryQuestion,
  parseAdvise,
  parseHistory,
  parseReport,
  parseStats,
  type ReportQuestion,
  type StatsQuestion,
} from './pastCommand.ts'
import { parseQuiet, parseSnooze, parseUnsnooze, type SilenceCommand } from './silenceCommand.ts'
import { parseSweep, type SweepCommand } from './sweepCommand.ts'
import { parseWaits, type WaitsQuestion } from './waitsCommand.ts'
import { splitWords, type Word } from './words.ts'

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
  | HealthQuestion
  | OncallQuestion
  | SessionQuestion
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
