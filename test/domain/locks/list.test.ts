import { describe, expect, it } from 'vitest'
import { blockingForest, noForest } from '../../../src/domain/locks/blocking.ts'
import { contendedTargets, lockedTargets, ownLocks } from '../../../src/domain/locks/list.ts'
import * as of from '../../support/builders.ts'

const orders = of.relation('orders', 1)
const items = of.relation('items', 2)
const sessions = [
  of.session(1, { xactSeconds: 90 }),
  of.session(2, { xactSeconds: 500 }),
  of.waiting(3, 10),
  of.waiting(4, 60),
]

describe('lockedTargets', () => {
  it('makes one entry of all modes of a session, and sorts by age', () => {
    const table = of.lockTable([
      of.held(orders, 'AccessShareLock', 1, 2),
      of.held(orders, 'ShareLock', 2),
      of.wanted(orders, 'RowExclusiveLock', [3, 10], [4, 60]),
    ])
    const [target, ...others] = lockedTargets(table, sessions, noForest)
    expect(others).toEqual([])
    expect(target?.holders.map(({ pid, modes, seconds }) => [pid, modes, seconds])).toEqual([
      [2, ['ShareLock', 'AccessShareLock'], 500],
      [1, ['AccessShareLock'], 90],
    ])
    expect(target?.waiters.map(({ pid, seconds }) => [pid, seconds])).toEqual([
      [4, 60],
      [3, 10],
    ])
  })

  it('shows first where somebody waits longest, then the strongest lock', () => {
    const table = of.lockTable([
      of.held(of.relation('read', 3), 'AccessShareLock', 1),
      of.held(of.relation('altered', 4), 'AccessExclusiveLock', 1),
      of.held(items, 'AccessExclusiveLock', 1),
      of.wanted(items, 'AccessShareLock', [3, 10]),
      of.held(orders, 'AccessExclusiveLock', 1),
      of.wanted(orders, 'AccessShareLock', [4, 60]),
    ])
    const names = (targets: ReturnType<typeof lockedTargets>) => targets.map((one) => one.relationName)
    expect(names(lockedTargets(table, sessions, noForest))).toEqual(['orders', 'items', 'altered', 'read'])
    expect(names(contendedTargets(table, sessions, noForest))).toEqual(['orders', 'items'])
  })

  it('tells a prepared transaction, and a session that is gone', () => {
    const table = of.lockTable([of.held(orders, 'ShareLock', -77, 99)], {
      prepared: [of.prepared(77, { gid: 'left', preparedSeconds: 40 })],
    })
    const [target] = lockedTargets(table, sessions, noForest)
    expect(target?.holders).toMatchObject([
      { pid: 0, session: null, prepared: { gid: 'left' }, seconds: 40 },
      { pid: 99, session: null, prepared: null, seconds: null },
    ])
  })
})

describe('ownLocks', () => {
  const groups = [
    of.held(orders, 'AccessExclusiveLock', 1),
    of.wanted(orders, 'AccessShareLock', [3, 10]),
    ...of.rowQueue(1, [[4, 60]], 'items', 7),
  ]
  const table = of.lockTable(groups)
  const forest = blockingForest(table, sessions)
  const contended = contendedTargets(table, sessions, forest)

  it('shows what others wait for before all else, and its own ids last', () => {
    const own = [
      of.held(of.target({ locktype: 'virtualxid', virtualxid: '3/7' }), 'ExclusiveLock', 1),
      of.held(items, 'RowExclusiveLock', 1),
      of.held(orders, 'AccessExclusiveLock', 1),
      ...groups.filter(({ target, granted }) => granted && target.locktype === 'transactionid'),
    ]
    const locks = ownLocks(own, 1, contended, forest)
    expect(locks.map(({ target, relationName, others }) => [target.locktype, relationName, others])).toEqual([
      ['relation', 'orders', [3]],
      ['transactionid', 'items', [4]],
      ['relation', 'items', []],
      ['virtualxid', null, []],
    ])
  })

  it('shows what it waits for first, for how long, and behind whom', () => {
    const locks = ownLocks([of.wanted(orders, 'AccessShareLock', [3, 10])], 3, contended, forest)
    expect(locks).toMatchObject([{ granted: false, seconds: 10, others: [1], modes: ['AccessShareLock'] }])
  })
})
