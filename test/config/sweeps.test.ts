import { describe, expect, it, test } from 'vitest'
import { changesOf } from '../../src/config/changes.ts'
import { parseConfig } from '../../src/config/config.ts'

const sweep = { name: 'idle', schedule: '0 2 * * *', match: { state: 'idle' }, action: 'terminate' }
const read = (...sweeps: readonly object[]) =>
  parseConfig(
    JSON.stringify({
      slack: { channel: 'C0INCIDENTS' },
      access: { approvers: ['U0DANA'] },
      clusters: [{ name: 'orders', url: 'postgres://m@a/db' }],
      sweeps,
    }),
    {},
  )
const problem = (over: object) => {
  try {
    read({ ...sweep, ...over })
    return null
  } catch (error) {
    return String(error)
  }
}

describe('sweeps', () => {
  it('may have the time zone of a place', () => {
    expect(problem({ timeZone: 'Europe/Berlin' })).toBeNull()
  })

  it('have defaults', () => {
    expect(read({ ...sweep, match: { applicationName: 'web-*', olderThan: '30m' } }).sweeps).toEqual([
      {
        ...sweep,
        match: { applicationName: 'web-*', olderSeconds: 1800 },
        timeZone: 'UTC',
        clusters: null,
        most: 50,
      },
    ])
  })

  test.each([
    [{ schedule: '0 2 * *' }, /sweeps\[0\]\.schedule.*five fields/],
    [{ schedule: '0 2 * * * *' }, /five fields/],
    [{ schedule: '@daily' }, /five fields/],
    [{ schedule: '61 * * * *' }, /five fields/],
    [{ schedule: '0 2 31 2 *' }, /never comes/],
    [{ timeZone: 'Berlin' }, /timeZone.*name of a time zone/],
    [{ clusters: ['order'] }, /clusters\[0\].*no cluster of this name/],
    [{ clusters: [] }, /leave it out for all/],
    [{ match: {} }, /match.*leaves nobody out.*at least one of/],
    [{ match: { applicationName: '*' } }, /leaves nobody out/],
    [{ match: { applicationName: '*', user: '*', database: '*' } }, /leaves nobody out/],
    [{ match: { user: '**' } }, /only at the end/],
    [{ match: { olderThan: '999ms' } }, /from 1s/],
    [{ match: { olderThan: '0s', state: 'idle' } }, /from 1s/],
    [{ match: { state: 'happy' } }, /match\.state/],
    [{ match: { applicationName: 'a*b' } }, /only at the end/],
    [{ action: 'kill' }, /cancel or terminate/],
    [{ most: 0 }, /from 1 to 500/],
    [{ most: 501 }, /from 1 to 500/],
    [{ name: 'Nightly Idle' }, /short name/],
    [{ every: '1h' }, /Unknown key/],
  ])('%j is refused', (over, sentence) => {
    expect(problem(over)).toMatch(sentence)
  })

  test.each([[{ olderThan: '1s' }], [{ user: '*', state: 'idle' }], [{ database: 'o*' }]])(
    'of %j leave somebody out',
    (match) => expect(problem({ match })).toBeNull(),
  )

  it('have names of their own', () => {
    expect(() => read(sweep, sweep)).toThrow(/sweeps\[1\]\.name.*already/)
  })

  it('hold at once where they are others', () => {
    expect(changesOf(read(sweep), read({ ...sweep, most: 3 }))).toMatchObject({
      settings: ['sweeps'],
      changed: [],
    })
    expect(changesOf(read(sweep), read(sweep))).toMatchObject({ settings: [] })
  })
})
