import { expect, it } from 'vitest'
import { sqlLiteral } from '../../../src/domain/text/literal.ts'

it.each([
  ['payment-77', "'payment-77'"],
  ["it's", "'it''s'"],
  ['back\\slash', "E'back\\\\slash'"],
  ['a\u202eb\n', "E'a\\u202eb\\u000a'"],
  ['\u{e0041}', "E'\\U000e0041'"],
  ['größe', "'größe'"],
])('%j is written %s', (text, literal) => {
  expect(sqlLiteral(text)).toBe(literal)
})
