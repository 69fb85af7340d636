import { parseDuration } from '../domain/duration.ts'
import { type Filters, type StateFilter, stateFilters, stateWord } from '../domain/filters.ts'
import { nearest } from '../domain/nearest.ts'
import { shown } from './shown.ts'
import { optionOf, type Word, wordsOf } from './words.ts'

export type ListCommand = {
  readonly kind: 'sessions' | 'blocking' | 'long' | 'idle'
  readonly filters: Filters
  readonly cluster: string | null
}

/** What `/pg …` asks for. `cluster` is the name as typed; null when none was. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'clusters' }
  | ListCommand
  | { readonly kind: 'session'; readonly pid: number; readonly cluster: string | null }
  /** What was asked, decided and done: about a pid, about a card (the beginning of its id), or lately. */
  | { readonly kind: 'history'; readonly pid: number | null; readonly card: string | null }
  | {
      readonly kind: 'cancel' | 'terminate'
      readonly pid: number
      /** Null when none was given. */
      readonly reason: string | null
      readonly cluster: string | null
    }

/** What could not be understood: one sentence that says what to type instead. Words to type stand in backticks. */
export type Problem = { readonly kind: 'problem'; readonly message: string }

const kinds = [
  'help',
  'sessions',
  'blocking',
  'long',
  'idle',
  'session',
  'cancel',
  'terminate',
  'clusters',
  'history',
] as const

/** What people type who come from elsewhere. */
const meant: Readonly<Record<string, string>> = {
  kill: 'terminate',
  stop: 'cancel',
  abort: 'cancel',
  locks: 'blocking',
  blocked: 'blocking',
  slow: 'long',
  top: 'sessions',
  ps: 'sessions',
  list: 'sessions',
  activity: 'sessions',
  journal: 'history',
  log: 'history',
  audit: 'history',
  status: 'sessions',
  pid: 'session',
  show: 'session',
  servers: 'clusters',
  databases: 'clusters',
}

const options = ['db', 'user', 'app', 'state', 'older', 'cluster'] as const
type Option = (typeof options)[number]

const meantOptions: Readonly<Record<string, Option>> = {
  database: 'db',
  datname: 'db',
  role: 'user',
  usename: 'user',
  username: 'user',
  application: 'app',
  application_name: 'app',
  applicationname: 'app',
  age: 'older',
  since: 'older',
  'older-than': 'older',
  server: 'cluster',
}

/** PostgreSQL's largest process id. */
const largestPid = 2 ** 31 - 1
const longestReason = 500

const problem = (message: string): Problem => ({ kind: 'problem', message })

/** Reads the text after `/pg`. Never throws, whatever is typed. */
export function parseCommand(typed: string): Command | Problem {
  const [first, ...rest] = wordsOf(typed)
  if (first === undefined) return { kind: 'help' }
  const word = first.text.toLowerCase()
  const kind = kinds.find((known) => known === word)
  switch (kind) {
    case undefined:
      return unknownWord(first)
    case 'help':
      return { kind }
    case 'sessions':
    case 'blocking':
    case 'long':
    case 'idle':
      return parseList(kind, rest)
    case 'clusters':
      return rest.length === 0
        ? { kind }
        : problem('`clusters` shows every cluster and takes nothing after it: type `/pg clusters`.')
    case 'session':
      return parseSession(rest)
    case 'history':
      return parseHistory(rest)
    case 'cancel':
    case 'terminate':
      return parseAction(kind, rest)
  }
}

function unknownWord({ text }: Word): Problem {
  if (isPid(text))
    return problem(`Did you mean \`session ${Number(text)}\`? Type \`/pg help\` for all commands.`)
  const word = text.toLowerCase()
  const guess = (Object.hasOwn(meant, word) ? meant[word] : undefined) ?? nearest(word, kinds)
  const advice = guess == null ? 'Type `/pg help` for the commands.' : `Did you mean \`${guess}\`?`
  return problem(`I do not know the command \`${shown(text)}\`. ${advice}`)
}

type Given = { readonly values: Map<Option, string>; readonly others: Word[] }

/** Takes the options out of the words. */
function takeOptions(command: string, words: readonly Word[], known: readonly Option[]): Given | Problem {
  const values = new Map<Option, string>()
  const others: Word[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]
    if (word === undefined) break
    const option = optionOf(word)
    if (option === null) {
      others.push(word)
      continue
    }
    const name = known.find((one) => one === option.name)
    if (name === undefined) return unknownOption(command, option.name, known)
    if (values.has(name)) return problem(`\`--${name}\` stands there twice: give it once.`)
    let value = option.value
    let open = word.open
    if (value === null) {
      const next = words[at + 1]
      if (next !== undefined && optionOf(next) === null) {
        at++
        value = next.text
        open = next.open
        if (name === 'state' && !next.quoted) {
          const more = stateTail(value, words.slice(at + 1))
          value = [value, ...more].join(' ')
          at += more.length
        }
      }
    }
    if (open)
      return problem(`The quote after \`--${name}\` is never closed: write \`--${name} "two words"\`.`)
    if (value === null || value.trim() === '')
      return problem(`\`--${name}\` needs a value: write ${examples[name]}.`)
    values.set(name, value.trim())
  }
  return { values, others }
}

