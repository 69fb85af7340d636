/** Left: who one is, where one can go. */
import { clear, find, focusedIn, h } from './dom.js'
import { icon } from './icons.js'
import { showMenu } from './menu.js'
import { avatar } from './message.js'

const kindOf = (user) => {
  if (user.isStranger) return 'Other companies'
  return user.isRestricted || user.isUltraRestricted ? 'Guests' : 'Members'
}

export function createSidebar(root, store) {
  const picker = h('select', { id: 'act-as', onchange: () => switchTo(picker.value) })
  const face = h('span', { class: 'face' })
  const places = h('div', { class: 'places' })
  root.append(h('div', { class: 'act-as' }, face, h('label', { for: 'act-as' }, 'Act as'), picker), places)
  let drawnPeople = ''

  const switchTo = (me) => {
    const { channel } = store.look
    const stillThere = store.channel(channel)?.kind !== 'im' && store.channel(channel)?.members.includes(me)
    const own = store.data.channels.find((entry) => entry.kind === 'im' && entry.members.includes(me))
    const wasIm = store.channel(channel)?.kind === 'im'
    store.lookAt({
      me,
      channel: stillThere ? channel : wasIm && own ? own.id : '',
      thread: stillThere ? store.look.thread : '',
    })
  }

  const place = (channel, label, selected, tab = 'messages') => {
    const unread = tab === 'home' ? 0 : store.unread(channel.id)
    return h(
      'li',
      null,
      h(
        'button',
        {
          type: 'button',
          class: unread > 0 ? 'place unread' : 'place',
          'data-focus': channel.id,
          'aria-current': selected ? 'page' : null,
          onclick: () => {
            showMenu(false)
            store.lookAt({ channel: channel.id, thread: '', tab, highlight: '' })
          },
        },
        label,
        unread > 0 ? h('span', { class: 'count', 'aria-label': `${unread} unread` }, unread) : null,
      ),
    )
  }

  return () => {
    const { data, look } = store
    const people = JSON.stringify(data.users)
    if (people !== drawnPeople) {
      drawnPeople = people
      const groups = Map.groupBy(data.users.filter(store.mayAct), kindOf)
      clear(
        picker,
        [...groups].map(([label, users]) =>
          h(
            'optgroup',
            { label },
            users.map((user) =>
              h(
                'option',
                { value: user.id },
                user.title ? `${user.realName} (${user.title})` : user.realName,
              ),
            ),
          ),
        ),
      )
    }
    picker.value = look.me
    clear(face, avatar(store.user(look.me), store))

    const focused = focusedIn(places)?.dataset.focus
    const channels = store.myChannels().filter((channel) => channel.kind !== 'im')
    const dm = store.appDm()
    const live = data.connection.http || data.connection.sockets > 0
    clear(
      places,
      h('h2', null, 'Channels'),
      h(
        'ul',
        null,
        channels.map((channel) =>
          place(
            channel,
            [
              h('span', { class: 'sign' }, channel.kind === 'private' ? icon('lock') : '#'),
              channel.name,
              channel.archived ? ' (archived)' : '',
            ],
            channel.id === look.channel,
          ),
        ),
      ),
      dm ? h('h2', null, 'Apps') : null,
      dm
        ? h(
            'ul',
            null,
            place(
              dm,
              [
                avatar(store.user(data.app.botUserId), store, 'small'),
                data.app.name,
                h('span', {
                  class: live ? 'presence live' : 'presence',
                  title: live ? 'connected' : 'not connected',
                }),
              ],
              dm.id === look.channel,
            ),
          )
        : null,
    )
    if (focused) find(places, `[data-focus="${CSS.escape(focused)}"]`)?.focus()
  }
}
