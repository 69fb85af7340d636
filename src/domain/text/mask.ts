import { remembering } from './remembering.ts'

/** Way to show statements: with `?` for constants and comments, as they are, or not at all. */
export type QueryText = 'masked' | 'full' | 'hidden'

export type Token = {
  /** `masked`: a constant, a comment, or anything that may hold a part of one. */
  readonly kind: 'kept' | 'masked' | 'space'
  readonly start: number
  readonly end: number
}

/** More than anybody reads in a message, and it bounds the work. Characters. */
const cap = 4096

/**
 * Returns a statement without its constants and comments: each becomes `?`, so no personal data leaves the process. A
 * comment at the end of a statement goes, for a `?` there reads as a part of it. Keywords, identifiers, operators and
 * parameters (`$1`) stay; runs of white space become one space. It never fails: what is unterminated, as the server cuts
 * statements (track_activity_query_size), is masked to the end.
 * @param longest characters that are looked at; the rest becomes `…`
 */
export function maskQuery(text: string, longest: number = cap): string {
  const looked = text.slice(0, longest)
  let masked = ''
  /** White space and comments since the last token that is shown in any case. */
  let between = ''
  /** Bounds of what is kept as it stands, to be added in one piece: most of a statement is. */
  let from = 0
  let to = 0
  for (let start = 0, end = 0; start < looked.length; start = end) {
    const token = next(looked, start)
    const { kind } = token
    end = token.end
    if (kind === 'space') between += ' '
    else if (isComment(looked, start)) between += '?'
    else if (kind === 'kept' && looked[start] !== ';' && between === looked.slice(to, start)) {
      to = end
      between = ''
    } else {
      const shown = kind === 'kept' ? '' : isNameAt(looked, start) ? '…' : '?'
      masked += looked.slice(from, to) + (looked[start] === ';' ? withoutComments(between) : between) + shown
      from = kind === 'kept' ? start : end
      to = end
      between = ''
    }
  }
  const shown = (masked + looked.slice(from, to) + withoutComments(between)).replace(/^ | $/g, '')
  return text.length > looked.length && !shown.endsWith('…') ? `${shown} …` : shown
}

const withoutComments = (between: string): string => (between.includes('?') ? '' : between)

/** A name is masked only where it is cut off: that is no constant. */
const isNameAt = (text: string, start: number): boolean => /^(?:"|[uU]&")/.test(text.slice(start, start + 3))

const isComment = (text: string, start: number): boolean =>
  text.startsWith('--', start) || text.startsWith('/*', start)

/** Gives statements the form that the configuration asks for; null is not shown at all. */
export function createMasker(mode: QueryText): (text: string | null) => string | null {
  if (mode === 'hidden') return () => null
  if (mode === 'full') return (text) => text
  return (text) => (text === null ? null : maskQuery(text))
}

/** Masks statements for what leaves the channel of a cluster, as a report: there they are never shown in full. */
export const createOutwardMasker = (mode: QueryText) => createMasker(mode === 'hidden' ? 'hidden' : 'masked')

/** Masks statements and remembers them: most come again and again, and then all that keep one share the same text. */
export const createRememberingMasker = (): ((text: string) => string) => remembering(maskQuery, 2_000)

/** Maskers of statements, for each place that they go to. */
export type Maskers = {
  /** For the channel of a cluster, as its configuration says. */
  readonly maskText: (text: string | null) => string | null
  /** For what leaves the channel. */
  readonly maskOutward: (text: string | null) => string | null
  /** For the record; null where it keeps no statements. */
  readonly recordText: ((text: string) => string) | null
}

export function createMaskers(settings: {
  readonly queryText: QueryText
  /** Looks are recorded. */
  readonly isRecorded: boolean
}): Maskers {
  const { queryText, isRecorded } = settings
  return {
    maskText: createMasker(queryText),
    maskOutward: createOutwardMasker(queryText),
    recordText: queryText === 'hidden' || !isRecorded ? null : createRememberingMasker(),
  }
}

/**
 * The tokens of a statement, without gaps, in one pass. It follows PostgreSQL's scanner (src/backend/parser/scan.l, 14
 * to 18) where that keeps something, and where versions or settings differ it masks what any of them may take for a
 * constant.
 */
export function* tokens(text: string): Generator<Token> {
  let start = 0
  while (start < text.length) {
    const token = next(text, start)
    yield { kind: token.kind, start, end: token.end }
    start = token.end
  }
}

type Found = { readonly kind: Token['kind']; readonly end: number }

const masked = (end: number): Found => ({ kind: 'masked', end })
const kept = (end: number): Found => ({ kind: 'kept', end })

