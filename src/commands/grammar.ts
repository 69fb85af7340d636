import type { Filters } from '../domain/lists/filters.ts'
import { parseDuration } from '../domain/text/duration.ts'
import { nearest } from '../domain/text/nearest.ts'
import { clean, truncate } from '../views/kit.ts'
import { optionOf, type Word } from './words.ts'

/**
 * Answer to a command that could not be understood: one sentence that says what to type instead. Words to type stand in
 * backticks.
 */
export type CommandProblem = { readonly kind: 'problem'; readonly message: string }

export const problem = (message: string): CommandProblem => ({ kind: 'problem', message })

/**
 * Makes typed text safe to repeat inside a sentence of ours: one line, short, without backticks, which would end its
 * quote. It has no angle brackets either, so it mentions nobody even when the sentence is sent as mrkdwn.
 */
export const shown = (typed: string): string =>
  truncate(
    clean(typed.slice(0, 200))
      .replaceAll(/[`<>\s]+/g, ' ')
      .trim(),
    40,
  )

/** PostgreSQL's largest process id. */
const largestPid = 2 ** 31 - 1

export const isPid = (text: string): boolean =>
  /^\d{1,10}$/.test(text) && Number(text) > 0 && Number(text) <= largestPid

/** The PID at the first place, or why there is none. */
export function readPid(command: string, word: Word | undefined): number | CommandProblem {
  const example = `type \`/pg ${command} 4312\` with a PID from \`/pg sessions\``
  if (word === undefined) return problem(`\`${command}\` needs a PID: ${example}.`)
  if (isPid(word.text)) return Number(word.text)
  return problem(`\`${shown(word.text)}\` is not a PID (a whole number from 1 to ${largestPid}): ${example}.`)
}

/** The options of lists. */
export const listOptions = ['db', 'user', 'app', 'state', 'older', 'cluster'] as const
const options = [...listOptions, 'since', 'page'] as const
export type CommandOption = (typeof options)[number]

const meantOptions: Readonly<Record<string, CommandOption>> = {
  database: 'db',
  datname: 'db',
  role: 'user',
  usename: 'user',
  username: 'user',
  application: 'app',
  application_name: 'app',
  applicationname: 'app',
  age: 'older',
  'older-than': 'older',
  server: 'cluster',
}

/** The option that a name stands for, also in other words for it; undefined where it is none. */
export const meantOption = (name: string): CommandOption | undefined =>
  options.find((one) => one === name) ?? (Object.hasOwn(meantOptions, name) ? meantOptions[name] : undefined)

export type Given = { readonly values: ReadonlyMap<CommandOption, string>; readonly others: readonly Word[] }

/** Takes the options out of the words. */
export function takeOptions(
  command: string,
  words: readonly Word[],
  known: readonly CommandOption[],
): Given | CommandProblem {
  const values = new Map<CommandOption, string>()
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

const examples: Record<CommandOption, string> = {
  db: '`--db orders`',
  user: '`--user shop`',
  app: '`--app web`',
  state: '`--state idle-in-transaction`',
  older: '`--older 5m`',
  cluster: '`--cluster NAME`',
  since: '`--since 12h`',
  page: '`--page 2`',
}

function unknownOption(command: string, name: string, known: readonly CommandOption[]): CommandProblem {
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

/** A key only where there is a value. */
export const optional = <Key extends string, Value>(key: Key, value: Value | undefined) =>
  value === undefined ? {} : ({ [key]: value } as { readonly [_ in Key]: Value })

/** The options that name sessions. */
export const namesIn = (values: Given['values']): Pick<Filters, 'db' | 'user' | 'app'> => ({
  ...optional('db', values.get('db')),
  ...optional('user', values.get('user')),
  ...optional('app', values.get('app')),
})

/** Reads how far `--since` reaches back, in milliseconds. */
export function readSince(values: Given['values'], usualMs: number): number | CommandProblem {
  const since = values.get('since')
  const age = since === undefined ? { ms: usualMs } : parseDuration(since)
  return 'problem' in age ? problem(`\`--since\`: ${age.problem}`) : age.ms
}
