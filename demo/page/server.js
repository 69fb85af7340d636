/** The upper half of the panel: a server's own view. */
import { h } from '/page/dom.js'
import { createGraph } from './graph.js'
import { createList } from './list.js'
import { createTimeline } from './timeline.js'
import { summary } from './words.js'

/** @param {string} title @param {string} cluster as the bot calls it @param {() => void} redraw */
export function createServer(title, cluster, redraw) {
  const titleId = `server-${title.toLowerCase().replace(/\W+/g, '-')}`
  const state = h('span', { class: 'pill' })
  const slots = h('meter', { min: 0, 'aria-label': 'Connection slots taken' })
  const slotsText = h('span', { class: 'faint' })
  const sentence = h('p', { class: 'sentence', role: 'status' })
  const detail = h('div', { class: 'detail faint' })
  const graph = createGraph({ onPoint: (text) => point(text) })
  const list = createList()
  const timeline = createTimeline(cluster, redraw)
  list.node.addEventListener('toggle', () => redraw())
  const stage = h(
    'div',
    { class: 'stage', tabindex: 0, role: 'group', 'aria-label': 'The picture' },
    graph.node,
  )
  const cover = h('div', { class: 'cover', hidden: true })
  const node = h(
    'section',
    { class: 'server', 'aria-labelledby': titleId },
    h('header', { class: 'head' }, h('div', { class: 'title' }, h('h2', { id: titleId }, title)), state),
    h('div', { class: 'slots' }, slots, slotsText),
    sentence,
    h('div', { class: 'picture' }, stage, cover),
    timeline.node,
    detail,
    list.node,
  )
  let peeking = false

  function point(text) {
    detail.replaceChildren()
    if (!text) return
    detail.append(h('span', null, text.line))
    if (text.query) detail.append(h('code', null, text.query.replace(/\s+/g, ' ').slice(0, 160)))
  }
  // The same words again would be read out again.
  const put = (target, text) => {
    if (target.textContent !== text) target.textContent = text
  }

  /** @returns {boolean} whether one sees it */
  const draw = (now, gameDay) => {
    const isPlaying = gameDay.kind !== 'idle'
    if (!isPlaying) peeking = false
    const isCovered = isPlaying && !peeking
    if (isCovered) timeline.live()
    timeline.node.hidden = isCovered
    const past = timeline.draw()
    // What was not seen is no calm picture: it is none.
    const view = past ? (past.view ?? { ...now, used: 0, waiting: 0, nodes: [] }) : now
    if (past) put(state, 'the past')
    else
      put(state, view.state === 'up' ? `PostgreSQL ${view.version}` : view.version ? 'no answer' : 'starting')
    state.className = `pill ${past ? 'past' : view.state}`
    slots.max = view.slots || 1
    slots.high = view.slots * 0.85
    slots.low = view.slots * 0.7
    slots.optimum = 0
    slots.value = view.used
    put(slotsText, past && !past.view ? 'not seen' : `${view.used} of ${view.slots} connections`)
    put(sentence, isCovered ? 'Covered while the game day is on.' : past ? pastWords(past) : summary(view))
    node.classList.toggle('stale', !past && view.state === 'silent')
    if (isCovered !== !cover.hidden || (isCovered && cover.childElementCount === 0)) {
      cover.hidden = !isCovered
      cover.replaceChildren(
        h('p', null, 'Use what Slack shows you.'),
        h(
          'button',
          {
            type: 'button',
            class: 'control',
            onclick: () => {
              peeking = true
              redraw()
            },
          },
          'Peek',
        ),
      )
    }
    stage.hidden = isCovered
    list.node.hidden = isCovered
    if (isCovered) return false
    graph.draw(view, Math.max(240, stage.clientWidth || 380), Math.max(260, window.innerHeight * 0.46))
    list.draw(view)
    return true
  }
  return { node, draw }
}

const pastWords = ({ words, view, why }) =>
  view ? `As the bot saw it at ${words}: ${summary(view)}` : `Not seen at ${words}. ${why}`
