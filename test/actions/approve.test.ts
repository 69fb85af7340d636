import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApprove } from '../../src/actions/approve.ts'
import { type CheckAccess, createAuthorization } from '../../src/actions/authorize.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import { createLog } from '../../src/log.ts'
import { type Cards, createCards } from '../../src/notify/cards.ts'
import type { Store } from '../../src/store/store.ts'
import { madeAt, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const log = createLog({ level: 'silent' })
const people = { cancel: 3, terminate: 3 }
const approvals = { people, requesterMayApprove: false, breakGlass: [], expireAfterMs: 60_000 }
const access = { viewers: 'everyone', requesters: 'everyone', approvers: ['S0DBAONCALL'] } as const
const watched = {
  config: { name: 'orders', channel: 'C0INCIDENTS', access, approvals },
} as unknown as WatchedCluster
const now = () => madeAt

let store: Store
let cards: Cards
beforeEach(async () => {
  store = await openTestStore()
  const cardSettings = new Map([['orders', { channel: 'C0INCIDENTS', approvals }]])
  cards = createCards({ store, cardSettings, now, changed: () => {}, recorded: () => {} })
})
afterEach(async () => {
  await store.close()
})

const approvedBy = (...userIds: string[]) => userIds.map((userId) => ({ userId, at: madeAt }))

describe('an earlier approval of one who left the group', () => {
  it('does not count either where somebody approves at the moment in which it is taken off', async () => {
    const open = proposal({ approvals: approvedBy('U0GONE') })
    await store.proposals.add(open)
    let approvesMeanwhile = true
    const checkAccess: CheckAccess = async ({ userId }) => {
      if (userId !== 'U0GONE') return null
      if (approvesMeanwhile) {
        approvesMeanwhile = false
        await store.proposals.swap(open, { ...open, approvals: approvedBy('U0GONE', 'U0DEVI') })
      }
      return { code: 'notAllowed', reason: 'you are not among those who may do this' }
    }
    const executed: string[] = []
    const approve = createApprove({
      cards,
      proposals: store.proposals,
      clusters: new Map([['orders', watched]]),
      authorization: createAuthorization({ checkAccess, cards, now: Date.now, log }),
      execute: async (claimed) => {
        executed.push(claimed.id)
        return claimed
      },
      now,
      log,
    })
    const caller = { userId: 'U0DANA', teamId: 'T0' }
    const { id: proposalId, action } = open
    expect(await approve({ caller, proposalId, action, decision: 'approve', reason: '' })).toBe(null)
    expect(executed).toEqual([])
    expect((await store.proposals.get(open.id))?.approvals.map(({ userId }) => userId)).toEqual([
      'U0DEVI',
      'U0DANA',
    ])
  })
})
