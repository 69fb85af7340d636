import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { differences, guardOf } from '../../../src/domain/approvals/approvedState.ts'
import { asProposal, type BulkProposal, eachOf, isBulk } from '../../../src/domain/approvals/bulk.ts'
import {
  beginMember,
  endMembers,
  finishMembers,
  shorten,
} from '../../../src/domain/approvals/bulkTransitions.ts'
import { countsOf } from '../../../src/domain/approvals/members.ts'
import type { Outcome } from '../../../src/domain/approvals/outcome.ts'
import type { ProposalIn } from '../../../src/domain/approvals/proposal.ts'
import { approve } from '../../../src/domain/approvals/transitions.ts'
import { listMembers } from '../../../src/domain/lists/bulkList.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { clusterConfig } from '../../support/asking.ts'
import { idle, idleInTransaction, picture, serverProcess, session } from '../../support/builders.ts'
import { bulkProposal, madeAt, memberOf, proposal } from '../../support/proposals.ts'

const openBulk = (sessions: readonly Session[]) => bulkProposal(sessions, { requestedBy: 'U0RIA' })
const claimedBulk = (sessions: readonly Session[]) =>
  bulkProposal<'claimed'>(sessions, { state: 'claimed', requestedBy: 'U0RIA' })

const some = (many: number) => Array.from({ length: many }, (_, n) => idle(100 + n, 600 + n))
const gone: Outcome = { kind: 'effective', afterMs: 3, victims: 0, movedOn: 0 }
const executed = (outcome: Outcome) => ({ outcome, sql: 'SELECT', returned: true })

describe('one of a list', () => {
  it.each([
    ['the same', {}, []],
    ['used', { stateChange: '2026-03-01 02:59:59.000000+00' }, ['it was used meanwhile']],
    ['in use', { state: 'active' }, ['it is in use again']],
    ['another', { backendStart: '2026-03-01 02:59:59.000000+00' }, ['the pid belongs to another session']],
    ['in a transaction', { xactStart: '2026-03-01 02:59:59.000000+00' }, ['it is in use again']],
  ])('must be as it was listed: %s', (_, over, expected) => {
    const listed = claimedBulk(some(1))
    const [member] = listed.bulk.members
    if (!member) throw new Error('no member')
    expect(differences(asProposal(listed, member), { ...member.session, ...over })).toEqual(expected)
    // One that was requested alone may have been used.
    if (expected[0] === 'it was used meanwhile')
      expect(differences(listed, { ...listed.session, ...over })).toEqual([])
  })

  it('must be as it was also in the same transaction, and the server holds it to that', () => {
    const before = idleInTransaction(7, 600)
    const listed = claimedBulk([before])
    const one = asProposal(listed, memberOf(before))
    const used = { ...before, stateChange: '2026-03-01 02:59:59.000000+00' }
    expect(differences(one, used)).toEqual(['it was used meanwhile'])
    expect(differences(one, { ...before, state: 'active' })).toEqual(['it was used meanwhile'])
    expect(guardOf({ ...one, signalBefore: 'x' })).toMatchObject({
      xactStart: before.xactStart,
      state: 'idle in transaction',
      stateChange: before.stateChange,
    })
    expect(guardOf({ ...listed, signalBefore: 'x' })).toMatchObject({ state: null, stateChange: null })
  })
})

