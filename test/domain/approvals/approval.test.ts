import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { type Decision, decide } from '../../../src/domain/approvals/approval.ts'
import type { Proposal } from '../../../src/domain/approvals/proposal.ts'
import { expire, takeOff, withdraw } from '../../../src/domain/approvals/transitions.ts'
import type { Approvals } from '../../../src/domain/session/policy.ts'
import { madeAt, proposal } from '../../support/proposals.ts'

const policy = (over: Partial<Approvals> = {}): Approvals => ({
  people: { cancel: 1, terminate: 1 },
  requesterMayApprove: false,
  secondFactor: { cancel: false, terminate: false },
  breakGlass: [],
  expireAfterMs: 60_000,
  ...over,
})
const press = (userId: string, over = {}) =>
  ({ userId, decision: 'approve', action: 'terminate', reason: '', ...over }) as const
const two = policy({ people: { cancel: 1, terminate: 2 } })

/** The state that a press leads to, or why it changes nothing. */
const outcomeOf = (decision: Decision) =>
  decision === 'counted' ? decision : 'code' in decision ? decision.code : decision.next.state

describe('where a code is asked for', () => {
  const coded = policy({ secondFactor: { cancel: false, terminate: true } })
  const withReason = { decision: 'breakGlass', reason: 'the shop is down' }
  test.each([
    ['an approval without one', proposal(), press('U1'), 'noCode'],
    ['an approval with one', proposal(), press('U1', { hasCode: true }), 'claimed'],
    [
      'an approval of another action',
      proposal({ action: 'cancel' }),
      press('U1', { action: 'cancel' }),
      'claimed',
    ],
    ['a denial without one', proposal(), press('U1', { decision: 'deny' }), 'denied'],
    ['acting alone without one', proposal(), press('U1', withReason), 'noCode'],
    ['acting alone with one', proposal(), press('U1', { ...withReason, hasCode: true }), 'claimed'],
    ['acting alone, with neither', proposal(), press('U1', { decision: 'breakGlass' }), 'noCode'],
    [
      'acting alone, with one and no reason',
      proposal(),
      press('U1', { decision: 'breakGlass', hasCode: true }),
      'noReason',
    ],
    // What a code would not help says so first.
    ['the requester', proposal({ requestedBy: 'U1' }), press('U1'), 'requester'],
    ['what is decided', proposal({ state: 'denied' }), press('U1'), 'alreadyDecided'],
    ['the other button', proposal(), press('U1', { action: 'cancel' }), 'wrongAction'],
  ])('%s', (_, before, pressed, becomes) => {
    expect(outcomeOf(decide(before, pressed, coded, madeAt))).toBe(becomes)
  })

  it('what has expired takes none', () => {
    expect(outcomeOf(decide(proposal(), press('U1'), coded, madeAt + 60_000))).toBe('expired')
  })
})

