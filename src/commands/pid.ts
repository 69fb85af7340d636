import { type CommandProblem, problem } from './grammar.ts'
import { shown } from './shown.ts'
import type { Word } from './words.ts'

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
