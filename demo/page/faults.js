/** Faults to order, on Slack's side and on the server's. */
import { control } from '/page/api.js'
import { h, syncList } from '/page/dom.js'

export function createFaults(say) {
  const node = h('div', { class: 'tab-body' })

  const item = (fault) =>
    h(
      'li',
      { class: fault.isOn ? 'order running' : 'order' },
      h(
        'div',
        { class: 'grow' },
        h('h4', { id: `fault-${fault.id}` }, fault.title),
        h('p', { class: 'faint', id: `note-${fault.id}` }, fault.note),
      ),
      fault.kind === 'switch'
        ? h('button', {
            type: 'button',
            role: 'switch',
            class: 'switch',
            'aria-checked': String(fault.isOn),
            'aria-labelledby': `fault-${fault.id}`,
            'aria-describedby': `note-${fault.id}`,
            'data-focus': 'set',
            onclick: () => control('panel/setFault', fault.id, !fault.isOn).catch(say),
          })
        : h(
            'button',
            {
              type: 'button',
              class: 'control',
              'aria-label': `Do it: ${fault.title}`,
              'aria-describedby': `note-${fault.id}`,
              'data-focus': 'set',
              onclick: () => control('panel/setFault', fault.id, true).catch(say),
            },
            'Do it',
          ),
    )

  const draw = ({ faults }) => {
    const entries = [...Map.groupBy(faults, (fault) => fault.where)].flatMap(([where, mine]) => [
      { key: where, parts: [], build: () => h('li', { class: 'group' }, h('h3', null, where)) },
      ...mine.map((fault) => ({ key: fault.id, parts: [fault.isOn], build: () => item(fault) })),
    ])
    syncList(list, entries)
  }
  const list = h('ul', { class: 'orders' })
  node.append(list)
  return { node, draw }
}
