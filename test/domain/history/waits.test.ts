import { expect, it } from 'vitest'
import { spansOf, stretchesOf, type TimedLook } from '../../../src/domain/history/waiting.ts'
import { beginWaits } from '../../../src/domain/history/waits.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { session, snapshot, takenAt, waiting } from '../../support/builders.ts'

const at = (seconds: number) => takenAt + seconds * 1000
const lookAt = (seconds: number, sessions: readonly Session[], seesOthers = true): TimedLook => {
  const calm = snapshot(sessions)
  return {
    everyMs: 5000,
    look: {
      takenAt: at(seconds),
      snapshot: { ...calm, takenAt: at(seconds), server: { ...calm.server, seesOthers } },
    },
  }
}

it('puts parts of a time together as if they were one', () => {
  const looks = [
    lookAt(0, [waiting(1, 3), waiting(2, 3), session(3)]),
    lookAt(5, [waiting(1, 8)]),
    lookAt(40, [session(3, { state: null })], false),
    lookAt(50, [session(3)]),
  ]
  const waits = beginWaits(spansOf(at(0), at(60), 2), ({ pid }) => pid < 3)
  // A gap that goes on is one gap.
  for (const [from, to] of [
    [0, 20],
    [20, 30],
    [30, 60],
  ] as const)
    waits.add(stretchesOf(looks, at(from), at(to)))
  const found = waits.end()
  expect(found).toMatchObject({
    types: [['Lock', 22.5]],
    waitedSeconds: 22.5,
    seenMs: 27_500,
    partlyMs: 0,
    hasSessions: true,
    applications: [['web', 22.5]],
    statements: [],
    gaps: [
      { from: at(17.5), to: at(40), why: null },
      { from: at(40), to: at(50), why: 'pg-marshal may not see what other sessions do' },
    ],
  })
  expect(found.peaks).toEqual(new Map([['Lock', { count: 2, at: at(0) }]]))
  expect(found.buckets.map(({ seenMs }) => seenMs)).toEqual([17_500, 10_000])
})

it('ranks ten at most, and knows work from waits', () => {
  const many = Array.from({ length: 12 }, (_, n) => waiting(n + 1, 1, { applicationName: `app-${n}` }))
  const waits = beginWaits([at(0), at(5)], () => true)
  waits.add(stretchesOf([lookAt(0, [...many, session(20)])], at(0), at(5)))
  const { applications, types, waitedSeconds, hasSessions } = waits.end()
  expect(applications).toHaveLength(10)
  expect(types).toEqual([
    ['Lock', 60],
    ['working', 5],
  ])
  expect(waitedSeconds).toBe(60)
  expect(hasSessions).toBe(true)
  const nobody = beginWaits([at(0), at(5)], () => false)
  nobody.add(stretchesOf([lookAt(0, many)], at(0), at(5)))
  expect(nobody.end()).toMatchObject({ hasSessions: false, types: [], seenMs: 5000 })
})
