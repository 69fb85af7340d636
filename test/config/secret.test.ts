import { describe, expect, it } from 'vitest'
import {
  asksForCodes,
  ConfigError,
  parseConfig,
  requireSecret,
  secretProblem,
} from '../../src/config/config.ts'

const parse = (over: Record<string, unknown>, env: Record<string, string> = {}) =>
  parseConfig(
    JSON.stringify({
      slack: { channel: 'C0INCIDENTS' },
      access: { approvers: ['U0DANA'] },
      clusters: [{ name: 'orders', url: 'postgres://marshal@localhost/orders' }],
      ...over,
    }),
    env,
  )

const cluster = (name: string, secondFactor?: Record<string, boolean>) => ({
  name,
  url: `postgres://marshal@localhost/${name}`,
  ...(secondFactor && { approvals: { secondFactor } }),
})

describe('approvals.secondFactor', () => {
  it('is off, and a cluster overrides what stands above, key by key', () => {
    expect(parse({}).clusters[0]?.approvals.secondFactor).toEqual({ cancel: false, terminate: false })
    const { clusters } = parse({
      approvals: { secondFactor: { cancel: true, terminate: true } },
      clusters: [cluster('orders'), cluster('lab', { cancel: false })],
    })
    expect(clusters.map(({ approvals }) => approvals.secondFactor)).toEqual([
      { cancel: true, terminate: true },
      { cancel: false, terminate: true },
    ])
  })

  it.each([
    [{ cancel: true }, true],
    [{ terminate: true }, true],
    [{ cancel: false, terminate: false }, false],
    [undefined, false],
  ])('of %o on one of two clusters asks for codes: %o', (secondFactor, asks) => {
    expect(asksForCodes(parse({ clusters: [cluster('a'), cluster('b', secondFactor)] }))).toBe(asks)
  })

  it.each([{ terminate: 'sometimes' }, { kill: true }])('takes no %o', (secondFactor) => {
    expect(() => parse({ approvals: { secondFactor } })).toThrow(/approvals\.secondFactor\.\w+: /)
  })
})

describe('PG_MARSHAL_SECRET', () => {
  const secretOf = (PG_MARSHAL_SECRET: string) => parse({}, { PG_MARSHAL_SECRET })

  it('is taken from the environment, without white space around it', () => {
    expect(requireSecret(secretOf(' sixteen letters! \n'))).toBe('sixteen letters!')
  })

  it.each([
    ['none', {}, /^PG_MARSHAL_SECRET is not set, and /],
    ['an empty one', { PG_MARSHAL_SECRET: ' ' }, /^PG_MARSHAL_SECRET is not set, and /],
    ['fifteen characters', { PG_MARSHAL_SECRET: 'x'.repeat(15) }, /^PG_MARSHAL_SECRET is too short: /],
  ])('with %s is refused in one sentence that does not hold it', (_, env, sentence) => {
    const config = parse({}, env)
    expect(secretProblem(config)).toMatch(sentence)
    expect(() => requireSecret(config)).toThrow(ConfigError)
    expect(() => requireSecret(config)).toThrow(sentence)
    expect(secretProblem(config)).not.toMatch(/x{15}|\n/)
  })

  it('of sixteen characters is enough', () => {
    expect(secretProblem(secretOf('x'.repeat(16)))).toBe(null)
  })
})
