import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jamsIn, layOut } from '../../../src/domain/locks/tree.ts'
import * as of from '../../support/builders.ts'

/** Sessions 1 to 12, each waiting for the transactions or tables of others, as it comes. */
const random = fc
  .array(fc.record({ waiter: fc.integer({ min: 1, max: 12 }), holder: fc.integer({ min: 1, max: 12 }) }), {
    maxLength: 20,
  })
  .map((pairs) => {
    const seen = new Set<number>()
    const edges = pairs.filter(
      ({ waiter, holder }) => waiter !== holder && !seen.has(waiter) && seen.add(waiter),
    )
    const holders = [...new Set(edges.map(({ holder }) => holder))]
    const groups = holders.flatMap((holder) => [
      of.held(of.advisory(holder), 'ExclusiveLock', holder),
      of.wanted(
        of.advisory(holder),
        'ExclusiveLock',
        ...edges.flatMap((edge): [number, number][] =>
          edge.holder === holder ? [[edge.waiter, 100 - edge.waiter]] : [],
        ),
      ),
    ])
    const pids = Array.from({ length: 12 }, (_, index) => index + 1)
    return of.picture(
      pids.map((pid) => (seen.has(pid) ? of.waiting(pid, 100 - pid) : of.session(pid))),
      groups,
    )
  })

describe('layOut', () => {
  it('gives every waiter one line under one of its blockers, and never more lines than asked for', () => {
    fc.assert(
      fc.property(random, fc.integer({ min: 1, max: 15 }), ({ forest }, lines) => {
        const stems = jamsIn(forest)
        expect([...new Set(stems.flatMap(({ victims }) => victims))].sort()).toEqual(
          [...forest.waits.keys()].sort(),
        )
        const { trees, moreTrees } = layOut(stems, forest, { lines, maxTrees: 20, statementOf: () => null })
        expect(moreTrees).toBe(0)
        const branches = trees.flatMap((tree) => tree.branches)
        expect(branches.length).toBeLessThanOrEqual(lines)
        expect(new Set(branches.map(({ pid }) => pid)).size).toBe(branches.length)
        for (const { pid, behind } of branches) expect(forest.blockedBy(pid)).toContain(behind)
        const members = trees.flatMap(({ cycle }) => cycle).length
        const more = trees.reduce((sum, tree) => sum + tree.more, 0)
        expect(branches.length + more + members).toBe(forest.waits.size)
      }),
      { numRuns: 500 },
    )
  })

  it('puts a waiter under the blocker that is nearest to the root', () => {
    const at = of.relation('public.t')
    const { forest } = of.picture(
      [of.session(1), of.waiting(2, 9), of.waiting(3, 8), of.waiting(4, 7)],
      [of.held(at, 'AccessShareLock', 1), of.wanted(at, 'AccessExclusiveLock', [2, 9], [3, 8], [4, 7])],
    )
    const [tree] = layOut(jamsIn(forest), forest, { lines: 10, maxTrees: 5, statementOf: () => null }).trees
    expect(tree?.branches.map(({ pid, behind, depth }) => [pid, behind, depth])).toEqual([
      [2, 1, 1],
      [3, 1, 1],
      [4, 1, 1],
    ])
  })

  it('folds who waits alike, and nobody under whom others stand; 2,000 take a moment', () => {
    const pids = Array.from({ length: 2000 }, (_, index): [number, number] => [index + 10, 60])
    const at = of.relation('public.t', 7)
    const other = of.relation('public.u', 8)
    const { forest } = of.picture(
      [of.session(1), of.waiting(2, 61), ...pids.map(([pid]) => of.waiting(pid, 60)), of.waiting(9000, 5)],
      [
        of.held(at, 'AccessShareLock', 1),
        of.wanted(at, 'AccessExclusiveLock', [2, 61]),
        of.wanted(at, 'AccessShareLock', ...pids),
        of.held(other, 'AccessExclusiveLock', 500),
        of.wanted(other, 'AccessShareLock', [9000, 5]),
      ],
    )
    const statementOf = (pid: number) => (pid < 20 ? 'SELECT 1' : pid === 20 ? null : 'SELECT 2')
    const begin = performance.now()
    const [tree] = layOut(jamsIn(forest), forest, { lines: 40, maxTrees: 5, statementOf }).trees
    expect(performance.now() - begin).toBeLessThan(2000)
    expect(tree?.branches.map(({ pid, depth, same }) => [pid, depth, same.length])).toEqual([
      [2, 1, 0],
      [10, 2, 9],
      [20, 2, 0],
      [21, 2, 1987],
      [500, 2, 0],
      [9000, 3, 0],
    ])
    expect(tree?.more).toBe(0)
  })

  it('leaves two alike on their own lines, and folds a queue for one row', () => {
    const queue = (n: number) => Array.from({ length: n }, (_, i): [number, number] => [10 + i, 60 - i])
    const folded = (n: number) => {
      const waiters = queue(n)
      const { forest } = of.picture(
        [of.session(1), ...waiters.map(([pid]) => of.waiting(pid, 50))],
        of.rowQueue(1, waiters),
      )
      const options = { lines: 40, maxTrees: 5, statementOf: () => 'UPDATE' }
      return layOut(jamsIn(forest), forest, options).trees[0]?.branches.map(({ pid, same }) => [
        pid,
        same.length,
      ])
    }
    expect(folded(3)).toEqual([
      [10, 0],
      [11, 0],
      [12, 0],
    ])
    expect(folded(4)).toEqual([
      [10, 0],
      [11, 2],
    ])
  })

  it('leaves lines for the roots that follow', () => {
    const queue = (root: number, n: number) =>
      Array.from({ length: n }, (_, index): [number, number] => [root * 100 + index, 50])
    const { forest } = of.picture(
      [1, 2, 3].flatMap((pid) => [
        of.session(pid),
        ...queue(pid, 30).map(([waiter]) => of.waiting(waiter, 50)),
      ]),
      [1, 2, 3].flatMap((pid) => of.rowQueue(pid, queue(pid, 30), 'public.t', pid)),
    )
    const { trees } = layOut(jamsIn(forest), forest, { lines: 20, maxTrees: 5, statementOf: () => null })
    expect(trees.map(({ branches, more }) => [branches.length, more])).toEqual([
      [16, 14],
      [2, 28],
      [2, 28],
    ])
  })
})
