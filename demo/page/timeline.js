/** Under the graph: a time line that is dragged back, to what the bot recorded. */
import { control } from '/page/api.js'
import { h } from '/page/dom.js'

/** So far back it reaches, seconds. */
const reach = 600

const clock = (at) => new Date(at).toLocaleTimeString('en-GB')

/** @param {string} cluster @param {() => void} redraw */
export function createTimeline(cluster, redraw) {
  /** @type {number | null} */
  let at = null
  /** @type {{takenAt: number | null, view: any, why: string | null} | null} */
  let past = null
  let isAsking = false
  const range = h('input', {
    type: 'range',
    min: -reach,
    max: 0,
    step: 1,
    value: 0,
    'aria-label': 'Time line: drag it back to see what the bot recorded',
    oninput: () => {
      at = Number(range.value) === 0 ? null : Date.now() + 1000 * Number(range.value)
      if (at === null) past = null
      redraw()
      ask()
    },
  })
  const time = h('output', { class: 'faint' })
  const back = h('button', { type: 'button', class: 'control', onclick: () => live(true) }, 'Now')
  const node = h('div', { class: 'timeline' }, range, time, back)

  // Of all the moments that one drags over, the last one counts.
  async function ask() {
    if (isAsking || at === null) return
    isAsking = true
    const asked = at
    const found = await control('panel/past', cluster, asked).catch((error) => ({
      takenAt: null,
      view: null,
      why: error.message,
    }))
    isAsking = false
    if (at !== null) past = found
    redraw()
    if (at !== asked) ask()
  }

  function live(isAskedFor = false) {
    at = null
    past = null
    if (isAskedFor) {
      range.focus()
      redraw()
    }
  }

  /** @returns what was seen at the moment that was dragged to; null: now */
  const draw = () => {
    const value = at === null ? 0 : Math.max(-reach, Math.round((at - Date.now()) / 1000))
    if (Number(range.value) !== value) range.value = String(value)
    const words = at === null ? 'Now' : clock(past?.takenAt ?? at)
    if (time.textContent !== words) time.textContent = words
    range.setAttribute('aria-valuetext', at === null ? 'now' : `at ${words}`)
    back.hidden = at === null
    return at === null ? null : past && { ...past, words: clock(past.takenAt ?? at) }
  }
  return { node, draw, live }
}
