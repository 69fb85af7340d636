import { describe, expect, test } from 'vitest'
import { type ActivityRow, activityFrom, sessionFrom } from '../../src/postgres/activityRows.ts'
import { createRecordedTexts } from '../../src/postgres/recordedTexts.ts'

const names = {
  databases: new Map([[5, 'shop']]),
  roles: new Map([[10, { name: 'web', isSuperuser: false }]]),
}
const start = '2026-01-01 10:00:00.25+00'
const said = (state: string, backendStart = start, queryStart = '2026-01-01 10:00:01+00') =>
  JSON.stringify([
    ...[null, 'client backend', backendStart, '5', '10', 'app', null, state, null, null],
    ...[null, queryStart, '2026-01-01 10:00:02.000001+00', null, null, '-7', '-1'],
  ])
const now = Date.UTC(2026, 0, 1, 10, 0, 10) / 1000
const row = (pid: number, state: string, query: Buffer | null = null) => ({ pid, said: said(state), query })
/** An answer about processes, of whom those with a row say something else than before. */
const answer = (pids: readonly number[], rows: readonly object[], at = now) => [
  { now: at, pids: `{${pids.join(',')}}`, known: '{}' },
  ...rows,
]
const looked = (...rows: readonly ReturnType<typeof row>[]) =>
  activityFrom(
    answer(
      rows.map(({ pid }) => pid),
      rows,
    ),
  )

describe('statements for the record', () => {
  const mask = (text: string) => text.replaceAll(/\d+/g, '?')
  const look = (state: string, start: string, queryStart: string, query: string | null) =>
    answer(
      [1],
      [{ pid: 1, said: said(state, start, queryStart), query: query === null ? null : Buffer.from(query) }],
    )
  const later = '2026-01-01 10:00:09+00'

  test('stay with a session until its next one', async () => {
    let before: readonly ActivityRow[] = []
    const recorded = createRecordedTexts(mask)
    const take = async (...of: Parameters<typeof look>) => {
      const read = await activityFrom(look(...of), before)
      before = read.rows
      return recorded.take(read)?.get(1)
    }
    const first = '2026-01-01 10:00:01+00'
    expect(await take('active', start, first, 'SELECT 1')).toBe('SELECT ?')
    expect([recorded.since(), recorded.isMissing()]).toEqual([now - 5, false])
    expect(await take('active', start, first, null)).toBe('SELECT ?')
    expect(await take('idle', start, first, null)).toBe('SELECT ?')
    expect(await take('active', start, later, 'DELETE 2')).toBe('DELETE ?')
    // Another session with the same pid, which the server did not send the statement of.
    expect(await take('active', later, later, null)).toBe(undefined)
    expect(recorded.since()).toBeLessThan(0)
    expect(recorded.isMissing()).toBe(true)
    expect(await take('active', later, later, 'COMMIT')).toBe('COMMIT')
    expect([recorded.since(), recorded.isMissing()]).toEqual([now - 5, false])
  })

  test('are none that the masker keeps back, and are asked for no more than once', async () => {
    const recorded = createRecordedTexts(() => null)
    const { rows, ...first } = await activityFrom(look('active', start, later, 'SELECT 1'))
    expect(recorded.take({ rows, ...first })).toEqual(new Map())
    expect(recorded.since()).toBe(now - 5)
    expect(recorded.take(await activityFrom(answer([1], []), rows))).toEqual(new Map())
    expect([recorded.since(), recorded.isMissing()]).toEqual([now - 5, false])
  })

  test('are none where nothing is recorded', async () => {
    const recorded = createRecordedTexts(null)
    expect(recorded.since()).toBe(null)
    expect(recorded.take(await activityFrom(look('active', start, later, 'SELECT 1')))).toBe(null)
  })
})

