import fc from 'fast-check'
import { loadModule, scanSync } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import { maskQuery, tokens } from '../../../src/domain/text/mask.ts'

/**
 * Secrets are written with these letters and digits, everything else without them, so that one that survives is seen
 * whatever is around it.
 */
const secretLetters = ['ξ', 'ψ', 'Q', 'z', '7', '8', '9', '😀']
const survivor = /[ξψQz789😀]/u

const letters = fc.constantFrom(...secretLetters)
const joined = (...parts: fc.Arbitrary<string>[]) =>
  fc
    .array(fc.oneof({ weight: 3, arbitrary: letters }, ...parts), { maxLength: 8 })
    .map((texts) => texts.join(''))
const troubling = fc.constantFrom(
  ' ',
  '\n',
  '--',
  '/*',
  '*/',
  '$',
  '$$',
  '"',
  ';',
  '?',
  '\u00a0',
  '\\n',
  '.',
  ',',
)

const plainBody = joined(troubling, fc.constant("''"))
/** As with standard_conforming_strings off: a backslash takes the next character with it. */
const escapedBody = joined(troubling, fc.constantFrom("''", "\\'", '\\\\', '\\ψ'))
/** As with it on: a backslash is itself, wherever it stands. */
const backslashBody = joined(troubling, fc.constantFrom("''", '\\'))
const dollarBody = joined(fc.constantFrom(' ', "'", '"', '--', '/*', '\\', '$b$', '$1', '$B', "E'"))
const commentBody = joined(fc.constantFrom(' ', '\n', "'", '"', '--', '$$', '$a$', '\\', '/* * */', '/**/'))
const lineBody = joined(fc.constantFrom(' ', "'", '"', '--', '/*', '*/', '$$', '$a$', '\\'))
const digits = fc.stringMatching(/^[789]{1,3}$/)

const prefixed = (prefixes: string[], body: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom(...prefixes), body).map(([prefix, text]) => `${prefix}'${text}'`)

/** Constants and comments that every version and setting reads alike, but for backslashes. */
const secret = fc.oneof(
  prefixed(
    ['', '', 'N', 'U&', 'u&', 'b', 'X'],
    plainBody.map((body) => body.replaceAll('\\', '')),
  ),
  prefixed(['E', 'e'], escapedBody),
  dollarBody.map((body) => `$$${body.replaceAll('$', '')}$$`),
  dollarBody.map((body) => `$a$${body}$a$`),
  commentBody.map((body) => `/*${body.replaceAll('*/*', '')}*/`),
  lineBody.map((body) => `--${body}\n`),
  fc
    .tuple(digits, fc.constantFrom('', '.', '.7', '.8e9', 'e7', 'e-8', 'E+9', '_7'), fc.constantFrom('', '.'))
    .map(([number, rest, point]) => (rest.includes('.') ? number + rest : point + number + rest)),
  fc.constantFrom('0x7F8', '0o7', '7_8_9', '.7', '7.e8'),
)

const harmless = fc.constantFrom(
  ...[
    'SELECT',
    'from',
    'where',
    'AND',
    'null',
    'e',
    'E',
    'U',
    'b',
    'x',
    'n',
    'a$b$c',
    'col1',
    '_t',
    'größe',
    '\u00a0',
  ],
  ...['"a b"', '"it\'s"', '"--"', '"/*"', '"$$"', '"a""b"', 'U&"d!0061" UESCAPE', '$1', '$12'],
  ...[
    '=',
    '<>',
    '->>',
    '?',
    '?|',
    '@>',
    '-',
    '+',
    '*',
    '/',
    '%',
    '::',
    ':=',
    '..',
    '.',
    ',',
    '(',
    ')',
    '[',
    ']',
    ';',
  ],
)

const spaces = fc.constantFrom(' ', '\n', '\t', '\r\n', '\f', ' \n ')

type Piece = { readonly text: string; readonly secret: boolean }

/** A statement of pieces with white space between them, so that each stays what it is. */
const statement = (constants: fc.Arbitrary<string>) =>
  fc.array(
    fc.tuple(
      fc.oneof(
        harmless.map((text): Piece => ({ text, secret: false })),
        constants.map((text): Piece => ({ text, secret: true })),
      ),
      spaces,
    ),
    { maxLength: 12 },
  )

const textOf = (pieces: readonly (readonly [Piece, string])[]) =>
  pieces.map(([{ text }, gap]) => text + gap).join('')

