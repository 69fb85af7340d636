import { expect, it } from 'vitest'
import type { Refusal } from '../../src/domain/approvals/access.ts'
import type { People } from '../../src/domain/session/policy.ts'
import { createRights } from '../../src/slack/rights.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import { picture } from '../support/builders.ts'

function rightsWith(
  lists: Readonly<Record<string, { viewers: People; approvers: readonly string[] }>>,
  code: Refusal['code'] = 'notAllowed',
) {
  const asked: People[] = []
  const rightsOf = createRights({
    clusters: watching(
      ...Object.entries(lists).map(([name, access]) => ({
        config: clusterConfig(name, { access: { ...access, requesters: 'everyone' } }),
        cluster: pictureCluster(picture([])),
      })),
    ),
    checkAccess: async ({ userId }, allowed) => {
      asked.push(allowed)
      if (code === 'notMember') return { code, reason: 'guests may not use this' }
      if (allowed !== 'everyone' && allowed.includes('S0BROKEN'))
        return { code: 'lookUpFailed', reason: 'unknown' }
      return allowed === 'everyone' || allowed.includes(userId) ? null : { code, reason: 'no' }
    },
  })
  return { asked, rightsOf: () => rightsOf({ userId: 'U1', teamId: 'T0' }) }
}

it('looks each list up once, and lets nobody approve what they may not see', async () => {
  const { asked, rightsOf } = rightsWith({
    a: { viewers: 'everyone', approvers: ['U1'] },
    b: { viewers: ['U2'], approvers: ['U1'] },
    c: { viewers: ['U1', 'U2'], approvers: ['U2'] },
    d: { viewers: 'everyone', approvers: ['U1'] },
  })
  const { sees, approves, refusal } = await rightsOf()
  expect([[...sees], [...approves], refusal?.code]).toEqual([['a', 'c', 'd'], ['a', 'd'], 'notAllowed'])
  expect(asked).toEqual(['everyone', ['U1'], ['U2'], ['U1', 'U2']])
})

it('asks no further for whoever is no member, and tells what could not be looked up before anything else', async () => {
  const stranger = rightsWith({ a: { viewers: 'everyone', approvers: ['U1'] } }, 'notMember')
  expect(await stranger.rightsOf()).toMatchObject({
    sees: new Set(),
    approves: new Set(),
    refusal: { code: 'notMember' },
  })
  expect(stranger.asked).toHaveLength(1)
  const broken = rightsWith({ a: { viewers: ['U2'], approvers: ['S0BROKEN'] } })
  expect((await broken.rightsOf()).refusal?.code).toBe('lookUpFailed')
  const fine = rightsWith({ a: { viewers: 'everyone', approvers: ['U1'] } })
  expect((await fine.rightsOf()).refusal).toBeNull()
})
