/** Beside Slack: the server itself, and what one can order of it. */
import { h } from '/page/dom.js'
import { icon } from '/page/icons.js'
import { createFaults } from './faults.js'
import { createGameDay } from './gameday.js'
import { createPager } from './pager.js'
import { createPeople } from './people.js'
import { createServer } from './server.js'
import { createTrouble } from './trouble.js'
import { summary } from './words.js'

/** Resolves when its looks are there. */
const dress = () =>
  new Promise((resolve) => {
    const href = new URL('panel.css', import.meta.url).href
    document.head.append(h('link', { rel: 'stylesheet', href, onload: resolve, onerror: resolve }))
  })

/** Narrower, the panel would leave no room for Slack: then it comes on demand. */
const roomy = matchMedia('(min-width: 1100px)')

export async function createPanel(root, top, store, say) {
  await dress()
  root.setAttribute('aria-label', 'The server itself')
  /** @type {any} */
  let room = null
  let isOpen = roomy.matches
  let chosen = 'trouble'

  const redraw = () => {
    if (room) draw(room)
  }
  const server = createServer('The server itself', 'orders', redraw)
  /** There from its first trouble on. */
  /** @type {ReturnType<typeof createServer> | null} */
  let standby = null
  const gameDay = createGameDay(say)
  const tabs = {
    trouble: { label: 'Trouble', ...createTrouble(say) },
    faults: { label: 'Faults', ...createFaults(say) },
    pager: { label: 'Pager', ...createPager() },
    people: { label: 'People', ...createPeople(store, say) },
  }

  const choose = (name) => {
    chosen = name
    redraw()
  }
  const tabButtons = Object.entries(tabs).map(([name, { label, node }]) => {
    node.id = `tab-${name}`
    node.setAttribute('role', 'tabpanel')
    node.setAttribute('aria-label', label)
    return h(
      'button',
      {
        type: 'button',
        role: 'tab',
        'data-tab': name,
        'aria-controls': `tab-${name}`,
        onclick: () => choose(name),
      },
      label,
    )
  })
  const tabList = h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'To order' }, tabButtons)
  tabList.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step) return
    const names = Object.keys(tabs)
    choose(names[(names.indexOf(chosen) + step + names.length) % names.length])
    tabButtons.find((button) => button.dataset.tab === chosen)?.focus()
  })
  root.append(
    server.node,
    h(
      'section',
      { class: 'ordering', 'aria-label': 'Trouble and faults to order' },
      gameDay.node,
      tabList,
      Object.values(tabs).map(({ node }) => node),
    ),
  )

  const words = h('span', { class: 'toggle-label' })
  const toggle = h(
    'button',
    {
      type: 'button',
      class: 'server-toggle',
      hidden: true,
      'aria-controls': root.id,
      onclick: () => open(!isOpen),
    },
    icon('server'),
    words,
  )
  top.append(toggle)
  const open = (isWanted) => {
    isOpen = isWanted
    redraw()
  }
  roomy.addEventListener('change', () => open(roomy.matches))
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || roomy.matches) return
    open(false)
    toggle.focus()
  })
  new ResizeObserver(redraw).observe(root)

  const draw = (next) => {
    room = next
    const views = [room.server, room.standby].filter((view) => view !== null)
    const isSilent = views.some(({ state }) => state === 'silent')
    const waiting = views.reduce((sum, view) => sum + view.waiting, 0)
    const alarm = room.gameDay.kind === 'idle' && (isSilent || waiting > 0)
    root.hidden = !isOpen
    toggle.hidden = false
    document.body.classList.toggle('panel-open', isOpen)
    toggle.setAttribute('aria-expanded', String(isOpen))
    toggle.classList.toggle('alarm', alarm)
    const label = isSilent ? 'No answer' : waiting > 0 ? `${waiting} waiting` : 'All calm'
    const hidden = room.gameDay.kind === 'idle' ? label : 'Game day'
    words.textContent = hidden
    toggle.setAttribute('aria-label', `The server: ${hidden}`)
    toggle.title = room.gameDay.kind === 'idle' ? views.map(summary).join(' ') : ''
    if (!isOpen) return
    const isSeen = server.draw(room.server, room.gameDay)
    if (room.standby) {
      standby ??= createServer('Its standby', 'orders-standby', redraw)
      if (!standby.node.isConnected) server.node.after(standby.node)
      // Even that there is one would say too much.
      standby.node.hidden = !isSeen
      if (isSeen) standby.draw(room.standby, { kind: 'idle' })
    }
    gameDay.draw(room)
    for (const button of tabButtons) {
      const isChosen = button.dataset.tab === chosen
      button.setAttribute('aria-selected', String(isChosen))
      button.tabIndex = isChosen ? 0 : -1
      tabs[button.dataset.tab].node.hidden = !isChosen
    }
    tabs[chosen].draw(room)
  }
  // Groups and channels come with the workspace, not with the room.
  store.subscribe(() => {
    if (room && isOpen && chosen === 'people') tabs.people.draw()
  })
  return { draw }
}
