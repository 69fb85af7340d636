import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  baselineAmong,
  foldStatements,
  looksToKeep,
  type StatementReading,
  type StatementStats,
  topOf,
} from '../../../src/domain/lists/statements.ts'

const statement = (
  queryId: string | null,
  calls: number,
  totalMs: number,
  over: Partial<StatementStats> = {},
) => ({
  userid: 10,
  dbid: 5,
  usename: 'shop',
  datname: 'orders',
  toplevel: true,
  queryId,
  calls,
  totalMs,
  longestMs: totalMs,
  ...over,
})
const reading = (
  readAt: number,
  statements: readonly StatementStats[] = [],
  over: Partial<StatementReading> = {},
): StatementReading => ({ readAt, resetAt: 0, evictions: 0, statements, ...over })
const all = () => true
const noWait = () => 0
const costs = (top: ReturnType<typeof topOf>) =>
  top.statements.map(({ queryId, calls, totalMs, share }) => [queryId, calls, totalMs, share])

describe('topOf', () => {
  it('shows everything since the reset where there is nothing to compare with', () => {
    const top = topOf(reading(100, [statement('a', 2, 10), statement('b', 1, 30)]), null, all, noWait)
    expect(costs(top)).toEqual([
      ['b', 1, 30, 0.75],
      ['a', 2, 10, 0.25],
    ])
    expect(top).toMatchObject({ since: 'reset', seconds: 100, ran: 2, matching: 2, workMs: 40 })
  })

  it('shows what ran since the last look, and leaves out what did not run', () => {
    const before = reading(100, [statement('a', 5, 1000), statement('b', 5, 1000)])
    const now = reading(160, [statement('a', 7, 1030), statement('b', 5, 1000), statement('new', 1, 10)])
    const top = topOf(now, before, all, noWait)
    expect(costs(top)).toEqual([
      ['a', 2, 30, 0.75],
      ['new', 1, 10, 0.25],
    ])
    expect(top).toMatchObject({ since: 'lastLook', seconds: 60, ran: 2 })
  })

  it('counts a statement in full when it was evicted and came back', () => {
    const before = reading(100, [statement('a', 500, 1000)])
    expect(costs(topOf(reading(160, [statement('a', 3, 6)]), before, all, noWait))).toEqual([['a', 3, 6, 1]])
  })

  it('keeps users, databases and nesting apart, and leaves nested statements out of the sum', () => {
    const now = reading(10, [
      statement('a', 1, 40),
      statement('a', 1, 30, { userid: 11 }),
      statement('a', 1, 20, { dbid: 6 }),
      statement('a', 1, 10, { toplevel: false }),
    ])
    const top = topOf(now, null, all, noWait)
    expect(top.statements.map(({ totalMs }) => totalMs)).toEqual([40, 30, 20, 10])
    expect(top.workMs).toBe(90)
  })

  it('counts statements without a query id as one for each user', () => {
    const hidden = [statement(null, 1, 10), statement(null, 2, 20), statement(null, 4, 40, { userid: 11 })]
    expect(costs(topOf(reading(10, hidden), null, all, noWait)).map(([, calls]) => calls)).toEqual([4, 3])
  })

  it('shows shares of everything that ran, also when a filter picks some', () => {
    const now = reading(10, [statement('a', 1, 75), statement('b', 1, 25, { datname: 'billing' })])
    const top = topOf(now, null, ({ datname }) => datname === 'billing', noWait)
    expect(costs(top)).toEqual([['b', 1, 25, 0.25]])
    expect(top).toMatchObject({ ran: 2, matching: 1, workMs: 100, matchingMs: 25 })
  })

  it('never shows more than ran, nor anything negative', () => {
    const stats = fc.record({
      queryId: fc.constantFrom('a', 'b', 'c', null),
      userid: fc.constantFrom(1, 2),
      toplevel: fc.boolean(),
      calls: fc.integer({ min: 0, max: 50 }),
      totalMs: fc.integer({ min: 0, max: 50 }),
    })
    const some = fc.array(
      stats.map(({ queryId, calls, totalMs, ...over }) => statement(queryId, calls, totalMs, over)),
    )
    fc.assert(
      fc.property(some, some, (before, now) => {
        const top = topOf(reading(100, now), reading(50, before), all, noWait)
        for (const { calls, totalMs } of top.statements) {
          expect(calls).toBeGreaterThan(0)
          expect(totalMs).toBeGreaterThanOrEqual(0)
        }
        const ofAll = now.reduce((sum, { toplevel, totalMs }) => sum + (toplevel ? totalMs : 0), 0)
        expect(top.workMs).toBeLessThanOrEqual(ofAll)
        expect(top.statements.map(({ totalMs }) => totalMs)).toEqual(
          top.statements.map(({ totalMs }) => totalMs).sort((a, b) => b - a),
        )
      }),
    )
  })
})

