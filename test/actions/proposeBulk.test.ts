import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Authorization } from '../../src/actions/authorize.ts'
import { createProposeBulk } from '../../src/actions/proposeBulk.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import { refusalOf } from '../../src/domain/approvals/access.ts'
import type { ProposalState } from '../../src/domain/approvals/proposal.ts'
import type { People } from '../../src/domain/session/policy.ts'
import type { Session } from '../../src/domain/session/session.ts'
import type { Cards } from '../../src/notify/cards.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { clusterErrorWith } from '../../src/postgres/errors.ts'
import type { Proposals } from '../../src/store/proposals.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import { openToAll } from '../support/authorization.ts'
import { idle, picture } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { bulkProposal, madeAt, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const config = clusterConfig('orders')
const { expireAfterMs } = config.approvals
const choice = { action: 'terminate', isChosen: () => true, chosenBy: '--app web', most: 50 } as const
const [one, other] = [idle(1, 600), idle(2, 600)]
const leak = [one, other]
const ria = { userId: 'U0RIA', teamId: 'T0' }

let store: Store
let now: number
beforeEach(async () => {
  store = await openTestStore()
  now = madeAt
})
afterEach(() => store.close())

/** A cluster of this name with two sessions to choose. */
const watched = (name: string, over: Partial<Cluster> = {}): WatchedCluster => ({
  config: clusterConfig(name),
  cluster: pictureCluster(picture(leak), [], over),
})

const bulk = (
  clusters: readonly WatchedCluster[],
  over: Partial<Omit<Parameters<typeof createProposeBulk>[0], 'clusters'>> = {},
) =>
  createProposeBulk({
    ...{ proposals: store.proposals, clusters: watching(...clusters), authorization: openToAll },
    cards: cardsOf(store, { now: () => now }),
    now: () => now,
    ...over,
  })

/** Asks for the same list in the name of somebody. */
async function ask(userId: string, over: Parameters<typeof bulk>[1] = {}) {
  const { byHand } = bulk([watched('orders')], over)
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

it('who is not as fast as another looks again at what stands', async () => {
  const { proposal } = await ask('U0RIA')
  const cards = cardsOf(store)
  let isFaster = true
  const commit: Cards['commit'] = (cardId, run) =>
    cards.commit(cardId, (tx) => {
      const { swap } = tx.proposals
      const swapOnce: typeof swap = async (before, next) => (isFaster ? null : swap(before, next))
      return run({ ...tx, proposals: { ...tx.proposals, swap: swapOnce } }).finally(() => {
        isFaster = false
      })
    })
  const joined = await ask('U0RESP', { cards: { ...cards, commit } })
  expect(joined).toMatchObject({ how: 'joined', proposal: { id: proposal.id } })
  expect((await store.proposals.get(proposal.id))?.joined).toHaveLength(1)
})

it('who cannot see the server asks for nobody, and a fault is no such thing', async () => {
  const askWhere = (error: Error) =>
    bulk([watched('orders', { snapshot: () => Promise.reject(error) })]).byHand(ria, 'orders', choice, '')
  const unseen = clusterErrorWith('DEADLINE')
  expect(await askWhere(unseen)).toEqual({ refusal: { code: 'notSeen', reason: unseen.reason } })
  const fault = new Error('a fault')
  await expect(askWhere(fault)).rejects.toBe(fault)
  expect(await store.proposals.madeSince(0)).toEqual([])
})

describe('a sweep', () => {
  const [orders, shop] = [watched('orders'), watched('shop')]
  const sweep = (of: WatchedCluster, name: string, over: { sessions?: boolean; claim?: boolean } = {}) =>
    bulk([orders, shop]).bySweep(
      of,
      { ...choice, isChosen: () => over.sessions ?? true, sweep: name },
      async () => over.claim ?? true,
    )
  const made = async () =>
    (await store.proposals.madeSince(0)).map(({ state, key, bulk }) => [state, bulk?.sweep, key.cluster])

  it('withdraws its own older list on its own cluster, and no other', async () => {
    await ask('U0RIA')
    for (const of of [orders, shop]) for (const name of ['idle', 'old']) await sweep(of, name)
    now += 1000
    expect(await sweep(orders, 'idle')).toMatchObject({ how: 'opened' })
    const all = await made()
    expect(all.filter(([state]) => state !== 'open')).toEqual([['withdrawn', 'idle', 'orders']])
    expect(all.filter(([state]) => state === 'open')).toHaveLength(5)
  })

  it.each([
    ['somebody was faster', { claim: false }, null],
    ['there is nobody to ask for', { sessions: false }, { how: 'nobody', leftOut: [] }],
  ])('leaves the older list where %s', async (_, over, result) => {
    await sweep(orders, 'idle')
    expect(await sweep(orders, 'idle', over)).toEqual(result)
    expect(await made()).toEqual([['open', 'idle', 'orders']])
  })
})

describe('taking one off a list', () => {
  const takeOff = (
    { id: proposalId }: { id: string },
    {
      session: { pid, backendStart } = one,
      clusters = [watched('orders')],
      ...over
    }: { session?: Session; clusters?: readonly WatchedCluster[] } & Parameters<typeof bulk>[1] = {},
  ) => bulk(clusters, over).takeOff(ria, { proposalId, pid, backendStart })
  /** Lets in who stands on these lists alone. */
  const only = (lists: readonly People[]): Authorization => {
    const checkAccess: Authorization['checkAccess'] = async (_, allowed) =>
      lists.some((list) => isDeepStrictEqual(list, allowed)) ? null : refusalOf('notAllowed', 'you may not')
    return {
      ...openToAll,
      checkAccess,
      authorize: ({ caller }, allowed, fresh) => checkAccess(caller, allowed, fresh),
    }
  }
  const stored = async (state: ProposalState = 'open') => {
    const list = { ...bulkProposal(leak), state }
    await store.proposals.add(list)
    return list
  }

  it('puts the shorter list on the same card', async () => {
    const list = await stored()
    expect(await takeOff(list)).toEqual({ cardId: list.cardId })
    const [left] = await store.proposals.inState('open')
    expect(left?.cardId).toBe(list.cardId)
    expect(left?.bulk?.members.map(({ session }) => session.pid)).toEqual([other.pid])
    expect(await store.proposals.get(list.id)).toMatchObject({ state: 'withdrawn' })
  })

  it.each([
    ['ask', config.access.requesters],
    ['approve', config.access.approvers],
  ])('is open to who may only %s', async (_, people) => {
    const list = await stored()
    expect(await takeOff(list, { authorization: only([people]) })).toEqual({ cardId: list.cardId })
  })

  it.each([
    ['its cluster is not configured any more', { clusters: [] }, 'unknownProposal'],
    ['it is not on the list', { session: idle(3, 600) }, 'changed'],
    ['the caller may neither ask nor approve', { authorization: only([]) }, 'notAllowed'],
  ])('is refused where %s', async (_, over, code) => {
    const list = await stored()
    expect(await takeOff(list, over)).toMatchObject({ refusal: { code } })
    expect(await store.proposals.get(list.id)).toMatchObject({ state: 'open' })
  })

  it('is refused when the list has expired', async () => {
    const list = await stored()
    now = list.expiresAt
    expect(await takeOff(list)).toMatchObject({ refusal: { code: 'expired' } })
    expect(await store.proposals.get(list.id)).toMatchObject({ state: 'open' })
  })

  it.each(['claimed', 'done', 'denied', 'expired', 'withdrawn'] as const)(
    'is refused when the list is %s',
    async (state) => {
      const list = await stored(state)
      expect(await takeOff(list)).toMatchObject({
        refusal: { code: 'alreadyDecided' },
      })
      expect(await store.proposals.inState('open')).toEqual([])
    },
  )

  it('is refused when it is decided meanwhile', async () => {
    const list = await stored()
    let reads = 0
    const get: Proposals['get'] = async (id) => {
      const found = await store.proposals.get(id)
      if (++reads === 2 && found) await store.proposals.swap(found, { ...list, state: 'denied' })
      return found
    }
    expect(await takeOff(list, { proposals: { ...store.proposals, get } })).toMatchObject({
      refusal: { code: 'alreadyDecided' },
    })
    expect(await store.proposals.madeSince(0)).toHaveLength(1)
  })

  it('is refused for a request of one session', async () => {
    const single = proposal({}, one)
    await store.proposals.add(single)
    expect(await takeOff(single)).toHaveProperty('refusal')
    expect(await store.proposals.get(single.id)).toMatchObject({ state: 'open' })
  })

  it('is refused for one that nobody knows', async () => {
    expect(await takeOff(proposal())).toMatchObject({
      refusal: { code: 'unknownProposal' },
    })
  })
})
