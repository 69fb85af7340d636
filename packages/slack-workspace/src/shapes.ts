/**
 * Rules for what Slack takes as a block, an element or a view. Sources:
 * https://docs.slack.dev/reference/block-kit/blocks and the pages under it, https://docs.slack.dev/reference/views.
 *
 * Newer AI blocks (card, carousel, plan, task_card, data_table, container) are refused as unsupported: the page cannot
 * draw them, and a refusal is seen sooner than an empty message.
 */
import { chartRule } from './charts.ts'
import * as rule from './rules.ts'
import { isObject, type Rule } from './rules.ts'

export type Surface = 'message' | 'modal' | 'home'

const blockLimit: Record<Surface, number> = { message: 50, modal: 100, home: 100 }

const any: Rule = () => {}
/** Address that a client may follow; no `javascript:`, no `data:`. */
const url = rule.all(
  rule.text(3000),
  rule.matching(/^(https?:\/\/|mailto:|tel:|slack:\/\/)/i, 'must be a valid URL'),
)
const type = { type: any }

// Text objects: https://docs.slack.dev/reference/block-kit/composition-objects/text-object
const plain = (max: number, min = 1): Rule =>
  rule.byType({ plain_text: rule.object({ ...type, text: rule.text(max, min) }, { emoji: rule.flag }) })
const anyText = (max: number, min = 1): Rule =>
  rule.byType({
    plain_text: rule.object({ ...type, text: rule.text(max, min) }, { emoji: rule.flag }),
    mrkdwn: rule.object({ ...type, text: rule.text(max, min) }, { verbatim: rule.flag }),
  })

const confirm = rule.object(
  { title: plain(100), text: anyText(300), confirm: plain(30), deny: plain(30) },
  { style: rule.oneOf('primary', 'danger') },
)
const actionId = rule.text(255)
const optionWith = (text: Rule) => rule.object({ text, value: rule.text(150) }, { description: text, url })
/** Option of a menu. */
const option = optionWith(plain(75))
/** Option of checkboxes and radio buttons. */
const box = optionWith(anyText(75))
const options = (max: number) => rule.list(option, max)
/** Requires that the initial choice is one of the options, word by word. */
const initialAmongOptions: Rule = (value, pointer, report) => {
  if (!isObject(value)) return
  const groups = Array.isArray(value.option_groups) ? value.option_groups.filter(isObject) : []
  const there = [value.options, ...groups.map((group) => group.options)]
    .flat()
    .map((one) => JSON.stringify(one))
  for (const name of ['initial_option', 'initial_options']) {
    if (value[name] === undefined) continue
    if (![value[name]].flat().every((one) => there.includes(JSON.stringify(one))))
      report('must be one of the options', `${pointer}/${name}`)
  }
}
const groups = rule.list(rule.object({ label: plain(75), options: options(100) }), 100)

// Elements: https://docs.slack.dev/reference/block-kit/block-elements
const interactive = { action_id: actionId, confirm, focus_on_load: rule.flag }
const input = { action_id: actionId, focus_on_load: rule.flag, placeholder: plain(150) }
const dispatch = { dispatch_action_config: any }
const select = { ...interactive, placeholder: plain(150) }
const image = rule.all(
  rule.oneOfFields('image_url', 'slack_file'),
  rule.object({ ...type, alt_text: rule.text(2000) }, { image_url: url, slack_file: any }),
)
const multi = { ...select, max_selected_items: rule.whole(1, 1000) }

