/** Trouble to order. */
import { control } from '/page/api.js'
import { h, syncList } from '/page/dom.js'

const chips = {
  starting: () => 'starting…',
  stopping: () => 'ending…',
  over: ({ sessions }) => (sessions > 0 ? `over · ${sessions} sessions left` : 'over'),
  running: ({ sessions, waiting }) =>
    waiting > 0
      ? `${waiting} wait · ${sessions} sessions`
      : `${sessions} ${sessions === 1 ? 'session' : 'sessions'}`,
}

export function createTrouble(say) {
  const list = h('ul', { class: 'orders' })
  const stopAll = h(
    'button',
    { type: 'button', class: 'control', onclick: () => control('panel/stopAllTrouble').catch(say) },
    'Stop all',
  )
  const note = h('p', { class: 'faint' })
  const node = h('div', { class: 'tab-body' }, h('div', { class: 'row' }, note, stopAll), list)

  const item = (scenario, playing) => {
    const isOn = playing !== undefined
    const chip = isOn ? chips[playing.phase](playing) : ''
    return h(
      'li',
      { class: isOn ? `order ${playing.phase}` : 'order' },
      h(
        'div',
        { class: 'grow' },
        h('h4', null, scenario.title),
        h('p', { class: 'faint' }, scenario.cause),
        chip ? h('span', { class: `chip ${playing.phase}` }, chip) : null,
      ),
      h(
        'button',
        {
          type: 'button',
          class: isOn ? 'control' : 'control start',
          'data-focus': 'toggle',
          'data-trouble': scenario.id,
          'aria-label': `${isOn ? 'Stop' : 'Start'}: ${scenario.title}`,
          'aria-busy': playing?.phase === 'stopping' || playing?.phase === 'starting' ? 'true' : null,
          onclick: () => control(isOn ? 'panel/stopTrouble' : 'panel/startTrouble', scenario.id).catch(say),
        },
        isOn ? 'Stop' : 'Start',
      ),
    )
  }

  const draw = (room) => {
    // What plays on a game day stays hidden.
    const isSecret = room.gameDay.kind !== 'idle'
    note.textContent = isSecret
      ? 'Covered while the game day is on.'
      : 'Real, on the real server. Combine as you like.'
    stopAll.hidden = isSecret || room.playing.length === 0
    const playing = new Map(isSecret ? [] : room.playing.map((one) => [one.id, one]))
    syncList(
      list,
      isSecret
        ? []
        : room.scenarios.map((scenario) => {
            const mine = playing.get(scenario.id)
            return {
              key: scenario.id,
              parts: [mine?.phase, mine?.sessions, mine?.waiting],
              build: () => item(scenario, mine),
            }
          }),
    )
  }
  return { node, draw }
}