/** `--state idle in transaction`, typed without quotes. */
function stateTail(first: string, after: readonly Word[]): string[] {
  const said = after.slice(0, 3).map(({ text }) => text.toLowerCase())
  const whole = first.toLowerCase()
  if (whole === 'idle' && said[0] === 'in' && said[1] === 'transaction')
    return said[2] === '(aborted)' || said[2] === 'aborted'
      ? ['in', 'transaction', '(aborted)']
      : ['in', 'transaction']
  if (whole === 'fastpath' && said[0] === 'function' && said[1] === 'call') return ['function', 'call']
  return []
}

const examples: Record<Option, string> = {
  db: '`--db orders`',
  user: '`--user shop`',
  app: '`--app web`',
  state: '`--state idle-in-transaction`',
  older: '`--older 5m`',
  cluster: '`--cluster NAME`',
}

function unknownOption(command: string, name: string, known: readonly Option[]): Problem {
  const near = (Object.hasOwn(meantOptions, name) ? meantOptions[name] : undefined) ?? nearest(name, options)
  const guess = known.find((one) => one === near)
  if (options.some((one) => one === name))
    return problem(
      `\`${command}\` takes no \`--${shown(name)}\`, only ${known.map((one) => `\`--${one}\``).join(', ')}.`,
    )
  return problem(
    `I do not know \`--${shown(name)}\`. ${
      guess === undefined
        ? `\`${command}\` takes ${known.map((one) => `\`--${one}\``).join(', ')}.`
        : `Did you mean \`--${guess}\`?`
    }`,
  )
}

function parseList(kind: ListCommand['kind'], words: readonly Word[]): ListCommand | Problem {
  const given = takeOptions(kind, words, options)
  if ('kind' in given) return given
  const { values, others } = given
  const [extra] = others
  if (extra !== undefined)
    return problem(
      isPid(extra.text)
        ? `\`${kind}\` takes no PID: type \`/pg session ${Number(extra.text)}\`.`
        : `\`${kind}\` does not take the word \`${shown(extra.text)}\`: a filter is written like \`--app web\`.`,
    )
  const state = values.get('state')
  const asked = state === undefined ? undefined : readState(state)
  if (asked !== undefined && typeof asked !== 'string') return asked
  const older = values.get('older')
  const duration = older === undefined ? undefined : parseDuration(older.toLowerCase())
  if (duration && 'problem' in duration)
    return problem(`\`--older ${shown(older ?? '')}\`: ${duration.problem}`)
  return {
    kind,
    filters: {
      ...optional('db', values.get('db')),
      ...optional('user', values.get('user')),
      ...optional('app', values.get('app')),
      ...optional('state', asked),
      ...optional('olderSeconds', duration && duration.ms / 1000),
    },
    cluster: values.get('cluster') ?? null,
  }
}

const optional = <Key extends string, Value>(key: Key, value: Value | undefined) =>
  value === undefined ? {} : ({ [key]: value } as { readonly [_ in Key]: Value })

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

function readState(typed: string): StateFilter | Problem {
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

const isPid = (text: string): boolean =>
  /^\d{1,10}$/.test(text) && Number(text) > 0 && Number(text) <= largestPid

/** The PID at the first place, or why there is none. */
function readPid(command: string, word: Word | undefined): number | Problem {
  const example = `type \`/pg ${command} 4312\` with a PID from \`/pg sessions\``
  if (word === undefined) return problem(`\`${command}\` needs a PID: ${example}.`)
  if (isPid(word.text)) return Number(word.text)
  return problem(`\`${shown(word.text)}\` is not a PID (a whole number from 1 to ${largestPid}): ${example}.`)
}

function parseSession(words: readonly Word[]): Command | Problem {
  const given = takeOptions('session', words, ['cluster'])
  if ('kind' in given) return given
  const [first, ...more] = given.others
  const pid = readPid('session', first)
  if (typeof pid !== 'number') return pid
  if (more.length > 0) return problem(`\`session\` takes one PID: type \`/pg session ${pid}\`.`)
  return { kind: 'session', pid, cluster: given.values.get('cluster') ?? null }
}

function parseHistory([about, ...more]: readonly Word[]): Command | Problem {
  if (about === undefined) return { kind: 'history', pid: null, card: null }
  const example =
    'type `/pg history`, `/pg history 4312`, or `/pg history 3f2a9c1b` with the id at the foot of a card'
  if (more.length > 0) return problem(`\`history\` takes one PID or one incident: ${example}.`)
  const word = about.text.toLowerCase()
  // Eight digits may be the beginning of an id; a PID is shorter almost everywhere.
  if (isPid(word) && word.length < 8) return { kind: 'history', pid: Number(word), card: null }
  if (/^[0-9a-f]{8}[0-9a-f-]{0,28}$/.test(word)) return { kind: 'history', pid: null, card: word }
  if (isPid(word)) return { kind: 'history', pid: Number(word), card: null }
  return problem(`\`${shown(about.text)}\` is neither a PID nor an incident: ${example}.`)
}

/** The reason is free text; only `--cluster` is no part of it, wherever it stands. */
function parseAction(kind: 'cancel' | 'terminate', words: readonly Word[]): Command | Problem {
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
  const reason = rest
    .map(({ text }) => text)
    .join(' ')
    .trim()
  if (reason.length > longestReason)
    return problem(
      `The reason is too long: say it in ${longestReason} characters, and the rest in the thread.`,
    )
  return { kind, pid, reason: reason === '' ? null : reason, cluster }
}
