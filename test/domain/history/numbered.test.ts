import { expect, it } from 'vitest'
import { createStatements, createWords } from '../../../src/domain/history/numbered.ts'

it('numbers each word once, and a list by what it says', () => {
  const words = createWords()
  const said = ['a', null, 1, ['a'], '["a"]', true, 'a', null, 1, ['a'], '["a"]', true]
  expect(said.map(words.of)).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5])
  expect(words.takeNew()).toEqual(said.slice(0, 6))
  expect(words.takeNew()).toEqual([])
  expect([words.at(0), words.at(2), words.at(9), words.at(-1)]).toEqual(['a', 1, null, null])
})

it('numbers each statement once, and gives each text once', () => {
  const statements = createStatements((text) => `id of ${text}`)
  const said = [
    ['a', '1'],
    ['a', '2'],
    ['a', '3'],
    [undefined, '1'],
    [undefined, null],
    ['b', '1'],
  ] as const
  const numbers = () => said.map(([text, queryId]) => statements.of(text, queryId))
  expect([numbers(), numbers()]).toEqual([
    [0, 1, 2, 3, 4, 5],
    [0, 1, 2, 3, 4, 5],
  ])
  expect(statements.takeNew()).toEqual([
    ['id of a', '1'],
    ['id of a', '2'],
    ['id of a', '3'],
    [null, '1'],
    [null, null],
    ['id of b', '1'],
  ])
  const texts = [
    ['id of a', 'a'],
    ['id of b', 'b'],
  ]
  expect([...statements.takeTexts()]).toEqual(texts)
  expect([statements.takeNew(), statements.takeTexts().size]).toEqual([[], 0])
  for (const [number, [text, queryId]] of said.entries())
    for (const other of said.keys()) expect(statements.isAt(other, text, queryId)).toBe(other === number)
  expect(statements.isAt(-1, undefined, null)).toBe(false)
})
