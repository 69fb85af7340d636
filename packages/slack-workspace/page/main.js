/** Puts the page together: the store hears from the workspace, the regions draw what the store holds. */
import { listen } from './api.js'
import { createConversation } from './conversation.js'
import { createModals } from './modals.js'
import { createSidebar } from './sidebar.js'
import { createStore } from './store.js'
import { createThread } from './thread.js'

/** Everything with an id stands in index.html. */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id))
const store = createStore()

const statusMs = 6000
let clearing
/** Tells one thing to the one who sits here; nobody else hears it. */
const say = (error) => {
  at('status').textContent = error.message
  clearTimeout(clearing)
  clearing = setTimeout(() => {
    at('status').textContent = ''
  }, statusMs)
}

const regions = [
  // Before the sidebar: what it shows counts as seen there.
  createConversation(at('conversation'), store, say),
  createSidebar(at('sidebar'), store),
  createThread(at('thread'), store, say),
  createModals(store, say),
]

let panel
/** Draws the host's panel beside the workspace, by the host's own module. */
const drawPanel = async ({ module, state }) => {
  panel ??= import(module).then(({ createPanel }) => createPanel(at('panel'), at('top'), store, say))
  const { draw } = await panel
  draw(state)
}

/** `/archives/C…/p…` from `chat.getPermalink` leads to that message. */
function followPermalink() {
  const found = /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(location.pathname)
  if (!found) return
  const [, channel = '', seconds, micros] = found
  const thread = new URLSearchParams(location.search).get('thread_ts') ?? ''
  history.replaceState(null, '', '/')
  store.lookAt({ channel, thread, tab: 'messages', highlight: `${seconds}.${micros}` })
}

let begun = false
store.subscribe(() => {
  for (const draw of regions) draw()
  document.body.classList.toggle('offline', !store.connected)
})
listen({
  onState: (state) => {
    store.reset(state)
    at('team').textContent = state.team.name
    if (begun) return
    begun = true
    followPermalink()
  },
  onChange: store.apply,
  onPanel: (given) => drawPanel(given).catch(say),
  onConnection: store.setConnected,
})
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && store.data) store.setConnected(store.connected)
})
