import { describe, expect, it } from 'vitest'
import { findings } from '../../../src/domain/incidents/finding.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import { headlineOf, titleOf } from '../../../src/views/card/headline.ts'
import * as of from '../../support/builders.ts'

describe('titleOf', () => {
  it('is the headline without what was true at the last edit of the card alone', () => {
    const sessions = [of.idleInTransaction(1, 400, { applicationName: 'checkout' }), of.waiting(2, 54)]
    const { snapshot, forest } = of.picture(sessions, of.rowQueue(1, [[2, 54]]))
    const [finding] = findings(snapshot, forest, of.thresholds)
    if (!finding) throw new Error('nothing found')
    const incident: Incident = {
      id: '3f2a9c1b',
      cardId: '3f2a9c1b',
      digestId: null,
      placedAt: of.takenAt,
      cluster: 'orders',
      key: 'key',
      finding,
      openedAt: of.takenAt,
      beganAt: of.takenAt,
      headSince: of.takenAt,
      changedAt: of.takenAt,
      resolvedAt: null,
      resolution: null,
      recommendation: null,
      acknowledgedBy: null,
      mostVictims: 1,
    }
    const card = { cluster: 'orders', incident, proposals: [] }
    expect(titleOf(card)).toMatch(/^\S+ checkout blocks 1 session on orders$/)
    expect(headlineOf(card)).toBe(`${titleOf(card)} · 54 s · idle in transaction`)
    const over = { ...card, incident: { ...incident, resolvedAt: of.takenAt + 90_000 } }
    expect(headlineOf(over)).toBe('🟢 Resolved: checkout blocked 1 session on orders · 1 min 30 s')
  })
})