describe('a bulk request', () => {
  it('is for a list, and each of it is a proposal of its own', () => {
    const claimed = claimedBulk(some(2))
    expect([isBulk(claimed), isBulk(proposal())]).toEqual([true, false])
    expect(eachOf(claimed).map(({ key, bulk }) => [key.pid, bulk])).toEqual([
      [100, undefined],
      [101, undefined],
    ])
    const one = proposal()
    expect(eachOf(one)).toEqual([one])
  })

  it('is claimed once, without an intent that stands for all', () => {
    const { approvals } = clusterConfig('orders')
    const step = approve(openBulk(some(3)), 'U0DANA', approvals, madeAt)
    expect('events' in step && step.next.state).toBe('claimed')
    expect('events' in step && step.events.map(({ kind }) => kind)).toEqual(['approved'])
  })

  it('begins and ends each member once, and its counts add up to the list, wherever it is cut off', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.tuple(fc.nat(6), fc.boolean()), { maxLength: 30 }),
        fc.boolean(),
        (many, tries, isKnown) => {
          let now: BulkProposal<ProposalIn<'claimed'>> | BulkProposal<ProposalIn<'done'>> = claimedBulk(
            some(many),
          )
          const intended = new Map<number, number>()
          const ended = new Map<number, number>()
          const count = (events: readonly { kind: string; session?: { pid: number } }[]) => {
            for (const { kind, session } of events) {
              const into = kind === 'intended' ? intended : kind === 'outcome' ? ended : null
              if (into && session) into.set(session.pid, (into.get(session.pid) ?? 0) + 1)
            }
          }
          for (const [index, begins] of tries) {
            if (now.state !== 'claimed') break
            const step: ReturnType<typeof beginMember> | ReturnType<typeof finishMembers> = begins
              ? beginMember(now, index, 'later', madeAt)
              : finishMembers(now, new Map([[index, executed(gone)]]))
            if (!step) continue
            count(step.events as never)
            now = step.next
          }
          if (now.state === 'claimed') {
            const begun = now.bulk.members.flatMap(({ signalBefore, outcome }, index) =>
              signalBefore !== undefined && !outcome ? [index] : [],
            )
            const unknown: Outcome = { kind: 'unknown', now: '' }
            const step = endMembers(now, new Map(isKnown ? begun.map((index) => [index, unknown]) : []))
            if (!isKnown && begun.length > 0) {
              expect(step).toBeNull()
              return
            }
            if (!step) throw new Error('not ended')
            count(step.events as never)
            const { members } = now.bulk
            step.next.bulk.members.forEach(({ outcome }, index) => {
              const before = members[index]
              const expected =
                before?.outcome?.kind ?? (before?.signalBefore === undefined ? 'notSent' : 'unknown')
              expect(outcome?.kind).toBe(expected)
            })
            now = step.next
          }
          expect(now.state).toBe('done')
          const sum = Object.values(countsOf(now.bulk)).reduce<number>((all, one) => all + (one ?? 0), 0)
          expect(sum).toBe(many)
          expect([...ended.values()]).toEqual(Array(many).fill(1))
          expect([...intended.values()].every((times) => times === 1)).toBe(true)
        },
      ),
    )
  })

  it('says once that all of it is through, when the last is', () => {
    const claimed = claimedBulk(some(2))
    const first = finishMembers(claimed, new Map([[0, executed(gone)]]))
    expect(first?.next.state).toBe('claimed')
    expect(first?.events.map(({ kind }) => kind)).toEqual(['outcome'])
    if (first?.next.state !== 'claimed') throw new Error('done')
    const last = finishMembers(
      first.next as typeof claimed,
      new Map([[1, executed({ kind: 'changed', what: 'x' })]]),
    )
    expect(last?.events.at(-1)).toMatchObject({ kind: 'bulkDone', counts: { effective: 1, changed: 1 } })
    expect(beginMember(claimed, 5, 'x', madeAt)).toBeNull()
  })

  it('gets shorter as another proposal, with the time that is left and no approvals', () => {
    const open = { ...openBulk(some(3)), approvals: [{ userId: 'U0DANA', at: madeAt }] }
    const [first, second] = some(3)
    if (!first || !second) throw new Error('none')
    const off = shorten(open, first, { id: 'shorter', by: 'U0RIA', now: madeAt + 1000 })
    expect(off?.ended.next).toMatchObject({
      state: 'withdrawn',
      decision: expect.stringContaining('100 was taken off'),
    })
    expect(off?.opened.next).toMatchObject({
      id: 'shorter',
      cardId: open.cardId,
      approvals: [],
      requestedBy: 'U0RIA',
      expiresAt: open.expiresAt,
      key: { pid: second.pid, backendStart: second.backendStart },
      bulk: { leftOut: [{ why: 'taken off the list', pids: [100] }] },
    })
    expect(off?.opened.next.bulk?.members.map(({ session }) => session.pid)).toEqual([101, 102])
    expect(shorten(open, { pid: 100, backendStart: 'another' }, { id: 'x', by: 'U', now: madeAt })).toBeNull()
    expect(shorten(openBulk(some(1)), first, { id: 'x', by: 'U', now: madeAt })).toBeNull()
  })
})

describe('the list', () => {
  const everybody = {
    isChosen: () => true,
    action: 'terminate',
    most: 2,
    protected: [{ user: 'replicator' }],
  } as const
  const found = listMembers(
    picture([
      idle(1, 10),
      idle(2, 3000),
      idle(3, 50),
      idle(4, 9000, { usename: 'replicator' }),
      session(5, { isSuperuser: true, stateSeconds: 8000 }),
      serverProcess(6, 'walsender'),
    ]),
    everybody,
  )

  it('has the oldest first, and says why others are left out', () => {
    expect(found.members.map(({ session }) => session.pid)).toEqual([2, 3])
    expect(Object.fromEntries(found.leftOut.map(({ why, pids }) => [why.slice(0, 24), pids]))).toEqual({
      'It is protected by the c': [4],
      'It belongs to a superuse': [5],
      'There are more than the ': [1],
      'It is a walsender: endin': [6],
    })
  })

  it('of a cancel has nobody who runs nothing', () => {
    const { members, leftOut } = listMembers(picture([idle(1, 10), session(2)]), {
      ...everybody,
      action: 'cancel',
    })
    expect(members.map(({ session }) => session.pid)).toEqual([2])
    expect(leftOut).toMatchObject([{ pids: [1] }])
  })
})
