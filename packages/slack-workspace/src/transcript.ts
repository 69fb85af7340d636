import { controlsIn } from './elements.ts'
import { isObject } from './rules.ts'
import type { State } from './state.ts'
import type { Block } from './types.ts'

/** The words of a block in reading order; a button as `[Approve]`, table cells with ` | `. */
const wordsOf = (value: unknown): string => {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(wordsOf).filter(Boolean).join(' ')
  if (!isObject(value)) return ''
  if (value.type === 'button') return `[${wordsOf(value.text)}]`
  if (value.type === 'table') {
    return (value.rows as unknown[][]).map((row) => row.map(wordsOf).join(' | ')).join('\n')
  }
  if (value.type === 'data_visualization') return chartWords(value)
  if (value.type === 'user') return `<@${value.user_id}>`
  return ['label', 'text', 'fields', 'elements', 'element', 'accessory', 'alt_text']
    .map((name) => wordsOf(value[name]))
    .filter(Boolean)
    .join(' ')
}

/** A chart as its title and a line for each series: `Sessions | Lock: 10:00 2, 10:05 0`. */
function chartWords({ title, chart }: Record<string, unknown>): string {
  if (!isObject(chart)) return ''
  const { series = [{ name: chart.type, data: chart.segments }] } = chart
  const lines = (series as { name: string; data: { label: string; value: number }[] }[]).map(
    ({ name, data }) => `${name}: ${data.map(({ label, value }) => `${label} ${value}`).join(', ')}`,
  )
  return [title, ...lines].join(' | ')
}

const blocksText = (blocks: readonly Block[]): string => blocks.map(wordsOf).filter(Boolean).join('\n')

/** The whole workspace as text: what a failed test prints. */
export const transcriptOf = (state: State): string => {
  const name = (id: string) => state.users.get(id)?.name ?? id
  const body = (entry: { readonly text: string; readonly blocks?: readonly Block[] }) =>
    (entry.blocks ? blocksText(entry.blocks) : entry.text).replaceAll('\n', '\n      ')
  const lines: string[] = []
  for (const channel of state.channels.values()) {
    const said = [
      ...state.messagesIn(channel.id).map((message) => ({
        ts: message.ts,
        line: `${message.thread_ts && message.thread_ts !== message.ts ? '  ↳ ' : ''}${name(message.user)}${message.edited ? ' (edited)' : ''}: ${body(message)}`,
      })),
      ...state.ephemerals
        .filter((entry) => entry.channel === channel.id)
        .map((entry) => ({
          ts: entry.ts,
          line: `${name(entry.from)} → only ${name(entry.to)}: ${body(entry)}`,
        })),
    ].sort((a, b) => (a.ts < b.ts ? -1 : 1))
    if (said.length === 0) continue
    lines.push(`${channel.kind === 'im' ? '@' : '#'}${channel.name} (${channel.id})`)
    lines.push(...said.map(({ ts, line }) => `  ${ts} ${line}`))
  }
  for (const [user, stack] of state.modals) {
    for (const view of stack) {
      const actions = controlsIn(view.blocks).map(({ element }) => element.action_id)
      lines.push(`modal of ${name(user)}: ${wordsOf(view.title)} {${actions.join(', ')}}`)
    }
  }
  for (const complaint of state.complaints)
    lines.push(`⚠ ${name(complaint.user)} ${complaint.actionId}: ${complaint.text}`)
  const calls = state.requests
    .slice(-10)
    .map(({ method, response }) => `${method}${response?.ok === false ? ` ✗ ${response.error}` : ''}`)
  lines.push(`last calls: ${calls.join(', ') || 'none'}`)
  return lines.join('\n')
}
