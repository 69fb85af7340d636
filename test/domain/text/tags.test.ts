import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { QueryText } from '../../../src/domain/text/mask.ts'
import type { LinkTemplates } from '../../../src/domain/text/tagLinks.ts'
import { commonTagKeys, createTagReader, tagsIn } from '../../../src/domain/text/tags.ts'
import { startCpu } from '../../support/cpu.ts'
import { corpus } from './tagCorpus.ts'

const read = (text: string, keys: readonly string[] = commonTagKeys) => tagsIn(text, keys)
const trace = '00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'

it.each(corpus)('reads what $library writes', ({ text, tags, keys }) => {
  expect(read(text, keys)).toEqual(tags)
})

describe('where a comment stands', () => {
  it.each([
    ["/*application='shop'*/ SELECT 1", { application: 'shop' }],
    ["SELECT 1 /*application='shop'*/", { application: 'shop' }],
    ["SELECT 1 /*application='shop'*/;", { application: 'shop' }],
    ["SELECT 1\n/*application='shop'*/\n-- done", { application: 'shop' }],
    ["SELECT 'a'/*application='shop'*/", { application: 'shop' }],
    ["SELECT 3*/*application='shop'*/4", { application: 'shop' }],
    ["SELECT E'it\\'s' /*application='shop'*/", { application: 'shop' }],
    ['/*application:shop*/ SELECT 1 /*controller:orders*/', { application: 'shop', controller: 'orders' }],
    ["/*application='shop'*/ SELECT 1 /* a note */", { application: 'shop' }],
    ["/*+ SeqScan(t) */ SELECT 1 /*application='shop'*/", { application: 'shop' }],
    // Each key once, in the order of the list.
    ["/*route='/b',action='x'*/ SELECT /*route='/a'*/ 1", { action: 'x', route: '/b' }],
  ])('%s', (text, tags) => {
    expect(read(text)).toEqual(tags)
    expect(Object.keys(read(text) ?? {})).toEqual(Object.keys(tags))
  })

  it.each([
    "SELECT '/*application=''shop''*/'",
    "SELECT '/*application:shop*/'",
    "SELECT E'\\'/*application:shop*/'",
    "SELECT 'a\\'/*application:shop*/'",
    'SELECT $$/*application:shop*/$$',
    'SELECT $q$ $$ /*application:shop*/ $$ $q$',
    'SELECT "/*application:shop*/"',
    "SELECT U&'/*application:shop*/'",
    'SELECT U&"/*application:shop*/"',
    "SELECT 'cut /*application:shop*/",
    'SELECT "cut /*application:shop*/',
    'SELECT $$cut /*application:shop*/',
    'SELECT 1 -- /*application:shop*/',
    "SELECT 1 --/*application='shop'*/",
    'SELECT 1_0$$ /*application:shop*/ $$',
    "SELECT 1 -- application='shop'",
    "SELECT application='shop'",
    // Commented out with all that it says.
    '/* SELECT 1 /*application:shop*/ */ SELECT 2',
    '/*/*application:shop*/*/ SELECT 2',
    '/*/application:shop*/ SELECT 2',
  ])('reads nothing in %s', (text) => {
    expect(read(text)).toBeNull()
  })

  it.each([
    ['/*application:shop /* x */*/', { application: 'shop' }],
    ['/*/* x */application:shop*/', { application: 'shop' }],
    ["/*application='shop',/*action='x',*/route='/a'*/", { application: 'shop', route: '/a' }],
    ["/*application='sh/*o*/p',action='x'*/", null],
    ['/*application:sh/*o*/p,action:x*/', null],
    // Its own words go on only when the one inside has ended.
    ['/*application:shop,/*action:x,*/job:y,route:/a', { application: 'shop', job: 'y' }],
    ['/*application:shop,/*action:x,job:y,', { application: 'shop' }],
  ])('a comment in a comment: %s', (text, tags) => {
    expect(read(text)).toEqual(tags)
  })
})

describe('what is cut off', () => {
  it.each([
    ["SELECT 1 /*application='shop',controller='ord", { application: 'shop' }],
    ["SELECT 1 /*application='shop',controller='orders'", { application: 'shop', controller: 'orders' }],
    ["SELECT 1 /*application='shop',controller='orders'*", { application: 'shop', controller: 'orders' }],
    ["SELECT 1 /*application='shop',controller='orders\\'", { application: 'shop' }],
    ["SELECT 1 /*application='shop',contr", { application: 'shop' }],
    ["SELECT 1 /*application='shop',", { application: 'shop' }],
    ["SELECT 1 /*application='sh", null],
    ['SELECT 1 /*application:shop,controller:ord', { application: 'shop' }],
    ['SELECT 1 /*application:shop,controller:orders,', { application: 'shop', controller: 'orders' }],
    ['SELECT 1 /*application:shop', null],
    ['SELECT 1 /*', null],
    ['SELECT 1 /', null],
    [`SELECT 1 /*traceparent='${trace.slice(0, 40)}`, null],
  ])('%s', (text, tags) => {
    expect(read(text)).toEqual(tags)
  })

  it('of every real comment: each tag is whole or is not there', () => {
    for (const { text, tags, keys } of corpus)
      for (let end = 0; end <= text.length; end++) {
        const found = read(text.slice(0, end), keys) ?? {}
        for (const [key, value] of Object.entries(found)) expect(tags).toHaveProperty([key], value)
      }
  })
})

