import { expect, it } from 'vitest'
import { missingPrivilegesOf } from '../../src/postgres/missingPrivileges.ts'
import type { Facts } from '../../src/postgres/rows.ts'

const facts = (over: Partial<Facts> = {}): Facts => ({
  version_num: 180_004,
  in_recovery: false,
  standby_delay: 30,
  telling_roles: [],
  is_aurora: false,
  functions: [],
  started_at: '2026-03-01 00:00:00+00',
  max_connections: 100,
  datid: 5,
  role: 'marshal',
  is_superuser: false,
  sees_others: true,
  may_signal: true,
  may_signal_autovacuum: true,
  may_use_reserved: true,
  reserved_connections: 2,
  superuser_reserved_connections: 3,
  ...over,
})
const fixes = (over: Partial<Facts>) => missingPrivilegesOf(facts(over)).map(({ fix }) => fix)

it('advises to look for a newer pg-marshal where the server is newer, and asks for nothing else', () => {
  expect(missingPrivilegesOf(facts())).toEqual([])
  expect(missingPrivilegesOf(facts({ version_num: 200_001 }))).toMatchObject([
    { what: expect.stringContaining('PostgreSQL 20.1 is newer'), needed: false },
  ])
})

it('says on each platform who grants and where settings are made', () => {
  const missing = { sees_others: false, may_use_reserved: false, reserved_connections: 0 }
  expect(fixes(missing)).toEqual([
    'GRANT pg_monitor TO "marshal";',
    'GRANT pg_use_reserved_connections TO "marshal"; ALTER SYSTEM SET reserved_connections = 4; -- needs a restart',
  ])
  expect(fixes({ ...missing, telling_roles: ['cloudsqlsuperuser'] })).toEqual([
    'GRANT pg_monitor TO "marshal"; -- as postgres (a member of cloudsqlsuperuser)',
    'GRANT pg_use_reserved_connections TO "marshal"; -- as postgres (a member of cloudsqlsuperuser), and, where Cloud SQL lets you, reserved_connections = 4 in the database flags; needs a restart',
  ])
})

it('grants on the primary, for a standby takes no GRANT, and makes settings on the standby itself', () => {
  const missing = { in_recovery: true, sees_others: false, may_use_reserved: false, reserved_connections: 0 }
  expect(fixes(missing)).toEqual([
    'GRANT pg_monitor TO "marshal"; -- on the primary',
    'GRANT pg_use_reserved_connections TO "marshal"; -- on the primary\nALTER SYSTEM SET reserved_connections = 4; -- needs a restart',
  ])
  expect(fixes({ ...missing, reserved_connections: 3, telling_roles: ['cloudsqlsuperuser'] })).toEqual([
    'GRANT pg_monitor TO "marshal"; -- as postgres (a member of cloudsqlsuperuser), on the primary',
    'GRANT pg_use_reserved_connections TO "marshal"; -- as postgres (a member of cloudsqlsuperuser), on the primary',
  ])
})

it('writes the name of a role so that it can be copied', () => {
  expect(fixes({ sees_others: false, role: 'bot\u202e"x' })).toEqual([
    'GRANT pg_monitor TO U&"bot\\202e""x";',
  ])
})

it('advises the grant to cancel autovacuum where there is one, and never needs it', () => {
  expect(missingPrivilegesOf(facts({ may_signal_autovacuum: false }))).toMatchObject([
    { fix: 'GRANT pg_signal_autovacuum_worker TO "marshal";', needed: false },
  ])
  // Before 18.
  expect(fixes({ may_signal_autovacuum: null })).toEqual([])
})
