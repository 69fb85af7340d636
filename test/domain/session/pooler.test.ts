import { describe, expect, it, test } from 'vitest'
import { poolerBefore } from '../../../src/domain/session/pooler.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import * as of from '../../support/builders.ts'

const poolerOf = (session: Session, others: readonly Session[] = []) =>
  poolerBefore(of.snapshot([session, ...others]), session)

/** Sessions of `applications` × `users` from one address, 12 in all. */
const from = (clientAddr: string | null, applications: number, users: number) =>
  Array.from({ length: 12 }, (_, index) =>
    of.session(100 + index, {
      clientAddr,
      applicationName: `app-${index % applications}`,
      usename: `user-${index % users}`,
    }),
  )

describe('poolerBefore', () => {
  test.each([
    ['pgbouncer', 'PgBouncer'],
    ['PgBouncer 1.24', 'PgBouncer'],
    ['pgcat', 'PgCat'],
    ['Supavisor', 'Supavisor'],
    ['odyssey', 'Odyssey'],
  ])('%s is %s', (applicationName, pooler) => {
    expect(poolerOf(of.session(1, { applicationName }))).toEqual({
      kind: 'name',
      pooler,
      evidence: `application name ${applicationName}`,
    })
  })

  test.each([
    ['web - 10.0.0.7:51234', '10.0.0.7:51234'],
    ['app - [fe80::1]:51234', '[fe80::1]:51234'],
    ['app - unix(4312):6432', 'unix(4312):6432'],
  ])('%s tells its client', (applicationName, client) => {
    expect(poolerOf(of.session(1, { applicationName, clientAddr: null }))).toEqual({ kind: 'host', client })
  })

  it('recognises RDS Proxy by its own user at the same address', () => {
    const proxy = of.session(2, { usename: 'rdsproxyadmin', clientAddr: '10.0.9.9' })
    const through = of.session(1, { clientAddr: '10.0.9.9' })
    expect(poolerOf(through, [proxy])).toMatchObject({ kind: 'name', pooler: 'RDS Proxy' })
    expect(poolerOf(of.session(1), [proxy])).toBeNull()
  })

  it('sees a crowd of applications and users behind one address', () => {
    const [one, ...others] = from('10.0.0.7', 4, 3)
    expect(one && poolerOf(one, others)).toEqual({
      kind: 'crowd',
      address: '10.0.0.7',
      sessions: 12,
      applications: 4,
      users: 3,
    })
  })

  test.each([
    ['many web workers of one application', from('10.0.0.7', 1, 1)],
    ['a host that runs several programs as one user', from('10.0.0.7', 6, 1)],
    ['a host of two users', from('10.0.0.7', 6, 2)],
    ['a crowd at the local socket', from(null, 6, 6)],
    ['few sessions', from('10.0.0.7', 6, 6).slice(0, 9)],
    [
      'a crowd of processes without a client',
      from('10.0.0.7', 6, 6).map((one) => ({ ...one, backendType: 'walsender' })),
    ],
  ])('does not cry wolf: %s', (_, [one, ...others]) => {
    expect(one && poolerOf(one, others)).toBeNull()
  })

  test.each(['my-pgbouncer-exporter', 'report - 3', 'web - 10:15', ''])(
    'does not take %j for a pooler',
    (applicationName) => {
      expect(poolerOf(of.session(1, { applicationName }))).toBeNull()
    },
  )
})
