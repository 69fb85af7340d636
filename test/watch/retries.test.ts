import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Outcome } from '../../src/domain/approvals/outcome.ts'
import type { Proposal } from '../../src/domain/approvals/proposal.ts'
import type { Session } from '../../src/domain/session/session.ts'
import type { Store } from '../../src/store/store.ts'
import { followRetries } from '../../src/watch/retries.ts'
import { pictureCluster } from '../support/asking.ts'
import { picture, session, takenAt } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { bulkProposal, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const effective: Outcome = { kind: 'effective', afterMs: 5, victims: 0, movedOn: 0 }
const update = { query: 'UPDATE stock SET n = 1' }
const ended = [session(1, update), session(2, update), session(3, { query: 'VACUUM stock' })]
const justNow = { state: 'done', createdAt: takenAt - 9000, claimedAt: takenAt - 5000 } as const
const list = bulkProposal<'done'>(ended, justNow)

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

/** Looks twice at a server with these sessions. */
async function followed(done: Proposal, ...there: readonly Session[]) {
  await store.proposals.add(done)
  const { snapshot } = picture(there)
  let reads = 0
  const cluster = pictureCluster(picture(there), [], {
    withText: async (sessions) => {
      reads++
      return [...sessions]
    },
  })
  const follow = () => followRetries({ cluster, store, cards: cardsOf(store) }, snapshot)
  await follow()
  const firstReads = reads
  const retriesOf = await follow()
  const events = (await store.journal.ofCards([done.cardId], 10)).map(({ event }) => event)
  return { retriesOf, reads: firstReads, events }
}

const again = (pid: number) => session(pid, { ...update, backendSeconds: 4, querySeconds: 3 })

it('what was ended alone is noted once, whoever began it again', async () => {
  const one = proposal({ ...justNow, outcome: effective }, ended[0])
  const { retriesOf, events } = await followed(one, again(20), again(21))
  expect(events).toMatchObject([{ kind: 'retried', pid: 20, afterMs: 2000 }])
  expect(retriesOf(again(20))).toEqual({ ended: 1, again: 1, withinSeconds: 2 })
})

it('what was ended with a list is noted once, for all of it that was the same', async () => {
  const members = list.bulk.members.map((member) => ({ ...member, outcome: effective }))
  const { retriesOf, reads, events } = await followed(
    { ...list, bulk: { ...list.bulk, members } },
    ...[again(20), again(21)],
  )
  expect(events).toMatchObject([{ kind: 'retried', pid: 20, afterMs: 2000 }])
  expect(reads).toBe(1)
  expect(retriesOf(again(20))).toEqual({ ended: 1, again: 1, withinSeconds: 2 })
  expect(retriesOf(session(4, { query: 'VACUUM stock' }))).toMatchObject({ ended: 1, again: 0 })
  expect(retriesOf(session(4, { query: 'SELECT 1' }))).toBeNull()
})

it.each([
  ['does otherwise', 'UPDATE stock SET m = 1'],
  ['no longer does when its text is read', null],
])('what its application %s is not what was ended', async (_, query) => {
  const one = proposal({ ...justNow, outcome: effective }, ended[0])
  expect((await followed(one, { ...again(20), query })).events).toEqual([])
})
