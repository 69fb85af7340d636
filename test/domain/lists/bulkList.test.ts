import { describe, expect, it, test } from 'vitest'
import { idleOf, matchesSweep } from '../../../src/domain/lists/bulkList.ts'
import { idle, idleInTransaction, serverProcess, session } from '../../support/builders.ts'

describe('a sweep', () => {
  const match = { applicationName: 'web*', user: 'shop', state: 'idle', olderSeconds: 60 } as const
  const names = { applicationName: 'web-2', usename: 'shop' }
  test.each([
    ['all of it', true, idle(1, 61, names)],
    ['too young', false, idle(1, 60, names)],
    ['another state', false, session(1, { ...names, stateSeconds: 61 })],
    ['another application', false, idle(1, 61, { ...names, applicationName: 'jobs' })],
    ['another user', false, idle(1, 61, { ...names, usename: 'billing' })],
    ['a user that is not known yet', false, idle(1, 61, { ...names, usename: null })],
    ['no client', false, idle(1, 61, { ...names, backendType: 'walsender' })],
  ])('chooses by all that it names: %s', (_, expected, one) =>
    expect(matchesSweep(one, match)).toBe(expected),
  )
})

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
