/**
 * Slack's mrkdwn, drawn as Slack draws it (https://docs.slack.dev/messaging/formatting-message-text): what would ping
 * somebody is seen as a ping, what was escaped is seen literally.
 */
import { h } from './dom.js'
import { withEmoji } from './emoji.js'
import { broadcast, channelMention, groupMention, link, userMention } from './mentions.js'

const decoded = (text) => text.replace(/&(lt|gt|amp);/g, (_, name) => ({ lt: '<', gt: '>', amp: '&' })[name])

/** The inside of `<…>`. */
function control(inside, context) {
  const [target, label] = splitOnce(inside, '|')
  const shown = label === undefined ? undefined : decoded(label)
  if (/^@[UW]/.test(target)) return userMention(target.slice(1), context)
  if (/^#[CG]/.test(target)) return channelMention(target.slice(1), context)
  if (/^!subteam\^/.test(target)) return groupMention(target.slice('!subteam^'.length), context)
  if (/^!(here|channel|everyone)$/.test(target)) return broadcast(target.slice(1))
  if (target.startsWith('!date^')) return date(target, shown)
  if (/^(https?:\/\/|mailto:|tel:)/i.test(target)) return link(decoded(target), shown)
  return document.createTextNode(`<${decoded(inside)}>`)
}

function splitOnce(text, mark) {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

function date(target, fallback) {
  const [, seconds, format = '{date_num} {time}'] = target.split('^')
  return dateNode(Number(seconds), format, fallback)
}

const inForm = (form) => (when) => new Intl.DateTimeFormat(undefined, form).format(when)
/** Yesterday, today and tomorrow by name. */
const pretty = (form) => (when) => {
  const days = Math.round(
    (new Date(when).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86_400_000,
  )
  return Math.abs(days) <= 1
    ? new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(days, 'day')
    : inForm(form)(when)
}
/** The largest unit that fits, as `in 12 minutes` or `3 hours ago`. */
const ago = (when) => {
  const seconds = Math.round((when.getTime() - Date.now()) / 1000)
  const far = Math.abs(seconds)
  const inUnits = (length, unit) =>
    new Intl.RelativeTimeFormat('en').format(Math.round(seconds / length), unit)
  if (far >= 86_400) return inUnits(86_400, 'day')
  if (far >= 3600) return inUnits(3600, 'hour')
  return far >= 60 ? inUnits(60, 'minute') : inUnits(1, 'second')
}
const two = (number) => String(number).padStart(2, '0')
/** https://docs.slack.dev/messaging/formatting-message-text/#date-formatting */
const dateForms = {
  date_num: (when) => `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`,
  date_slash: (when) => `${two(when.getMonth() + 1)}/${two(when.getDate())}/${when.getFullYear()}`,
  date: inForm({ dateStyle: 'long' }),
  date_short: inForm({ dateStyle: 'medium' }),
  date_long: inForm({ dateStyle: 'full' }),
  date_pretty: pretty({ dateStyle: 'long' }),
  date_short_pretty: pretty({ dateStyle: 'medium' }),
  date_long_pretty: pretty({ dateStyle: 'full' }),
  time: inForm({ timeStyle: 'short' }),
  time_secs: inForm({ timeStyle: 'medium' }),
  ago,
}
export function dateNode(seconds, format, fallback) {
  const when = new Date(seconds * 1000)
  if (Number.isNaN(when.getTime())) return document.createTextNode(fallback ?? '')
  const shown = format.replace(/\{(\w+)\}/g, (whole, name) =>
    Object.hasOwn(dateForms, name) ? dateForms[name](when) : whole,
  )
  return h('time', { datetime: when.toISOString(), title: when.toLocaleString() }, shown)
}

/** In order of precedence; a style's marks must hug its words, as in Slack. */
const inline = new RegExp(
  [
    '```\\n?(?<block>[\\s\\S]+?)\\n?```',
    '`(?<code>[^`\\n]+)`',
    '<(?<control>[^<>\\n]+)>',
    '(?<![\\p{L}\\p{N}_*])\\*(?<bold>[^\\s*](?:[^*\\n]*[^\\s*])?)\\*(?![\\p{L}\\p{N}_*])',
    '(?<![\\p{L}\\p{N}_])_(?<italic>[^\\s_](?:[^_\\n]*[^\\s_])?)_(?![\\p{L}\\p{N}_])',
    '(?<![\\p{L}\\p{N}_~])~(?<strike>[^\\s~](?:[^~\\n]*[^\\s~])?)~(?![\\p{L}\\p{N}_~])',
    '(?<url>https?://[^\\s<>|]+[^\\s<>|.,;:!?)\\]}\'"])',
  ].join('|'),
  'gu',
)

function words(text, context, auto) {
  const nodes = []
  let at = 0
  for (const match of text.matchAll(inline)) {
    const { block, code, control: inside, bold, italic, strike, url } = match.groups
    if (match.index > at) nodes.push(withEmoji(decoded(text.slice(at, match.index))))
    at = match.index + match[0].length
    if (block !== undefined) nodes.push(h('pre', null, h('code', null, literal(block, context))))
    else if (code !== undefined) nodes.push(h('code', null, literal(code, context)))
    else if (inside !== undefined) nodes.push(control(inside, context))
    else if (bold !== undefined) nodes.push(h('strong', null, words(bold, context, auto)))
    else if (italic !== undefined) nodes.push(h('em', null, words(italic, context, auto)))
    else if (strike !== undefined) nodes.push(h('s', null, words(strike, context, auto)))
    else nodes.push(auto ? link(decoded(url)) : decoded(url))
  }
  if (at < text.length) nodes.push(withEmoji(decoded(text.slice(at))))
  return nodes
}

/** Inside code nothing is formatted, but `<…>` still means what it means. */
function literal(text, context) {
  return text
    .split(/(<[^<>\n]+>)/)
    .map((part) => (/^<[^<>\n]+>$/.test(part) ? control(part.slice(1, -1), context) : decoded(part)))
}

/**
 * @param {string} text
 * @param {object} context the store, for names
 * @param {{verbatim?: boolean}} [options] `verbatim` leaves bare addresses alone
 */
export function mrkdwn(text, context, { verbatim = false } = {}) {
  const parts = []
  // Fenced code first: a `>` at the start of a line in it is no quotation. It is a block: the line ends beside it are its own.
  for (const piece of text.split(/\n?(```[\s\S]+?```)\n?/)) {
    if (piece === '') continue
    if (/^```[\s\S]+```$/.test(piece)) {
      parts.push(words(piece, context, !verbatim))
      continue
    }
    for (const run of quoteRuns(piece)) {
      const content = words(run.text, context, !verbatim)
      parts.push(run.quoted ? h('blockquote', null, content) : content)
    }
  }
  return h('span', { class: 'mrkdwn' }, parts)
}

function quoteRuns(text) {
  const runs = []
  for (const line of text.split('\n')) {
    const quoted = /^(>|&gt;) ?/.test(line)
    const bare = quoted ? line.replace(/^(>|&gt;) ?/, '') : line
    const last = runs.at(-1)
    if (last && last.quoted === quoted) last.text += `\n${bare}`
    else runs.push({ quoted, text: bare })
  }
  return runs
}