const controls: Readonly<Record<string, Rule>> = {
  button: rule.object(
    { ...type, text: plain(75) },
    {
      ...interactive,
      value: rule.text(2000, 0),
      url,
      style: rule.oneOf('primary', 'danger'),
      accessibility_label: rule.text(75),
    },
  ),
  overflow: rule.object({ ...type, options: options(5) }, interactive),
  static_select: rule.all(
    initialAmongOptions,
    rule.oneOfFields('options', 'option_groups'),
    rule.object(type, { ...select, options: options(100), option_groups: groups, initial_option: option }),
  ),
  multi_static_select: rule.all(
    initialAmongOptions,
    rule.oneOfFields('options', 'option_groups'),
    rule.object(type, {
      ...multi,
      options: options(100),
      option_groups: groups,
      initial_options: options(100),
    }),
  ),
  users_select: rule.object(type, { ...select, initial_user: rule.text(255) }),
  conversations_select: rule.object(type, {
    ...select,
    initial_conversation: rule.text(255),
    default_to_current_conversation: rule.flag,
    response_url_enabled: rule.flag,
    filter: any,
  }),
  channels_select: rule.object(type, {
    ...select,
    initial_channel: rule.text(255),
    response_url_enabled: rule.flag,
  }),
  checkboxes: rule.all(
    initialAmongOptions,
    rule.object(
      { ...type, options: rule.list(box, 10) },
      { ...interactive, initial_options: rule.list(box, 10) },
    ),
  ),
  radio_buttons: rule.all(
    initialAmongOptions,
    rule.object({ ...type, options: rule.list(box, 10) }, { ...interactive, initial_option: box }),
  ),
  datepicker: rule.object(type, {
    ...select,
    initial_date: rule.matching(/^\d{4}-\d\d-\d\d$/, 'must be a date'),
  }),
  timepicker: rule.object(type, {
    ...select,
    initial_time: rule.matching(/^\d\d:\d\d$/, 'must be a time'),
    timezone: rule.text(255),
  }),
}
const inputs: Readonly<Record<string, Rule>> = {
  plain_text_input: rule.object(type, {
    ...input,
    ...dispatch,
    initial_value: rule.text(3000, 0),
    multiline: rule.flag,
    min_length: rule.whole(0, 3000),
    max_length: rule.whole(1, 3000),
  }),
  number_input: rule.object(
    { ...type, is_decimal_allowed: rule.flag },
    { ...input, ...dispatch, initial_value: rule.text(100, 0), min_value: any, max_value: any },
  ),
  email_text_input: rule.object(type, { ...input, ...dispatch, initial_value: rule.text(3000, 0) }),
  url_text_input: rule.object(type, { ...input, ...dispatch, initial_value: rule.text(3000, 0) }),
}
const { button: _button, overflow: _overflow, ...choices } = controls

// Rich text: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
const style = rule.object(
  {},
  {
    bold: rule.flag,
    italic: rule.flag,
    strike: rule.flag,
    code: rule.flag,
    underline: rule.flag,
    highlight: rule.flag,
    client_highlight: rule.flag,
    unlink: rule.flag,
  },
)
const leaves: Readonly<Record<string, Rule>> = {
  text: rule.object({ ...type, text: rule.text(40_000) }, { style }),
  link: rule.object({ ...type, url }, { text: rule.text(3000), unsafe: rule.flag, style }),
  user: rule.object({ ...type, user_id: rule.text(255) }, { style }),
  usergroup: rule.object({ ...type, usergroup_id: rule.text(255) }, { style }),
  channel: rule.object({ ...type, channel_id: rule.text(255) }, { style }),
  broadcast: rule.object({ ...type, range: rule.oneOf('here', 'channel', 'everyone') }, { style }),
  emoji: rule.object({ ...type, name: rule.text(255) }, { unicode: rule.text(255), url, style }),
  color: rule.object({ ...type, value: rule.text(255) }, { style }),
  date: rule.object(
    { ...type, timestamp: rule.whole(0, Number.MAX_SAFE_INTEGER), format: rule.text(255) },
    { url, fallback: rule.text(255), style },
  ),
  team: rule.object({ ...type, team_id: rule.text(255) }, { style }),
}
const leafList = rule.list(rule.byType(leaves), 1000, 0)
const richSection = rule.object({ ...type, elements: leafList })
const richParts: Readonly<Record<string, Rule>> = {
  rich_text_section: richSection,
  rich_text_preformatted: rule.object(
    {
      ...type,
      elements: rule.list(rule.byType({ text: leaves.text as Rule, link: leaves.link as Rule }), 1000, 0),
    },
    { border: rule.whole(0, 1), language: rule.text(255) },
  ),
  rich_text_quote: rule.object({ ...type, elements: leafList }, { border: rule.whole(0, 1) }),
  rich_text_list: rule.object(
    {
      ...type,
      style: rule.oneOf('bullet', 'ordered'),
      elements: rule.list(rule.byType({ rich_text_section: richSection }), 1000),
    },
    { indent: rule.whole(0, 8), offset: rule.whole(0, 10_000), border: rule.whole(0, 1) },
  ),
}
const blockId = { block_id: rule.text(255) }
const richText = rule.object({ ...type, elements: rule.list(rule.byType(richParts), 1000) }, blockId)

