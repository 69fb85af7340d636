import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Authorization } from '../../src/actions/authorize.ts'
import { createProposeBulk } from '../../src/actions/proposeBulk.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import { idle, picture } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { madeAt } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const config = clusterConfig('orders')
const { expireAfterMs } = config.approvals
const choice = { action: 'terminate', isChosen: () => true, chosenBy: '--app web', most: 50 } as const

let store: Store
let now: number
beforeEach(async () => {
  store = await openTestStore()
  now = madeAt
})
afterEach(() => store.close())

/** Asks for the same list in the name of somebody. */
async function ask(userId: string) {
  const { byHand } = createProposeBulk({
    cards: cardsOf(store, { now: () => now }),
    proposals: store.proposals,
    clusters: watching({ config, cluster: pictureCluster(picture([idle(1, 600), idle(2, 600)])) }),
    authorization: {
      checkAccess: async () => null,
      authorize: async () => null,
      refuse: async (_, refusal) => refusal,
      settleCounts: async () => {},
    } satisfies Authorization,
    now: () => now,
  })
  const asked = await byHand({ userId, teamId: 'T0' }, 'orders', choice, 'leak')
  if (!('proposal' in asked)) throw new Error('it was not asked for')
  return asked
}

it('who asks for the same joins the request, until its time is up', async () => {
  const { how, proposal } = await ask('U0RIA')
  expect(how).toBe('opened')
  now += expireAfterMs - 1
  const joined = await ask('U0RESP')
  expect(joined).toMatchObject({ how: 'joined', proposal: { id: proposal.id } })
  expect(await ask('U0RESP')).toMatchObject({ how: 'known', proposal: { id: proposal.id } })
  // Nobody has ended it yet, and an approval of it would be refused.
  now += 1
  const later = await ask('U0RIA')
  expect(later.how).toBe('opened')
  expect(later.proposal).toMatchObject({ requestedBy: 'U0RIA', expiresAt: now + expireAfterMs })
  expect(later.proposal.cardId).not.toBe(proposal.cardId)
})
