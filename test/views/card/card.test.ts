import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { JournalEvent } from '../../../src/domain/approvals/journal.ts'
import type { Outcome } from '../../../src/domain/approvals/outcome.ts'
import type { Proposal } from '../../../src/domain/approvals/proposal.ts'
import { type Finding, findings } from '../../../src/domain/incidents/finding.ts'
import { type Incident, openedWith, resolve } from '../../../src/domain/incidents/incident.ts'
import { type Recommendation, recommendationsFor } from '../../../src/domain/incidents/recommend.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { clusterErrorWith } from '../../../src/postgres/errors.ts'
import { cardView } from '../../../src/views/card/card.ts'
import type { CardState } from '../../../src/views/card/cardState.ts'
import { countWords } from '../../../src/views/card/fit.ts'
import { channelLine, refusedLine, threadLine } from '../../../src/views/card/lines.ts'
import type { View } from '../../../src/views/kit.ts'
import { checkView } from '../../support/asking.ts'
import {
  held,
  idle,
  idleInTransaction,
  locksRead,
  incident as openIncident,
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

const incidentOf = ({ finding, recommendation }: Found, over: Partial<Incident> = {}): Incident =>
  openIncident({ finding, recommendation, ...over })

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
    approvers: ['Dana', '@dba-oncall'],
    secondFactor: { cancel: false, terminate: false },
    breakGlass: false,
    silence: null,
    ...over,
  })
  checkView(view)
  return view
}

const actionIds = ({ blocks }: View): string[] =>
  blocks.flatMap((block) =>
    block.type === 'actions'
      ? block.elements.flatMap((one) => ('action_id' in one ? (one.action_id ?? '') : ''))
      : [],
  )