describe('rows of the activity', () => {
  test('carry the names, the times and the ages by the clock of the server', async () => {
    const { rows, at } = await looked(row(1, 'idle'))
    expect(rows.map((one) => sessionFrom(one, at, names))).toMatchObject([
      {
        ...{ pid: 1, leaderPid: null, datname: 'shop', usename: 'web', queryId: '-7', state: 'idle' },
        ...{ backendStart: start, backendSeconds: 9.75, xactStart: null, xactSeconds: null },
        ...{ querySeconds: 9, stateSeconds: 7.999999 },
      },
    ])
  })

  test('do not grow younger than nothing where the clock steps back', async () => {
    const { rows, at } = await activityFrom(answer([1], [row(1, 'idle')], now - 60))
    expect(rows.map((one) => sessionFrom(one, at, names))).toMatchObject([
      { backendSeconds: 0, querySeconds: 0 },
    ])
  })

  test('are the same while a process says the same, and age nevertheless', async () => {
    const first = await looked(row(1, 'idle'), row(2, 'idle'))
    const second = await activityFrom(answer([1, 2], [row(2, 'active')], now + 5), first.rows)
    expect(second.rows[0]).toBe(first.rows[0])
    expect(second.rows.map(({ state }) => state)).toEqual(['idle', 'active'])
    const [session] = second.rows.map((one) => sessionFrom(one, second.at, names))
    expect(session?.backendSeconds).toBe(14.75)
  })

  test('come in the order of the server, without those that are gone', async () => {
    const first = await looked(row(1, 'idle'), row(2, 'idle'), row(3, 'idle'))
    const second = await activityFrom(answer([4, 3, 1], [row(4, 'active')]), first.rows)
    expect(second.rows.map(({ pid }) => pid)).toEqual([4, 3, 1])
    await expect(activityFrom(answer([1, 2], []), second.rows)).rejects.toThrow(
      /said: expected one of each new process/,
    )
  })

  test('take their times from what they say now, where another session has the pid', async () => {
    const first = await looked(row(1, 'idle'))
    const other = said('active', '2026-01-01 10:00:05+00', '2026-01-01 10:00:06.5+00')
    const { rows, at } = await activityFrom(answer([1], [{ ...row(1, 'active'), said: other }]), first.rows)
    expect(rows.map((one) => sessionFrom(one, at, names))).toMatchObject([
      {
        ...{ backendStart: '2026-01-01 10:00:05+00', backendSeconds: 5, querySeconds: 3.5 },
        ...{ queryStart: '2026-01-01 10:00:06.5+00', stateSeconds: 7.999999 },
      },
    ])
  })

  test('are none where the server names nobody', async () => {
    const read = await activityFrom(
      [{ now: null, pids: null, known: null }],
      (await looked(row(1, 'idle'))).rows,
    )
    expect(read).toEqual({ rows: [], at: 0, queries: new Map(), known: null })
  })

  test('give statements by pid, and only where there are some', async () => {
    const { queries } = await looked(row(1, 'idle'), row(2, 'active', Buffer.from('SELECT 1')))
    expect([...queries]).toEqual([[2, Buffer.from('SELECT 1')]])
  })

  test('of a crowd are read in pieces, between which others have a turn', async () => {
    const crowd = Array.from({ length: 2_500 }, (_, pid) => row(pid + 1, 'idle'))
    let turns = 0
    const count = () => {
      turns++
      next = setImmediate(count)
    }
    let next = setImmediate(count)
    const { rows } = await looked(...crowd)
    clearImmediate(next)
    expect(turns).toBeGreaterThanOrEqual(2)
    expect(rows.map(({ pid }) => pid)).toEqual(crowd.map(({ pid }) => pid))
  })

  test('that are bad are named', async () => {
    const bad = looked(row(1, 'idle'), { ...row(2, 'idle'), said: '[]' })
    await expect(bad).rejects.toThrow(/said: expected a list of 17 texts/)
    await expect(activityFrom([])).rejects.toThrow(/the rows: /)
    await expect(looked(row(1.5, 'idle'))).rejects.toThrow(/pids: expected a list of numbers/)
  })
})
