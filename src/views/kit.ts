/**
 * The only place that makes text fit for Slack. Whatever comes from a database (names, statements, addresses) is
 * untrusted: it goes into `rich_text` leaves, `raw_text` cells or `plain_text`, which Slack does not interpret, and is
 * escaped in the fallback text, which it does.
 * Limits: https://docs.slack.dev/reference/block-kit/blocks
 */

import type {
  ActionsBlock,
  Button,
  ContextBlock,
  HeaderBlock,
  KnownBlock,
  Overflow,
  RichTextBlock,
  RichTextBlockElement,
  RichTextElement,
  RichTextList,
  RichTextPreformatted,
  RichTextSection,
  TableBlock,
} from '@slack/types'
import { tokenOf } from '../domain/approvals/actor.ts'
import { clean, truncate } from '../domain/text/clean.ts'

export { clean, truncate }

/**
 * Block of a chart, which `@slack/types` does not know yet:
 * https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
 */
export type ChartBlock = {
  readonly type: 'data_visualization'
  readonly title: string
  readonly chart: {
    readonly type: 'line' | 'bar' | 'area'
    readonly series: readonly {
      readonly name: string
      readonly data: readonly { readonly label: string; readonly value: number }[]
    }[]
    readonly axis_config: {
      readonly categories: readonly string[]
      readonly x_label?: string
      readonly y_label?: string
    }
  }
}

export type Block = KnownBlock | ChartBlock

/** A leaf of a rich text. */
export type Leaf = RichTextElement

type Style = { readonly bold?: true; readonly italic?: true; readonly code?: true; readonly strike?: true }

/** For the fallback text and mrkdwn: https://docs.slack.dev/messaging/formatting-message-text#escaping */
export const escapeText = (text: string): string =>
  clean(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Keeps a number and its unit on one line. */
export const unbroken = (words: string): string =>
  words.replace(/(?<=\d) (?=(?:ms|s|min|h|d|%|bytes|[kMGT]B)(?![\p{L}\d]))/gu, '\u00a0')

export const plainText = (text: string, max: number) => ({
  type: 'plain_text' as const,
  text: truncate(unbroken(clean(text)), max) || ' ',
  emoji: false,
})

/** Slack refuses an empty leaf. */
export const text = (value: string, style?: Style): Leaf => ({
  type: 'text',
  // What is code is to be copied as it is.
  text: (style?.code ? clean(value) : unbroken(clean(value))) || ' ',
  ...(style && { style }),
})

export const bold = (value: string): Leaf => text(value, { bold: true })
export const code = (value: string): Leaf => text(value, { code: true })
/** The way to a place, under its own words. */
export const link = (url: string, words: string): Leaf => ({
  type: 'link',
  url,
  text: unbroken(clean(words)) || ' ',
})
/** A person, who is notified where a message that names them is new; or a program, by the name of its token. */
export function user(actor: string): Leaf {
  const token = tokenOf(actor)
  return token === null ? { type: 'user', user_id: actor } : text(`token ${token}`)
}
/** A user group, whose members are notified where a message that names it is new. */
export const userGroup = (groupId: string): Leaf => ({ type: 'usergroup', usergroup_id: groupId })

/** A moment, shown in the reader's own time zone. */
export const moment = (milliseconds: number, format = '{time_secs}'): Leaf => ({
  type: 'date',
  timestamp: Math.floor(milliseconds / 1000),
  format,
  fallback: new Date(milliseconds).toISOString(),
})

/** The same, and how long it is until then: `14:32 (in 12 minutes)`. */
export const deadline = (milliseconds: number): Leaf => moment(milliseconds, '{time} ({ago})')

const leaves = (parts: readonly (Leaf | string)[]): Leaf[] =>
  parts.map((part) => (typeof part === 'string' ? text(part) : part))

export const section = (...parts: readonly (Leaf | string)[]): RichTextSection => ({
  type: 'rich_text_section',
  elements: leaves(parts),
})

export const bullets = (...lines: readonly (readonly (Leaf | string)[])[]): RichTextList => ({
  type: 'rich_text_list',
  style: 'bullet',
  elements: lines.map((line) => section(...line)),
})

export const preformatted = (value: string): RichTextPreformatted => ({
  type: 'rich_text_preformatted',
  elements: [{ type: 'text', text: clean(value) || ' ' }],
})

export const richText = (...elements: RichTextBlockElement[]): RichTextBlock => ({
  type: 'rich_text',
  elements,
})

export const header = (value: string): HeaderBlock => ({ type: 'header', text: plainText(value, 150) })

/** A small grey line. */
export const context = (value: string): ContextBlock => ({
  type: 'context',
  elements: [plainText(value, 2000)],
})

export const button = (actionId: string, label: string, value: string): Button => ({
  type: 'button',
  action_id: actionId,
  text: plainText(label, 75),
  value,
})

/** A row of buttons; none where there is no button, since Slack refuses an empty row. */
export const buttonRow = (...elements: readonly (Button | Overflow)[]): ActionsBlock[] =>
  elements.length > 0 ? [{ type: 'actions', elements: [...elements] }] : []

/** One table a message; the first row is its head. At most 100 rows of 20 cells. */
export const table = (rows: readonly (readonly string[])[]): TableBlock => ({
  type: 'table',
  rows: rows.map((row) => row.map((cell) => ({ type: 'raw_text', text: clean(cell) || ' ' }))),
})

/** Message: blocks for Slack, and the same in plain words for notifications and screen readers. */
export type View = { readonly text: string; readonly blocks: readonly Block[] }

/** Text and leaves in a row. */
export type Line = readonly (Leaf | string)[]

/** The same in plain words, escaped, for the fallback text. */
export const plainWords = (line: Line): string =>
  line
    .map((part) => {
      if (typeof part === 'string') return escapeText(part)
      if (part.type === 'user') return `<@${part.user_id}>`
      if (part.type === 'usergroup') return `<!subteam^${part.usergroup_id}>`
      // Only addresses become links that Slack returned, or that the configuration names.
      if (part.type === 'link')
        return `<${part.url}|${escapeText((part.text ?? part.url).replaceAll('\u00a0', ' '))}>`
      if (part.type === 'date') return timeWords(part.timestamp * 1000)
      return part.type === 'text' ? escapeText(part.text.replaceAll('\u00a0', ' ')) : ''
    })
    .join('')

const timeWords = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
