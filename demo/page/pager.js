/** The pager: what the bot calls outside of Slack. */
import { h, syncList } from '/page/dom.js'

const time = (at) =>
  new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const says = { trigger: 'Calls', acknowledge: 'Somebody has it', resolve: 'Over' }

export function createPager() {
  const list = h('ul', { class: 'orders' })
  const empty = h(
    'p',
    { class: 'faint' },
    'Nothing yet. Each new incident calls here: in a real set-up it is PagerDuty, and somebody wakes up.',
  )
  const node = h('div', { class: 'tab-body', 'aria-live': 'polite' }, empty, list)

  const item = ({ at, action, severity, summary }) =>
    h(
      'li',
      { class: action === 'trigger' ? 'order running' : 'order' },
      h(
        'div',
        { class: 'grow' },
        h('h4', null, `${says[action]}${severity ? ` · ${severity}` : ''}`),
        h('p', { class: 'faint' }, `${time(at)}${summary ? ` · ${summary}` : ''}`),
      ),
    )

  const draw = ({ pager }) => {
    empty.hidden = pager.length > 0
    syncList(
      list,
      pager.map((event) => ({
        key: `${event.at} ${event.action} ${event.key}`,
        parts: [],
        build: () => item(event),
      })),
    )
  }
  return { node, draw }
}
