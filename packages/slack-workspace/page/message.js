/** One message, public or private. */
import { control } from './api.js'
import { blocksNode } from './blocks.js'
import { h } from './dom.js'
import { icon } from './icons.js'
import { longText } from './long.js'
import { mrkdwn } from './mrkdwn.js'

const timeOf = (ts) => new Date(Number(ts) * 1000)
const clock = (ts) => timeOf(ts).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' })
export const dayOf = (ts) =>
  timeOf(ts).toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' })

const hues = ['#a4368d', '#2b7a4b', '#c2562d', '#2f6db5', '#7a5cc4', '#8a6d1f', '#b23a48']
const hueOf = (id) =>
  hues[[...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % hues.length] ?? '#616061'

export function avatar(user, store, size = '') {
  if (user?.id === store.data.app.botUserId) {
    return h('img', { class: `avatar ${size}`, src: '/page/bot.svg', alt: '', width: 36, height: 36 })
  }
  const node = h(
    'span',
    { class: `avatar ${size}`, 'aria-hidden': 'true' },
    (user?.realName ?? '?').slice(0, 1),
  )
  node.style.background = user?.isBot ? '#616061' : hueOf(user?.id ?? '')
  return node
}

const permalink = (channel, ts) => `/archives/${channel}/p${ts.replace('.', '')}`

function threadSummary(message, channel, store) {
  if (!message.reply_count) return null
  const last = clock(message.latest_reply)
  return h(
    'button',
    {
      type: 'button',
      class: 'replies',
      'data-focus': 'replies',
      onclick: () => store.lookAt({ channel, thread: message.ts }),
    },
    message.reply_users.slice(0, 5).map((id) => avatar(store.user(id), store, 'small')),
    h('span', null, message.reply_count === 1 ? '1 reply' : `${message.reply_count} replies`),
    h('span', { class: 'faint' }, `Last reply at ${last}`),
  )
}

/** A file: of text, as Slack shows a snippet; of others its name alone. */
const fileNode = (file) =>
  h(
    'figure',
    { class: 'file' },
    h(
      'figcaption',
      null,
      icon('file'),
      ' ',
      h('strong', null, file.title),
      h('span', { class: 'faint' }, ` ${file.size} bytes`),
    ),
    file.preview ? h('pre', { tabindex: 0 }, h('code', null, file.preview)) : null,
  )

/**
 * @param {{message: any, whisper: boolean, source?: any}} entry
 * @param {{store: ReturnType<typeof import('./store.js').createStore>, channel: string, compact: boolean, inThread: boolean, say: (error: any) => void}} options
 */
export function messageNode({ message, whisper }, { store, channel, compact, inThread, say }) {
  const author = store.user(message.user)
  const surface = {
    store,
    values: store.held(`${channel} ${message.ts}`),
    complaint: (actionId) =>
      store.complaintsOn(message.ts).find((entry) => entry.actionId === actionId)?.text,
    press: async (element, block, value) => {
      await control('press', {
        userId: store.look.me,
        channelId: channel,
        messageTs: message.ts,
        actionId: element.action_id,
        blockId: block.block_id,
        value,
        values: Object.fromEntries(surface.values),
      }).catch(say)
    },
  }
  const edited = message.edited ? h('span', { class: 'edited faint' }, ' (edited)') : null
  const time = h(
    'a',
    { class: 'time faint', href: permalink(channel, message.ts), title: timeOf(message.ts).toLocaleString() },
    h(
      'time',
      { datetime: timeOf(message.ts).toISOString() },
      // The narrow gutter has no room for the half of the day.
      compact ? clock(message.ts).replace(/\s?[AP]M$/i, '') : clock(message.ts),
    ),
  )
  const name = author?.realName ?? message.user
  return h(
    'li',
    {
      class: [
        'message',
        whisper && 'whisper',
        compact && 'compact',
        store.look.highlight === message.ts && 'highlight',
      ]
        .filter(Boolean)
        .join(' '),
      'data-ts': message.ts,
    },
    h('div', { class: 'gutter' }, compact ? time : avatar(author, store)),
    h(
      'div',
      { class: 'content' },
      whisper
        ? h(
            'p',
            { class: 'only-you faint' },
            icon('eye'),
            ' Only visible to you',
            h('span', { 'aria-hidden': 'true' }, ' · '),
            h(
              'button',
              {
                type: 'button',
                class: 'plain-link',
                'data-focus': 'dismiss',
                onclick: () => control('dismiss', store.look.me, channel, message.ts).catch(say),
              },
              'Dismiss',
            ),
          )
        : null,
      compact
        ? null
        : h(
            'p',
            { class: 'byline' },
            h('strong', null, name),
            author?.isBot ? h('span', { class: 'badge' }, 'APP') : null,
            author?.isRestricted ? h('span', { class: 'badge' }, 'GUEST') : null,
            author?.isStranger ? h('span', { class: 'badge' }, 'EXTERNAL') : null,
            ' ',
            time,
          ),
      message.subtype === 'thread_broadcast' && !inThread
        ? h('p', { class: 'faint' }, 'replied to a thread')
        : null,
      message.blocks
        ? h('div', { class: 'body' }, blocksNode(message.blocks, surface), edited)
        : h(
            'div',
            { class: 'body' },
            message.text
              ? longText(message.text, mrkdwn(message.text, store), `${channel} ${message.ts}`)
              : null,
            edited,
          ),
      (message.files ?? []).map(fileNode),
      inThread ? null : threadSummary(message, channel, store),
    ),
    inThread || whisper
      ? null
      : h(
          'div',
          { class: 'hover-actions' },
          store.shortcuts('message').map((shortcut) =>
            h(
              'button',
              {
                type: 'button',
                'data-focus': shortcut.callbackId,
                'aria-label': `${shortcut.name}: message of ${name}, ${clock(message.ts)}`,
                onclick: () =>
                  control('shortcut', {
                    userId: store.look.me,
                    callbackId: shortcut.callbackId,
                    channelId: channel,
                    messageTs: message.ts,
                  }).catch(say),
              },
              icon('bolt'),
              h('span', { class: 'label' }, ` ${shortcut.name}`),
            ),
          ),
          h(
            'button',
            {
              type: 'button',
              'data-focus': 'reply',
              'aria-label': `Reply in thread to ${name}, ${clock(message.ts)}`,
              onclick: () => store.lookAt({ channel, thread: message.thread_ts ?? message.ts }),
            },
            icon('reply'),
            ' Reply',
          ),
        ),
  )
}
