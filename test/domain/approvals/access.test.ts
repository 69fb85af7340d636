import { describe, expect, it } from 'vitest'
import { groupsIn, isListed } from '../../../src/domain/approvals/access.ts'

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
