/** Building and keeping DOM nodes. Text always becomes a text node; nothing here parses HTML. */

const asProperty = new Set(['value', 'checked', 'hidden', 'disabled', 'selected'])

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any> | null} [props] `onclick` and the like take functions; `false` and `null` are left out
 * @param {...unknown} children nodes, strings, arrays; `null` and `false` are left out
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value)
    else if (asProperty.has(name)) node[name] = value
    else node.setAttribute(name, value === true ? '' : String(value))
  }
  node.append(...flat(children))
  return node
}

const flat = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export const find = (root, selector) => root.querySelector(selector)

/** The control with the focus, if it stands in `root`. */
export const focusedIn = (root) => {
  const active = document.activeElement
  return active instanceof HTMLElement && root.contains(active) ? active : null
}

export const clear = (node, ...children) => node.replaceChildren(...flat(children))

const kept = new WeakMap()
const same = (a, b) => a.length === b.length && a.every((entry, index) => entry === b[index])

/**
 * Makes `parent` show `entries` in order. A node is built again only when one of its `parts` is another than before, so
 * that focus, selection and scroll survive changes elsewhere. When a focused node is rebuilt, focus goes to the control
 * with the same `data-focus`, or else to the node itself.
 * @param {Element} parent
 * @param {{key: string, parts: unknown[], build: () => HTMLElement}[]} entries
 */
export function syncList(parent, entries) {
  const before = kept.get(parent) ?? new Map()
  const after = new Map()
  let cursor = parent.firstChild
  for (const { key, parts, build } of entries) {
    const old = before.get(key)
    let node = old?.node
    let refocus
    if (!old || !same(old.parts, parts)) {
      const active = node ? focusedIn(node) : null
      if (active) refocus = active.dataset.focus ?? ''
      const fresh = build()
      if (node?.parentNode === parent) {
        if (cursor === node) cursor = fresh
        node.replaceWith(fresh)
      }
      node = fresh
    }
    after.set(key, { node, parts })
    if (cursor && node === cursor) cursor = cursor.nextSibling
    else parent.insertBefore(node, cursor)
    if (refocus !== undefined) focusWithin(node, refocus)
  }
  for (const [key, { node }] of before) if (!after.has(key)) node.remove()
  kept.set(parent, after)
}

function focusWithin(node, key) {
  const target = key ? node.querySelector(`[data-focus="${CSS.escape(key)}"]`) : null
  if (!target) node.tabIndex = -1
  ;(target ?? node).focus({ preventScroll: true })
}
