import { describe, expect, it, test } from 'vitest'
import { changesOf } from '../../src/config/changes.ts'
import { parseConfig } from '../../src/config/config.ts'

const [one, other] = ['a1'.repeat(32), 'b2'.repeat(32)]
const token = { name: 'deploybot', sha256: one, may: ['look'] }
const read = (...tokens: readonly object[]) =>
  parseConfig(
    JSON.stringify({
      slack: { channel: 'C0INCIDENTS' },
      access: { approvers: ['U0DANA'] },
      clusters: [{ name: 'orders', url: 'postgres://m@a/db' }],
      http: { api: { tokens } },
    }),
    {},
  )

describe('tokens of programs', () => {
  it('are none unless they are written down', () => {
    expect(read().http.tokens).toEqual([])
  })

  it('look at all clusters unless some are named', () => {
    expect(read(token).http.tokens).toEqual([{ ...token, clusters: null }])
  })

  it('have each right and each cluster once, and their hash in lower case', () => {
    const doubled = { may: ['look', 'look', 'propose'], clusters: ['orders', 'orders'] }
    expect(read({ ...token, ...doubled, sha256: one.toUpperCase() }).http.tokens).toEqual([
      { ...token, may: ['look', 'propose'], clusters: ['orders'] },
    ])
  })

  test.each([
    [{ name: 'Deploy Bot' }, /tokens\[0\]\.name: .*short name/],
    [{ name: undefined }, /tokens\[0\]\.name: Missing\. Give the token a short name, like deploybot\./],
    [{ sha256: 'xoxb-it-itself' }, /tokens\[0\]\.sha256: .*64 hexadecimal digits/],
    [{ sha256: `${one}a` }, /64 hexadecimal digits/],
    [{ may: [] }, /tokens\[0\]\.may: .*\[look, propose\]/],
    [{ may: ['approve'] }, /tokens\[0\]\.may\[0\]: .*\[look, propose\]/],
    [{ clusters: [] }, /leave it out for all/],
    [{ clusters: ['orders', 'order'] }, /tokens\[0\]\.clusters\[1\]: There is no cluster of this name/],
    [{ secret: 'x' }, /Unknown key/],
  ])('%j is refused', (over, sentence) => {
    expect(() => read({ ...token, ...over })).toThrow(sentence)
  })

  it('never show what stands in the place of a hash', () => {
    expect(() => read({ ...token, sha256: 'xoxb-it-itself' })).toThrow(/^(?!.*xoxb)/s)
  })

  it('have names and hashes of their own', () => {
    expect(() => read(token, { ...token, sha256: other })).toThrow(/tokens\[1\]\.name: Another token has/)
    expect(() => read(token, { ...token, name: 'agent' })).toThrow(/tokens\[1\]\.sha256: Another name has/)
    expect(read(token, { ...token, name: 'agent', sha256: other }).http.tokens).toHaveLength(2)
  })

  it('hold at once where they are others', () => {
    expect(changesOf(read(token), read())).toMatchObject({ settings: ['http.api'], restart: [], changed: [] })
  })
})
