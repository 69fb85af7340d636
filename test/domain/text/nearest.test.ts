import { expect, it } from 'vitest'
import { nearest } from '../../../src/domain/text/nearest.ts'

const known = ['sessions', 'session', 'blocking', 'cancel', 'terminate', 'db']

it.each([
  ['sesions', 'sessions'],
  ['SESSION', 'session'],
  ['block', 'blocking'],
  ['cnacel', 'cancel'],
  ['terminte', 'terminate'],
  ['bd', 'db'],
  ['x', null],
  ['', null],
  ['reload', null],
  ['s'.repeat(10_000), null],
])('%j: %s', (typed, expected) => {
  expect(nearest(typed, known)).toBe(expected)
})
