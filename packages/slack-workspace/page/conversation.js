/** The middle: head, tabs of the app, messages or App Home, composer. */
import { control } from './api.js'
import { blocksNode } from './blocks.js'
import { createComposer } from './composer.js'
import { clear, find, focusedIn, h } from './dom.js'
import { icon } from './icons.js'
import { toggleMenu } from './menu.js'
import { createTimeline } from './timeline.js'

export function createConversation(root, store, say) {
  const head = h('header', { class: 'head' })
  const timeline = createTimeline(store, say, { inThread: false })
  const home = h('div', { class: 'home', hidden: true })
  const composer = createComposer(store, say, { place: 'channel', onSend: timeline.toEnd })
  const closed = h(
    'p',
    { class: 'closed faint', hidden: true },
    'This channel is archived: nobody can write here.',
  )
  root.append(head, timeline.node, home, composer.node, closed)
  /** @type {{view: any, parts: string} | null} */
  let drawnHome = null
  let drawnHead = ''
  /** User whose App Home is open. */
  let homeOf = ''

  const tabs = (look) =>
    h(
      'div',
      { class: 'tabs', role: 'tablist' },
      ['home', 'messages'].map((tab) =>
        h(
          'button',
          {
            type: 'button',
            role: 'tab',
            'aria-selected': String(look.tab === tab),
            'data-focus': tab,
            onclick: () => store.lookAt({ tab }),
          },
          tab === 'home' ? 'Home' : 'Messages',
        ),
      ),
    )

  const drawHead = (channel, isApp) => {
    const { look, data } = store
    const state = JSON.stringify([channel, look.tab, isApp])
    if (state === drawnHead) return
    drawnHead = state
    const focused = focusedIn(head)?.dataset.focus
    clear(
      head,
      h(
        'button',
        {
          type: 'button',
          class: 'icon menu-button',
          'aria-label': 'Channels',
          'aria-expanded': 'false',
          onclick: toggleMenu,
        },
        icon('menu'),
      ),
      h(
        'div',
        { class: 'title' },
        h(
          'h2',
          null,
          isApp ? data.app.name : [channel.kind === 'private' ? icon('lock') : '#', ` ${channel.name}`],
        ),
        channel.topic ? h('p', { class: 'faint' }, channel.topic) : null,
      ),
      isApp ? tabs(look) : h('span', { class: 'faint members' }, `${channel.members.length} members`),
    )
    if (focused) find(head, `[data-focus="${CSS.escape(focused)}"]`)?.focus()
  }

  const drawHome = () => {
    const view = store.home()
    const parts = [view, store.look.me, store.people, store.complaintsOn(view?.id).length].join()
    if (drawnHome && drawnHome.view === view && drawnHome.parts === parts) return
    drawnHome = { view, parts }
    if (!view)
      return clear(
        home,
        h('p', { class: 'faint' }, `${store.data.app.name} has nothing on its Home tab yet.`),
      )
    const surface = {
      store,
      values: store.held(view.id),
      complaint: (actionId) => store.complaintsOn(view.id).find((entry) => entry.actionId === actionId)?.text,
      press: async (element, block, value) => {
        await control('press', {
          userId: store.look.me,
          viewId: view.id,
          actionId: element.action_id,
          blockId: block.block_id,
          value,
          values: Object.fromEntries(surface.values),
        }).catch(say)
      },
    }
    clear(home, blocksNode(view.blocks, surface))
  }

  return () => {
    const { look } = store
    const channel = store.channel(look.channel)
    if (!channel) return clear(head, h('p', { class: 'faint' }, 'This person is in no channel.'))
    const isApp = channel.kind === 'im'
    const atHome = isApp && look.tab === 'home'
    const label = isApp ? store.data.app.name : `#${channel.name}`
    document.title = `${label} – ${store.data.team.name}`
    drawHead(channel, isApp)
    home.hidden = !atHome
    timeline.node.hidden = atHome
    composer.node.hidden = atHome || channel.archived
    closed.hidden = !channel.archived
    if (atHome && homeOf !== look.me) control('openHome', look.me).catch(say)
    homeOf = atHome ? look.me : ''
    if (atHome) drawHome()
    else timeline.render(channel.id, '', `Messages in ${label}`)
    composer.render(`Message ${label}`, `${look.me} ${channel.id}`)
    if (document.visibilityState === 'visible') store.markSeen()
  }
}
