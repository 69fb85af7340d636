import { clean } from '../views/kit.ts'

/** One word of a command: `quoted` when it stood in quotes; `open` when it began with a quote that is never closed. */
export type Word = {
  readonly text: string
  readonly quoted: boolean
  readonly open: boolean
}

/** Slack takes no longer command, and nobody types one. */
const longest = 4000

// What phones make of a quote. Any of a kind closes any of it.
const doubles = '"“”„‟'
const singles = "'‘’‚‛"

/** Two or more ASCII hyphens, or what a phone makes of them, or one hyphen by mistake, before a letter. */
const dashes = /^[-\u2010-\u2015\u2212]{1,4}(?=\p{L})/u

/**
 * Splits what was typed into words, as Slack and phones hand it over: links and mentions that Slack made of plain words
 * are taken back, dashes and quotes are what the phone made of them.
 */
export function splitWords(typed: string): Word[] {
  const line = clean(plain(typed.slice(0, longest)))
  const words: Word[] = []
  let at = 0
  while (at < line.length) {
    if (isSpace(line[at])) {
      at++
      continue
    }
    const word = wordAt(line, at)
    words.push(word)
    at = word.end
  }
  return words
}

type Found = Word & { readonly end: number }

function wordAt(line: string, start: number): Found {
  let end = start
  while (end < line.length && !isSpace(line[end])) end++
  const bare = line.slice(start, end)
  // `--app="two words"`, or a quote at the very beginning. One inside of a word is an apostrophe.
  const before = dashes.test(bare) && bare.includes('=') ? bare.slice(0, bare.indexOf('=') + 1) : ''
  const quote = line[start + before.length]
  const kind = [doubles, singles].find((quotes) => quote !== undefined && quotes.includes(quote))
  if (kind === undefined || start + before.length >= end)
    return { text: bare, quoted: false, open: false, end }
  for (let close = start + before.length + 1; close < line.length; close++) {
    const after = line[close + 1]
    if (kind.includes(line[close] ?? ' ') && (after === undefined || isSpace(after)))
      return {
        text: before + line.slice(start + before.length + 1, close),
        quoted: true,
        open: false,
        end: close + 1,
      }
  }
  return { text: bare, quoted: false, open: true, end }
}

const isSpace = (character: string | undefined): boolean => character !== undefined && /\s/.test(character)

/** Returns what the person typed before Slack marked it up: https://docs.slack.dev/messaging/formatting-message-text */
const plain = (typed: string): string =>
  typed
    .replaceAll(/<([^<>]{1,3000})>/g, (_, inside: string) => {
      const bar = inside.indexOf('|')
      const label = bar < 0 ? inside : inside.slice(bar + 1)
      const mark = /^[@#!]/.exec(inside)?.[0]
      if (mark === undefined) return label.replace(/^mailto:/, '')
      const name = bar < 0 ? inside.slice(1) : label
      return `${mark === '#' ? '#' : '@'}${name.replace(/^[@#!]/, '')}`
    })
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')

/** `--db=orders` is the option `db` with the value `orders`; null when the word is none. */
export function optionOf(word: Word): { readonly name: string; readonly value: string | null } | null {
  if (word.quoted && !word.text.includes('=')) return null
  const dash = dashes.exec(word.text)?.[0]
  if (dash === undefined) return null
  const rest = word.text.slice(dash.length)
  const equals = rest.indexOf('=')
  return equals < 0
    ? { name: rest.toLowerCase(), value: null }
    : { name: rest.slice(0, equals).toLowerCase(), value: rest.slice(equals + 1) }
}
