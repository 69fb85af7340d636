import { describe, expect, it, test } from 'vitest'
import { isBulk } from '../../../src/domain/approvals/bulk.ts'
import { noteMembersRetry } from '../../../src/domain/approvals/bulkTransitions.ts'
import type { BulkMember } from '../../../src/domain/approvals/members.ts'
import type { Outcome } from '../../../src/domain/approvals/outcome.ts'
import type { ProposalFields, ProposalIn } from '../../../src/domain/approvals/proposal.ts'
import {
  againWords,
  isSameWork,
  mayBeRetried,
  retriesIn,
  retryCandidates,
} from '../../../src/domain/approvals/retry.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { idle, session, takenAt } from '../../support/builders.ts'
import { bulkProposal, memberOf, proposal } from '../../support/proposals.ts'

const effective: Outcome = { kind: 'effective', afterMs: 5, victims: 0, movedOn: 0 }
const before = session(7, { queryId: '42', queryStart: 'then', backendSeconds: 100 })
/** Cancelled five seconds before every picture is taken. */
const ended = (over: Partial<ProposalFields> = {}): ProposalIn<'done'> =>
  proposal({ state: 'done', outcome: effective, claimedAt: takenAt - 5_000, ...over }, before)

describe('heirsOf', () => {
  const heirs = (...sessions: Session[]) =>
    retryCandidates(ended(), { sessions, takenAt }).map(({ session: { pid }, afterMs }) => [pid, afterMs])

  it('are the session itself with another statement, and those of its application that have come since', () => {
    const again = { ...before, queryStart: 'now', querySeconds: 4 }
    const fresh = session(8, { backendSeconds: 3, querySeconds: 2 })
    expect(heirs(again, fresh)).toEqual([
      [7, 1_000],
      [8, 3_000],
    ])
  })

  test.each<[string, Session]>([
    ['the statement itself, still there', { ...before, querySeconds: 4 }],
    ['one that began before', session(8, { backendSeconds: 3, querySeconds: 6 })],
    ['another that has always been there', session(8, { backendSeconds: 100, querySeconds: 1 })],
    ['another user’s', session(8, { backendSeconds: 3, usename: 'else' })],
    ['the pid of somebody else', { ...before, backendStart: 'other', queryStart: 'now', querySeconds: 1 }],
    ['one without a statement', session(8, { backendSeconds: 3, querySeconds: null })],
  ])('are not: %s', (_, other) => expect(heirs(other)).toEqual([]))

  it('are those of ten seconds, to the last moment', () => {
    const begun = (seconds: number) => session(8, { backendSeconds: seconds, querySeconds: seconds })
    const of = (claimedAt: number, one: Session) =>
      retryCandidates({ ...ended(), claimedAt }, { sessions: [one], takenAt }).length
    expect(of(takenAt - 5_000, begun(5))).toBe(1)
    expect(of(takenAt - 11_000, begun(1))).toBe(1)
    expect(of(takenAt - 11_001, begun(1))).toBe(0)
  })

  it('are not those that come ten seconds later: that is its next turn', () => {
    const late = { ...ended(), claimedAt: takenAt - 60_000 }
    const sessions = [{ ...before, queryStart: 'now', querySeconds: 1 }]
    expect(retryCandidates(late, { sessions, takenAt })).toEqual([])
  })
})

describe('isSameWork', () => {
  const one = session(1, { query: 'UPDATE a SET b = 1' })
  it('goes by the server’s id of the statement, else by the text without constants', () => {
    expect(isSameWork({ ...one, queryId: '1' }, { ...one, queryId: '1', query: null })).toBe(true)
    expect(isSameWork({ ...one, queryId: '1' }, { ...one, queryId: '2' })).toBe(false)
    expect(isSameWork(one, { ...one, query: 'UPDATE a SET b = 22' })).toBe(true)
    expect(isSameWork(one, { ...one, query: 'UPDATE a SET c = 1' })).toBe(false)
  })
  it('does not take two statements that nobody may see for the same', () => {
    expect(isSameWork({ ...one, query: null }, { ...one, query: null })).toBe(false)
    expect(isSameWork(one, { ...one, query: null })).toBe(false)
    expect(isSameWork({ ...one, query: null }, one)).toBe(false)
  })
})

