/**
 * Limits past which Slack refuses. Sources: https://docs.slack.dev/reference/methods/chat.postMessage,
 * https://docs.slack.dev/reference/methods/chat.update, https://docs.slack.dev/reference/methods/views.open. The shapes
 * of blocks and views are in `shapes.ts`.
 */
import { mostCharts } from './charts.ts'
import { isObject, lengthOf, type Rule } from './rules.ts'
import { blocksRule, type Surface, viewRule } from './shapes.ts'
import { type Block, type Json, SlackRefusal } from './types.ts'

export const textLimit = { post: 40_000, update: 4_000, ephemeral: 40_000, response: 40_000 } as const
/** The table of a message. */
const tableTextLimit = 10_000
/**
 * All blocks of a message. Slack documents no number; others saw `msg_blocks_too_long` between 11,341 and 13,297
 * characters, depending on structure (slackapi/bolt-js#2867, #2509), so the emulator stays on the safe side.
 */
const blockTextLimit = 10_000
const metadataLimit = 8_000
const problemsOf = (check: Rule, value: unknown, pointer: string): string[] => {
  const problems: string[] = []
  check(value, pointer, (problem, at) => problems.push(`${problem} [json-pointer:${at}]`))
  return problems
}
const refusal = (code: string, problems: readonly string[]) =>
  new SlackRefusal(code, {
    errors: problems,
    response_metadata: { messages: problems.map((problem) => `[ERROR] ${problem}`) },
  })

/** Fields that a reader sees. Titles and labels are objects everywhere but in charts. */
const visibleFields = ['text', 'alt_text', 'title', 'name', 'label']

/** Every string a reader would see: `text`s, `value`s of numbers, alt texts, the words of charts. */
const visibleText = (value: unknown): number => {
  if (Array.isArray(value)) return value.reduce((sum: number, entry) => sum + visibleText(entry), 0)
  if (!isObject(value)) return 0
  return Object.entries(value).reduce((sum, [name, entry]) => {
    if (typeof entry === 'string') return sum + (visibleFields.includes(name) ? lengthOf(entry) : 0)
    return sum + visibleText(entry)
  }, 0)
}

/** Throws a {@link SlackRefusal} as `chat.*` does: `invalid_blocks`, `invalid_attachments`, `msg_blocks_too_long`. */
export function checkBlocks(value: unknown, surface: Surface = 'message'): asserts value is readonly Block[] {
  if (!Array.isArray(value)) throw new SlackRefusal('invalid_blocks_format')
  const problems = problemsOf(blocksRule(surface), value, '/blocks')
  if (problems.length > 0) throw refusal('invalid_blocks', problems)
  const tables = value.filter((block) => isObject(block) && block.type === 'table')
  if (tables.length > 1) throw refusal('invalid_attachments', ['only_one_table_allowed'])
  const charts = value.filter((block) => isObject(block) && block.type === 'data_visualization')
  if (charts.length > mostCharts) {
    throw refusal('invalid_blocks', [
      `no more than ${mostCharts} data_visualization blocks allowed [json-pointer:/blocks]`,
    ])
  }
  if (visibleText(tables) > tableTextLimit) {
    throw refusal('invalid_blocks', [
      `table text must be less than ${tableTextLimit + 1} characters [json-pointer:/blocks]`,
    ])
  }
  if (visibleText(value) > blockTextLimit) throw new SlackRefusal('msg_blocks_too_long')
}

/** Kinds of blocks that a workspace does not know yet; `named`: its refusals say which block it is. */
export type RefusedKinds = { readonly kinds: readonly string[]; readonly named: boolean }

/** Throws as a workspace does that does not know a kind of block. */
export const checkKinds = (blocks: unknown, { kinds, named }: RefusedKinds, isView = false): void => {
  if (!Array.isArray(blocks)) return
  const code = isView ? 'invalid_arguments' : 'invalid_blocks'
  const problems = blocks.flatMap((block, index) =>
    isObject(block) && kinds.includes(String(block.type))
      ? [`unsupported type: ${block.type} [json-pointer:${isView ? '/view' : ''}/blocks/${index}/type]`]
      : [],
  )
  if (problems.length > 0) throw named ? refusal(code, problems) : new SlackRefusal(code)
}

/** Throws as `views.*` do: `invalid_arguments` with pointers under `/view`. */
export function checkView(value: unknown, surface: 'modal' | 'home'): asserts value is Json {
  if (!isObject(value) || value.type !== surface) {
    throw refusal('invalid_arguments', ['failed to match all allowed schemas [json-pointer:/view]'])
  }
  const problems = problemsOf(viewRule(surface), value, '/view')
  const hasInput =
    Array.isArray(value.blocks) && value.blocks.some((block) => isObject(block) && block.type === 'input')
  if (surface === 'modal' && hasInput && value.submit === undefined) {
    problems.push('missing required field: submit [json-pointer:/view]')
  }
  if (problems.length > 0) throw refusal('invalid_arguments', problems)
  if (JSON.stringify(value).length > 250_000) throw new SlackRefusal('view_too_large')
}

/** Throws `no_text` or `msg_too_long`. Blanks alone are no text. */
export const checkText = (text: unknown, blocks: unknown, max: number): void => {
  const hasBlocks = Array.isArray(blocks) && blocks.length > 0
  if ((typeof text !== 'string' || text.trim() === '') && !hasBlocks) throw new SlackRefusal('no_text')
  if (typeof text === 'string' && lengthOf(text) > max) throw new SlackRefusal('msg_too_long')
}

/** https://docs.slack.dev/messaging/message-metadata */
export const checkMetadata = (value: unknown): void => {
  if (value === undefined) return
  if (!isObject(value) || typeof value.event_type !== 'string' || !isObject(value.event_payload)) {
    throw new SlackRefusal('invalid_metadata_format')
  }
  if (JSON.stringify(value).length > metadataLimit) throw new SlackRefusal('metadata_too_large')
}

/** The old attachments are not played here. Throws `invalid_attachments`: a refusal is seen sooner than half a message. */
export const checkAttachments = (value: unknown): void => {
  if (Array.isArray(value) && value.length > 0)
    throw refusal('invalid_attachments', ['this workspace knows no attachments: use blocks'])
}
