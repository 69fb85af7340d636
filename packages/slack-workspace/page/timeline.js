/** A scrolling list of messages that stays at its end while one looks at the end. */
import { h, syncList } from './dom.js'
import { dayOf, messageNode } from './message.js'

const groupSeconds = 300
/** Pixels that still count as the end. */
const near = 40

export function createTimeline(store, say, { inThread }) {
  const list = h('ol', { class: 'messages', tabindex: 0 })
  const jump = h(
    'button',
    { type: 'button', class: 'jump', hidden: true, onclick: () => toEnd() },
    '↓ New messages',
  )
  const node = h('div', { class: 'timeline', role: 'log' }, list, jump)
  let place = ''
  let count = 0
  let atEnd = true
  /** The size that was scrolled to its end. */
  let known = { all: 0, shown: 0 }

  const toEnd = () => {
    atEnd = true
    known = { all: list.scrollHeight, shown: list.clientHeight }
    list.scrollTop = list.scrollHeight
    jump.hidden = true
  }
  const stay = () => {
    if (atEnd) toEnd()
  }
  const left = () => list.scrollHeight - list.scrollTop - list.clientHeight
  /** Follows what grew or shrank by itself. Only a person goes further away than that. */
  const look = () => {
    const grown = Math.abs(list.scrollHeight - known.all) + Math.abs(list.clientHeight - known.shown)
    atEnd = left() < (atEnd ? grown + near : near)
  }
  list.addEventListener('scroll', () => {
    look()
    if (atEnd && left() >= near) toEnd()
    else if (atEnd) jump.hidden = true
  })
  // A narrower window, and pictures, change the height after the fact.
  new ResizeObserver(stay).observe(list)
  list.addEventListener('load', stay, true)

  const render = (channel, thread, label) => {
    node.setAttribute('aria-label', label)
    list.setAttribute('aria-label', label)
    const now = `${store.look.me} ${channel} ${thread}`
    const moved = now !== place
    place = now
    if (moved) atEnd = true
    // Somebody may have scrolled since the last event told so.
    else look()
    const entries = []
    /** @type {any} */
    let before = null
    for (const item of store.timeline(channel, thread)) {
      const { message, whisper, source } = item
      const day = dayOf(message.ts)
      if (!before || dayOf(before.message.ts) !== day) {
        entries.push({
          key: `day ${day}`,
          parts: [],
          build: () => h('li', { class: 'day' }, h('span', null, day)),
        })
        before = null
      }
      const compact =
        before !== null &&
        before.message.user === message.user &&
        before.whisper === whisper &&
        Number(message.ts) - Number(before.message.ts) < groupSeconds
      const complaints = store
        .complaintsOn(message.ts)
        .map((entry) => entry.actionId)
        .join()
      entries.push({
        key: message.ts,
        parts: [
          source ?? message,
          compact,
          complaints,
          store.people,
          store.look.me,
          store.look.highlight === message.ts,
        ],
        build: () => messageNode(item, { store, channel, compact, inThread, say }),
      })
      before = item
    }
    syncList(list, entries)
    const grown = entries.length > count
    count = entries.length
    const highlighted = moved && store.look.highlight && list.querySelector('.highlight')
    if (highlighted) highlighted.scrollIntoView({ block: 'center' })
    else if (atEnd) toEnd()
    else if (grown && !moved) jump.hidden = false
  }

  return { node, render, toEnd }
}
