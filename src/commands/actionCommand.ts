import { nearest } from '../domain/text/nearest.ts'
import { type CommandProblem, problem, readPid, takeOptions } from './grammar.ts'
import { optionOf, type Word } from './words.ts'

/** `/pg cancel PID [reason]`, `/pg terminate PID [reason]`: asks for an approval. */
export type ActionCommand = {
  readonly kind: 'cancel' | 'terminate'
  readonly pid: number
  /** Null when none was given. */
  readonly reason: string | null
  readonly cluster: string | null
}

const longestReason = 500

/** The reason is free text; only `--cluster` is no part of it, wherever it stands. */
export function parseAction(
  kind: ActionCommand['kind'],
  words: readonly Word[],
): ActionCommand | CommandProblem {
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