describe('work', () => {
  const of = (id: string, workMs: number, over: Partial<StatementStats> = {}) =>
    statement(id, 1, workMs, over)

  it('comes before waiting', () => {
    const now = reading(10, [of('waits', 5000), of('works', 2000)])
    const top = topOf(now, null, all, ({ queryId }) => (queryId === 'waits' ? 4990 : 0))
    expect(top.statements.map(({ queryId, workMs, waitedMs }) => [queryId, workMs, waitedMs])).toEqual([
      ['works', 2000, 0],
      ['waits', 10, 4990],
    ])
    expect(top.workMs).toBe(2010)
  })

  it('of less than one percent is one sum, but for where hardly any would be left', () => {
    const { statements } = topOf(
      reading(10, [of('a', 990), of('b', 600), of('c', 300), of('d', 9), of('e', 5)]),
      null,
      all,
      noWait,
    )
    const folded = foldStatements(statements, () => false, 15)
    expect(folded.shown.map(({ queryId }) => queryId)).toEqual(['a', 'b', 'c'])
    expect(folded.small).toEqual({ count: 2, workMs: 14 })
    expect(foldStatements(statements.slice(2), () => false, 15).shown).toHaveLength(3)
    expect(foldStatements(statements, () => false, 2).small).toEqual({ count: 3, workMs: 314 })
  })

  it('of what is left out is a sum of its own', () => {
    const { statements } = topOf(
      reading(10, [of('a', 500), of('mine', 400), of('nested', 300, { toplevel: false })]),
      null,
      all,
      noWait,
    )
    const folded = foldStatements(statements, ({ queryId }) => queryId !== 'a', 15)
    expect(folded.shown.map(({ queryId }) => queryId)).toEqual(['a'])
    expect(folded.leftOut).toEqual({ count: 2, workMs: 400 })
  })
})

describe('the look to compare with', () => {
  /** Types `/pg top` at these seconds, and returns how old each answer's baseline is. */
  const agesAt = (...times: (number | Partial<StatementReading>)[]) => {
    let looks: readonly StatementReading[] = []
    return times.map((time) => {
      const now = typeof time === 'number' ? reading(time) : { ...reading(0), ...time }
      const baseline = baselineAmong(looks, now)
      looks = looksToKeep(looks, now)
      expect(looks.length).toBeLessThanOrEqual(2)
      return baseline ? now.readAt - baseline.readAt : null
    })
  }

  it('is the last one, unless that is a few seconds or hours ago', () => {
    expect(agesAt(1000, 1240, 1300)).toEqual([null, 240, 60])
    expect(agesAt(1000, 1003, 1015, 1018, 1060)).toEqual([null, null, 15, 18, 45])
    expect(agesAt(1000, 9000)).toEqual([null, null])
  })

  it('is missing after a reset, and when fewer evictions are counted than before', () => {
    expect(agesAt(1000, { readAt: 1060, resetAt: 1050 }, { readAt: 1090, resetAt: 1050 })).toEqual([
      null,
      null,
      30,
    ])
    expect(agesAt({ readAt: 1000, evictions: 5 }, { readAt: 1060, evictions: 2 })).toEqual([null, null])
  })

  it('is the first look after a reset, even seconds after the one before', () => {
    expect(agesAt(1000, { readAt: 1004, resetAt: 1003 }, { readAt: 1030, resetAt: 1003 })).toEqual([
      null,
      null,
      26,
    ])
  })
})