describe('a list', () => {
  const other = session(8, { queryId: '43', applicationName: 'jobs' })
  const idler = idle(9, 600, { queryId: '42' })
  const list = (begunAt = takenAt - 5_000) => {
    const done = bulkProposal<'done'>([before, { ...before, pid: 17 }, other, idler, before], {
      state: 'done',
      claimedAt: takenAt - 60_000,
    })
    const members = done.bulk.members.map((member) => ({ ...member, begunAt, outcome: effective }))
    const changed: BulkMember = { ...memberOf(before), outcome: { kind: 'changed', what: 'used' } }
    return { ...done, bulk: { ...done.bulk, members: [...members.slice(0, 4), changed] } }
  }

  it('is asked again for each that it cut off, from its own signal on', () => {
    const pids = (begunAt?: number) => mayBeRetried(list(begunAt), takenAt).map(({ key }) => key.pid)
    expect(pids()).toEqual([7, 17, 8])
    expect(pids(takenAt - 60_000)).toEqual([])
    const fresh = session(20, { backendSeconds: 3, querySeconds: 2 })
    const [first] = mayBeRetried(list(), takenAt)
    expect(first && retryCandidates(first, { sessions: [fresh], takenAt })).toMatchObject([
      { afterMs: 3_000 },
    ])
  })

  it('has the work noted once that came back, and none of the others', () => {
    const step = noteMembersRetry(list(), { ...before, pid: 20 }, 900)
    expect(step?.events).toMatchObject([{ kind: 'retried', pid: 20, afterMs: 900 }])
    if (!step || !isBulk(step.next)) throw new Error('nothing is noted')
    const { next } = step
    expect(next.bulk.members.map(({ retriedAfterMs }) => retriedAfterMs)).toEqual([
      ...[900, 900, undefined, undefined, undefined],
    ])
    expect(mayBeRetried(next, takenAt).map(({ key }) => key.pid)).toEqual([8])
    expect(noteMembersRetry(next, { ...before, pid: 21 }, 800)).toBeNull()
    expect(noteMembersRetry(list(), { ...before, queryId: '44' }, 900)).toBeNull()
    expect(noteMembersRetry(list(), { ...before, applicationName: 'else' }, 900)).toBeNull()
  })

  it('counts as one time for each application', () => {
    const step = noteMembersRetry(list(), before, 900)
    const retriesOf = retriesIn([ended(), step?.next ?? list()])
    expect(retriesOf(before)).toEqual({ ended: 2, again: 1, withinSeconds: 0.9 })
    expect(retriesOf(other)).toEqual({ ended: 1, again: 0, withinSeconds: 0 })
    expect(retriesOf({ ...idler, applicationName: 'else' })).toBeNull()
  })
})

describe('retriesIn', () => {
  it('counts what was ended and what was begun again, by application', () => {
    const done = [
      ended({ retriedAfterMs: 2_500 }),
      ended(),
      ended({ retriedAfterMs: 900 }),
      ended({ outcome: { kind: 'changed', what: 'gone' } }),
    ]
    const retriesOf = retriesIn(done)
    expect(retriesOf(before)).toEqual({ ended: 3, again: 2, withinSeconds: 0.9 })
    expect(retriesOf({ ...before, queryId: '43' })).toBeNull()
    expect(againWords({ ended: 3, again: 2, withinSeconds: 0.9 })).toBe(
      '2 of the last 3 times that it was ended, its application ran the same again within 1 s',
    )
    expect(againWords({ ended: 1, again: 1, withinSeconds: 2.5 })).toMatch(/within 3 s$/)
  })

  it('is asked again for a moment only, and not once it is known', () => {
    const of = (over: Partial<ProposalFields>) => mayBeRetried(ended(over), takenAt).length
    expect(of({})).toBe(1)
    expect(of({ retriedAfterMs: 1 })).toBe(0)
    expect(of({ claimedAt: takenAt - 20_000 })).toBe(1)
    expect(of({ claimedAt: takenAt - 20_001 })).toBe(0)
    expect(of({ outcome: { kind: 'refused', why: '' } })).toBe(0)
    expect(of({ session: { ...before, state: 'idle' } })).toBe(0)
  })
})
