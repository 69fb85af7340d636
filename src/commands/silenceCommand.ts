import type { FindingKind } from '../domain/incidents/finding.ts'
import { parseDuration } from '../domain/text/duration.ts'
import { nearest } from '../domain/text/nearest.ts'
import { capital } from '../domain/text/sentence.ts'
import { type CommandProblem, problem, shown, takeOptions } from './grammar.ts'
import type { Word } from './words.ts'

/** Subject of a silence: a kind of trouble, or one incident (the beginning of its id). */
export type About = { readonly findingKind: FindingKind } | { readonly card: string }

export type SilenceCommand =
  | {
      readonly kind: 'snooze'
      readonly about: About
      readonly forMs: number
      readonly reason: string
      readonly cluster: string | null
    }
  | { readonly kind: 'unsnooze'; readonly about: About; readonly cluster: string | null }
  /** `forMs` null: show what is silent; 0: end it. */
  | {
      readonly kind: 'quiet'
      readonly forMs: number | null
      readonly reason: string
      readonly cluster: string | null
    }

/** The kinds of trouble as people type them. */
export const kindWords: Readonly<Record<string, FindingKind>> = {
  unreachable: 'unreachable',
  blocking: 'blocking',
  long: 'longQuery',
  'idle-in-transaction': 'idleInTransaction',
  idle: 'idle',
  connections: 'connections',
  storm: 'lockStorm',
  cycle: 'lockCycle',
  pools: 'poolWaits',
  deadlocks: 'deadlocks',
  prepared: 'preparedTransaction',
  vacuum: 'vacuumHeldBack',
  wraparound: 'wraparound',
  slots: 'replicationSlot',
}

const defaultMs = 30 * 60_000
const longestMs = 7 * 86_400_000
const example =
  'type `/pg snooze blocking 30m`, or `/pg snooze 3f2a9c1b 1h` with the id at the foot of a card'
const unsnoozeExample =
  'type `/pg unsnooze blocking`, or `/pg unsnooze 3f2a9c1b` with the id at the foot of a card'
const quietExample = 'type `/pg quiet 2h reason`, `/pg quiet off`, or `/pg quiet` to see what is silent'

export function parseSnooze(words: readonly Word[]): SilenceCommand | CommandProblem {
  const given = takeOptions('snooze', words, ['cluster'])
  if ('kind' in given) return given
  const [first, second, ...more] = given.others
  const about = readAbout('snooze', first, example)
  if ('kind' in about) return about
  const duration = second === undefined ? defaultMs : readDuration(second, example)
  if (typeof duration !== 'number') return duration
  return {
    kind: 'snooze',
    about,
    forMs: duration,
    reason: join(more),
    cluster: given.values.get('cluster') ?? null,
  }
}

export function parseUnsnooze(words: readonly Word[]): SilenceCommand | CommandProblem {
  const given = takeOptions('unsnooze', words, ['cluster'])
  if ('kind' in given) return given
  const [first, ...more] = given.others
  const about = readAbout('unsnooze', first, unsnoozeExample)
  if ('kind' in about) return about
  if (more.length > 0)
    return problem('`unsnooze` takes one kind or one incident: type `/pg unsnooze blocking`.')
  return { kind: 'unsnooze', about, cluster: given.values.get('cluster') ?? null }
}

export function parseQuiet(words: readonly Word[]): SilenceCommand | CommandProblem {
  const given = takeOptions('quiet', words, ['cluster'])
  if ('kind' in given) return given
  const cluster = given.values.get('cluster') ?? null
  const [first, ...more] = given.others
  if (first === undefined) return { kind: 'quiet', forMs: null, reason: '', cluster }
  if (/^(off|end|stop)$/i.test(first.text)) return { kind: 'quiet', forMs: 0, reason: '', cluster }
  const duration = readDuration(first, quietExample)
  if (typeof duration !== 'number') return duration
  const reason = join(more)
  if (reason === '')
    return problem('Say why, so that everybody knows: type `/pg quiet 2h upgrade of the web shop`.')
  return { kind: 'quiet', forMs: duration, reason, cluster }
}

function readAbout(command: string, word: Word | undefined, how: string): About | CommandProblem {
  if (word === undefined) return problem(`\`${command}\` needs a kind of trouble or an incident: ${how}.`)
  const text = word.text.toLowerCase()
  const kind = Object.hasOwn(kindWords, text) ? kindWords[text] : undefined
  if (kind) return { findingKind: kind }
  if (/^[0-9a-f]{8}[0-9a-f-]{0,28}$/.test(text)) return { card: text }
  const near = nearest(text, Object.keys(kindWords))
  return problem(
    `\`${shown(word.text)}\` is neither a kind of trouble (${Object.keys(kindWords).join(', ')}) nor an incident. ${
      near === null ? `${capital(how)}.` : `Did you mean \`${near}\`?`
    }`,
  )
}

function readDuration(word: Word, how: string): number | CommandProblem {
  const parsed = parseDuration(word.text.toLowerCase())
  if ('problem' in parsed) return problem(`\`${shown(word.text)}\`: ${parsed.problem}`)
  if (parsed.ms < 1000 || parsed.ms > longestMs) return problem(`From one second to 7 days: ${how}.`)
  return parsed.ms
}

const join = (words: readonly Word[]): string =>
  words
    .map(({ text }) => text)
    .join(' ')
    .trim()
    .slice(0, 300)
