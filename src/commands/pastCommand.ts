import { quoted } from '../domain/lists/filters.ts'
import { writeDuration } from '../domain/text/duration.ts'
import { type CommandProblem, isPid, optional, problem, readSince, shown, takeOptions } from './grammar.ts'
import type { Word } from './words.ts'

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

/** A night and the day before it. */
const usualHistoryMs = 24 * 3_600_000

export function parseHistory(words: readonly Word[]): HistoryQuestion | CommandProblem {
  const given = takeOptions('history', words, ['since', 'page', 'cluster'])
  if ('kind' in given) return given
  const { values, others } = given
  const sinceMs = readSince(values, usualHistoryMs)
  if (typeof sinceMs !== 'number') return sinceMs
  const page = values.get('page') ?? '1'
  if (!/^[1-9]\d{0,3}$/.test(page))
    return problem('`--page` takes a number: `--page 2` is the page after the newest.')
  const asked = {
    kind: 'history',
    sinceMs,
    page: Number(page),
    ...optional('cluster', values.get('cluster')),
  } as const
  const [about, ...more] = others
  if (about === undefined) return { ...asked, pid: null, card: null }
  const example =
    'type `/pg history`, `/pg history 4312`, or `/pg history 3f2a9c1b` with the id at the foot of a card'
  if (values.has('since') || values.has('page'))
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

export function parseReport(words: readonly Word[]): ReportQuestion | CommandProblem {
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

/** Writes the command that reads a page of the list, as it would be typed. */
export const historyPage = ({ sinceMs, cluster }: HistoryQuestion, page: number): string =>
  [
    `history --since ${writeDuration(sinceMs)} --page ${page}`,
    ...(cluster === undefined ? [] : [`--cluster ${quoted(cluster)}`]),
  ].join(' ')

/** A week: what happens once in a while happened in it. */
export const usualAdviseMs = 7 * 86_400_000

export function parseAdvise(words: readonly Word[]): AdviseQuestion | CommandProblem {
  const given = readLately('advise', words, usualAdviseMs)
  return given.kind === 'advise' ? { ...given, cluster: given.cluster ?? null } : given
}

const usualStatsMs = 30 * 86_400_000

export const parseStats = (words: readonly Word[]): StatsQuestion | CommandProblem =>
  readLately('stats', words, usualStatsMs)

/** Reads a command that is about some time until now, and takes nothing else but a cluster. */
function readLately<K extends 'advise' | 'stats'>(
  kind: K,
  words: readonly Word[],
  usualMs: number,
): { readonly kind: K; readonly sinceMs: number; readonly cluster?: string } | CommandProblem {
  const given = takeOptions(kind, words, ['since', 'cluster'])
  if ('kind' in given) return given
  if (given.others.length > 0)
    return problem(`\`${kind}\` takes \`--since\` and \`--cluster\`: type \`/pg ${kind} --since 30d\`.`)
  const sinceMs = readSince(given.values, usualMs)
  if (typeof sinceMs !== 'number') return sinceMs
  return { kind, sinceMs, ...optional('cluster', given.values.get('cluster')) }
}
