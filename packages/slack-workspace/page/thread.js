/** Right: the thread one looks into. */
import { createComposer } from './composer.js'
import { find, h } from './dom.js'
import { icon } from './icons.js'
import { createTimeline } from './timeline.js'

export function createThread(root, store, say) {
  const close = () => {
    const { thread } = store.look
    store.lookAt({ thread: '' })
    find(
      document,
      `#conversation [data-ts="${CSS.escape(thread)}"] :is(.replies, .hover-actions [data-focus="reply"])`,
    )?.focus()
  }
  const where = h('span', { class: 'faint' })
  const timeline = createTimeline(store, say, { inThread: true })
  const composer = createComposer(store, say, { place: 'thread', onSend: timeline.toEnd })
  root.append(
    h(
      'header',
      { class: 'head' },
      h('div', { class: 'title' }, h('h2', null, 'Thread'), where),
      h(
        'button',
        { type: 'button', class: 'icon', 'aria-label': 'Close thread', onclick: close },
        icon('close'),
      ),
    ),
    timeline.node,
    composer.node,
  )
  root.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented) close()
  })
  let open = ''

  return () => {
    const { channel, thread } = store.look
    root.hidden = thread === ''
    document.body.classList.toggle('thread-open', thread !== '')
    if (thread === '') {
      open = ''
      return
    }
    const { name, kind, archived = false } = store.channel(channel) ?? {}
    where.textContent = kind === 'im' ? store.data.app.name : `#${name}`
    timeline.render(channel, thread, 'Messages in the thread')
    composer.node.hidden = archived
    composer.render('Reply…', `${store.look.me} ${channel} ${thread}`)
    if (open !== thread) composer.focus()
    open = thread
  }
}
