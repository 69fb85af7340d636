import { describe, expect, expectTypeOf, it, test } from 'vitest'
import { decide } from '../../../src/domain/approvals/approval.ts'
import type { Outcome } from '../../../src/domain/approvals/outcome.ts'
import type { OpenProposal, Proposal, ProposalState } from '../../../src/domain/approvals/proposal.ts'
import {
  approve,
  askApprovers,
  breakGlass,
  deny,
  expire,
  finish,
  join,
  notePast,
  noteRetry,
  offer,
  request,
  type Step,
  takeOff,
  withdraw,
} from '../../../src/domain/approvals/transitions.ts'
import { madeAt, proposal } from '../../support/proposals.ts'

const open = proposal()
const policy = {
  people: { cancel: 1, terminate: 1 },
  requesterMayApprove: false,
  secondFactor: { cancel: false, terminate: false },
  breakGlass: [],
  expireAfterMs: 60_000,
}
const two = { ...policy, people: { cancel: 1, terminate: 2 } }
const now = madeAt + 7
const dana = { userId: 'U0DANA', at: madeAt }
const gone: Outcome = { kind: 'effective', afterMs: 3, victims: 2, movedOn: 2 }

/** What a change leaves of a proposal: the fields that differ. */
const changes = (before: Proposal, { next }: Step<Proposal>) =>
  Object.fromEntries(
    Object.entries(next).filter(([field, value]) => value !== before[field as keyof Proposal]),
  )

const refused = (code: string, reason: string) => ({ code, reason })
const stepOf = (result: ReturnType<typeof approve> | ReturnType<typeof breakGlass>): Step<Proposal> => {
  if ('code' in result) throw new Error(`refused: ${result.reason}`)
  return result
}

describe('a press', () => {
  const late = ['expired', 'it has expired'] as const
  test.each<[ProposalState, string, string, string]>([
    ['open', 'claimed', 'denied', 'claimed'],
    ['claimed', 'alreadyDecided', 'alreadyDecided', 'alreadyDecided'],
    ['done', 'alreadyDecided', 'alreadyDecided', 'alreadyDecided'],
    ['denied', 'alreadyDecided', 'alreadyDecided', 'alreadyDecided'],
    ['expired', 'alreadyDecided', 'alreadyDecided', 'alreadyDecided'],
    ['withdrawn', 'alreadyDecided', 'alreadyDecided', 'alreadyDecided'],
  ])('on what is %s: approve %s, deny %s, break the glass %s', (state, ...expected) => {
    const results = (['approve', 'deny', 'breakGlass'] as const).map((decision) => {
      const press = { userId: 'U0MO', decision, action: 'terminate', reason: 'now' } as const
      const result = decide(proposal({ state }), press, policy, now)
      return result === 'counted' ? result : 'code' in result ? result.code : result.next.state
    })
    expect(results).toEqual(expected)
  })

  test.each<[ProposalState, string]>([
    ['claimed', 'counted'],
    ['done', 'counted'],
    ['denied', 'it was already decided: denied'],
    ['expired', late[1]],
    ['withdrawn', 'it does not stand any more: the session changed'],
  ])('of one who approved what is %s: %s', (state, expected) => {
    const before = proposal({ state, approvals: [dana], decidedBy: 'U0MO', decision: 'the session changed' })
    const press = { userId: 'U0DANA', decision: 'approve', action: 'terminate', reason: '' } as const
    const result = decide(before, press, policy, now)
    expect(result === 'counted' ? result : 'reason' in result && result.reason).toBe(expected)
    // Only approving again is no news to them.
    const no = { ...press, decision: 'deny', reason: 'no' } as const
    expect(decide(before, no, policy, now)).toMatchObject({ code: 'alreadyDecided', by: 'U0MO' })
  })

  it('of one who has not approved it is too late, also where others have', () => {
    const before = proposal({ state: 'claimed', approvals: [dana] })
    const press = { userId: 'U0MO', decision: 'approve', action: 'terminate', reason: '' } as const
    expect(decide(before, press, policy, now)).toMatchObject({
      code: 'alreadyDecided',
      reason: 'it was already decided: approved',
    })
  })
})

