import { describe, expect, it } from 'vitest'
import { protectedBy } from '../../../src/domain/session/policy.ts'
import type { Session } from '../../../src/domain/session/session.ts'

const session = { applicationName: 'pg_dump', usename: 'backup', datname: 'orders' } as Session

describe('protectedBy', () => {
  it.each([
    [{ applicationName: 'pg_dump' }],
    [{ applicationName: 'pg_*' }],
    [{ applicationName: 'pg_dump*' }],
    [{ user: '*' }],
    [{ user: 'backup', database: 'orders' }],
  ])('%j protects it', (rule) => {
    expect(protectedBy(session, [{ user: 'else' }, rule])).toBe(rule)
  })

  it.each([
    [{ applicationName: 'PG_DUMP' }],
    [{ applicationName: 'pg_dum' }],
    [{ applicationName: 'p*p' }],
    [{ user: 'backup', database: 'shop' }],
  ])('%j does not', (rule) => {
    expect(protectedBy(session, [rule])).toBeNull()
  })

  it('protects a session whose name is not known: it may be the one', () => {
    const rule = { database: 'ledger' }
    expect(protectedBy({ ...session, datname: null }, [rule])).toBe(rule)
    expect(protectedBy({ ...session, usename: null }, [rule])).toBeNull()
  })
})