describe('what is no list of pairs', () => {
  it.each([
    '/* the action: delete it */',
    "/* WHERE action='delete', route='x' */",
    "/* , action='delete' */",
    "/* action = 'delete' */",
    "/* action='a' AND route='b' */",
    '/* action: delete */',
    '/* {"action":"delete"} */',
    '/*action*/',
    "/*='x'*/",
    "/*action=''*/",
    "/*action='%00%0A'*/",
    '/**/',
    '/***/',
    "/*action='a''b'*/",
    `/*traceparent='${trace.replace('00-', 'ff-')}'*/`,
    `/*traceparent='${trace}0'*/`,
    `/*traceparent='${trace.toUpperCase()}'*/`,
    `/*traceparent='00-${'0'.repeat(32)}-c532cb4098ac3dd2-01'*/`,
    `/*traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-${'0'.repeat(16)}-01'*/`,
    "/*traceparent='00-11000000000000ff-020000ee-01'*/",
  ])('%s', (text) => {
    expect(read(`SELECT 1 ${text}`)).toBeNull()
  })
})

describe('values', () => {
  it.each([
    ["action='a%20b+c%2Bd'", 'a b c+d'],
    ["action='it\\'s'", "it's"],
    ["action='it%27s'", "it's"],
    ["action='a\\\\b'", 'a\\b'],
    ["action='100%'", '100%'],
    ["action='%zz%2'", '%zz%2'],
    ["action='%FF%2F'", '%FF%2F'],
    ["action='%2525'", '%25'],
    ["action='%%2Forders'", '/orders'],
    ["action='gr%C3%B6%C3%9Fe'", 'größe'],
    ["action='a%0D%0Ab%09c'", 'a b c'],
    ["action='a%E2%80%AEb%E2%80%8Bc%00'", 'abc'],
    ["action='%3C!channel%3E%20%3C@U1%3E'", '<!channel> <@U1>'],
    ["action='*%2F%20DROP'", '*/ DROP'],
    ['action:a%20b', 'a%20b'],
    ['action:  x', null],
    ['action:a\u202eb\u0007 ', 'ab'],
    ['action:Orders::Create#it=1', 'Orders::Create#it=1'],
    [`action:${'x'.repeat(80)}`, 'x'.repeat(80)],
    [`action:${'x'.repeat(81)}`, `${'x'.repeat(79)}…`],
    [`action:${'😀'.repeat(41)}`, `${'😀'.repeat(39)}…`],
  ])('%s', (pair, value) => {
    expect(read(`/*${pair}*/`)?.action ?? null).toBe(value)
  })

  it('of other keys are never read, and a key is a key alone', () => {
    expect(read("/*user_id='42',route='/a'*/")).toEqual({ route: '/a' })
    expect(read("/*__proto__='x',constructor='y',route='/a'*/", ['route'])).toEqual({ route: '/a' })
    expect(read("/*route='/a'*/", ['user_id'])).toBeNull()
    expect(read("/*ddps='shop',Route='/a'*/", ['ddps', 'route'])).toEqual({ ddps: 'shop' })
  })
})

describe('createTagReader', () => {
  const text = `SELECT 1 /*route='/a',traceparent='${trace}'*/`
  const links = { traceparent: 'https://trace.example.com/{trace_id}' }
  const reader = (queryText: QueryText, keys: readonly string[], links: LinkTemplates = {}) =>
    createTagReader({ queryText, tags: { keys, links } })

  it('reads in full and masked texts, and nothing where they are hidden or no key is shown', () => {
    for (const mode of ['full', 'masked'] as const)
      expect(reader(mode, ['route'])?.(text)).toEqual({ tags: { route: '/a' } })
    expect(reader('hidden', ['route'])).toBeNull()
    expect(reader('full', [])).toBeNull()
    expect(reader('full', ['job'])?.(text)).toBeNull()
  })

  it('gives the same object for the same text, and forgets texts when there are many', () => {
    const read = reader('masked', ['route'])
    const first = read?.(text)
    expect(read?.(text)).toBe(first)
    for (let number = 0; number < 501; number++)
      expect(read?.(`/*route='/${number}'*/`)).toEqual({ tags: { route: `/${number}` } })
    expect(read?.(text)).toEqual(first)
    expect(read?.(text)).not.toBe(first)
    expect(read?.('SELECT 1')).toBeNull()
  })

  it('adds the addresses that the configuration gives', () => {
    expect(reader('masked', commonTagKeys, links)?.(text)).toEqual({
      tags: { route: '/a', traceparent: trace },
      tagLinks: { traceparent: 'https://trace.example.com/5bd66ef5095369c7b0d1f8f4bd33716a' },
    })
  })
})

