import { describe, expect, test } from 'vitest'
import { activityFrom, type SaidBefore, sessionFrom } from '../../src/postgres/activityRows.ts'

const names = {
  databases: new Map([[5, 'shop']]),
  roles: new Map([[10, { name: 'web', isSuperuser: false }]]),
}
const start = '2026-01-01 10:00:00.25+00'
const said = (state: string) =>
  JSON.stringify([
    ...[null, 'client backend', start, '5', '10', 'app', null, state, null, null],
    ...[null, '2026-01-01 10:00:01+00', '2026-01-01 10:00:02.000001+00', null, null, '-7'],
  ])
const now = Date.UTC(2026, 0, 1, 10, 0, 10) / 1000
const row = (pid: number, state: string, at = now, query: Buffer | null = null) => ({
  ...{ pid, said: said(state), now: at, query },
})

describe('rows of the activity', () => {
  test('carry the names, the times and the ages by the clock of the server', () => {
    const { rows, at } = activityFrom([row(1, 'idle')])
    expect(rows.map((one) => sessionFrom(one, at, names))).toMatchObject([
      {
        ...{ pid: 1, leaderPid: null, datname: 'shop', usename: 'web', queryId: '-7', state: 'idle' },
        ...{ backendStart: start, backendSeconds: 9.75, xactStart: null, xactSeconds: null },
        ...{ querySeconds: 9, stateSeconds: 7.999999 },
      },
    ])
  })

  test('do not grow younger than nothing where the clock steps back', () => {
    const { rows, at } = activityFrom([row(1, 'idle', now - 60)])
    expect(rows.map((one) => sessionFrom(one, at, names))).toMatchObject([
      { backendSeconds: 0, querySeconds: 0 },
    ])
  })

  test('are the same while a process says the same, and age nevertheless', () => {
    const before: SaidBefore = new Map()
    const first = activityFrom([row(1, 'idle'), row(2, 'idle')], before)
    const second = activityFrom([row(1, 'idle', now + 5), row(2, 'active', now + 5)], before)
    expect(second.rows[0]).toBe(first.rows[0])
    expect(second.rows.map(({ state }) => state)).toEqual(['idle', 'active'])
    const [session] = second.rows.map((one) => sessionFrom(one, second.at, names))
    expect(session?.backendSeconds).toBe(14.75)
  })

  test('of processes that are gone are forgotten', () => {
    const before: SaidBefore = new Map()
    activityFrom([row(1, 'idle'), row(2, 'idle')], before)
    activityFrom([row(2, 'idle')], before)
    expect([...before.keys()]).toEqual([2])
  })

  test('give statements by pid, and only where there are some', () => {
    const { queries } = activityFrom([row(1, 'idle'), row(2, 'active', now, Buffer.from('SELECT 1'))])
    expect([...queries]).toEqual([[2, Buffer.from('SELECT 1')]])
  })

  test('that are bad are bad at the next look, too', () => {
    const before: SaidBefore = new Map()
    const bad = [row(1, 'idle'), { ...row(2, 'idle'), said: '[]' }]
    for (let look = 0; look < 2; look++)
      expect(() => activityFrom(bad, before)).toThrow(/said: expected a list of 16 texts/)
  })
})
