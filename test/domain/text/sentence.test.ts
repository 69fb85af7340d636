import { expect, it } from 'vitest'
import { capital, list, listSome } from '../../../src/domain/text/sentence.ts'

it.each([
  [[], ''],
  [[1], '1'],
  [[1, 2], '1 and 2'],
  [[1, 2, 3], '1, 2 and 3'],
])('lists %j', (items, text) => {
  expect(list(items)).toBe(text)
})

it('lists alternatives', () => {
  expect(list(['a', 'b', 'c'], 'or')).toBe('a, b or c')
})

it.each([
  [[1, 2], '1 and 2'],
  [[1, 2, 3], '1, 2 and 1 more'],
  [[1, 2, 3, 4], '1, 2 and 2 more'],
])('lists two of %j', (items, text) => {
  expect(listSome(items, 2)).toBe(text)
})

it('begins a sentence', () => {
  expect([capital('idle for 2 s'), capital('')]).toEqual(['Idle for 2 s', ''])
})
