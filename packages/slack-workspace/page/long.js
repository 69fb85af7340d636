/** "See more": Slack folds a long text, unless its section says `expand`. */
import { h } from './dom.js'

const most = { characters: 900, lines: 12 }
/** Unfolded texts: they stay unfolded when the message is drawn again. */
const unfolded = new Set()

export function longText(text, node, key) {
  const isLong = text.length > most.characters || text.split('\n').length > most.lines
  if (!isLong || unfolded.has(key)) return node
  const holder = h('div', { class: 'folded' }, node)
  const more = h(
    'button',
    {
      type: 'button',
      class: 'plain-link',
      'data-focus': 'see-more',
      onclick: () => {
        unfolded.add(key)
        holder.classList.remove('folded')
        more.remove()
      },
    },
    'See more',
  )
  return [holder, more]
}
