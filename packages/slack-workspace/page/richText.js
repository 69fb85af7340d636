/** https://docs.slack.dev/reference/block-kit/blocks/rich-text-block */
import { h } from './dom.js'
import { emojiOf } from './emoji.js'
import { broadcast, channelMention, groupMention, link, userMention } from './mentions.js'
import { dateNode } from './mrkdwn.js'

/** @type {Record<string, 'strong' | 'em' | 's' | 'u' | 'code'>} */
const tags = { bold: 'strong', italic: 'em', strike: 's', underline: 'u', code: 'code' }

function styled(node, style = {}) {
  return Object.entries(tags).reduce(
    (inner, [name, tag]) => (style[name] ? h(tag, null, inner) : inner),
    node,
  )
}

const leaves = {
  text: (leaf) => document.createTextNode(leaf.text),
  link: (leaf) => link(leaf.url, leaf.text),
  user: (leaf, store) => userMention(leaf.user_id, store),
  usergroup: (leaf, store) => groupMention(leaf.usergroup_id, store),
  channel: (leaf, store) => channelMention(leaf.channel_id, store),
  broadcast: (leaf) => broadcast(leaf.range),
  emoji: (leaf) => document.createTextNode(emojiOf(leaf.name) ?? `:${leaf.name}:`),
  color: (leaf) => h('code', null, leaf.value),
  date: (leaf) => dateNode(leaf.timestamp, leaf.format, leaf.fallback),
  team: (leaf) => document.createTextNode(leaf.team_id),
}
const leafNodes = (elements, store) =>
  elements.map((leaf) =>
    styled((leaves[leaf.type] ?? (() => document.createTextNode('')))(leaf, store), leaf.style),
  )

const parts = {
  rich_text_section: (part, store) => h('div', { class: 'rich-section' }, leafNodes(part.elements, store)),
  rich_text_quote: (part, store) => h('blockquote', null, leafNodes(part.elements, store)),
  rich_text_preformatted: (part, store) =>
    h('pre', { tabindex: 0 }, h('code', null, leafNodes(part.elements, store))),
  rich_text_list: (part, store) =>
    h(
      part.style === 'ordered' ? 'ol' : 'ul',
      { class: `indent-${Math.min(part.indent ?? 0, 8)}`, start: part.offset ? part.offset + 1 : null },
      part.elements.map((item) => h('li', null, leafNodes(item.elements, store))),
    ),
}

export const richText = (block, store) =>
  h(
    'div',
    { class: 'rich-text' },
    block.elements.map((part) => parts[part.type]?.(part, store)),
  )
