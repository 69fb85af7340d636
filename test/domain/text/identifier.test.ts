import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readRelationName, relationWords } from '../../../src/domain/text/identifier.ts'
import { startCpu } from '../../support/cpu.ts'

it.each([
  ['orders', { schema: null, name: 'orders' }],
  ['Orders', { schema: null, name: 'orders' }],
  ['Sales.ORDERS_2', { schema: 'sales', name: 'orders_2' }],
  ['"Order Items"', { schema: null, name: 'Order Items' }],
  ['sales."Odd.Name"', { schema: 'sales', name: 'Odd.Name' }],
  ['"My Schema"."My ""Table"""', { schema: 'My Schema', name: 'My "Table"' }],
  ['“Order Items”', { schema: null, name: 'Order Items' }],
  ['größe', { schema: null, name: 'größe' }],
  // In UTF8 the server lowers ASCII alone.
  ['GRÖSSE', { schema: null, name: 'grÖsse' }],
])('%s', (typed, name) => {
  expect(readRelationName(typed)).toEqual(name)
})

it.each(['', '4312', 'a.b.c', 'a b', '"open', '.a', 'a.', '""', 'orders;', '1st'])(
  '%j is no name',
  (typed) => {
    expect(readRelationName(typed)).toBeNull()
  },
)

it('is read back as it is written', () => {
  const part = fc.string({ minLength: 1, maxLength: 12 }).filter((name) => !/[“”„‟]/.test(name))
  fc.assert(
    fc.property(fc.option(part, { nil: null }), part, (schema, name) => {
      expect(readRelationName(relationWords({ schema, name }))).toEqual({ schema, name })
    }),
  )
})

it('takes long input in little time', () => {
  const cpu = startCpu()
  for (const piece of ['"', '""', 'a"', 'a.', '“'])
    for (const end of ['', '.', '"']) readRelationName(piece.repeat(50_000) + end)
  expect(cpu()).toBeLessThan(1000)
})