describe('approve', () => {
  it('claims it with the last approval, and the intent stands in the journal', () => {
    const before = proposal({ approvals: [dana] })
    const claim = stepOf(approve(before, 'U0MO', two, now))
    const approvals = [dana, { userId: 'U0MO', at: now }]
    expect(changes(before, claim)).toEqual({
      state: 'claimed',
      approvals,
      decidedBy: 'U0MO',
      claimedAt: now,
    })
    expect(claim.events).toEqual([
      { kind: 'approved', actor: 'U0MO', proposalId: open.id, have: 2, needed: 2 },
      {
        kind: 'intended',
        actor: 'pg-marshal',
        proposalId: open.id,
        action: 'terminate',
        session: open.key,
        statement: open.session.query,
        approvedBy: ['U0DANA', 'U0MO'],
      },
    ])
  })

  it('counts one who is not the last', () => {
    const step = stepOf(approve(open, 'U0MO', two, now))
    expect(changes(open, step)).toEqual({ approvals: [{ userId: 'U0MO', at: now }] })
    expect(step.events).toEqual([
      { kind: 'approved', actor: 'U0MO', proposalId: open.id, have: 1, needed: 2 },
    ])
  })

  it('asks for as many as its action takes', () => {
    expect(stepOf(approve(proposal({ action: 'cancel' }), 'U0MO', two, now)).next.state).toBe('claimed')
    expect(stepOf(approve(proposal({ action: 'terminate' }), 'U0MO', two, now)).next.state).toBe('open')
  })

  it('refuses who asked for it, and who approved it already', () => {
    const asked = proposal({ requestedBy: 'U0MO', approvals: [dana] })
    expect(approve(asked, 'U0MO', two, now)).toMatchObject(
      refused('requester', 'you asked for it, so somebody else has to approve it'),
    )
    expect(approve(asked, 'U0DANA', two, now)).toMatchObject(
      refused('alreadyApproved', 'you approved it already; somebody else has to as well'),
    )
    expect(approve(asked, 'U0MO', { ...two, requesterMayApprove: true }, now)).toMatchObject({
      next: { state: 'claimed' },
    })
  })

  it('no longer counts the approval of who asked for it where that is not allowed any more', () => {
    const asked = proposal({ requestedBy: 'U0DANA', approvals: [dana] })
    expect(stepOf(approve(asked, 'U0MO', two, now)).next).toMatchObject({
      state: 'open',
      approvals: [{ userId: 'U0MO', at: now }],
    })
  })
})

describe('join', () => {
  it('adds who asks and why, and changes nothing else', () => {
    const before = proposal({ joined: [{ userId: 'U0DEVI', reason: '' }] })
    const step = join(before, { actor: 'U0MO' }, 'stuck')
    expect(step && changes(before, step)).toEqual({
      joined: [
        { userId: 'U0DEVI', reason: '' },
        { userId: 'U0MO', reason: 'stuck' },
      ],
    })
    expect(step?.events).toMatchObject([
      { kind: 'requested', actor: 'U0MO', proposalId: before.id, action: 'terminate', reason: 'stuck' },
    ])
  })

  test.each([
    ['asked for it', proposal({ requestedBy: 'U0MO' })],
    ['joined it', proposal({ joined: [{ userId: 'U0MO', reason: 'a' }] })],
    ['approved it', proposal({ approvals: [{ userId: 'U0MO', at: madeAt }] })],
  ])('does nothing for who $0 already', (_, before) => {
    expect(join(before, { actor: 'U0MO' }, 'again')).toBeNull()
  })

  it('makes of who joined one who may not approve', () => {
    const joined = proposal({ joined: [{ userId: 'U0MO', reason: '' }] })
    expect(approve(joined, 'U0MO', policy, now)).toMatchObject({ code: 'requester' })
    expect(approve(joined, 'U0MO', { ...policy, requesterMayApprove: true }, now)).toMatchObject({
      next: { state: 'claimed' },
    })
    expect(stepOf(approve(joined, 'U0DANA', policy, now)).next.state).toBe('claimed')
  })
})

describe('askApprovers', () => {
  const by = { userId: 'U0MO', approvers: ['U0DANA'] }
  const fiveMinutes = 300_000
  it('asks once in five minutes for each card, whichever of its proposals it was', () => {
    const step = askApprovers(open, [open], by, now)
    expect(step).toMatchObject({
      next: { askedAt: now },
      events: [{ kind: 'requested', actor: 'U0MO', asked: ['U0DANA'] }],
    })
    const before = proposal({ id: 'earlier', askedAt: now })
    expect(askApprovers(open, [before, open], by, now)).toEqual({ askedAt: now })
    expect(askApprovers(open, [before, open], by, now + fiveMinutes - 1)).toEqual({ askedAt: now })
    expect(askApprovers(open, [before, open], by, now + fiveMinutes)).toMatchObject({ next: {} })
  })

  it('is not held back by a clock that was set back', () => {
    expect(askApprovers(open, [proposal({ askedAt: now + 1 })], by, now)).toMatchObject({ next: {} })
  })
})

describe('notePast', () => {
  it('changes nothing but that', () => {
    const denied = proposal({ state: 'denied' })
    expect(changes(denied, notePast(denied, true))).toEqual({ isPast: true })
    expect(notePast(denied, true).events).toEqual([])
  })
})

