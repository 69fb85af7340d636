/** The same picture in words, for those who do not see it. */
import { clear, h } from '/page/dom.js'
import { describe } from './words.js'

const rank = (one) => (one.isRoot ? 0 : one.wait ? 1 : 2)

export function createList() {
  const label = h('summary', null, 'As a list')
  const content = h('div', { class: 'as-list' })
  const node = h('details', { class: 'words' }, label, content)

  const branch = (one, view, nameOf, seen) => {
    const below = view.nodes.filter((other) => other.behind === one.id && !seen.has(other.id))
    for (const other of below) seen.add(other.id)
    return h(
      'li',
      null,
      describe(one, nameOf),
      below.length > 0
        ? h(
            'ul',
            null,
            below.map((other) => branch(other, view, nameOf, seen)),
          )
        : null,
    )
  }

  const draw = (view) => {
    // What nobody reads is not written.
    if (!node.open) return
    const names = new Map(view.nodes.map((one) => [one.id, one.name]))
    const tops = view.nodes
      .filter((one) => !names.has(one.behind))
      // Trouble first.
      .sort((a, b) => rank(a) - rank(b))
    const seen = new Set(tops.map((one) => one.id))
    const nameOf = (id) => names.get(id) ?? 'somebody'
    clear(
      content,
      h(
        'ul',
        null,
        tops.map((one) => branch(one, view, nameOf, seen)),
      ),
    )
  }
  return { node, draw }
}
