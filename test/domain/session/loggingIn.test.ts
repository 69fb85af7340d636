import { describe, expect, it, test } from 'vitest'
import { objection } from '../../../src/domain/session/allowedAction.ts'
import { isLoggingIn, loggingInOf, mayHoldLogins } from '../../../src/domain/session/loggingIn.ts'
import { waitsForLock } from '../../../src/domain/session/session.ts'
import * as of from '../../support/builders.ts'

describe('who may keep others from logging in', () => {
  it.each([
    ['a transaction with an id, for a second', { backendXid: '7', xactSeconds: 1 }, true],
    ['one that is over soon', { backendXid: '7', xactSeconds: 0.9 }, false],
    ['one that has written nothing', { backendXid: null, xactSeconds: 900 }, false],
    ['an id without a begin', { backendXid: '7', xactSeconds: null }, false],
    ['who waits until all have closed their files', { waitEvent: 'ProcSignalBarrier' }, true],
  ])('%s', (_, over, may) => {
    expect(mayHoldLogins(of.session(1, over))).toBe(may)
  })
})

describe('who logs in', () => {
  const database = of.target({ locktype: 'object', classid: 1262, objid: 5 })
  const table = of.lockTable([
    of.held(database, 'AccessExclusiveLock', 1),
    of.wanted(database, 'RowExclusiveLock', [11, 5], [12, 2], [13, null], [2, 9]),
  ])

  test('waits since before the activity was read, and is not in it', () => {
    const found = loggingInOf(table, new Set([1, 2]), 2)
    expect(found.map(({ pid, backendSeconds }) => [pid, backendSeconds])).toEqual([[11, 5]])
    expect(loggingInOf(table, new Set([1, 2]), 1.9).map(({ pid }) => pid)).toEqual([11, 12])
  })

  test('is no prepared transaction', () => {
    const prepared = of.lockTable([of.wanted(database, 'RowExclusiveLock', [-7, 5], [0, 5])])
    expect(loggingInOf(prepared, new Set(), 0)).toEqual([])
  })

  test('waits for a lock, takes a slot, and is not to be ended', () => {
    const [session] = loggingInOf(table, new Set([1, 2]), 2)
    if (!session) throw new Error('nobody')
    expect(isLoggingIn(session) && waitsForLock(session)).toBe(true)
    expect(session).toMatchObject({ backendType: 'client backend', backendStart: '', waitEvent: 'object' })
    for (const action of ['cancel', 'terminate'] as const)
      expect(objection(action, session, of.server({ isSuperuser: true }), [])).toMatch(/^It is logging in/)
  })
})