/** Constants and names that hold what looks like a comment with a tag, and true comments between them. */
const secret = 'S3CRET'
const lure = fc.constantFrom(
  `/*application=${secret}*/`,
  `/*application:${secret},`,
  `*/ /*action:${secret}*/`,
  `/* /*route:${secret}*/`,
  `--\n/*job:${secret}*/`,
  secret,
  '/*',
  '*/',
  '\n',
)
const inside = fc.array(lure, { maxLength: 4 }).map((parts) => parts.join(''))
const constant = fc.oneof(
  inside.map((text) => `'${text}'`),
  inside.map((text) => `'${text}''${text}'`),
  inside.map((text) => `E'\\'${text}'`),
  inside.map((text) => `E'${text}\\\\'`),
  inside.map((text) => `$$${text}$$`),
  inside.map((text) => `$a$ $b$${text}$$ $a$`),
  inside.map((text) => `"${text}"`),
  inside.map((text) => `"${text}""${text}"`),
  inside.map((text) => `U&'${text}'`),
  inside.map((text) => ` -- ${text.replaceAll('\n', ' ')}\n`),
)
const between = fc.constantFrom(
  ' ',
  ' + ',
  ' a ',
  ' /* note */ ',
  " /*action='index'*/ ",
  ' /*route:/a,job:J*/ ',
  ' 1.5 ',
  ' $1 ',
)
const statement = fc
  .array(fc.tuple(between, constant), { maxLength: 8 })
  .map((parts) => parts.map(([sign, text]) => `${sign}${text}`).join(' '))

it('never reads a part of a constant, wherever the text is cut', () => {
  fc.assert(
    fc.property(statement, fc.nat(400), (text, end) => {
      for (const one of [text, text.slice(0, end)])
        expect(JSON.stringify(read(one) ?? {})).not.toContain(secret)
    }),
    { numRuns: 3_000 },
  )
})

it('reads any text without a fault: short values on one line, of the keys that are shown', () => {
  const piece = fc.constantFrom(
    ...[
      "/*application='",
      "'*/",
      '/*',
      '*/',
      ',',
      ':',
      '=',
      "action='",
      'route:',
      '\\',
      "'",
      '%',
      '%E2%80%AE',
    ],
    ...['%00', '+', '\n', '\u202e', '\u2028', '\ud83d', '$$', '--', '"', '<!channel>', ' ', trace],
  )
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 3 }))).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(hostile, (text) => {
      for (const one of [text, `/*application:${text}*/`, `/*action='${text}'*/`])
        for (const [key, value] of Object.entries(read(one) ?? {})) {
          expect(commonTagKeys).toContain(key)
          expect(value).toMatch(/^[^\s\p{Cc}\p{Cf}\p{Cs}]([^\n\p{Cc}\p{Cf}\p{Cs}\u2028]{0,78}[^\s])?$/u)
          expect(value.isWellFormed()).toBe(true)
        }
    }),
    { numRuns: 3_000 },
  )
})

it('takes time in proportion to the text', () => {
  const hostile = [
    (n: number) => '/*'.repeat(n),
    (n: number) => '/**/'.repeat(n),
    (n: number) => `/*${'a:b,'.repeat(n)}*/`,
    (n: number) => `/*${"a='b',".repeat(n)}*/`,
    (n: number) => `/*action='${'%'.repeat(n)}'*/`,
    (n: number) => `/*action='${'%E2'.repeat(n)}'*/`,
    (n: number) => `/*action='${"\\'".repeat(n)}`,
    (n: number) => `/*action:x${' '.repeat(n)}\n${' '.repeat(n)}y*/`,
    (n: number) => `/*${' '.repeat(n)}*/`,
    (n: number) => `/*${'a'.repeat(n)}*/`,
    (n: number) => `/*action='x'${' '.repeat(n)}y*/`,
    (n: number) => `/*${'/*a*/,'.repeat(n)}`,
    (n: number) => `/*action:${'\n,'.repeat(n)}*/`,
    (n: number) => `/*a:b*/${"/*action='x".repeat(n)}`,
  ]
  for (const text of hostile) {
    read(text(100))
    const cpu = startCpu()
    read(text(200_000))
    expect(cpu(), text(3)).toBeLessThan(1_000)
  }
})
