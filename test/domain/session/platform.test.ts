import { describe, expect, it, test } from 'vitest'
import {
  finisherOn,
  platformName,
  platformOf,
  providersOwn,
  settingOn,
  tellingRoles,
} from '../../../src/domain/session/platform.ts'

describe('platformOf', () => {
  test.each([
    [[], false, 'own'],
    [['rds_superuser'], false, 'rds'],
    [['rds_superuser'], true, 'aurora'],
    [['cloudsqlsuperuser'], false, 'cloudSql'],
    [['alloydbsuperuser'], false, 'alloyDb'],
    [['azure_pg_admin'], false, 'azure'],
    [[], true, 'own'],
  ] as const)('%j %s is %s', (roles, isAurora, platform) => {
    expect(platformOf(roles, isAurora)).toBe(platform)
    for (const role of roles) expect(tellingRoles).toContain(role)
    expect(platformName(platform) === null).toBe(platform === 'own')
  })
})

describe('the words', () => {
  const rdsadmin = { usename: 'rdsadmin', isSuperuser: true }
  it('tell whose a session is', () => {
    expect(providersOwn(rdsadmin, 'rds')).toBe(
      'It belongs to rdsadmin, with which Amazon RDS itself works on the server: nobody but the provider ends it.',
    )
    // Of the provider, though no superuser.
    expect(providersOwn({ usename: 'cloudsqlagent', isSuperuser: false }, 'cloudSql')).toContain(
      'Cloud SQL itself',
    )
    expect(providersOwn({ usename: 'new_one', isSuperuser: true }, 'azure')).toContain("the provider's own")
    expect(providersOwn({ usename: 'shop', isSuperuser: false }, 'rds')).toBeNull()
    expect(providersOwn(rdsadmin, 'own')).toBeNull()
    expect(providersOwn({ usename: null, isSuperuser: false }, 'rds')).toBeNull()
  })

  it('propose ALTER SYSTEM only where there is one', () => {
    expect(settingOn('own', 'reserved_connections', 2)).toBe(
      ' ALTER SYSTEM SET reserved_connections = 2; -- needs a restart',
    )
    for (const platform of ['rds', 'aurora', 'cloudSql', 'alloyDb', 'azure'] as const) {
      expect(settingOn(platform, 'reserved_connections', 2)).toMatch(
        /^, and.*reserved_connections = 2 in the /,
      )
      expect(finisherOn(platform, 'shop')).toMatch(/^shop \(/)
    }
    expect(finisherOn('own', 'shop')).toBe('shop or a superuser')
    expect(finisherOn('own', '')).toBe('a superuser')
    expect(finisherOn('rds', '')).toMatch(/^a role that was dropped, else by the provider’s support \(/)
  })
})
