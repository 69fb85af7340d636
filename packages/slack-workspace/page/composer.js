/** Field for typing: plain messages and slash commands with completion. */
import { control } from './api.js'
import { h } from './dom.js'
import { icon } from './icons.js'

let composers = 0

/** `help | session PID | cancel PID [reason]` → the choices. */
export const choicesOf = ({ command, usageHint }) =>
  usageHint
    .trim()
    // Some hints stand in brackets as a whole.
    .replace(/^\[([^[\]]*)\]$/, '$1')
    .split(/\s*[|·,\n]\s*/)
    .filter(Boolean)
    .map((part) => {
      const [words] = part.split(/\s+(?=[A-Z<[(])/)
      // What needs a word from the person ends with a space, waiting for it.
      return { label: `${command} ${part}`, text: `${command} ${words}${words === part ? '' : ' '}` }
    })

/** Keeps typed text literal: only names of people and channels become mentions. */
const toMessageText = (text, store) =>
  text
    .replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign])
    .replace(/(^|\s)@(\w+)/g, (whole, space, name) => {
      if (/^(here|channel|everyone)$/.test(name)) return `${space}<!${name}>`
      const user = store.data.users.find((entry) => entry.name === name.toLowerCase())
      return user ? `${space}<@${user.id}>` : whole
    })
    .replace(/(^|\s)#([\w-]+)/g, (whole, space, name) => {
      const channel = store.data.channels.find((entry) => entry.name === name)
      return channel ? `${space}<#${channel.id}>` : whole
    })

/**
 * @param {ReturnType<typeof import('./store.js').createStore>} store
 * @param {(error: any) => void} say
 * @param {{place: 'channel' | 'thread', onSend: () => void}} options `onSend` hears that something was sent from here
 */
export function createComposer(store, say, { place, onSend }) {
  const id = `composer-${++composers}`
  let shown = []
  let active = -1
  const drafts = new Map()
  let at = ''

  const list = h('ul', {
    class: 'completion',
    role: 'listbox',
    id: `${id}-list`,
    'aria-label': 'Commands',
    hidden: true,
  })
  const field = h('textarea', {
    id,
    rows: 1,
    role: 'combobox',
    'aria-autocomplete': 'list',
    'aria-controls': `${id}-list`,
    'aria-expanded': 'false',
    autocomplete: 'off',
    spellcheck: 'true',
  })
  const send = h('button', { type: 'submit', class: 'send', 'aria-label': 'Send' }, icon('send'))
  const shortcuts = h('button', {
    type: 'button',
    class: 'icon',
    'aria-label': 'Shortcuts',
    'aria-expanded': 'false',
    hidden: true,
    onclick: () => (menu.hidden ? openMenu() : closeMenu()),
  })
  shortcuts.append(icon('bolt'))
  const menu = h('ul', { class: 'completion', hidden: true, 'aria-label': 'Shortcuts' })
  const form = h('form', { class: 'composer' }, list, menu, shortcuts, field, send)

  const closeMenu = () => {
    menu.hidden = true
    shortcuts.setAttribute('aria-expanded', 'false')
  }
  const openMenu = () => {
    menu.replaceChildren(
      ...store.shortcuts('global').map(({ name, callbackId }) =>
        h(
          'li',
          null,
          h(
            'button',
            {
              type: 'button',
              class: 'plain-link',
              onclick: () => {
                closeMenu()
                control('shortcut', { userId: store.look.me, callbackId }).catch(say)
              },
            },
            name,
          ),
        ),
      ),
    )
    menu.hidden = false
    shortcuts.setAttribute('aria-expanded', 'true')
    menu.querySelector('button')?.focus()
  }

  const hide = () => {
    shown = []
    active = -1
    list.hidden = true
    field.setAttribute('aria-expanded', 'false')
    field.removeAttribute('aria-activedescendant')
  }
  const mark = (index) => {
    active = index
    ;[...list.children].forEach((item, at) => {
      item.setAttribute('aria-selected', String(at === index))
      if (at === index) item.scrollIntoView({ block: 'nearest' })
    })
    if (index >= 0) field.setAttribute('aria-activedescendant', `${id}-option-${index}`)
    else field.removeAttribute('aria-activedescendant')
  }
  const take = (choice) => {
    field.value = choice.text
    hide()
    field.focus()
    grow()
  }
  const suggest = () => {
    const { value } = field
    const all = store.data.commands.flatMap(choicesOf)
    shown = /^\/[^\n]*$/.test(value)
      ? all.filter((choice) => choice.label.startsWith(value) && choice.text.trim() !== value.trim())
      : []
    if (shown.length === 0) return hide()
    list.replaceChildren(
      ...shown.map((choice, index) =>
        h(
          'li',
          {
            role: 'option',
            id: `${id}-option-${index}`,
            'aria-selected': 'false',
            onpointerdown: (event) => {
              event.preventDefault()
              take(choice)
            },
          },
          choice.label,
        ),
      ),
    )
    list.hidden = false
    field.setAttribute('aria-expanded', 'true')
    mark(-1)
  }
  const grow = () => {
    field.style.height = 'auto'
    field.style.height = `${Math.min(field.scrollHeight, 160)}px`
  }

  const submit = async () => {
    const text = field.value.trim()
    if (text === '') return
    const from = at
    const { channel, thread, me } = store.look
    const inThread = place === 'thread'
    const word = /^\/\S+/.exec(text)?.[0]
    const known = store.data.commands.some(({ command }) => command === word)
    if (word && inThread) return say(new Error(`${word} is not supported in threads. Sorry!`))
    if (word && !known)
      return say(new Error(`${word} is not a valid command. In Slack, messages cannot begin with “/”.`))
    field.value = ''
    hide()
    grow()
    onSend()
    try {
      if (word) {
        await control('slashCommand', {
          userId: me,
          channelId: channel,
          command: word,
          text: text.slice(word.length).trim(),
        })
      } else {
        await control('say', {
          userId: me,
          channelId: channel,
          text: toMessageText(text, store),
          ...(inThread ? { threadTs: thread } : {}),
        })
      }
    } catch (error) {
      if (at === from && field.value === '') field.value = text
      say(error)
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  field.addEventListener('input', () => {
    grow()
    suggest()
  })
  menu.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return
    closeMenu()
    shortcuts.focus()
  })
  menu.addEventListener('focusout', ({ relatedTarget }) => {
    const stays =
      relatedTarget instanceof Node && (relatedTarget === shortcuts || menu.contains(relatedTarget))
    if (!stays) closeMenu()
  })
  field.addEventListener('blur', hide)
  field.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    const open = shown.length > 0
    if (open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault()
      const step = event.key === 'ArrowDown' ? 1 : -1
      mark((active + step + shown.length + (active < 0 && step < 0 ? 1 : 0)) % shown.length)
    } else if (open && event.key === 'Escape') {
      event.preventDefault()
      event.stopPropagation()
      hide()
    } else if (open && event.key === 'Tab' && !event.shiftKey) {
      event.preventDefault()
      take(shown[Math.max(active, 0)])
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      if (open && active >= 0) take(shown[active])
      else submit()
    }
  })

  return {
    node: form,
    focus: () => field.focus(),
    /** Keeps an unfinished text with its author, in the place where it was begun. */
    render: (label, where) => {
      if (where !== at) {
        drafts.set(at, field.value)
        at = where
        field.value = drafts.get(at) ?? ''
        hide()
        grow()
      }
      shortcuts.hidden = place === 'thread' || store.shortcuts('global').length === 0
      field.placeholder = label
      field.setAttribute('aria-label', label)
    },
  }
}
