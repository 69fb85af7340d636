import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { answerHistory } from '../../src/answers/history.ts'
import type { HistoryQuestion } from '../../src/commands/command.ts'
import { openProposal } from '../../src/domain/approvals/proposal.ts'
import type { Store } from '../../src/store/store.ts'
import { idleInTransaction, takenAt } from '../support/builders.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

const hour = 3_600_000
const session = idleInTransaction(4312, 400)
const ask = async (over: Partial<HistoryQuestion> = {}, clusters = ['orders', 'billing']) =>
  (
    await answerHistory(
      { kind: 'history', pid: null, card: null, sinceMs: 12 * hour, ...over },
      {
        past: { ...store, linkTo: async (cardId) => `https://slack.test/${cardId}` },
        clusters,
        now: takenAt,
      },
    )
  ).text
const request = async (n: number, cluster: string, hoursAgo: number) => {
  const id = `3f2a9c1b-0000-4000-8000-00000000000${n}`
  const key = { cluster, pid: 4312, backendStart: session.backendStart }
  const made = {
    id,
    cardId: id,
    action: 'terminate',
    key,
    session,
    victims: [],
    reason: 'stuck',
    requestedBy: 'U9',
  } as const
  await store.proposals.add({
    ...openProposal(made, takenAt - hoursAgo * hour, hour),
    state: 'denied',
    decidedBy: 'U1',
    decision: 'payroll runs in it',
  })
  await store.journal.append(takenAt, id, {
    kind: 'denied',
    actor: 'U1',
    proposalId: id,
    reason: `on ${cluster}`,
  })
}

describe('/pg history', () => {
  it('has one entry for what was asked in that time, with who decided what and a link', async () => {
    await request(1, 'orders', 2)
    await request(2, 'orders', 20)
    const text = await ask()
    expect(text).toContain('History of the last 12 h')
    expect(text).toMatch(
      /<https:\/\/slack\.test\/3f2a9c1b[^|]*1\|⛔ Denied: terminate web \(4312\) on orders>/,
    )
    expect(text).toContain('Denied by <@U1>: payroll runs in it')
    expect(text.match(/Denied: terminate/g)).toHaveLength(1)
    expect((await ask({ sinceMs: 24 * hour })).match(/Denied: terminate/g)).toHaveLength(2)
  })

  it('shows only the clusters that the reader may see, or the one that is named', async () => {
    await request(1, 'orders', 1)
    await request(2, 'billing', 1)
    expect((await ask()).match(/Denied: terminate/g)).toHaveLength(2)
    expect(await ask({}, ['orders'])).not.toContain('billing')
    expect(await ask({ cluster: 'billing' })).not.toContain('on orders')
    expect(await ask({ cluster: 'billing' }, ['orders'])).toContain(
      'There is no cluster billing that you may see',
    )
  })

  it('of a pid or an incident is the story of the cards on those clusters alone', async () => {
    await request(1, 'orders', 1)
    await request(2, 'billing', 1)
    expect(await ask({ pid: 4312 }, ['orders'])).toContain('on orders')
    expect(await ask({ pid: 4312 }, ['orders'])).not.toContain('on billing')
    expect(await ask({ card: '3f2a9c1b' }, ['billing'])).not.toContain('on orders')
  })

  it('says that nothing happened', async () => {
    expect(await ask()).toContain('Nothing happened.')
  })
})
