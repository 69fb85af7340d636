import { describe, expect, it, test } from 'vitest'
import type { Outcome } from '../../../src/domain/approvals/outcome.ts'
import type { Proposal } from '../../../src/domain/approvals/proposal.ts'
import { type Finding, findings } from '../../../src/domain/incidents/finding.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import { type Recommendation, recommendationsFor } from '../../../src/domain/incidents/recommend.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { type CardState, cardView } from '../../../src/views/card/card.ts'
import { channelLine, threadLine } from '../../../src/views/card/lines.ts'
import { checkView } from '../../support/asking.ts'
import {
  held,
  idle,
  idleInTransaction,
  locksRead,
  picture,
  prepared,
  rowQueue,
  session,
  takenAt,
  thresholds,
  transaction,
  waiting,
  wanted,
} from '../../support/builders.ts'
import { proposal } from '../../support/proposals.ts'
import { told } from '../../support/render.ts'

type Found = { readonly finding: Finding; readonly recommendation: Recommendation | null }

const incidentOf = ({ finding, recommendation }: Found, over: Partial<Incident> = {}): Incident => ({
  id: '3f2a9c1b-0000-4000-8000-000000000001',
  cardId: '3f2a9c1b-0000-4000-8000-000000000001',
  cluster: 'orders',
  key: 'key',
  finding,
  recommendation,
  digestId: null,
  placedAt: takenAt,
  headSince: takenAt,
  openedAt: takenAt,
  beganAt: takenAt,
  changedAt: takenAt,
  resolvedAt: null,
  resolution: null,
  acknowledgedBy: null,
  mostVictims: 0,
  ...over,
})

const first = (sessions: readonly Session[], locks?: Parameters<typeof picture>[1]): Found => {
  const shown = picture(sessions, locks)
  const [finding] = findings(shown.snapshot, shown.forest, thresholds)
  if (!finding) throw new Error('nothing found')
  return { finding, recommendation: recommendationsFor(shown, { protectedSessions: [] })(finding) }
}

const card = (over: Partial<CardState>) => {
  const view = cardView({
    cluster: 'orders',
    incident: null,
    proposals: [],
    people: { cancel: 1, terminate: 2 },
    breakGlass: false,
    silence: null,
    ...over,
  })
  checkView(view)
  return view
}

const victims = [2, 3].map((pid) => ({ pid, backendStart: 'then', queryStart: null }))

