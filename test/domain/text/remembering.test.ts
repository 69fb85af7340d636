import { expect, it } from 'vitest'
import { remembering } from '../../../src/domain/text/remembering.ts'

it('makes each text once, and forgets all where there are more than it may remember', () => {
  const made: string[] = []
  const upper = remembering((text) => {
    made.push(text)
    return text === 'none' ? null : text.toUpperCase()
  }, 2)
  const ask = (...texts: string[]) => {
    made.length = 0
    return [texts.map(upper), [...made]]
  }
  expect(ask('a', 'none', 'a', 'none')).toEqual([
    ['A', null, 'A', null],
    ['a', 'none'],
  ])
  expect(ask('c', 'c', 'a')).toEqual([
    ['C', 'C', 'A'],
    ['c', 'a'],
  ])
})
