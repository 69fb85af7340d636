import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Approve, createApprove } from '../../src/actions/approve.ts'
import { type CheckAccess, createAuthorization } from '../../src/actions/authorize.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import type { Refusal } from '../../src/domain/approvals/access.ts'
import type { Proposal } from '../../src/domain/approvals/proposal.ts'
import { createLog } from '../../src/log.ts'
import type { Cards } from '../../src/notify/cards.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig } from '../support/asking.ts'
import { cardsOf } from '../support/cards.ts'
import { madeAt, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const log = createLog({ level: 'silent' })
const people = { cancel: 3, terminate: 3 }
const approvals = {
  people,
  requesterMayApprove: false,
  secondFactor: { cancel: false, terminate: false },
  breakGlass: [],
  expireAfterMs: 60_000,
}
const access = { viewers: 'everyone', requesters: 'everyone', approvers: ['S0DBAONCALL'] } as const
const watched = {
  config: { name: 'orders', channel: 'C0INCIDENTS', access, approvals },
} as unknown as WatchedCluster
const now = () => madeAt

let store: Store
let cards: Cards
beforeEach(async () => {
  store = await openTestStore()
  const cardSettings = new Map([
    ['orders', clusterConfig('orders', { channel: 'C0INCIDENTS', access, approvals })],
  ])
  cards = cardsOf(store, { cardSettings, now })
})
afterEach(async () => {
  await store.close()
})

const approvedBy = (...userIds: string[]) => userIds.map((userId) => ({ userId, at: madeAt }))

const executed: string[] = []
beforeEach(() => {
  executed.length = 0
})
const approving = (
  checkAccess: CheckAccess,
  with_: WatchedCluster = watched,
  hindrance: Refusal | null = null,
): Approve =>
  createApprove({
    cards,
    proposals: store.proposals,
    clusters: new Map([['orders', with_]]),
    authorization: createAuthorization({ checkAccess, cards, now, log }),
    replica: 'this process',
    secondFactor: { hindrance: async () => hindrance },
    execute: async (claimed) => {
      executed.push(claimed.id)
      return claimed
    },
    now,
    log,
  })
const press = (
  approve: Approve,
  { id: proposalId, action }: Proposal,
  over: Partial<Parameters<Approve>[0]> = {},
) =>
  approve({
    caller: { userId: 'U0DANA', teamId: 'T0' },
    proposalId,
    action,
    decision: 'approve',
    reason: '',
    ...over,
  })
const everybody: CheckAccess = async () => null
const kinds = async () =>
  (await store.journal.ofCards(['card-1'], 20)).map(({ event }) =>
    event.kind === 'refused' ? event.code : event.kind,
  )

describe('a press', () => {
  it('is refused where it may not count, and nothing is written but that', async () => {
    const open = proposal({ approvals: approvedBy('U0DANA') })
    await store.proposals.add(open)
    expect(await press(approving(everybody), open)).toMatchObject({ code: 'alreadyApproved' })
    expect(await store.proposals.get(open.id)).toEqual(open)
    expect(await kinds()).toEqual(['alreadyApproved'])
  })

  it('after the end expires it, and is refused', async () => {
    const open = proposal({ expiresAt: madeAt })
    await store.proposals.add(open)
    expect(await press(approving(everybody), open)).toEqual({ code: 'expired', reason: 'it has expired' })
    expect(await kinds()).toEqual(['expired', 'expired'])
  })

  it('that denies it executes nothing', async () => {
    const open = proposal({ approvals: approvedBy('U0DEVI', 'U0MO') })
    await store.proposals.add(open)
    expect(await press(approving(everybody), open, { decision: 'deny', reason: 'no' })).toBeNull()
    expect((await store.proposals.get(open.id))?.state).toBe('denied')
    expect(executed).toEqual([])
  })

  it('that breaks the glass takes one of those who may, and not an approver', async () => {
    const open = proposal()
    await store.proposals.add(open)
    const asked: unknown[] = []
    const checkAccess: CheckAccess = async (_, allowed) => {
      asked.push(allowed)
      return null
    }
    const withGlass = {
      config: { ...watched.config, approvals: { ...approvals, breakGlass: ['U0DANA'] } },
    } as unknown as WatchedCluster
    const alone = { decision: 'breakGlass', reason: 'the shop is down' } as const
    expect(await press(approving(checkAccess, withGlass), open, alone)).toBeNull()
    expect(asked).toEqual([['U0DANA']])
    expect(executed).toEqual([open.id])
  })

  it('decides nothing while it is not known whether an earlier approval counts', async () => {
    const open = proposal({ approvals: approvedBy('U0DEVI', 'U0MO') })
    await store.proposals.add(open)
    const checkAccess: CheckAccess = async ({ userId }) =>
      userId === 'U0MO' ? { code: 'lookUpFailed', reason: 'Slack does not answer' } : null
    expect(await press(approving(checkAccess), open)).toMatchObject({ code: 'lookUpFailed' })
    expect(await store.proposals.get(open.id)).toEqual(open)
    expect(executed).toEqual([])
  })

  it('counts once when it is delivered again', async () => {
    const open = proposal({ approvals: approvedBy('U0DEVI', 'U0MO') })
    await store.proposals.add(open)
    const approve = approving(everybody)
    const answers = await Promise.all([press(approve, open), press(approve, open), press(approve, open)])
    const counted = 'Your approval was counted already; the card says what came of it.'
    expect(answers.sort()).toEqual([counted, counted, null])
    expect(executed).toEqual([open.id])
    expect(await kinds()).toEqual(['approved', 'intended'])
  })
})

describe('a press that takes a code', () => {
  const coded = {
    config: {
      ...watched.config,
      approvals: {
        ...approvals,
        people: { cancel: 1, terminate: 1 },
        secondFactor: { cancel: false, terminate: true },
      },
    },
  } as unknown as WatchedCluster
  const open = proposal()
  beforeEach(() => store.proposals.add(open))
  const nothingDone = async () => {
    expect(executed).toEqual([])
    expect(await store.proposals.get(open.id)).toEqual(open)
  }

  it('counts with a code of this person for this proposal', async () => {
    const code = { userId: 'U0DANA', proposalId: open.id }
    expect(await press(approving(everybody, coded), open, { code })).toBeNull()
    expect(executed).toEqual([open.id])
  })

  it.each([
    ['without one', undefined],
    ['with that of another person', { userId: 'U0DEVI', proposalId: open.id }],
    [
      'with one for another proposal',
      { userId: 'U0DANA', proposalId: 'b2f6b0a4-0000-4000-8000-000000000002' },
    ],
  ])('does not count %s, and that is no refusal yet', async (_, code) => {
    expect(await press(approving(everybody, coded), open, { code })).toMatchObject({ code: 'noCode' })
    await nothingDone()
    expect(await kinds()).toEqual([])
  })

  it('is refused where no code would count, with a way on', async () => {
    const hindrance = { code: 'notEnrolled', reason: 'you are not enrolled' } as const
    expect(await press(approving(everybody, coded, hindrance), open)).toMatchObject({
      code: 'notEnrolled',
      help: { kind: 'approvers' },
    })
    await nothingDone()
    expect(await kinds()).toEqual(['notEnrolled'])
  })

  it('is refused with a code as well where the person may not approve any more', async () => {
    const nobody: CheckAccess = async () => ({ code: 'notAllowed', reason: 'you may not' })
    const code = { userId: 'U0DANA', proposalId: open.id }
    expect(await press(approving(nobody, coded), open, { code })).toMatchObject({ code: 'notAllowed' })
    await nothingDone()
  })
})

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
    expect(await press(approving(checkAccess), open)).toBe(null)
    expect(executed).toEqual([])
    expect((await store.proposals.get(open.id))?.approvals.map(({ userId }) => userId)).toEqual([
      'U0DEVI',
      'U0DANA',
    ])
  })
})