describe('a card', () => {
  it('says of a jam what is wrong, why this session, what helps, and what it would cost', () => {
    const root = idleInTransaction(1, 400, { backendXid: '759', query: 'UPDATE orders SET state = ?' })
    const finding = first(
      [root, waiting(2, 40), waiting(3, 39)],
      rowQueue(1, [
        [2, 40],
        [3, 39],
      ]),
    )
    const view = card({ incident: incidentOf(finding), proposals: [proposal({ victims }, root)] })
    expect(told(view.blocks)).toMatchInlineSnapshot(`
      "Blocking on orders
      Session 1 (web, user shop, database orders), idle in transaction for 6 min 40 s, keeps 2 sessions waiting, the longest for 40 s, for a row of public.orders.
      Why this one: it waits for no lock itself, and everyone counted here waits behind it (2 and 3).
      Its work: Its transaction is open for 6 min 40 s; it has written or locked rows (transaction id 759).
      Gentlest way out: Terminate 1 (web, idle in transaction for 6 min 40 s, what it wrote in 6 min 40 s is rolled back): 1 of 2 waiters proceeds at once, 1 follows. Cancel has no effect on it: no statement is running.
      What that costs: The rollback takes a moment only, however much was written; vacuum clears the dead rows away later. Its client gets error 57P01 (admin_shutdown) at its next statement and has to connect again and to begin its transaction again. Temporary tables of the session are lost, if it has any.
      Its last statement:
      UPDATE orders SET state = ?
      Terminate 1: 0 of 2 approvals, open until (time)
      [Approve: terminate 1] [Deny] [Acknowledge] [Snooze 30 min] [Details]
      Incident 3f2a9c1b · /pg history 3f2a9c1b shows all of it"
    `)
    expect(view.text).toMatchInlineSnapshot(
      `"Blocking on orders: Session 1 (web, user shop, database orders), idle in transaction for 6 min 40 s, keeps 2 sessions waiting, the longest for 40 s, for a row of public.orders."`,
    )
    const actions = view.blocks.find(({ type }) => type === 'actions') as never as {
      elements: { action_id: string; value: string; confirm?: unknown }[]
    }
    expect(actions.elements.map(({ action_id }) => action_id)).toEqual([
      'approve_terminate',
      'deny_terminate',
      'pg_acknowledge',
      'pg_snooze',
      'pg_details',
    ])
    expect(
      told([actions.elements[0]?.confirm].map((confirm) => ({ type: 'section', ...(confirm as object) }))),
    ).toMatchInlineSnapshot(
      `"Its connection is closed and its transaction is rolled back. Its transaction is open for 6 min 40 s; it has written or locked rows (transaction id 759). 2 sessions wait behind it. On orders: 1 (web, user shop, database orders), idle in transaction for 6 min 40 s."`,
    )
  })

  it('shows the cost right behind the way that it is about, before the other ways', () => {
    const found = first([idleInTransaction(1, 400)])
    if (!found.recommendation) throw new Error('a session idle in transaction has a recommendation')
    const others = Array.from({ length: 5 }, (_, n) => `Way ${n}.`)
    const shown = told(
      card({ incident: incidentOf({ ...found, recommendation: { ...found.recommendation, others } }) })
        .blocks,
    )
    expect(shown.match(/^(?:Gentlest way out|What that costs|Other way out: .*|\d more .*)/gm)).toEqual([
      'Gentlest way out',
      'What that costs',
      'Other way out: Way 0.',
      'Other way out: Way 1.',
      'Other way out: Way 2.',
      '2 more ways out: /pg blocking',
    ])
  })

  it('offers nothing for a prepared transaction, but says what to run', () => {
    const xid = 900
    const locks = locksRead(
      [held(transaction('900'), 'ExclusiveLock', -xid), wanted(transaction('900'), 'ShareLock', [2, 40])],
      { prepared: [prepared(xid, { gid: "it's" })] },
    )
    const view = card({ incident: incidentOf(first([waiting(2, 40)], locks)) })
    expect(told(view.blocks)).toMatchInlineSnapshot(`
      "Blocking on orders
      Prepared transaction 'it''s' (shop, database orders, prepared 3 h ago) keeps 1 session waiting, the longest for 40 s, for the end of transaction 900.
      Why this one: it waits for no lock itself, and everyone counted here waits behind it (2).
      No button: No session to end: the prepared transaction 'it''s' (shop, prepared 3 h ago) holds the lock. Ask whoever coordinates it; by hand, in database orders as shop or a superuser: ROLLBACK PREPARED 'it''s';
      [Acknowledge] [Snooze 30 min]
      Incident 3f2a9c1b · /pg history 3f2a9c1b shows all of it"
    `)
  })

  it('names nobody where the owner of a prepared transaction was dropped, and keeps its name on one line', () => {
    const locks = locksRead(
      [held(transaction('900'), 'ExclusiveLock', -900), wanted(transaction('900'), 'ShareLock', [2, 40])],
      { prepared: [prepared(900, { gid: 'two\nlines', owner: '' })] },
    )
    const shown = told(card({ incident: incidentOf(first([waiting(2, 40)], locks)) }).blocks)
    expect(shown).toContain("Prepared transaction E'two\\u000alines' (owner dropped, database orders,")
    expect(shown).toContain('in database orders as a superuser: ROLLBACK PREPARED')
  })

  test.each<[string, Found]>([
    ['longQuery', first([session(1, { querySeconds: 7_200 })])],
    ['idle', first([idle(1, 7_200)])],
    ['connections', first(Array.from({ length: 90 }, (_, n) => idle(n, 1)))],
    [
      'lockStorm',
      first([idleInTransaction(1, 9), waiting(2, 1)], {
        kind: 'jammed',
        why: 'The lock manager is busy sorting out 20 sessions: roots follow.',
        last: null,
        lastTakenAt: null,
      }),
    ],
  ])('names the trouble: %s', (_, finding) => {
    expect(told(card({ incident: incidentOf(finding) }).blocks)).toMatchSnapshot()
  })

  it('of a resolved incident says how it ended and has no buttons', () => {
    const incident = incidentOf(first([idle(1, 7_200)]), {
      beganAt: takenAt - 30_000,
      resolvedAt: takenAt + 60_000,
      resolution: 'The session is gone.',
      mostVictims: 12,
    })
    const view = card({
      incident,
      proposals: [proposal({ state: 'withdrawn', decision: 'the incident is over' })],
    })
    expect(view.text).toContain(
      'Resolved: Long-idle session on orders: The session is gone. It lasted 1 min 30 s and kept up to 12 sessions waiting.',
    )
    // It does not keep anybody waiting any more.
    expect(told(view.blocks)).toContain('As last seen: Session ')
    const ran = incidentOf(first([session(1, { querySeconds: 7_200, query: 'SELECT 1' })]), {
      resolvedAt: takenAt,
    })
    expect(told(card({ incident: ran }).blocks)).toMatch(/\nIt ran:\n/)
    expect(view.blocks.some(({ type }) => type === 'actions')).toBe(false)
  })

  const one = { userId: 'U1', at: 0 }
  test.each<[string, Partial<Proposal>, RegExp]>([
    ['open', {}, /Terminate 4312: 0 of 2 approvals, open until \(time\)/],
    ['requested', { requestedBy: 'U9', approvals: [one] }, /requested by @U9; 1 of 2 approvals \(@U1\)/],
    [
      'claimed',
      { state: 'claimed', approvals: [one, { userId: 'U2', at: 0 }] },
      /approved by @U1, @U2; sending …/,
    ],
    ['denied', { state: 'denied', decidedBy: 'U1', decision: 'month end' }, /denied by @U1: month end/],
    ['expired', { state: 'expired' }, /expired \(time\), nothing was sent[\s\S]*\[Offer again\]/],
    ['withdrawn', { state: 'withdrawn', decision: 'the session changed' }, /withdrawn, the session changed/],
    [
      'broken glass',
      { state: 'claimed', brokeGlass: { userId: 'U1', reason: 'all is down' } },
      /BREAK GLASS by @U1 alone, because: all is down; sending/,
    ],
  ])('says where its proposal stands: %s', (_, over, expected) => {
    expect(told(card({ proposals: [proposal(over)] }).blocks)).toMatch(expected)
  })

  test.each<[Outcome, RegExp]>([
    [
      { kind: 'effective', afterMs: 40, victims: 14, movedOn: 14 },
      /4312 is gone after 40 ms; 14 of 14 waiters moved on\./,
    ],
    [
      { kind: 'still', afterMs: 5004, state: 'active', waitEventType: 'Client', waitEvent: 'ClientWrite' },
      /still there after 5 s, active, waiting in ClientWrite\. .*Never kill -9/,
    ],
    [{ kind: 'changed', what: '4312 was gone already' }, /Nothing was sent: 4312 was gone already\./],
    [{ kind: 'refused', why: 'a superuser.' }, /Nothing was sent\. a superuser\./],
    [{ kind: 'unreachable', why: 'it is down.' }, /Nothing was sent: it is down\./],
    [
      { kind: 'unknown', now: 'The session is gone now.' },
      /Outcome unknown: the signal may have been sent\. The session is gone now\./,
    ],
  ])('proves what was done: %j', (outcome, expected) => {
    const view = card({ proposals: [proposal({ state: 'done', outcome, approvals: [one] })] })
    expect(told(view.blocks)).toMatch(expected)
    expect(view.text).toMatch(expected)
  })

  it('lets no name or statement speak to Slack, and stays within its limits', () => {
    const hostile = '<!channel> *bold* `code` \u202egnp.exe\n# head & <@U1>'
    const root = idleInTransaction(1, 400, {
      applicationName: hostile,
      usename: hostile,
      datname: hostile,
      query: `${hostile} ${'x'.repeat(10_000)}`,
    })
    const finding = first([root, waiting(2, 40)], rowQueue(1, [[2, 40]], hostile))
    const view = card({
      incident: incidentOf(finding),
      proposals: [proposal({ reason: hostile.repeat(20) }, root)],
    })
    expect(view.text).not.toMatch(/<!|<@|\u202e/)
    const blocks = JSON.stringify(view.blocks)
    expect(blocks).not.toContain('mrkdwn')
    expect(blocks).not.toContain('\u202e')
    checkView(
      card({
        proposals: [proposal({ reason: hostile.repeat(20), decision: hostile, state: 'denied' }, root)],
      }),
    )
  })
})

describe('a line', () => {
  it('in the channel says what was done, who approved, and the head of the journal', () => {
    const done = proposal({
      state: 'done',
      outcome: { kind: 'effective', afterMs: 12, victims: 0, movedOn: 0 },
      approvals: [{ userId: 'U1', at: 0 }],
      requestedBy: 'U9',
    })
    const event = {
      kind: 'outcome',
      actor: 'pg-marshal',
      proposalId: done.id,
      action: 'terminate',
      session: done.key,
      sql: 'SELECT',
      returned: true,
      outcome: done.outcome as Outcome,
    } as const
    const view = channelLine(
      { seq: 7, at: 0, cardId: 'card', previous: '0', hash: 'f'.repeat(64), event },
      done,
    )
    expect(view?.text).toBe(
      'Terminate 4312 (web, user shop, database orders) on orders, approved by <@U1>, requested by <@U9>: 4312 is gone after 12 ms.',
    )
    expect(JSON.stringify(view?.blocks)).toContain(`journal 7 · ${'f'.repeat(64)}`)
    expect(threadLine(event, done)?.text).toBe('4312 is gone after 12 ms. <@U9>')
  })
})