// Sticky, and each alternative begins with another character, so none goes back over what it has read.
const space = /[ \t\n\r\f\v]+/y
/** Every byte above ASCII is a letter to the server, a no-break space too. */
const identifier = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y
/** `1..2` is three tokens. Letters after a number are masked with it, whatever they are to the server's version. */
const number =
  /(?:0[xXoObB]|\d[\d_]*(?:\.(?!\.)[\d_]*)?(?:[eE][-+]?\d[\d_]*)?|\.\d[\d_]*(?:[eE][-+]?\d[\d_]*)?)[\w\u0080-\uffff]*/y
const plainNumber = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?/y
const parameter = /\$\d+/y
const dollarTag = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y
const lineComment = /--[^\n\r]*/y

/** Returns where a match that begins at `start` ends; -1 when there is none. */
function matchEnd(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start
  return pattern.test(text) ? pattern.lastIndex : -1
}

function next(text: string, start: number): Found {
  const char = text.charAt(start)
  if (char === "'") return masked(stringEnd(text, start, false))
  if (char === '"') return quotedIdentifier(text, start)
  if (char === '$') return dollar(text, start)
  if (char === '-' && text[start + 1] === '-') return masked(matchEnd(lineComment, text, start))
  if (char === '/' && text[start + 1] === '*') return masked(commentEnd(text, start))
  if (char === '.' && text[start + 1] === '.') return kept(start + 2)
  const spaceEnd = matchEnd(space, text, start)
  if (spaceEnd > 0) return { kind: 'space', end: spaceEnd }
  const numberEnd = matchEnd(number, text, start)
  if (numberEnd > 0) return masked(afterNumber(text, start, numberEnd))
  const identifierEnd = matchEnd(identifier, text, start)
  return identifierEnd > 0 ? word(text, start, identifierEnd) : kept(start + 1)
}

/**
 * In `0x1F$$` or `1_000$$` a dollar quote opens since 16, before that the `$` is a part of a name: nobody writes that,
 * and everything that follows is masked.
 */
function afterNumber(text: string, start: number, end: number): number {
  return text[end] === '$' && matchEnd(plainNumber, text, start) !== end ? text.length : end
}

/** A keyword or a name, or the letters before a string: E'', B'', X'', N'', U&'' and U&"". */
function word(text: string, start: number, end: number): Found {
  if (end > start + 1) return kept(end)
  const letter = text.charAt(start).toLowerCase()
  if (text[end] === "'" && 'bexn'.includes(letter)) return masked(stringEnd(text, end, letter === 'e'))
  if (letter === 'u' && text[end] === '&') {
    if (text[end + 1] === "'") return masked(stringEnd(text, end + 1, false))
    if (text[end + 1] === '"') return quotedIdentifier(text, end + 1)
  }
  return kept(end)
}

/**
 * Returns where the string that opens at `open` ends. In E'' a backslash takes the next quote with it. In other strings
 * it depends on standard_conforming_strings, and in the further parts of a string over several lines on how the first
 * began. Neither is known here, so a quote after a backslash masks everything that follows.
 */
function stringEnd(text: string, open: number, escapes: boolean): number {
  let from = open + 1
  for (;;) {
    const quote = text.indexOf("'", from)
    if (quote < 0) return text.length
    let backslashes = 0
    while (quote - backslashes > from && text[quote - backslashes - 1] === '\\') backslashes++
    const isEscaped = backslashes % 2 === 1
    if (isEscaped && !escapes) return text.length
    if (!isEscaped && text[quote + 1] !== "'") return quote + 1
    from = isEscaped ? quote + 1 : quote + 2
  }
}

/** Kept; masked to the end when it does not close, for then its quote may be a part of something else. */
function quotedIdentifier(text: string, open: number): Found {
  let from = open + 1
  for (;;) {
    const quote = text.indexOf('"', from)
    if (quote < 0) return masked(text.length)
    if (text[quote + 1] !== '"') return kept(quote + 1)
    from = quote + 2
  }
}

/** $1, $$…$$ or $tag$…$tag$. A `$` inside an identifier does not come here. */
function dollar(text: string, start: number): Found {
  const parameterEnd = matchEnd(parameter, text, start)
  if (parameterEnd > 0) return kept(parameterEnd)
  const bodyStart = matchEnd(dollarTag, text, start)
  if (bodyStart < 0) return kept(start + 1)
  const tag = text.slice(start, bodyStart)
  const close = text.indexOf(tag, bodyStart)
  return masked(close < 0 ? text.length : close + tag.length)
}

/** Block comments nest. */
function commentEnd(text: string, start: number): number {
  const edge = /\/\*|\*\//g
  edge.lastIndex = start
  for (let depth = 0; ; ) {
    const found = edge.exec(text)
    if (!found) return text.length
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return edge.lastIndex
  }
}
