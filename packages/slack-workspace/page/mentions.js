/** Mentions and links. `.ping` marks what would notify somebody: in tests and by eye nothing may ping unnoticed. */
import { h } from './dom.js'

export const userMention = (id, store) =>
  h(
    'span',
    { class: id === store.look.me ? 'mention ping me' : 'mention ping', title: `Notifies ${id}` },
    `@${store.user(id)?.realName ?? id}`,
  )

export const groupMention = (id, store) =>
  h('span', { class: 'mention ping', title: 'Notifies a group' }, `@${store.userGroup(id)?.handle ?? id}`)

export const broadcast = (range) =>
  h('span', { class: 'mention ping all', title: `Notifies everybody (${range})` }, `@${range}`)

export const channelMention = (id, store) => {
  const channel = store.channel(id)
  if (!channel?.members.includes(store.look.me))
    return h('span', { class: 'mention' }, '#', channel?.name ?? id)
  return h(
    'button',
    {
      class: 'mention',
      type: 'button',
      onclick: () => store.lookAt({ channel: id, thread: '', tab: 'messages' }),
    },
    `#${channel.name}`,
  )
}

export const isHarmless = (url) => /^(https?:|mailto:|tel:)/i.test(url)

export const link = (url, label) =>
  isHarmless(url)
    ? h('a', { href: url, target: '_blank', rel: 'noreferrer noopener' }, label ?? url)
    : document.createTextNode(label ?? url)
