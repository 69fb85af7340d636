import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { answerHistory } from '../../src/answers/history.ts'
import type { HistoryQuestion } from '../../src/commands/pastCommand.ts'
import { openProposal } from '../../src/domain/approvals/proposal.ts'
import { type Incident, openedWith } from '../../src/domain/incidents/incident.ts'
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
      { kind: 'history', pid: null, card: null, sinceMs: 12 * hour, page: 1, ...over },
      {
        past: { ...store, linkTo: async (cardId) => `https://slack.test/${cardId}` },
        clusters,
        typed: 'history',
        now: takenAt,
      },
    )
  ).text
const request = async (n: number, cluster: string, hoursAgo: number) => {
  const id = `3f2a9c1b-0000-4000-8000-0000000000${String(n).padStart(2, '0')}`
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

  it('turns pages in place, the newest first', async () => {
    for (let n = 0; n < 45; n++) await request(n + 10, 'orders', 1 + n / 10)
    const view = (page: number) =>
      answerHistory(
        { kind: 'history', pid: null, card: null, sinceMs: 12 * hour, page },
        {
          past: { ...store, linkTo: async () => null },
          clusters: ['orders'],
          typed: 'history --since 12h',
          now: takenAt,
        },
      )
    const buttonsOn = async (page: number) =>
      (await view(page)).blocks
        .flatMap((block) => (block.type === 'actions' ? block.elements : []))
        .flatMap((one) =>
          one.type === 'button' ? [`${one.action_id} ${JSON.parse(one.value ?? '').command}`] : [],
        )
    expect(await buttonsOn(1)).toEqual([
      'pg_older history --since 12h --page 2',
      'pg_refresh_answer history --since 12h',
    ])
    expect((await buttonsOn(2)).slice(0, 2)).toEqual([
      'pg_newer history --since 12h --page 1',
      'pg_older history --since 12h --page 3',
    ])
    expect((await buttonsOn(3)).slice(0, 1)).toEqual(['pg_newer history --since 12h --page 2'])
    const entries = async (page: number) => (await view(page)).text.match(/Denied: terminate/g)?.length
    expect([await entries(1), await entries(2), await entries(3)]).toEqual([20, 20, 5])
    expect((await view(3)).text).toContain('Page 3 of 3.')
    expect((await view(9)).text).toContain('There is no page 9: the last one is 3.')
    expect(await buttonsOn(9)).toContain('pg_newer history --since 12h --page 3')
  })

  it('is one story for an incident that moved from a digest to a card of its own, by either id', async () => {
    const digest = 'd1000000-0000-4000-8000-000000000001'
    const moved = 'a1000000-0000-4000-8000-000000000002'
    const stayed = 'b1000000-0000-4000-8000-000000000003'
    const incident = (id: string, cardId: string): Incident => ({
      ...openedWith(
        { kind: 'connections', used: 9, max: 10, reserved: 0, holders: [] },
        null,
        { cluster: 'orders', takenAt },
        id,
      ),
      cardId,
      digestId: digest,
    })
    await store.incidents.put(incident(moved, moved))
    await store.incidents.put(incident(stayed, digest))
    const happened = (cardId: string, what: string, incidentId?: string) =>
      store.journal.append(takenAt, cardId, {
        kind: 'incidentOpened',
        actor: 'pg-marshal',
        what,
        ...(incidentId && { incidentId }),
      })
    await happened(digest, 'first seen', moved)
    await happened(digest, 'the other', stayed)
    await happened(moved, 'moved out')
    const own = await ask({ card: moved })
    expect(own.indexOf('first seen')).toBeGreaterThan(0)
    expect(own.indexOf('moved out')).toBeGreaterThan(own.indexOf('first seen'))
    expect(own).not.toContain('the other')
    const whole = await ask({ card: digest })
    for (const part of ['first seen', 'the other', 'moved out']) expect(whole).toContain(part)
    expect((await ask()).match(/9 of 10 connections/g)).toHaveLength(2)
  })

  it('says how long each has lasted so far, of every kind', async () => {
    await store.incidents.put({
      ...openedWith(
        { kind: 'connections', used: 9, max: 10, reserved: 0, holders: [] },
        null,
        { cluster: 'orders', takenAt },
        'c1000000-0000-4000-8000-000000000001',
      ),
      beganAt: takenAt - hour,
    })
    expect(await ask()).toMatch(/9 of 10 connections used on orders · 1\s?h/)
  })

  it('says that nothing happened', async () => {
    expect(await ask()).toContain('Nothing happened.')
  })
})
