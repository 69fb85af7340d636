/** Block Kit, drawn: https://docs.slack.dev/reference/block-kit/blocks */
import { chart } from './chart.js'
import { controlNode, inputNode } from './controls.js'
import { h } from './dom.js'
import { longText } from './long.js'
import { richText } from './richText.js'
import { plainOf, textNode } from './text.js'

/**
 * @typedef {object} Surface where blocks stand
 * @property {any} store
 * @property {(element: object, block: object, value?: string) => Promise<void>} press
 * @property {(actionId: string) => string | undefined} complaint Slack's warning beside a control
 * @property {Map<string, unknown>} values what the controls hold, by `block_id action_id`
 * @property {Record<string, string>} [errors] by block id
 */

const image = (object) =>
  h('img', { src: object.image_url, alt: object.alt_text, loading: 'lazy', referrerpolicy: 'no-referrer' })

const cellNode = (cell, surface) =>
  cell.type === 'rich_text'
    ? richText(cell, surface.store)
    : document.createTextNode(cell.text ?? String(cell.value))

function table(block, surface) {
  const settings = block.column_settings ?? []
  const classOf = (column) => {
    const { align = 'left', is_wrapped: wrapped = false } = settings[column] ?? {}
    return `${align}${wrapped ? ' wrapped' : ''}`
  }
  const row = (cells, tag) =>
    h(
      'tr',
      null,
      cells.map((cell, column) =>
        h(tag, { class: classOf(column), scope: tag === 'th' ? 'col' : null }, cellNode(cell, surface)),
      ),
    )
  const [head, ...body] = block.rows
  return h(
    'div',
    { class: 'table', role: 'region', 'aria-label': 'Table', tabindex: 0 },
    h(
      'table',
      null,
      h('thead', null, row(head, 'th')),
      h(
        'tbody',
        null,
        body.map((cells) => row(cells, 'td')),
      ),
    ),
  )
}

function input(block, surface) {
  const id = `input-${block.block_id}`
  const error = surface.errors?.[block.block_id]
  return h(
    'div',
    { class: error ? 'block input wrong' : 'block input' },
    h(
      'label',
      { for: id, id: `${id}-label` },
      plainOf(block.label),
      block.optional ? h('span', { class: 'faint' }, ' (optional)') : null,
    ),
    inputNode(block.element, block, surface, { id, describedBy: error ? `${id}-error` : null }),
    error ? h('p', { class: 'error', id: `${id}-error` }, error) : null,
    block.hint ? h('p', { class: 'hint' }, plainOf(block.hint)) : null,
  )
}

const drawn = {
  section: (block, surface) =>
    h(
      'div',
      { class: 'block section' },
      h(
        'div',
        { class: 'section-body' },
        block.text
          ? h(
              'div',
              { class: 'section-text' },
              block.expand
                ? textNode(block.text, surface.store)
                : longText(block.text.text, textNode(block.text, surface.store), block.block_id),
            )
          : null,
        block.fields
          ? h(
              'div',
              { class: 'fields' },
              block.fields.map((field) => h('div', null, textNode(field, surface.store))),
            )
          : null,
      ),
      block.accessory
        ? h(
            'div',
            { class: 'accessory' },
            block.accessory.type === 'image'
              ? image(block.accessory)
              : controlNode(block.accessory, block, surface),
          )
        : null,
    ),
  header: (block) => h('h3', { class: 'block header' }, plainOf(block.text)),
  divider: () => h('hr', { class: 'block' }),
  context: (block, surface) =>
    h(
      'div',
      { class: 'block context' },
      block.elements.map((element) =>
        element.type === 'image' ? image(element) : h('div', null, textNode(element, surface.store)),
      ),
    ),
  actions: (block, surface) =>
    h(
      'div',
      { class: 'block actions' },
      block.elements.map((element) => controlNode(element, block, surface)),
    ),
  rich_text: (block, surface) => h('div', { class: 'block' }, richText(block, surface.store)),
  table: (block, surface) => h('div', { class: 'block' }, table(block, surface)),
  image: (block) =>
    h(
      'figure',
      { class: 'block' },
      block.title ? h('figcaption', { class: 'faint' }, plainOf(block.title)) : null,
      image(block),
    ),
  data_visualization: (block) => h('div', { class: 'block' }, chart(block)),
  input,
  alert: (block, surface) =>
    h(
      'div',
      { class: `block alert ${block.level ?? 'default'}`, role: 'note' },
      textNode(block.text, surface.store),
    ),
  markdown: (block) => h('div', { class: 'block plain' }, block.text),
}

/** @param {any[]} blocks @param {Surface} surface */
export const blocksNode = (blocks, surface) =>
  h(
    'div',
    { class: 'blocks' },
    blocks.map(
      (block) => drawn[block.type]?.(block, surface) ?? h('p', { class: 'faint' }, `[${block.type}]`),
    ),
  )
