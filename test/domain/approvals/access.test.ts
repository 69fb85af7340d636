import { describe, expect, it, test } from 'vitest'
import { groupsIn, isListed, membershipRefusal, type User } from '../../../src/domain/approvals/access.ts'

describe('a full member of our workspace', () => {
  const member: User = {
    id: 'U0DANA',
    teamId: 'T0',
    deleted: false,
    isBot: false,
    isRestricted: false,
    isUltraRestricted: false,
    isStranger: false,
  }

  it('is let in', () => {
    expect(membershipRefusal(member, 'T0')).toBeNull()
  })

  test.each<[Partial<User>, string]>([
    [{ deleted: true }, 'this account is deactivated'],
    [{ isBot: true }, 'bots may not use this'],
    [{ isStranger: true }, 'people from other workspaces may not use this'],
    [{ isRestricted: true }, 'guests may not use this'],
    [{ isUltraRestricted: true }, 'guests may not use this'],
    [{ teamId: null }, 'Slack did not say which workspace this account belongs to'],
    [{ teamId: 'T1' }, 'people from other workspaces may not use this'],
  ])('is not who has %j', (over, reason) => {
    expect(membershipRefusal({ ...member, ...over }, 'T0')).toEqual({ code: 'notMember', reason })
  })
})

describe('a list of people', () => {
  const groups = new Map([
    ['S0DBA', ['U0DANA', 'U0MORI']],
    ['S0OPS', ['U0OPAL']],
  ])

  it('names people by themselves and through any one of its groups', () => {
    const list = ['U0RIA', 'S0DBA', 'S0OPS']
    for (const id of ['U0RIA', 'U0DANA', 'U0MORI', 'U0OPAL']) expect(isListed(list, id, groups)).toBe(true)
  })

  it('names nobody else, and nobody through a group that was not looked up', () => {
    expect(isListed(['U0RIA', 'S0DBA'], 'U0OPAL', groups)).toBe(false)
    expect(isListed(['S0DBA'], 'U0DANA', new Map())).toBe(false)
    expect(isListed([], 'U0DANA', groups)).toBe(false)
  })

  it('names everyone where it says so', () => {
    expect(isListed('everyone', 'U0ANY', new Map())).toBe(true)
  })

  it('needs its groups looked up, and no people', () => {
    expect(groupsIn(['U0RIA', 'S0DBA'])).toEqual(['S0DBA'])
    expect(groupsIn('everyone')).toEqual([])
  })
})
