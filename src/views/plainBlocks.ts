import { chartRows, inColumns } from './chart.ts'
import { type ChartBlock, escapeText, preformatted, richText, table, truncate } from './kit.ts'

/** Kinds that every workspace knows, or that sections cannot say. */
const kept: readonly string[] = ['section', 'actions', 'divider', 'input', 'image', 'file']

/** https://docs.slack.dev/reference/block-kit/blocks/section-block */
const longestSection = 3000

type Json = Readonly<Record<string, unknown>>

/** Any block, as it goes to Slack. */
export type AnyBlock = { readonly type: string }

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isBlock = (value: unknown): value is AnyBlock =>
  isObject(value) && typeof value.type === 'string'

/** Decides whether a block of this kind can be said in plain sections. */
export const canBePlain = (kind: string): boolean => !kept.includes(kind)

export const chartKind: ChartBlock['type'] = 'data_visualization'

/** Kinds in which a chart is said where a workspace knows none. */
export const chartStandIns: readonly string[] = ['table', 'rich_text']

const isChart = (block: AnyBlock): block is ChartBlock =>
  block.type === chartKind &&
  'chart' in block &&
  isObject(block.chart) &&
  Array.isArray(block.chart.series) &&
  isObject(block.chart.axis_config)

/**
 * Writes blocks of these kinds as plain sections with the same words, and with the same buttons. A chart becomes a table,
 * and where a message has one already, which is all that Slack takes, columns.
 */
export function inPlain(blocks: readonly AnyBlock[], kinds: ReadonlySet<string>): AnyBlock[] {
  let hasTable = kinds.has('table') || blocks.some(({ type }) => type === 'table')
  return blocks.flatMap((block) => {
    if (!kinds.has(block.type) || !canBePlain(block.type)) return [block]
    if (!isChart(block)) return plain(block)
    const rows = chartRows(block)
    const standIn = hasTable ? richText(preformatted(inColumns(rows))) : table(rows)
    hasTable = true
    const title = section(truncate(escapeText(block.title), longestSection))
    return [title, ...(kinds.has(standIn.type) ? plain(standIn) : [standIn])]
  })
}

function plain(block: AnyBlock): AnyBlock[] {
  const buttons = buttonsIn(block)
  return [
    ...pieces(linesOf(block).join('\n').trim()).map((piece) => section(piece)),
    ...(buttons.length > 0 ? [actions(buttons)] : []),
  ]
}

const actions = (elements: readonly Json[]): AnyBlock & Json => ({ type: 'actions', elements })

/** Writes a section. Nothing in it is interpreted, but mentions, links and dates where there are some. */
const section = (words: string): AnyBlock & Json => {
  const resolved = /<(?:@|!|https?:)/.test(words)
  return {
    type: 'section',
    text: resolved
      ? { type: 'mrkdwn', text: calm(words), verbatim: true }
      : { type: 'plain_text', text: unescaped(words), emoji: false },
  }
}

/** Signs of https://docs.slack.dev/messaging/formatting-message-text, each with one that looks like it: none can be escaped. */
const lookalikes: Readonly<Record<string, string>> = {
  '*': '∗',
  _: 'ˍ',
  '~': '∼',
  '`': 'ˋ',
  ':': '∶',
  '&gt;': '›',
}

/** Signs that format: those at the edge of a word, names of emoji, and a quote at the start of a line. */
const formatting = /(?<![\p{L}\p{N}])[*_~]|[*_~](?![\p{L}\p{N}])|`|:(?=[\w+'-]*[a-z+-][\w+'-]*:)|^&gt;/gimu

/** Takes the meaning from all signs outside of mentions, dates and the addresses of links. */
const calm = (words: string): string =>
  words.replace(/<[^|>]*[|>]|[^<]+/g, (part) =>
    part.startsWith('<') ? part : part.replace(formatting, (sign) => lookalikes[sign] ?? sign),
  )

const unescaped = (words: string): string =>
  words.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

/** Cuts between lines where it can. */
function pieces(words: string): string[] {
  const cut: string[] = []
  for (const line of words.split('\n').map((line) => truncate(line, longestSection))) {
    const last = cut.at(-1)
    if (last !== undefined && last.length + line.length < longestSection)
      cut[cut.length - 1] = `${last}\n${line}`
    else cut.push(line)
  }
  return cut.filter((piece) => piece.trim() !== '')
}

/** The words of a block, escaped, line by line: rows of a table with a dot between the cells. */
function linesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(linesOf)
  if (!isObject(value)) return []
  switch (value.type) {
    case 'table':
      return listIn(value.rows).map((row) =>
        listIn(row)
          .map((cell) => linesOf(cell).join(' ').trim())
          .join(' · '),
      )
    case 'rich_text_section':
    case 'rich_text_preformatted':
    case 'rich_text_quote':
      return listIn(value.elements).map(leafOf).join('').split('\n')
    case 'rich_text_list':
      return listIn(value.elements).map((line) => `• ${linesOf(line).join(' ')}`)
    case 'button':
      return []
  }
  if (typeof value.text === 'string') return escapeText(value.text).split('\n')
  return Object.values(value).flatMap(linesOf)
}

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** https://docs.slack.dev/messaging/formatting-message-text */
function leafOf(leaf: unknown): string {
  if (!isObject(leaf)) return ''
  if (leaf.type === 'user') return `<@${leaf.user_id}>`
  if (leaf.type === 'usergroup') return `<!subteam^${leaf.usergroup_id}>`
  if (leaf.type === 'link') return `<${leaf.url}|${escapeText(String(leaf.text ?? leaf.url))}>`
  if (leaf.type === 'date') return `<!date^${leaf.timestamp}^${leaf.format}|${leaf.fallback}>`
  return typeof leaf.text === 'string' ? escapeText(leaf.text) : ''
}

function buttonsIn(value: unknown): Json[] {
  if (Array.isArray(value)) return value.flatMap(buttonsIn)
  if (!isObject(value)) return []
  return value.type === 'button' ? [value] : Object.values(value).flatMap(buttonsIn)
}
