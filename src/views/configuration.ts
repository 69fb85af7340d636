import type { ConfigChanges, JournalEvent } from '../domain/approvals/journal.ts'
import { escapeText, type View } from './kit.ts'
import { count } from './words.ts'

/** Message for the channel about a configuration that was read again. */
export function configurationView(
  event: JournalEvent & { readonly kind: 'configured' | 'misconfigured' },
): View {
  const where = event.replica === null ? '' : ` on ${event.replica}`
  const text =
    event.kind === 'configured'
      ? `Configuration read${where}${changesText(event)}`
      : `Configuration not read${where}: ${problemsText(event.problems)}`
  return { text: escapeText(text), blocks: [] }
}

const mostNames = 10
const mostProblems = 5
/** Slack cuts longer texts, and one problem may be as long as a list of keys. */
const longestProblem = 300

function changesText({ added, changed, removed, settings, restart }: ConfigChanges): string {
  const clusters = Object.entries({ added, changed, removed }).filter(([, names]) => names.length > 0)
  const now = [
    ...clusters.map(([what, names], index) => {
      const how = index === 0 ? count(names.length, 'cluster') : String(names.length)
      return `${how} ${what} (${some(names)})`
    }),
    ...settings.map((key) => `${key} changed`),
  ]
  const later = restart.length > 0 ? ` Needs a restart: ${restart.join(', ')}.` : ''
  return `${now.length > 0 ? `: ${now.join(', ')}` : ''}.${later}`
}

function problemsText(problems: readonly string[]): string {
  const more = problems.length - mostProblems
  return [
    `${count(problems.length, 'problem')}. What held before still holds.`,
    ...problems.slice(0, mostProblems).map((problem) => `• ${cut(problem)}`),
    ...(more > 0 ? [`… and ${more} more, all of them in my log.`] : []),
  ].join('\n')
}

const cut = (text: string): string =>
  text.length > longestProblem ? `${text.slice(0, longestProblem)}…` : text

const some = (names: readonly string[]): string =>
  names.length > mostNames
    ? `${names.slice(0, mostNames).join(', ')} and ${names.length - mostNames} more`
    : names.join(', ')
