/** A text object: https://docs.slack.dev/reference/block-kit/composition-objects/text-object */
import { h } from './dom.js'
import { withEmoji } from './emoji.js'
import { mrkdwn } from './mrkdwn.js'

export const plainOf = (object) => {
  if (!object) return ''
  return object.emoji === false ? object.text : withEmoji(object.text)
}

export const textNode = (object, store) =>
  object.type === 'mrkdwn'
    ? mrkdwn(object.text, store, { verbatim: object.verbatim === true })
    : h('span', { class: 'plain' }, plainOf(object))