/** https://docs.slack.dev/reference/block-kit/blocks/table-block – an empty cell is refused as well. */
const cell = rule.byType({
  raw_text: rule.object({ ...type, text: rule.text(10_000) }),
  raw_number: rule.object({ ...type, value: any }, { text: rule.text(10_000) }),
  rich_text: richText,
})
const column = rule.object({}, { align: rule.oneOf('left', 'center', 'right'), is_wrapped: rule.flag })
const columnOrNull: Rule = (value, pointer, report) => value === null || column(value, pointer, report)

const needsTextOrFields: Rule = (value, pointer, report) => {
  if (isObject(value) && value.text === undefined && value.fields === undefined) {
    report('missing required field: text', pointer)
  }
}
const blocks: Readonly<Record<string, Rule>> = {
  section: rule.all(
    needsTextOrFields,
    rule.object(type, {
      ...blockId,
      text: anyText(3000),
      fields: rule.list(anyText(2000), 10),
      accessory: rule.byType({ ...controls, image }),
      expand: rule.flag,
    }),
  ),
  header: rule.object({ ...type, text: plain(150) }, blockId),
  divider: rule.object(type, blockId),
  context: rule.object(
    {
      ...type,
      elements: rule.list(
        rule.byType({
          image,
          plain_text: anyText(3000),
          mrkdwn: anyText(3000),
        }),
        10,
      ),
    },
    blockId,
  ),
  actions: rule.object({ ...type, elements: rule.list(rule.byType(controls), 25) }, blockId),
  image: rule.all(
    rule.oneOfFields('image_url', 'slack_file'),
    rule.object(
      { ...type, alt_text: rule.text(2000) },
      { ...blockId, image_url: url, slack_file: any, title: plain(2000) },
    ),
  ),
  input: rule.object(
    { ...type, label: plain(2000), element: rule.byType({ ...choices, ...inputs }) },
    { ...blockId, hint: plain(2000), optional: rule.flag, dispatch_action: rule.flag },
  ),
  rich_text: richText,
  markdown: rule.object({ ...type, text: rule.text(12_000) }, blockId),
  table: rule.object(
    { ...type, rows: rule.list(rule.list(cell, 20), 100) },
    { ...blockId, column_settings: rule.list(columnOrNull, 20, 0) },
  ),
  data_visualization: rule.object({ ...type, title: rule.text(50), chart: chartRule }, blockId),
  alert: rule.object(
    { ...type, text: anyText(3000) },
    { ...blockId, level: rule.oneOf('default', 'info', 'warning', 'error', 'success') },
  ),
}
const without = (names: readonly string[]) =>
  Object.fromEntries(Object.entries(blocks).filter(([name]) => !names.includes(name)))
/** Blocks that neither a modal nor the Home tab takes. */
const forMessages = ['table', 'markdown', 'data_visualization']
const surfaces: Record<Surface, Rule> = {
  message: rule.byType(without(['alert'])),
  modal: rule.byType(without(forMessages)),
  home: rule.byType(without([...forMessages, 'alert'])),
}

/** `block_id` is unique in a message or view, `action_id` inside its block. */
const unique: Rule = (value, pointer, report) => {
  if (!Array.isArray(value)) return
  const seen = new Set<unknown>()
  value.forEach((block, index) => {
    if (!isObject(block)) return
    if (block.block_id !== undefined && seen.has(block.block_id)) {
      report(`block_id \`${block.block_id}\` already exists`, `${pointer}/${index}/block_id`)
    }
    seen.add(block.block_id)
    const actions = new Set<unknown>()
    for (const element of Array.isArray(block.elements) ? block.elements : []) {
      if (!isObject(element) || element.action_id === undefined) continue
      if (actions.has(element.action_id)) {
        report(`\`action_id\` "${element.action_id}" already exists`, `${pointer}/${index}/elements`)
      }
      actions.add(element.action_id)
    }
  })
}

/** All blocks of a message or view. */
export const blocksRule = (surface: Surface): Rule =>
  rule.all(rule.list(surfaces[surface], blockLimit[surface], 0), unique)

export const viewRule = (surface: 'modal' | 'home'): Rule => {
  const common = {
    private_metadata: rule.text(3000, 0),
    callback_id: rule.text(255, 0),
    external_id: rule.text(255, 0),
  }
  const required = { ...type, blocks: blocksRule(surface) }
  if (surface === 'home') return rule.object(required, common)
  return rule.object(
    { ...required, title: plain(24) },
    {
      ...common,
      submit: plain(24),
      close: plain(24),
      clear_on_close: rule.flag,
      notify_on_close: rule.flag,
      submit_disabled: rule.flag,
    },
  )
}
