/** Changes that an administrator of the workspace makes: groups, channels, people. */
import { control } from '/page/api.js'
import { h, syncList } from '/page/dom.js'

export function createPeople(store, say) {
  const list = h('ul', { class: 'orders' })
  const node = h('div', { class: 'tab-body' }, list)
  const change = (name, ...args) => control(name, ...args).catch(say)

  const check = (label, checked, key, onchange) =>
    h(
      'label',
      { class: 'check' },
      h('input', {
        type: 'checkbox',
        checked,
        'data-focus': key,
        onchange: ({ target }) => onchange(target.checked),
      }),
      ` ${label}`,
    )
  const block = (title, note, checks) =>
    h(
      'li',
      { class: 'order' },
      h('div', { class: 'grow' }, h('h4', null, title), h('p', { class: 'faint' }, note), checks),
    )

  const groupNode = (group, people) =>
    block(
      `@${group.handle}`,
      'Who is in this group is on call: mentioned by a critical card, and may approve, from now on.',
      people.map((user) =>
        check(user.realName, group.users.includes(user.id), user.id, (isIn) =>
          change(
            'setGroupMembers',
            group.id,
            isIn ? [...group.users, user.id] : group.users.filter((id) => id !== user.id),
          ),
        ),
      ),
    )
  const channelNode = (channel, bot) =>
    block(`#${channel.name}`, channel.topic || 'A private channel.', [
      check('pg-marshal is in it', channel.members.includes(bot), 'bot', (isIn) =>
        change(isIn ? 'invite' : 'kick', channel.id),
      ),
      check('archived', channel.archived, 'archived', (archived) => change('archive', channel.id, archived)),
    ])
  const peopleNode = (people) =>
    block(
      'Has left the company',
      'A deactivated account can approve nothing.',
      people.map((user) =>
        check(user.realName, user.deleted === true, user.id, (deleted) =>
          change('updateUser', user.id, { deleted }),
        ),
      ),
    )

  const draw = () => {
    const { data } = store
    if (!data) return
    const people = data.users.filter((user) => !user.isBot && !user.isStranger)
    const key = [data.users, store.people]
    syncList(list, [
      ...data.userGroups.map((group) => ({
        key: group.id,
        parts: [group, ...key],
        build: () => groupNode(group, people),
      })),
      ...data.channels
        .filter((channel) => channel.kind !== 'im')
        .map((channel) => ({
          key: channel.id,
          parts: [channel, ...key],
          build: () => channelNode(channel, data.app.botUserId),
        })),
      { key: 'people', parts: key, build: () => peopleNode(people) },
    ])
  }
  return { node, draw }
}
