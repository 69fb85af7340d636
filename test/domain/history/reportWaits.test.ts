import { expect, it } from 'vitest'
import { collectWaits } from '../../../src/domain/history/reportWaits.ts'
import { picture, session, takenAt, waiting } from '../../support/builders.ts'

/** Lists the waits of one statement that was seen waiting (or not) at these seconds. */
function waitsOf(looks: readonly (readonly [second: number, waits: boolean])[]): [number, number][] {
  const statement = { queryStart: 'then', stateSeconds: null }
  const waits = collectWaits()
  for (const [second, isWaiting] of looks) {
    const one = isWaiting ? waiting(4, second, statement) : session(4, statement)
    const seen = picture([one], { kind: 'none' }, { takenAt: takenAt + second * 1000 })
    waits.add(seen, isWaiting ? [one] : [])
  }
  return waits
    .all(takenAt + 1_000_000)
    .map(
      ({ from, lastSeenAt }) => [(from - takenAt) / 1000, (lastSeenAt - takenAt) / 1000] as [number, number],
    )
    .sort(([a], [b]) => a - b)
}

it('one statement that waits twice, and works in between, has two waits', () => {
  expect(
    waitsOf([
      [0, true],
      [5, true],
      [10, false],
      [15, false],
      [600, true],
      [605, true],
    ]),
  ).toEqual([
    [0, 5],
    [600, 605],
  ])
})

it('seen awake at one look alone, it was handed on in its queue', () => {
  expect(
    waitsOf([
      [0, true],
      [5, false],
      [10, true],
    ]),
  ).toEqual([[0, 10]])
})