const confirmOf = ({ blocks }: View): object => {
  const [row] = blocks.filter((block) => block.type === 'actions')
  return Reflect.get(row?.elements[0] ?? {}, 'confirm')
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
      "🟠 web blocks 2 sessions on orders · 40 s · idle in transaction
      Best way out: terminate web (1). Frees 1 at once, then the other one.
      Cost: what it wrote in 6 min 40 s is rolled back.
      Needs 2 approvals of Dana or @dba-oncall until (time).
      web · shop · orders
      UPDATE orders SET state = ?
      [Approve: terminate web (1)] [Deny] [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b"
    `)
    expect(view.text).toMatchInlineSnapshot(
      `
      "🟠 web blocks 2 sessions on orders · 40 s · idle in transaction
      Best way out: terminate web (1). Frees 1 at once, then the other one.
      Cost: what it wrote in 6 min 40 s is rolled back.
      Needs 2 approvals of Dana or @dba-oncall until 1970-01-01 00:17:40 UTC."
    `,
    )
    expect(actionIds(view)).toEqual([
      'approve_terminate',
      'deny_terminate',
      'pg_details',
      'pg_acknowledge',
      'pg_snooze',
      'pg_snooze_for',
    ])
    expect(
      told([confirmOf(view)].map((confirm) => ({ type: 'section', ...(confirm as object) }))),
    ).toMatchInlineSnapshot(
      `"Its connection is closed and its transaction is rolled back. Its transaction is open for 6 min 40 s; it has written or locked rows (transaction id 759). 2 sessions wait behind it. On orders: 1 (web, user shop, database orders), idle in transaction for 6 min 40 s."`,
    )
  })

  it('offers nothing for a prepared transaction, but says what to run', () => {
    const xid = 900
    const locks = locksRead(
      [held(transaction('900'), 'ExclusiveLock', -xid), wanted(transaction('900'), 'ShareLock', [2, 40])],
      { prepared: [prepared(xid, { gid: "it's" })] },
    )
    const view = card({ incident: incidentOf(first([waiting(2, 40)], locks)) })
    expect(told(view.blocks)).toMatchInlineSnapshot(`
      "🟠 Prepared transaction 'it''s' blocks 1 session on orders · 40 s
      No button: No session to end: the prepared transaction 'it''s' (shop, prepared 3 h ago) holds the lock. Ask whoever coordinates it; by hand, in database orders as shop or a superuser: ROLLBACK PREPARED 'it''s';
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b"
    `)
  })

  it('names nobody where the owner of a prepared transaction was dropped, and keeps its name on one line', () => {
    const locks = locksRead(
      [held(transaction('900'), 'ExclusiveLock', -900), wanted(transaction('900'), 'ShareLock', [2, 40])],
      { prepared: [prepared(900, { gid: 'two\nlines', owner: '' })] },
    )
    const shown = told(card({ incident: incidentOf(first([waiting(2, 40)], locks)) }).blocks)
    expect(shown).toContain("prepared transaction E'two\\u000alines' (owner dropped, prepared 3 h ago)")
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

  test.each<[string, string, number | null]>([
    ['full', '53300', 98],
    ['down', 'ECONNREFUSED', 12],
    ['locked out', '28P01', null],
    ['frozen', 'DEADLINE', 12],
    ['no PostgreSQL', 'BAD_ANSWER', null],
  ])('says that a cluster cannot be seen: %s', (_, code, used) => {
    const { reason } = clusterErrorWith(code)
    const last =
      used === null ? null : { at: takenAt, sessions: used - 2, waiting: 3, used, max: 100, openIncidents: 2 }
    const finding = { kind: 'unreachable', code, reason, seconds: 54, last } as const
    const incident = openedWith(finding, null, { cluster: 'orders', takenAt }, '3f2a9c1b-0000')
    const view = card({ incident })
    expect(told(view.blocks)).toMatchSnapshot()
    const [before = ''] = told(view.blocks).split('[Details]')
    expect(countWords(before)).toBeLessThanOrEqual(60)
    const over = card({ incident: resolve(incident, takenAt + 6_000, 'The server answers again.') })
    expect(over.text).toMatch(/^🟢 Resolved: orders (?:\w+) .* · 1\smin\nThe server answers again\.$/)
  })

  it('remembers how often the same trouble came before', () => {
    const habit = {
      ...{ who: 'check<!here>\nout', times: 3, firstAt: takenAt - 3 * 86_400_000, isAtOneTime: true },
      before: ['aaaaaaaa-1', 'bbbbbbbb-2'],
    }
    const shown = (more: Partial<typeof habit>) =>
      told(card({ incident: incidentOf(first([idle(1, 7_200)]), { habit: { ...habit, ...more } }) }).blocks)
    expect(shown({})).toMatch(
      /3rd time since .*, always check<!here> out, always about .*\. Before: \/pg report aaaaaaaa, \/pg report bbbbbbbb\./,
    )
    expect(shown({ times: 11, isAtOneTime: false })).toMatch(
      /11th time since [^,]*, always check<!here> out\. Before/,
    )
    expect(shown({ times: 22 })).toContain('22nd time')
    expect(told(card({ incident: incidentOf(first([idle(1, 7_200)])) }).blocks)).not.toContain('time since')
  })

  it('of a resolved incident shows what would have prevented it', () => {
    const prevention = "ALTER ROLE shop IN DATABASE orders SET statement_timeout = '5min';"
    const over = { resolvedAt: takenAt + 60_000, resolution: 'It is gone.' }
    const shown = (more: Partial<Incident>) =>
      card({ incident: incidentOf(first([idle(1, 7_200)]), { prevention, ...more }) }).text
    expect(shown(over)).toContain(`Would have prevented it: ${prevention} /pg advise`)
    expect(shown({})).not.toContain('prevented')
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
    expect(told(view.blocks)).toMatchInlineSnapshot(`
      "🟢 Resolved: web was idle on orders · 1 min 30 s
      The session is gone. It kept up to 12 sessions waiting.
      [Details]
      Incident 3f2a9c1b · /pg history 3f2a9c1b"
    `)
    expect(actionIds(view)).toEqual(['pg_details'])
  })

  const one = { userId: 'U1', at: 0 }
  test.each<[string, Partial<Proposal>, RegExp]>([
    ['open', {}, /Needs 2 approvals of Dana or @dba-oncall until \(time\)\./],
    [
      'requested',
      { requestedBy: 'U9', approvals: [one] },
      /@U9 asks\.\n[\s\S]*Needs 1 more approval of .* until \(time\); approved by @U1\./,
    ],
    [
      'claimed',
      { state: 'claimed', approvals: [one, { userId: 'U2', at: 0 }] },
      /Approved by @U1, @U2; sending …/,
    ],
    [
      'denied',
      { state: 'denied', decidedBy: 'U1', decision: 'month end' },
      /⛔ Denied: .*\nDenied by @U1: month end/,
    ],
    ['expired', { state: 'expired' }, /Expired \(time\): nothing was sent[\s\S]*\[Offer again\]/],
    ['withdrawn', { state: 'withdrawn', decision: 'the session changed' }, /Withdrawn: the session changed/],
    [
      'broken glass',
      { state: 'claimed', brokeGlass: { userId: 'U1', reason: 'all is down' } },
      /BREAK GLASS by @U1 alone: all is down; sending/,
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

describe('a card that anybody reads in five seconds', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 63 }),
    fc.constant('a b c d e f g h i j k l m n o p q r s t u v w x y z'),
    fc.constant('\u202egnp.exe 🧨 *bold* <!channel>'.padEnd(63, 'é')),
  )
  const root = fc
    .record({ applicationName: nasty, usename: nasty, datname: nasty, query: nasty, xact: fc.nat(1e6) })
    .map(({ xact, ...names }) => idleInTransaction(1, xact, { ...names, backendXid: '7' }))

  it('has at most 60 words before its buttons, and the trouble within the first 60 characters', () => {
    fc.assert(
      fc.property(root, fc.integer({ min: 1, max: 40 }), nasty, (root, waiters, reason) => {
        const queue = Array.from({ length: waiters }, (_, n): [number, number] => [n + 2, 40])
        const found = first([root, ...queue.map(([pid, s]) => waiting(pid, s))], rowQueue(1, queue))
        const view = card({
          incident: incidentOf(found),
          proposals: [
            proposal(
              {
                requestedBy: 'U9',
                reason: reason.repeat(4),
                denial: { userId: 'U8', reason: reason.repeat(4) },
              },
              root,
            ),
          ],
        })
        const before = told(
          view.blocks.slice(
            0,
            view.blocks.findIndex(({ type }) => type === 'actions'),
          ),
        )
        expect(before.split(/\s+/).filter((word) => /[\p{L}\p{N}?]/u.test(word)).length).toBeLessThanOrEqual(
          60,
        )
        const seen = view.text.replaceAll('\u00a0', ' ').slice(0, 60)
        expect(seen).toContain(`blocks ${waiters} session`)
        expect(seen).toContain('on orders')
      }),
      { numRuns: 60 },
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
    expect(JSON.stringify(view?.blocks)).toContain(`journal 7 · ${'f'.repeat(16)}"`)
    const note = threadLine(event, done)
    expect(note?.text).toBe('4312 is gone after 12 ms. <@U9>')
    expect(JSON.stringify(note?.blocks)).toMatch(/SELECT.*It returned true\./)
    expect(JSON.stringify(threadLine({ ...event, sql: null }, done)?.blocks)).not.toContain('Sent')
  })

  it('in the thread says what the card does not', () => {
    const asked = proposal({ requestedBy: 'U9' })
    const offered = proposal({ requestedBy: null })
    const { id: proposalId, action, key: session } = asked
    const bot = { actor: 'pg-marshal', proposalId }
    const told = (event: JournalEvent, of: Proposal | null = asked) => threadLine(event, of) !== null
    const approved = { kind: 'approved', actor: 'U1', proposalId } as const
    expect(told({ ...approved, have: 1, needed: 2 })).toBe(true)
    expect(told({ ...approved, have: 2, needed: 2 })).toBe(false)
    const requested = { kind: 'requested', ...bot, action, session, statement: null, reason: 'why' } as const
    expect(told(requested, { ...asked, cardId: 'card of an incident' })).toBe(true)
    expect(told(requested, { ...asked, cardId: proposalId })).toBe(false)
    const joined = [{ userId: requested.actor, reason: '' }]
    expect(told(requested, { ...asked, cardId: proposalId, joined })).toBe(true)
    expect(told({ ...requested, asked: ['U0DANA'] }, { ...asked, cardId: 'card of an incident' })).toBe(false)
    for (const event of [
      { kind: 'denied', ...bot, reason: '' },
      { kind: 'expired', ...bot },
    ] as const) {
      expect(told(event)).toBe(true)
      expect(told(event, offered)).toBe(false)
    }
    expect(told({ kind: 'incidentChanged', actor: 'pg-marshal', what: 'x' }, null)).toBe(true)
    expect(told({ kind: 'incidentResolved', actor: 'pg-marshal', what: 'x' }, null)).toBe(false)
    expect(told({ kind: 'acknowledged', actor: 'U1' }, null)).toBe(false)
  })

  it('counts those who were refused, and names the last', () => {
    const refused = (actor: string, more?: number) =>
      ({
        kind: 'refused',
        actor,
        entry: 'approve terminate',
        proposalId: 'p',
        code: 'notAllowed',
        reason: 'no',
        ...(more && { more }),
      }) as const
    expect(refusedLine([])).toBeNull()
    expect(refusedLine([refused('U1')])?.text).toBe('<@U1> was refused (approve terminate): no')
    expect(refusedLine([refused('U1'), refused('U1', 9)])?.text).toBe(
      '<@U1> was refused (approve terminate): no. 10 refused so far.',
    )
    const crowd = [1, 2, 3, 4, 5, 6, 7].map((n) => refused(`U${n}`))
    expect(refusedLine(crowd)?.text).toBe(
      '<@U7> was refused (approve terminate): no. 7 refused so far, of <@U1>, <@U2>, <@U3>, <@U4>, <@U5> and 2 others.',
    )
  })
})
