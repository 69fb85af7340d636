import { describe, expect, it } from 'vitest'
import { beginTrail } from '../../../src/domain/history/trail.ts'
import { stretchesOf, type TimedLook } from '../../../src/domain/history/waiting.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import { held, relation, session, waiting, wanted } from '../../support/builders.ts'
import { at, every5, jamIncident, look, rowLook } from '../../support/pastJams.ts'

/** The trail of an incident, with the pids of its roots by second. */
function trailOf(looks: readonly TimedLook[], about: Incident, from = 0, to = 200) {
  const trailing = beginTrail()
  // In parts, one of which divides what a look speaks for.
  trailing.add(stretchesOf(looks, at(from), at(from + 57)))
  trailing.add(stretchesOf(looks, at(from + 57), at(to)))
  const { roots, ...trail } = trailing.of(about)
  const pids = [...roots].map(([ms, keys]) => [
    (ms - at(0)) / 1000,
    [...keys].map((key) => Number(key.split(' ')[0])).sort(),
  ])
  return { ...trail, roots: Object.fromEntries(pids) }
}

const jam = (seconds: number) =>
  rowLook(seconds, [{ pid: 1, from: 2, to: 101 }], [{ pid: 11, from: 12, to: 101 }])

it('says whether the first look of all shows it already', () => {
  const looks = every5(0, 120, jam)
  const about = jamIncident(looks, 1, { openedAt: at(40), resolvedAt: at(105) })
  expect(trailOf(looks, about)).toMatchObject({
    ...{ from: at(15), to: at(100), fromTheStart: false, firstLookAt: at(0) },
  })
  const late = looks.slice(3)
  expect(trailOf(late, about)).toMatchObject({ from: at(15), fromTheStart: true, firstLookAt: at(15) })
  expect(trailOf([], about)).toMatchObject({ from: null, to: null, fromTheStart: false, firstLookAt: null })
})

it('ends with the incident, whatever its root does later', () => {
  const looks = every5(0, 195, (seconds) =>
    seconds < 105
      ? jam(seconds)
      : rowLook(seconds, [{ pid: 1, from: 2, to: 999 }], [{ pid: 12, from: 104, to: 999 }]),
  )
  const about = jamIncident(looks, 1, { openedAt: at(40), resolvedAt: at(102) })
  expect(trailOf(looks, about)).toMatchObject({ from: at(15), to: at(100) })
})

it('follows nothing for what is about no jam', () => {
  const looks = every5(0, 20, jam)
  const { key, ...rest } = jamIncident(looks, 1)
  const about = { ...rest, key, finding: { kind: 'lockStorm', waiting: 1, why: '', suspects: [] } } as const
  expect(trailOf(looks, about)).toMatchObject({ roots: {}, firstLookAt: at(0) })
})

describe('two readers before one ALTER TABLE', () => {
  const table = relation('public.orders')
  // Both read; each of them ends at its time.
  const looksOf = (first: number, second: number) =>
    every5(0, 150, (seconds) => {
      const readers = [...(seconds < first ? [1] : []), ...(seconds < second ? [2] : [])]
      const alters = seconds >= 10 && readers.length > 0
      return look(
        seconds,
        [
          ...readers.map((pid) => session(pid, { stateSeconds: seconds + 5, querySeconds: seconds + 5 })),
          ...(alters ? [waiting(30, seconds - 10)] : []),
        ],
        alters
          ? [held(table, 'AccessShareLock', ...readers), wanted(table, 'AccessExclusiveLock', [30, -10])]
          : [],
      )
    })

  it('stand at the head of one jam, whichever of them the incident names', () => {
    const looks = looksOf(60, 120)
    for (const pid of [1, 2]) {
      const about = jamIncident(looks, pid, { openedAt: at(40), resolvedAt: at(125) })
      const { roots } = trailOf(looks, about)
      expect(roots).toMatchObject({ 10: [1, 2], 55: [1, 2], 60: [2], 115: [2] })
    }
  })
})

describe('a queue whose head goes from one to the next', () => {
  // 11 gets the row after 1, then 12 after 11: each time the others go on with the statement in which they waited.
  const holders = [
    { pid: 1, from: 2, to: 50 },
    { pid: 11, from: 50, to: 90 },
    { pid: 12, from: 90, to: 140 },
  ]
  const waiters = [
    { pid: 11, from: 12, to: 50 },
    { pid: 12, from: 14, to: 90 },
    { pid: 13, from: 16, to: 140 },
  ]
  const looks = every5(0, 150, (seconds) => rowLook(seconds, holders, waiters))

  it('is one jam from its first root to its last, also before the incident', () => {
    const about = jamIncident(looks, 12, { openedAt: at(95), resolvedAt: at(145) })
    expect(trailOf(looks, about)).toMatchObject({
      ...{ from: at(15), to: at(135) },
      roots: { 15: [1], 45: [1], 50: [11], 85: [11], 90: [12], 135: [12] },
    })
  })

  it('is not the jam of a session that shares nobody with it', () => {
    const other = every5(0, 150, (seconds) =>
      seconds < 70
        ? rowLook(seconds, holders.slice(0, 1), waiters.slice(0, 1))
        : rowLook(seconds, [{ pid: 2, from: 66, to: 999 }], [{ pid: 21, from: 68, to: 999 }]),
    )
    const about = jamIncident(other, 2, { openedAt: at(95) })
    expect(trailOf(other, about)).toMatchObject({ from: at(70), roots: { 70: [2] } })
  })
})

describe('an incident that came back', () => {
  const again = (pid: number) =>
    every5(0, 150, (seconds) =>
      seconds < 50
        ? rowLook(seconds, [{ pid: 1, from: 2, to: 50 }], [{ pid: 11, from: 12, to: 50 }])
        : seconds < 80
          ? look(seconds, [], [])
          : rowLook(seconds, [{ pid, from: 77, to: 999 }], [{ pid: 13, from: 79, to: 999 }]),
    )

  it('has what it was before, behind the same session, or one that had waited', () => {
    for (const pid of [1, 11]) {
      const about = jamIncident(again(pid), pid, { openedAt: at(30) })
      expect(trailOf(again(pid), about)).toMatchObject({ from: at(15), roots: { 45: [1], 80: [pid] } })
    }
  })

  it('has nothing of a jam behind another', () => {
    const about = jamIncident(again(2), 2, { openedAt: at(30) })
    expect(trailOf(again(2), about)).toMatchObject({ from: at(80) })
  })

  it('has nothing of what was over before it opened', () => {
    const about = jamIncident(again(1), 1, { openedAt: at(60) })
    expect(trailOf(again(1), about)).toMatchObject({ from: at(80) })
  })
})
