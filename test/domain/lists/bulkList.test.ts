import { describe, expect, it, test } from 'vitest'
import { idleOf, listMembers, matchesSweep, narrows } from '../../../src/domain/lists/bulkList.ts'
import { idle, idleInTransaction, picture, serverProcess, session } from '../../support/builders.ts'

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

describe('filters', () => {
  test.each([
    [{}, false],
    [{ user: undefined }, false],
    [{ user: '*' }, false],
    [{ user: '*', state: 'idle' }, true],
    [{ olderSeconds: 0.9 }, false],
    [{ olderSeconds: 1 }, true],
    [{ user: '*', olderSeconds: 1 }, true],
    [{ applicationName: 'web-*' }, true],
  ] as const)('leave somebody out: %j is %s', (filters, expected) => expect(narrows(filters)).toBe(expected))
})

describe('a list', () => {
  const list = (sessions: Parameters<typeof picture>[0], most = 50) =>
    listMembers(picture(sessions), {
      ...{ action: 'terminate', isChosen: ({ pid }) => pid !== 99, most, protected: [{ user: 'backup' }] },
    })
  const pids = ({ members }: ReturnType<typeof list>) => members.map(({ session: { pid } }) => pid)

  it('has the oldest first, of one age by their numbers, and says whom it leaves out and why', () => {
    const made = list(
      [idle(3, 10), idle(2, 20), idle(1, 10), idle(4, 5), idle(5, 99, { usename: 'backup' }), idle(99, 99)],
      3,
    )
    expect(pids(made)).toEqual([2, 1, 3])
    expect(made.leftOut).toEqual([
      { why: expect.stringMatching(/protected/), pids: [5] },
      { why: 'There are more than the 3 of one card.', pids: [4] },
    ])
    expect(pids(list([idle(1, 10), idle(2, 10)], 2))).toEqual([1, 2])
    expect(list([idle(1, 10), idle(2, 10)], 2).leftOut).toEqual([])
  })

  it('knows of each whether a pooler stands before it', () => {
    const { members } = list([idle(1, 20, { applicationName: 'PgBouncer' }), idle(2, 10)])
    expect(members.map(({ pooled }) => pooled)).toEqual([true, false])
  })
})
