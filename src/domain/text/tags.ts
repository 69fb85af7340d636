import { clean, onOneLine, truncate } from './clean.ts'
import { type QueryText, tokens } from './mask.ts'
import { remembering } from './remembering.ts'
import { type LinkTemplates, linksFor } from './tagLinks.ts'
import { traceOf } from './traceparent.ts'

/**
 * Words of an application about itself, from a comment of its statement, by key. Whoever may send statements writes them: they
 * are short, on one line, and not to be trusted.
 */
export type Tags = Readonly<Record<string, string>>

export type TagsRead = {
  readonly tags: Tags
  /** Addresses that the configuration gives to tags, by the key of the tag. */
  readonly tagLinks?: Tags
}

/** Keys of the tags that are shown, in this order, and where each leads; whatever else a comment says stays unread. */
export type TagSettings = { readonly keys: readonly string[]; readonly links: LinkTemplates }

/** Keys that sqlcommenter and marginalia write, and that say where a statement comes from. */
export const commonTagKeys: readonly string[] = [
  'application',
  'controller',
  'action',
  'route',
  'framework',
  'db_driver',
  'job',
  'traceparent',
]

/** Statements that a reader remembers, each of them a few kB. */
const mostRemembered = 500

/** Longest value that is shown whole, characters: as a route. */
const longestValue = 80

/**
 * Makes a reader of the tags of a statement; null where none may be read. Where the text is hidden they are hidden too, for they
 * are a part of it.
 */
export function createTagReader({
  queryText,
  tags: { keys, links },
}: {
  readonly queryText: QueryText
  readonly tags: TagSettings
}): ((text: string) => TagsRead | null) | null {
  if (queryText === 'hidden' || keys.length === 0) return null
  // Who waits, or rests in a transaction, is seen with the same text look by look.
  const read = remembering((text): TagsRead | null => {
    const tags = tagsIn(text, keys)
    const tagLinks = tags && linksFor(tags, links)
    return tags && { tags, ...(tagLinks && { tagLinks }) }
  }, mostRemembered)
  return (text) => (text.includes('/*') ? read(text) : null)
}

/** Reads the tags with these keys, in their order; null where there are none. The first comment that has a key holds. */
export function tagsIn(text: string, keys: readonly string[]): Tags | null {
  const found = new Map<string, string>()
  for (const { start, end } of tokens(text)) {
    if (!text.startsWith('/*', start)) continue
    for (const [key, value] of pairsIn(ownWords(text.slice(start + 2, end)))) {
      const shown = keys.includes(key) && !found.has(key) ? tidy(value()) : ''
      if (shown !== '' && (key !== 'traceparent' || traceOf(shown))) found.set(key, shown)
    }
  }
  if (found.size === 0) return null
  return Object.fromEntries(keys.flatMap((key) => (found.has(key) ? [[key, found.get(key) ?? '']] : [])))
}

const tidy = (value: string): string => truncate(onOneLine(clean(value)).trim(), longestValue)

type Words = {
  readonly words: string
  /** False where the server cut the statement within the comment. */
  readonly isWhole: boolean
}

/**
 * Returns what a comment says itself. A comment inside of it is commented out with all that it says: a line break, which no value
 * has, stands in its place.
 * @param comment what follows the `/*`
 */
function ownWords(comment: string): Words {
  let words = ''
  let from = 0
  let depth = 1
  for (const { 0: edge, index } of comment.matchAll(/\/\*|\*\//g)) {
    const said = depth === 1 ? comment.slice(from, index) : ''
    depth += edge === '/*' ? 1 : -1
    words += said
    if (depth === 0) return { words, isWhole: true }
    if (said !== '') words += '\n'
    from = index + edge.length
  }
  return { words: depth === 1 ? words + comment.slice(from) : words, isWhole: false }
}

/**
 * `key='value'` as sqlcommenter writes it, or `key:value` as marginalia does. Nothing between them: so prose and statements that
 * are commented out mostly are no pair. Sticky, and no part of it goes back over what another has read.
 */
const pair = /\s*([\w.%~-]{1,100})[=:](?:'((?:[^'\\\n]|\\.)*)'\s*,?|([^\s,'][^,]*)(,|$))/sy

/** Reads the pairs of a comment; none where anything else stands in it, and what is cut off is left out. */
function pairsIn({ words, isWhole }: Words): (readonly [key: string, value: () => string])[] {
  const pairs: (readonly [string, () => string])[] = []
  const end = words.trimEnd().length
  for (let at = 0; at < end; at = pair.lastIndex) {
    pair.lastIndex = at
    const [, key, quoted, bare = '', after] = pair.exec(words) ?? []
    if (key === undefined || bare.trimEnd().includes('\n')) return isWhole ? [] : pairs
    // Nobody knows where the last value would have ended.
    if (!isWhole && after === '') return pairs
    pairs.push([key, () => (quoted === undefined ? bare : decoded(quoted))])
  }
  return pairs
}

/**
 * Undoes the escapes of a quoted value: `\'`, then the URL encoding. For psycopg each percent sign is written twice, and a plus is
 * a space to the libraries of Go and .NET, while all write %2B for a plus. What is no encoding stays as it is.
 */
const decoded = (quoted: string): string =>
  quoted
    .replaceAll(/\\(['\\])/g, '$1')
    .replaceAll('+', ' ')
    .replaceAll(/(?:%{1,2}[0-9A-Fa-f]{2})+/g, (codes) => {
      try {
        return decodeURIComponent(codes.replaceAll('%%', '%'))
      } catch {
        return codes
      }
    })