describe('breakGlass', () => {
  it('claims it for one person, whose name and reason stand there', () => {
    const before = proposal({ approvals: [dana], requestedBy: 'U0MO' })
    const step = stepOf(breakGlass(before, 'U0MO', 'the shop is down', now))
    expect(changes(before, step)).toEqual({
      state: 'claimed',
      approvals: [dana, { userId: 'U0MO', at: now }],
      brokeGlass: { userId: 'U0MO', reason: 'the shop is down' },
      decidedBy: 'U0MO',
      claimedAt: now,
    })
    expect(step.events).toMatchObject([
      {
        kind: 'brokeGlass',
        actor: 'U0MO',
        proposalId: open.id,
        action: 'terminate',
        session: open.key,
        reason: 'the shop is down',
      },
      { kind: 'intended', actor: 'pg-marshal', approvedBy: ['U0DANA', 'U0MO'] },
    ])
  })

  it('counts who approved it already once', () => {
    expect(stepOf(breakGlass(proposal({ approvals: [dana] }), 'U0DANA', '1', now)).next.approvals).toEqual([
      dana,
    ])
  })

  test.each(['', ' ', '…', '--'])('refuses the reason %j', (reason) => {
    expect(breakGlass(open, 'U0MO', reason, now)).toEqual(
      refused('noReason', 'breaking the glass takes a reason'),
    )
  })
})

describe('the other changes', () => {
  const { id: proposalId } = open
  const claimed = proposal({ state: 'claimed', approvals: [dana], claimedAt: now })
  const done = proposal({ state: 'done', outcome: gone })
  const carriedOut = { outcome: gone, sql: 'SELECT 1', returned: true }
  const bot = 'pg-marshal'
  const left = proposal({ approvals: [{ userId: 'U0GONE', at: madeAt }, dana] })
  const about = { proposalId, action: 'terminate', session: open.key, statement: open.session.query }
  const asked = proposal({ requestedBy: 'U0RIA', reason: 'it hangs' })
  test.each<[string, Proposal, Step<Proposal>, object, object[]]>([
    [
      'request',
      asked,
      request(asked, { actor: 'U0RIA' }),
      {},
      [{ kind: 'requested', actor: 'U0RIA', ...about, reason: 'it hangs' }],
    ],
    ['offer', open, offer(open, bot), {}, [{ kind: 'offered', actor: bot, ...about }]],
    [
      'deny',
      open,
      deny(open, 'U0MO', 'it is a backup'),
      { state: 'denied', decidedBy: 'U0MO', decision: 'it is a backup' },
      [{ kind: 'denied', actor: 'U0MO', proposalId, reason: 'it is a backup' }],
    ],
    [
      'deny without a reason',
      open,
      deny(open, 'U0MO', ''),
      { state: 'denied', decidedBy: 'U0MO' },
      [{ kind: 'denied', actor: 'U0MO', proposalId, reason: '' }],
    ],
    ['expire', open, expire(open), { state: 'expired' }, [{ kind: 'expired', actor: bot, proposalId }]],
    [
      'withdraw',
      open,
      withdraw(open, 'the session changed'),
      { state: 'withdrawn', decision: 'the session changed' },
      [{ kind: 'withdrawn', actor: bot, proposalId, reason: 'the session changed' }],
    ],
    [
      'takeOff',
      left,
      takeOff(left, ['U0GONE']),
      { approvals: [dana] },
      [
        {
          kind: 'refused',
          actor: 'U0GONE',
          entry: 'earlier approval',
          proposalId,
          code: 'notAllowed',
          reason: 'they may not approve any more, so their earlier approval does not count',
        },
      ],
    ],
    [
      'finish',
      claimed,
      finish(claimed, carriedOut),
      { state: 'done', outcome: gone },
      [{ kind: 'outcome', actor: bot, proposalId, action: 'terminate', session: open.key, ...carriedOut }],
    ],
    [
      'noteRetry',
      done,
      noteRetry(done, 7, 900),
      { retriedAfterMs: 900 },
      [{ kind: 'retried', actor: bot, proposalId, pid: 7, afterMs: 900 }],
    ],
  ])('%s', (_, before, step, changed, events) => {
    expect(changes(before, step)).toEqual(changed)
    expect(step.events).toEqual(events)
  })

  it('do not compile from another state', () => {
    type From<T extends (...given: never[]) => unknown> = Parameters<T>[0]
    expectTypeOf<From<typeof approve>>().toEqualTypeOf<OpenProposal>()
    expectTypeOf<From<typeof breakGlass>>().toEqualTypeOf<OpenProposal>()
    expectTypeOf<From<typeof takeOff>>().toEqualTypeOf<OpenProposal>()
    expectTypeOf<From<typeof deny>>().toEqualTypeOf<OpenProposal>()
    expectTypeOf<From<typeof expire>>().toEqualTypeOf<OpenProposal>()
    expectTypeOf<From<typeof withdraw>>().toEqualTypeOf<OpenProposal>()
    expectTypeOf<From<typeof finish>['state']>().toEqualTypeOf<'claimed'>()
    expectTypeOf<From<typeof noteRetry>['state']>().toEqualTypeOf<'done'>()
    // @ts-expect-error what is decided does not open again
    const again = (): OpenProposal => proposal({ state: 'denied' })
    expect(again().state).toBe('denied')
  })
})
