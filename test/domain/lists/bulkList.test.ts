import { describe, expect, it, test } from 'vitest'
import { idleOf } from '../../../src/domain/lists/bulkList.ts'
import { idle, idleInTransaction, serverProcess } from '../../support/builders.ts'

describe('what a holder does not use', () => {
  const names = { applicationName: 'web', usename: 'shop', datname: 'orders', clientAddr: '10.0.0.1' }
  const { isChosen, chosenBy } = idleOf(names)

  it('is its idle sessions', () => {
    expect(isChosen(idle(1, 10, names))).toBe(true)
    expect(chosenBy).toBe('app web, user shop, database orders, idle, from 10.0.0.1')
  })

  test.each([
    ['another application', { applicationName: 'webhooks' }],
    ['no application name', { applicationName: '' }],
    ['another user', { usename: 'shop_billing' }],
    ['another database', { datname: 'orders_archive' }],
    ['another machine', { clientAddr: '10.0.0.11' }],
    ['the machine itself', { clientAddr: null }],
    ['not idle', { state: 'active' }],
    ['in a transaction', idleInTransaction(1, 10, names)],
    ['no client', { backendType: serverProcess(1, 'walsender').backendType }],
  ])('is not: %s', (_, over) => expect(isChosen(idle(1, 10, { ...names, ...over }))).toBe(false))

  it('of no application name is not what others do not use', () => {
    const nameless = idleOf({ ...names, applicationName: '' })
    expect(nameless.isChosen(idle(1, 10, names))).toBe(false)
    expect(nameless.isChosen(idle(1, 10, { ...names, applicationName: '' }))).toBe(true)
    expect(nameless.chosenBy).toContain('app "",')
  })
})
