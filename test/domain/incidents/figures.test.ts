import { describe, expect, it } from 'vitest'
import type { JournalEvent } from '../../../src/domain/approvals/journal.ts'
import type { Outcome } from '../../../src/domain/approvals/outcome.ts'
import type { Proposal } from '../../../src/domain/approvals/proposal.ts'
import { figuresOf } from '../../../src/domain/incidents/figures.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import { incident as incidentOf, session } from '../../support/builders.ts'
import { bulkProposal, madeAt, proposal } from '../../support/proposals.ts'

const incident = (id: string, over: Partial<Incident> = {}): Incident =>
  incidentOf({ id, openedAt: madeAt, beganAt: madeAt - 30_000, ...over })

let seq = 0
const row = (at: number, cardId: string | null, event: JournalEvent) => ({
  seq: ++seq,
  at,
  cardId,
  event,
  previous: '',
  hash: '',
})

const of = (over: Partial<Parameters<typeof figuresOf>[0]> = {}) =>
  figuresOf({ incidents: [], proposals: [], rows: [], ...over })

describe('figures', () => {
  it('are nothing where nothing happened', () => {
    const { steps, counts } = of()
    expect(new Set(Object.values(steps))).toEqual(new Set([null]))
    expect(new Set(Object.values(counts))).toEqual(new Set([0]))
  })

  it('measure from the trouble to its card, by the nearest rank', () => {
    const incidents = [10, 20, 30, 40].map((s) => incident(`i${s}`, { beganAt: madeAt - s * 1000 }))
    expect(of({ incidents }).steps.troubleToCard).toEqual({ n: 4, p50: 20_000, p95: 40_000 })
  })

  it("measure to the first acknowledgement alone, on the incident's own card", () => {
    const acknowledged: JournalEvent = { kind: 'acknowledged', actor: 'U1' }
    const rows = [
      row(madeAt + 5000, 'other', acknowledged),
      row(madeAt + 7000, 'i', acknowledged),
      row(madeAt + 9000, 'i', acknowledged),
    ]
    expect(of({ incidents: [incident('i')], rows }).steps.cardToAcknowledged).toEqual({
      n: 1,
      p50: 7000,
      p95: 7000,
    })
  })

  it('measure from the card to the approval; without a card, from the request', () => {
    const proposals: Proposal[] = [
      proposal({ id: 'a', cardId: 'i', createdAt: madeAt + 3000, claimedAt: madeAt + 9000, state: 'done' }),
      proposal({ id: 'b', cardId: 'b', createdAt: madeAt + 3000, claimedAt: madeAt + 4000, state: 'done' }),
      proposal({ id: 'c', cardId: 'i', createdAt: madeAt, claimedAt: null, state: 'denied' }),
    ]
    const { steps, counts } = of({ incidents: [incident('i')], proposals })
    expect(steps.cardToApproved).toEqual({ n: 2, p50: 1000, p95: 9000 })
    expect(counts).toMatchObject({ proposals: 3, approved: 2, denied: 1, expired: 0 })
  })

  it('measure from the press to seen gone, where it went', () => {
    const about = { proposalId: 'a', action: 'cancel', session: proposal({}).key } as const
    const outcome = (proposalId: string, kind: 'effective' | 'unknown'): JournalEvent => ({
      kind: 'outcome',
      actor: 'pg-marshal',
      ...about,
      proposalId,
      sql: null,
      returned: null,
      outcome: kind === 'unknown' ? { kind, now: '' } : { kind, afterMs: 20, victims: 0, movedOn: 0 },
    })
    const rows = [
      row(madeAt + 250, 'i', outcome('a', 'effective')),
      row(madeAt + 900, 'i', outcome('b', 'unknown')),
      row(madeAt + 900, 'i', outcome('elsewhere', 'effective')),
    ]
    const proposals = [
      proposal({ id: 'a', claimedAt: madeAt }),
      proposal({ id: 'b', claimedAt: madeAt, outcome: { kind: 'changed', what: 'x' } }),
    ]
    const { steps, counts } = of({ proposals, rows })
    expect(steps.pressToGone).toEqual({ n: 1, p50: 250, p95: 250 })
    expect(counts.changedAtPress).toBe(1)
    // One decision each, however many they ended: until the last of them was seen gone.
    const list = bulkProposal([session(1), session(2), session(3)], { id: 'a', claimedAt: madeAt })
    const later = [...rows, row(madeAt + 9000, 'i', outcome('a', 'effective'))]
    const ofList = of({
      proposals: [list],
      rows: [...later, row(madeAt + 9900, 'i', outcome('a', 'unknown'))],
    })
    expect(ofList.steps.pressToGone).toEqual({ n: 1, p50: 9000, p95: 9000 })
  })

  it('count a list as changed where nothing was sent to any of it', () => {
    const changed: Outcome = { kind: 'changed', what: 'x' }
    const list = (...outcomes: Outcome[]) => {
      const one = bulkProposal(outcomes.map((_, n) => session(n + 1)))
      const members = one.bulk.members.map((member, n) => ({ ...member, outcome: outcomes[n] }))
      return { ...one, bulk: { ...one.bulk, members } }
    }
    const proposals = [list(changed, changed), list(changed, { kind: 'unknown', now: '' })]
    expect(of({ proposals }).counts).toMatchObject({ proposals: 2, changedAtPress: 1 })
  })

  it('count the calls on these cards, and those that were a next step', () => {
    const called = (why: 'card' | 'escalate'): JournalEvent => ({
      kind: 'called',
      actor: 'pg-marshal',
      why,
      people: ['U1'],
    })
    const rows = [
      row(madeAt, 'i', called('card')),
      row(madeAt, 'i', called('card')),
      row(madeAt + 1, 'i', called('escalate')),
      row(madeAt + 1, 'elsewhere', called('escalate')),
    ]
    expect(of({ incidents: [incident('i')], rows }).counts).toMatchObject({ called: 3, escalated: 1 })
  })

  it('count as no time what a clock that was set back would make negative', () => {
    expect(of({ incidents: [incident('i', { beganAt: madeAt + 60_000 })] }).steps.troubleToCard).toEqual({
      n: 1,
      p50: 0,
      p95: 0,
    })
  })
})
