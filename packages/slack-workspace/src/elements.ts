import { isObject } from './rules.ts'
import type { Block, Json } from './types.ts'

/** A control somewhere in blocks, with the block it stands in. */
export type Control = { readonly element: Json; readonly blockId: string }

const passive = new Set([
  'image',
  'plain_text',
  'mrkdwn',
  'rich_text_section',
  'rich_text_list',
  'rich_text_quote',
  'rich_text_preformatted',
])

export const controlsIn = (blocks: readonly Block[]): readonly Control[] =>
  blocks.flatMap((block) => {
    const candidates = [
      block.accessory,
      block.element,
      ...(Array.isArray(block.elements) ? block.elements : []),
    ]
    return candidates
      .filter(isObject)
      .filter((element) => !passive.has(String(element.type)))
      .map((element) => ({ element, blockId: block.block_id ?? '' }))
  })

const optionsOf = (element: Json): readonly Json[] => {
  if (Array.isArray(element.options)) return element.options as Json[]
  const groups = Array.isArray(element.option_groups) ? (element.option_groups as Json[]) : []
  return groups.flatMap((group) => (Array.isArray(group.options) ? (group.options as Json[]) : []))
}

/** Choice or text of a person: text, an option's `value`, or several. */
export type Choice = string | readonly string[] | null

/**
 * The part of an action or of `state.values` that holds the choice, by kind of element:
 * https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
 */
export const chosen = (element: Json, choice: Choice): Json => {
  const one = Array.isArray(choice) ? (choice[0] ?? null) : (choice as string | null)
  const many = choice === null ? [] : Array.isArray(choice) ? choice : [choice as string]
  const option = (value: string | null) => optionsOf(element).find((entry) => entry.value === value) ?? null
  switch (element.type) {
    case 'static_select':
    case 'radio_buttons':
    case 'overflow':
      return { selected_option: option(one) }
    case 'multi_static_select':
    case 'checkboxes':
      return { selected_options: many.map(option).filter((entry) => entry !== null) }
    case 'users_select':
      return { selected_user: one }
    case 'channels_select':
      return { selected_channel: one }
    case 'conversations_select':
      return { selected_conversation: one }
    case 'datepicker':
      return { selected_date: one }
    case 'timepicker':
      return { selected_time: one }
    default:
      return { value: one === '' ? null : one }
  }
}

/** Returns what a control holds before anybody touched it. */
export const initialChoice = (element: Json): Choice => {
  const value = (option: unknown) => (isObject(option) ? String(option.value) : null)
  if (Array.isArray(element.initial_options))
    return element.initial_options.map((option) => String(value(option)))
  for (const name of [
    'initial_value',
    'initial_user',
    'initial_channel',
    'initial_conversation',
    'initial_date',
    'initial_time',
  ]) {
    if (typeof element[name] === 'string') return element[name] as string
  }
  return value(element.initial_option)
}

/** Says what is wrong with a number, an address or a mail address. */
const typedWrong = (element: Json, text: string): string | undefined => {
  switch (element.type) {
    case 'number_input': {
      const { is_decimal_allowed: decimal, min_value: min, max_value: max } = element
      if (!(decimal ? /^-?\d+(\.\d+)?$/ : /^-?\d+$/).test(text))
        return decimal ? 'Please enter a number.' : 'Please enter a whole number.'
      if (min !== undefined && Number(text) < Number(min)) return `Please enter ${min} or more.`
      return max !== undefined && Number(text) > Number(max) ? `Please enter ${max} or less.` : undefined
    }
    case 'email_text_input':
      return /^[^\s@]+@[^\s@]+$/.test(text) ? undefined : 'Please enter a valid email address.'
    case 'url_text_input':
      return URL.canParse(text) ? undefined : 'Please enter a valid URL.'
  }
  return undefined
}

/** The checks that Slack's clients make before they send anything. */
export const clientSideErrors = (
  blocks: readonly Block[],
  values: Json,
): Readonly<Record<string, string>> => {
  const errors: Record<string, string> = {}
  for (const block of blocks) {
    if (block.type !== 'input' || !isObject(block.element) || !block.block_id) continue
    const element = block.element
    const held = (values[block.block_id] as Json | undefined)?.[String(element.action_id)]
    const content = isObject(held)
      ? Object.entries(held).find(([name]) => name === 'value' || name.startsWith('selected_'))?.[1]
      : undefined
    const empty =
      content === undefined || content === null || (Array.isArray(content) && content.length === 0)
    if (empty) {
      if (block.optional !== true) errors[block.block_id] = 'Please complete this required field.'
    } else if (typeof content === 'string') {
      const { min_length: min, max_length: max } = element
      if (typeof min === 'number' && content.length < min)
        errors[block.block_id] = `Please enter at least ${min} characters.`
      if (typeof max === 'number' && content.length > max)
        errors[block.block_id] = `Please enter at most ${max} characters.`
      const problem = typedWrong(element, content)
      if (problem) errors[block.block_id] = problem
    }
  }
  return errors
}
