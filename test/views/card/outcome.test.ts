import { expect, test } from 'vitest'
import { outcomeSentence } from '../../../src/views/card/outcome.ts'
import * as of from '../../support/builders.ts'
import { proposal } from '../../support/proposals.ts'

const sentence = (over: { movedOn: number; expected?: number; heldBy?: number[] }) => {
  const session = of.idleInTransaction(4312, 600)
  const outcome = { kind: 'effective', afterMs: 1000, victims: 6, ...over } as const
  return outcomeSentence({ ...proposal({ outcome }, session), session })
}

test.each([
  ['as expected', { movedOn: 5, expected: 5 }, '5 of 6 waiters moved on, as expected.'],
  ['more than sure', { movedOn: 6, expected: 5 }, '6 of 6 waiters moved on, as expected.'],
  ['where nobody knew', { movedOn: 5 }, '5 of 6 waiters moved on.'],
  [
    'fewer, with who is in the way',
    { movedOn: 3, expected: 5, heldBy: [8424] },
    '3 of 6 waiters moved on, fewer than the 5 expected: 8424 holds what the others want as well; /pg blocking names the next way out.',
  ],
  [
    'fewer, behind several',
    { movedOn: 3, expected: 5, heldBy: [8424, 0] },
    '3 of 6 waiters moved on, fewer than the 5 expected: 8424 and a prepared transaction hold what the others want as well; /pg blocking names the next way out.',
  ],
  [
    'fewer, and nobody is seen',
    { movedOn: 3, expected: 5, heldBy: [] },
    '3 of 6 waiters moved on, fewer than the 5 expected.',
  ],
])('an outcome %s', (_, over, words) => {
  expect(sentence(over)).toContain(words)
})
