import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/domain/approvals/outcome.ts'
import type { Proposal } from '../../../src/domain/approvals/proposal.ts'
import { causeOf } from '../../../src/domain/incidents/cause.ts'
import type { Finding } from '../../../src/domain/incidents/finding.ts'
import { fold, type Incident } from '../../../src/domain/incidents/incident.ts'
import { type Session, sessionKeyOf } from '../../../src/domain/session/session.ts'
import * as of from '../../support/builders.ts'
import { proposal } from '../../support/proposals.ts'

const runner = of.session(7, { querySeconds: 4000, stateSeconds: 4000 })
const web = of.waiting(8, 60)
const opened = of.takenAt
const over = opened + 3_600_000

function incidentOf(finding: Finding): Incident {
  const [opening] = fold([], [finding], of.snapshot([runner, web]), {
    recommendationOf: () => null,
    newId: () => 'i',
  })
  if (!opening) throw new Error('nothing opened')
  return opening.incident
}

const long = incidentOf({ kind: 'longQuery', session: runner, seconds: 4000 })
const full = incidentOf({ kind: 'connections', used: 98, max: 100, reserved: 3, holders: [] })

/** A jam whose queue was seen under another one this long before its end. */
const draining = (ms: number): Incident => ({
  ...incidentOf({ kind: 'longQuery', session: web, seconds: 60 }),
  cardId: 'card',
  headSince: over - ms,
})

const effective: Outcome = { kind: 'effective', afterMs: 10, victims: 0, movedOn: 0 }
/** What somebody requested by hand, on a card of its own, and was carried out a second before the end. */
const done = (over_: Partial<Proposal> = {}, session: Session = runner): Proposal => ({
  ...proposal({ cardId: 'by-hand', state: 'done', outcome: effective, claimedAt: over - 1000 }, session),
  key: sessionKeyOf('orders', session),
  ...over_,
})

describe('what ended an incident', () => {
  const nobody = 'It was not ended from here.'
  it.each<[string, Incident, Proposal[], Session[], string]>([
    ['nobody did', long, [], [], nobody],
    ['a terminate by hand, on another card', long, [done()], [], 'It was ended by the approved terminate.'],
    ['one of another session', long, [done({}, web)], [], nobody],
    ['one in another cluster', long, [done({ key: { ...sessionKeyOf('stock', runner) } })], [], nobody],
    ['one before it opened', long, [done({ claimedAt: opened - 1 })], [], nobody],
    [
      'a cancel, and the session is there',
      long,
      [done({ action: 'cancel' })],
      [of.idle(7, 1)],
      'It was ended by the approved cancel.',
    ],
    [
      'a cancel, and the session is gone',
      long,
      [done({ action: 'cancel' })],
      [],
      'An approved cancel came before.',
    ],
    [
      'a cancel of its last statement, when it ran another one',
      long,
      [done({ action: 'cancel' }, of.session(7, { querySeconds: 5000, stateSeconds: 5000 }))],
      [of.idle(7, 1)],
      'An approved cancel came before.',
    ],
    [
      'the head before, and the queue was seen while it drained',
      draining(900),
      [done({ cardId: 'card' })],
      [],
      'It was ended by the approved terminate of 7.',
    ],
    ['the head before, and the next one stayed', draining(11_000), [done({ cardId: 'card' })], [], nobody],
    [
      'a head of long ago, and the queue was seen while it drained',
      draining(900),
      [done({ cardId: 'card', claimedAt: over - 61_000 })],
      [],
      nobody,
    ],
    ['somebody who held a connection', full, [done()], [], 'An approved terminate of 7 came before.'],
    ['somebody who held one long ago', full, [done({ claimedAt: over - 61_000 })], [], nobody],
    ['one without effect', full, [done({ outcome: { kind: 'changed', what: 'gone' } })], [], nobody],
  ])('%s', (_, incident, proposals, sessions, sentence) => {
    expect(causeOf(incident, proposals, sessions, over)).toBe(sentence)
  })
})
