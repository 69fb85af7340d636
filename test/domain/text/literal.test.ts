import { expect, it } from 'vitest'
import { nameWords, sqlIdentifier, sqlLiteral } from '../../../src/domain/text/literal.ts'

it.each([
  ['payment-77', "'payment-77'"],
  ["it's", "'it''s'"],
  ['back\\slash', "E'back\\\\slash'"],
  ['a\u202eb\n', "E'a\\u202eb\\u000a'"],
  ['\u{e0041}', "E'\\U000e0041'"],
  ['größe', "'größe'"],
  ['\uffff', "E'\\uffff'"],
  ['two  spaces', "E'two \\u0020spaces'"],
  ['a\u00a0b', "E'a\\u00a0b'"],
  ['a\\u0041', "E'a\\\\u0041'"],
])('%j is written %s', (text, literal) => {
  expect(sqlLiteral(text)).toBe(literal)
})

it.each([
  ['shop', '"shop"', 'shop'],
  ['web-shop.eu', '"web-shop.eu"', 'web-shop.eu'],
  ['we"ird', '"we""ird"', '"we""ird"'],
  ['back\\slash', '"back\\slash"', '"back\\slash"'],
  ['line\nbreak\\', 'U&"line\\000abreak\\\\"', 'U&"line\\000abreak\\\\"'],
  ['\u{e0041}', 'U&"\\+0e0041"', 'U&"\\+0e0041"'],
  ['\uffff', 'U&"\\ffff"', 'U&"\\ffff"'],
  ['two words', '"two words"', '"two words"'],
])('the name %j is written %s, in a sentence %s', (name, identifier, words) => {
  expect(sqlIdentifier(name)).toBe(identifier)
  expect(nameWords(name)).toBe(words)
})
