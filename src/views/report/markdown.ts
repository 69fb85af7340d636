import { clean, type Leaf, type Line } from '../kit.ts'
import type { ReportClock } from './clock.ts'
import type { Table, WrittenReport } from './sections.ts'

/** Characters that Markdown could read as its own: https://spec.commonmark.org/0.31.2/#backslash-escapes */
const special = /[\\`*_{}[\]<>#|~!&$]/g

/** Makes untrusted text plain words on one line: no markup, no link, no mention. */
export const escapeMarkdown = (value: string): string =>
  clean(value)
    .replaceAll(/[\s\u00a0]+/g, ' ')
    .replaceAll(special, '\\$&')
    // What GitHub and others make a link or a mention of by themselves.
    .replaceAll('://', '\\://')
    .replaceAll(/\bwww\./gi, (found) => `${found.slice(0, -1)}\\.`)
    .replaceAll('@', '&#64;')

/** Writes code on one line: the fence is longer than any row of backticks in it. */
function codeSpan(value: string): string {
  const plain = clean(value).replaceAll(/\s+/g, ' ')
  const fence = '`'.repeat(longestRun(plain) + 1)
  return `${fence}${/^`|`$/.test(plain) ? ` ${plain} ` : plain}${fence}`
}

const longestRun = (value: string): number =>
  Math.max(0, ...[...value.matchAll(/`+/g)].map(([run]) => run.length))

/** Writes a report as Markdown, with tables as GitHub and many others have them. */
export function reportMarkdown(written: WrittenReport, clock: ReportClock): string {
  const { title, id, summary, figures, tree, timeline, ways, preventions, holders, tables, limits } = written
  const line = (one: Line) => lineOf(one, clock)
  const list = (of: readonly Line[]) => of.map((one) => `- ${line(one)}`)
  return [
    `# ${escapeMarkdown(title)}`,
    `Incident \`${id}\`. Times are of ${escapeMarkdown(clock.zone)}. Constants in statements are masked.`,
    ...summary.map(line),
    rows(
      figures.map(({ label }) => label),
      [figures.map(({ value, note }) => escapeMarkdown(note === '' ? value : `${value} (${note})`))],
    ),
    ...part('Who blocked whom at its worst', tree.length === 0 ? [] : fenced(tree)),
    ...part(
      'Time line',
      timeline.map(({ at, line: what }) => `- ${clock.time(at)} ${line(what)}`),
    ),
    ...part('The gentlest way, as it would have been', list(ways)),
    ...part('What would have prevented it', list(preventions)),
    ...part(
      'Who was in the way',
      holders.flatMap((holder) => [`- ${line(holder.line)}`, ...holder.did.map((one) => `  - ${line(one)}`)]),
    ),
    ...part('What was not seen', list(limits)),
    ...tables.flatMap((table) => part(table.title, tableLines(table, clock))),
  ]
    .join('\n\n')
    .concat('\n')
}

const part = (heading: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`## ${heading}`, lines.join('\n')]

function fenced(lines: readonly string[]): string[] {
  const fence = '`'.repeat(Math.max(3, longestRun(lines.join('\n')) + 1))
  return [`${fence}text`, ...lines, fence]
}

const tableLines = ({ head, rows: all, more }: Table, clock: ReportClock): string[] => [
  rows(
    head,
    all.map((row) =>
      row.map((cell) =>
        (typeof cell === 'string' ? escapeMarkdown(cell) : lineOf(cell, clock)).replaceAll(
          /(?<!\\)\|/g,
          '\\|',
        ),
      ),
    ),
  ),
  ...(more > 0 ? ['', `… and ${more} more.`] : []),
]

const rows = (head: readonly string[], body: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

const lineOf = (line: Line, clock: ReportClock): string => line.map((part) => partOf(part, clock)).join('')

function partOf(part: Leaf | string, clock: ReportClock): string {
  if (typeof part === 'string') return inline(part)
  if (part.type === 'date') return clock.time(part.timestamp * 1000)
  if (part.type === 'link') return inline(part.text ?? '')
  if (part.type === 'user') return inline(part.user_id)
  if (part.type === 'usergroup') return inline(part.usergroup_id)
  if (part.type !== 'text') return ''
  if (part.style?.code) return codeSpan(part.text)
  if (!part.style?.bold) return inline(part.text)
  // Spaces at the edge of bold words would make them none.
  const [, before = '', words = '', after = ''] = /^(\s*)(.*?)(\s*)$/s.exec(part.text) ?? []
  return words === '' ? before : `${before}**${inline(words)}**${after}`
}

const inline = (value: string): string => {
  const [, before = '', after = ''] = /^(\s*).*?(\s*)$/s.exec(value) ?? []
  const words = escapeMarkdown(value).trim()
  return words === '' ? (value === '' ? '' : ' ') : `${before && ' '}${words}${after && ' '}`
}