describe('decide', () => {
  const dana = { userId: 'U1', at: madeAt }
  test.each([
    ['one is enough', proposal(), press('U1'), policy(), madeAt, 'claimed'],
    ['one of two', proposal(), press('U1'), two, madeAt, 'open'],
    ['two of two', proposal({ approvals: [dana] }), press('U2'), two, madeAt, 'claimed'],
    ['the same person twice', proposal({ approvals: [dana] }), press('U1'), two, madeAt, 'alreadyApproved'],
    ['the requester', proposal({ requestedBy: 'U1' }), press('U1'), policy(), madeAt, 'requester'],
    [
      'the requester, where allowed',
      proposal({ requestedBy: 'U1' }),
      press('U1'),
      policy({ requesterMayApprove: true }),
      madeAt,
      'claimed',
    ],
    [
      'the requester may take it back',
      proposal({ requestedBy: 'U1' }),
      press('U1', { decision: 'deny' }),
      policy(),
      madeAt,
      'denied',
    ],
    ['the other button', proposal(), press('U1', { action: 'cancel' }), policy(), madeAt, 'wrongAction'],
    ['a moment before the end', proposal(), press('U1'), policy(), madeAt + 59_999, 'claimed'],
    ['at the end', proposal(), press('U1'), policy(), madeAt + 60_000, 'expired'],
    [
      'a denial at the end',
      proposal(),
      press('U1', { decision: 'deny' }),
      policy(),
      madeAt + 60_000,
      'expired',
    ],
    [
      'claimed',
      proposal({ state: 'claimed', decidedBy: 'U2' }),
      press('U1'),
      policy(),
      madeAt,
      'alreadyDecided',
    ],
    [
      'claimed by this one',
      proposal({ state: 'claimed', approvals: [dana] }),
      press('U1'),
      policy(),
      madeAt,
      'counted',
    ],
    ['done', proposal({ state: 'done', decidedBy: 'U2' }), press('U1'), policy(), madeAt, 'alreadyDecided'],
    [
      'denied',
      proposal({ state: 'denied', decidedBy: 'U2' }),
      press('U1'),
      policy(),
      madeAt,
      'alreadyDecided',
    ],
    ['expired', proposal({ state: 'expired' }), press('U1'), policy(), madeAt, 'alreadyDecided'],
    ['withdrawn', proposal({ state: 'withdrawn' }), press('U1'), policy(), madeAt, 'alreadyDecided'],
  ] as const)('%s', (_, about, pressed, rules, now, expected) => {
    const decision = decide(about, pressed, rules, now)
    expect(outcomeOf(decision)).toBe(expected)
  })

  it('says who was faster', () => {
    const late = decide(proposal({ state: 'claimed', decidedBy: 'U2' }), press('U1'), policy(), madeAt)
    expect(late).toMatchObject({ reason: 'it was already decided: approved', by: 'U2' })
  })

  it('executes at most once, and only for enough different people who are not the requester', () => {
    const people = fc.constantFrom('U1', 'U2', 'U3', 'U4')
    const event = fc.record({
      userId: people,
      decision: fc.constantFrom('approve' as const, 'deny' as const),
      reason: fc.constant(''),
      action: fc.constantFrom('cancel' as const, 'terminate' as const),
      after: fc.integer({ min: 0, max: 70_000 }),
    })
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 30 }),
        fc.integer({ min: 1, max: 3 }),
        fc.option(people),
        fc.boolean(),
        (events, needed, requestedBy, requesterMayApprove) => {
          const rules = policy({ people: { cancel: needed, terminate: needed }, requesterMayApprove })
          let state: Proposal = proposal({ requestedBy })
          let claims = 0
          for (const { after, ...pressed } of events.sort((a, b) => a.after - b.after)) {
            const decision = decide(state, pressed, rules, madeAt + after)
            if (decision === 'counted' || 'code' in decision) continue
            state = decision.next
            if (state.state === 'claimed') {
              claims++
              const voters = new Set(state.approvals.map(({ userId }) => userId))
              expect(voters.size).toBeGreaterThanOrEqual(needed)
              expect(voters.size).toBe(state.approvals.length)
              expect(after).toBeLessThan(60_000)
              if (!requesterMayApprove) expect(voters).not.toContain(requestedBy)
            }
          }
          expect(claims).toBeLessThanOrEqual(1)
        },
      ),
    )
  })

  it('is claimed at most once, in whatever order presses, time and the watcher come, each with a view that may be old', () => {
    const press = fc.record({
      userId: fc.constantFrom('U1', 'U2', 'U3'),
      decision: fc.constantFrom('approve' as const, 'deny' as const, 'breakGlass' as const),
      reason: fc.constantFrom('', 'now'),
      action: fc.constant('terminate' as const),
    })
    const event = fc.record({
      what: fc.oneof(press, fc.constantFrom('expire' as const, 'withdraw' as const, 'takeOff' as const)),
      age: fc.nat(3),
    })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (events, needed) => {
        const rules = policy({ people: { cancel: needed, terminate: needed } })
        const versions: Proposal[] = [proposal()]
        for (const { what, age } of events) {
          const latest = versions[versions.length - 1] ?? proposal()
          const seen = versions[Math.max(0, versions.length - 1 - age)] ?? latest
          const step = stepOn(seen, what, rules)
          // As the store swaps.
          if (step && seen.revision === latest.revision)
            versions.push({ ...step.next, revision: seen.revision + 1 })
        }
        const states = versions.map(({ state }) => state)
        expect(states.filter((state) => state !== 'open').length).toBeLessThanOrEqual(1)
      }),
    )
  })

  const stepOn = (
    seen: Proposal,
    what: Parameters<typeof decide>[1] | 'expire' | 'withdraw' | 'takeOff',
    rules: Approvals,
  ) => {
    if (typeof what === 'object') {
      const decision = decide(seen, what, rules, madeAt)
      return decision === 'counted' || 'code' in decision ? null : decision
    }
    if (seen.state !== 'open') return null
    if (what === 'expire') return expire(seen)
    return what === 'withdraw' ? withdraw(seen, 'the session changed') : takeOff(seen, ['U1'])
  }
})