describe('nothing of a constant or a comment survives', () => {
  const cut = fc.double({ min: 0, max: 1, noNaN: true })

  it('in a statement, or in one that is cut anywhere', () => {
    fc.assert(
      fc.property(statement(secret), cut, (pieces, part) => {
        const text = textOf(pieces)
        expect(maskQuery(text)).not.toMatch(survivor)
        expect(maskQuery(text.slice(0, text.length * part))).not.toMatch(survivor)
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    ['on', backslashBody.map((body) => `'${body}'`)],
    ['off', prefixed(['', 'N'], escapedBody)],
  ])('with standard_conforming_strings %s', (_, constants) => {
    fc.assert(
      fc.property(statement(fc.oneof(constants, secret)), cut, (pieces, part) => {
        const text = textOf(pieces)
        expect(maskQuery(text.slice(0, text.length * part))).not.toMatch(survivor)
        expect(maskQuery(text)).not.toMatch(survivor)
      }),
      { numRuns: 3_000 },
    )
  })

  it('and everything else stays', () => {
    fc.assert(
      fc.property(statement(secret), (pieces) => {
        // But comments at the end of a statement: they go.
        const isComment = (text: string) => /^(?:--|\/\*)/.test(text)
        const ends = (at: number): boolean => {
          const text = pieces[at]?.[0].text
          return text === undefined || text === ';' || (isComment(text) && ends(at + 1))
        }
        const wentBefore = (index: number) => isComment(pieces[index - 1]?.[0].text ?? '')
        const expected = pieces
          .flatMap(([piece], at) => {
            if (isComment(piece.text) && ends(at)) return []
            const isClose = piece.text === ';' && wentBefore(at)
            return `${isClose ? '' : ' '}${piece.secret ? '?' : piece.text}`
          })
          .join('')
          .replace(/^ /, '')
        expect(maskQuery(textOf(pieces))).toBe(expected)
      }),
      { numRuns: 3_000 },
    )
  })
})

describe('no statement ends in a `?` that is not its own', () => {
  const comment = fc.oneof(
    commentBody.map((body) => `/*${body.replaceAll('*/*', '')}*/`),
    lineBody.map((body) => `--${body}\n`),
    fc.constantFrom('/**/', '--\n', '/* /* */ */'),
  )
  const comments = fc
    .array(fc.tuple(spaces, comment, spaces), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.flat().join(''))
  /** As the server cuts them. */
  const unfinished = fc.oneof(
    fc.constant(''),
    lineBody.map((body) => `--${body}`),
    commentBody.map((body) => `/*${body.replaceAll(/\*\/?/g, '')}`),
    fc.constantFrom('--', '/*', '/* /* */'),
  )
  const whole = fc.array(
    fc.tuple(statement(secret.filter((text) => !/^(?:--|\/\*)/.test(text))).map(textOf), comments),
    {
      maxLength: 3,
    },
  )

  it('whatever comments stand at its end, before a `;`, and where the text is cut', () => {
    fc.assert(
      fc.property(whole, statement(secret).map(textOf), unfinished, (parts, last, tail) => {
        const plain = parts.map(([text]) => `${text};`).join('')
        const commented = parts.map(([text, after]) => `${text}${after};`).join('')
        expect(maskQuery(commented).replaceAll(/ ?;/g, ';')).toBe(maskQuery(plain).replaceAll(/ ?;/g, ';'))
        expect(maskQuery(`${last}${tail}`)).toBe(maskQuery(last))
      }),
      { numRuns: 3_000 },
    )
  })

  it('and a name that is cut is no constant', () => {
    fc.assert(
      fc.property(statement(secret).map(textOf), letters, (before, name) => {
        expect(maskQuery(`${before}"${name}`)).toMatch(/…$/)
      }),
    )
  })
})

describe("PostgreSQL's own scanner agrees", () => {
  beforeAll(loadModule)

  const constants = new Set([260, 261, 262, 263, 264, 266, 275, 276])

  /** One flag a character: part of a constant or a comment. Null when the scanner refuses the statement. */
  function oracle(text: string): boolean[] | null {
    const bytes = Buffer.from(text)
    const characters = (offset: number) => bytes.subarray(0, offset).toString().length
    let found: ReturnType<typeof scanSync>['tokens']
    try {
      found = scanSync(text).tokens
    } catch {
      return null
    }
    const flags = new Array<boolean>(text.length).fill(false)
    for (const { start, end, tokenType } of found)
      if (constants.has(tokenType)) flags.fill(true, characters(start), characters(end))
    return flags
  }

  function ours(text: string): ('masked' | 'kept' | 'space')[] {
    const kinds = new Array<'masked' | 'kept' | 'space'>(text.length)
    for (const { kind, start, end } of tokens(text)) kinds.fill(kind, start, end)
    return kinds
  }

  const soup = fc
    .array(
      fc.constantFrom(
        ...[
          "'",
          "'",
          '"',
          '$',
          '$$',
          '$a$',
          '$1',
          '\\',
          '\n',
          ' ',
          '-',
          '--',
          '/',
          '*',
          '/*',
          '*/',
          '.',
          '..',
        ],
        ...[
          '1',
          '12',
          '0x1F',
          '1e',
          '5_0',
          '_',
          'a',
          'b',
          'e',
          'E',
          'x',
          'n',
          'u&',
          'U&',
          'é',
          '😀',
          '+',
          '=',
          '?',
          ';',
        ],
      ),
      { maxLength: 25 },
    )
    .map((parts) => parts.join(''))

  it('tells it apart in the first place', () => {
    expect(oracle("a 'é' 1")).toEqual([false, false, true, true, true, false, true])
    expect(oracle("a 'é")).toBeNull()
  })

  it.each([
    ['statements', statement(secret).map(textOf)],
    ['soup of what troubles scanners', soup],
  ])('on %s: all that it calls a constant or a comment is masked', (_, texts) => {
    let told = 0
    fc.assert(
      fc.property(texts, (text) => {
        const theirs = oracle(text)
        if (!theirs) return
        told++
        const mine = ours(text)
        const survivors = theirs.flatMap((isConstant, at) => (isConstant && mine[at] === 'kept' ? [at] : []))
        expect(survivors).toEqual([])
      }),
      { numRuns: 10_000 },
    )
    expect(told).toBeGreaterThan(1_000)
  })

  it('and nothing else, but for what is doubtful', () => {
    const doubtful = /\\'|[\w.][$]|\d[A-Za-z_é😀]|[nN]'/u
    let told = 0
    fc.assert(
      fc.property(fc.oneof(statement(secret).map(textOf), soup), (text) => {
        const theirs = oracle(text)
        if (!theirs || doubtful.test(text)) return
        told++
        const mine = ours(text)
        const lost = mine.flatMap((kind, at) => (kind === 'masked' && !theirs[at] ? [text.charAt(at)] : []))
        expect(lost).toEqual([])
      }),
      { numRuns: 10_000 },
    )
    expect(told).toBeGreaterThan(1_000)
  })
})
