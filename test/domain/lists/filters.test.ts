import { describe, expect, it } from 'vitest'
import { ageOf, type Filters, filterWords, matchesFilters } from '../../../src/domain/lists/filters.ts'
import * as of from '../../support/builders.ts'

const one = of.idleInTransaction(1, 100, {
  datname: 'orders_eu',
  usename: 'Shop',
  applicationName: 'Checkout Web',
  xactSeconds: 900,
})

describe('matches', () => {
  it.each<[Filters, boolean]>([
    [{}, true],
    [{ db: 'orders' }, true],
    [{ db: 'ORDERS_EU' }, true],
    [{ db: 'billing' }, false],
    [{ user: 'shop', app: 'web' }, true],
    [{ user: 'shop', app: 'batch' }, false],
    [{ state: 'idle in transaction' }, true],
    [{ state: 'idle' }, false],
    [{ state: 'idle in transaction (aborted)' }, false],
    [{ state: 'waiting' }, false],
    [{ olderSeconds: 899 }, true],
    [{ olderSeconds: 900 }, false],
  ])('%j: %s', (filters, expected) => {
    expect(matchesFilters(one, filters)).toBe(expected)
  })

  it('finds an aborted transaction as idle in transaction, and waiting sessions as active', () => {
    expect(
      matchesFilters(of.session(1, { state: 'idle in transaction (aborted)' }), {
        state: 'idle in transaction',
      }),
    ).toBe(true)
    expect(matchesFilters(of.waiting(1, 5), { state: 'waiting' })).toBe(true)
    expect(matchesFilters(of.waiting(1, 5), { state: 'active' })).toBe(true)
  })

  it('finds nothing by name where there is no name', () => {
    expect(matchesFilters(of.serverProcess(1, 'checkpointer'), { db: 'o' })).toBe(false)
  })
})

describe('ageOf', () => {
  it.each([
    [of.session(1, { querySeconds: 5, stateSeconds: 5 }), 5],
    [of.session(1, { querySeconds: 5, stateSeconds: 5, xactSeconds: 50 }), 50],
    [of.idle(1, 70, { querySeconds: 90 }), 70],
    [of.serverProcess(1, 'checkpointer'), 0],
  ])('%#', (session, seconds) => {
    expect(ageOf(session)).toBe(seconds)
  })
})

describe('filterWords', () => {
  it.each<[Filters, string]>([
    [{}, ''],
    [{ db: 'orders', olderSeconds: 5400 }, '--db orders --older 1h30m'],
    [{ app: 'two words' }, '--app "two words"'],
    [{ app: 'say "x"' }, `--app 'say "x"'`],
    [{ user: '--odd' }, '--user "--odd"'],
    [{ state: 'idle in transaction (aborted)' }, '--state idle-in-transaction-aborted'],
    [{ olderSeconds: 0.25 }, '--older 250ms'],
    [{ olderSeconds: 0 }, '--older 0s'],
  ])('%j', (filters, words) => {
    expect(filterWords(filters)).toBe(words)
  })
})
