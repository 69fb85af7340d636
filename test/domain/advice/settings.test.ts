import { describe, expect, it } from 'vitest'
import { holding, isLimit, type SetValue, setForWords } from '../../../src/domain/advice/settings.ts'

const scope = { role: 'shop', database: 'orders' }

const set = (value: string | null, over: Partial<SetValue> = {}): SetValue => ({
  ...{ name: 'statement_timeout', role: null, database: null, unit: 'ms', value },
  ...over,
})

describe('the value that a session begins with', () => {
  it.each([
    ['role in database', '4s'],
    ['role', '3s'],
    ['database', '2s'],
    ['server', '1s'],
  ] as const)('is the one for its %s before those after it', (setFor, text) => {
    const all = [
      set('1s'),
      set('2s', { database: 'orders' }),
      set('3s', { role: 'shop' }),
      set('4s', { role: 'shop', database: 'orders' }),
    ]
    const left = all.slice(0, Number(text.slice(0, 1)))
    expect(holding(left, 'statement_timeout', scope)).toEqual({
      text,
      amount: Number.parseInt(text, 10),
      setFor,
    })
  })

  it('is not that of others, and for the whole server none of a role', () => {
    const others = [
      set('2s', { database: 'stock' }),
      set('3s', { role: 'web' }),
      set('4s', { role: 'shop', database: 'stock' }),
      set('5s', { role: 'web', database: 'orders' }),
      set('6s', { name: 'lock_timeout' }),
    ]
    expect(holding(others, 'statement_timeout', scope)).toBeNull()
    const own = [set('1s'), set('3s', { role: 'shop' })]
    expect(holding(own, 'statement_timeout', null)?.setFor).toBe('server')
  })

  it('is not known where the server does not say', () => {
    expect(holding([set(null)], 'statement_timeout', scope)).toBeNull()
    expect(setForWords(null)).toBe('not known')
  })

  it.each([
    ['0', 'ms', 0, '0'],
    ['60000', 'ms', 60, '60000ms'],
    ['60s', 'ms', 60, '60s'],
    ['1.5min', 'ms', 90, '1.5min'],
    ['2h', 'ms', 7200, '2h'],
    ['250us', 'ms', 0.00025, '250us'],
    ['1d', 's', 86_400, '1d'],
    ['30', 's', 30, '30s'],
    ['-1', 'MB', -1, '-1'],
    ['10', 'MB', 10_485_760, '10MB'],
    ['1GB', 'MB', 1_073_741_824, '1GB'],
    ['on', null, 1, 'on'],
    ['off', null, 0, 'off'],
    ['64', null, 64, '64'],
    ['0x10', 'ms', null, '0x10'],
    ['5 parsecs', 'ms', null, '5 parsecs'],
  ])('reads %s (of %s)', (value, unit, amount, text) => {
    const held = holding([set(value, { unit })], 'statement_timeout', scope)
    expect(held).toEqual({ text, amount, setFor: 'server' })
    expect(held && isLimit(held)).toBe(amount !== null && amount > 0)
  })

  it.each([
    [set('0'), 'off, as on the whole server'],
    [set('60s', { role: 'shop' }), '60s, set for this role'],
    [set('60s', { database: 'orders' }), '60s, set for this database'],
    [set('60s', { role: 'shop', database: 'orders' }), '60s, set for this role in this database'],
    [set('-1', { unit: 'MB' }), 'no limit, as on the whole server'],
  ])('is said with its place', (value, words) => {
    expect(setForWords(holding([value], 'statement_timeout', scope))).toBe(words)
  })
})
