import { describe, expect, it } from 'vitest'
import { findings } from '../../../src/domain/incidents/finding.ts'
import { headlineOf, titleOf } from '../../../src/views/card/headline.ts'
import * as of from '../../support/builders.ts'

describe('titleOf', () => {
  it('is the headline without what was true at the last edit of the card alone', () => {
    const sessions = [of.idleInTransaction(1, 400, { applicationName: 'checkout' }), of.waiting(2, 54)]
    const { snapshot, forest } = of.picture(sessions, of.rowQueue(1, [[2, 54]]))
    const [finding] = findings(snapshot, forest, of.thresholds)
    if (!finding) throw new Error('nothing found')
    const incident = of.incident({ finding, mostVictims: 1 })
    const card = { cluster: 'orders', incident, proposals: [] }
    expect(titleOf(card)).toMatch(/^\S+ checkout blocks 1 session on orders$/)
    expect(headlineOf(card)).toBe(`${titleOf(card)} · 54 s · idle in transaction`)
    const over = { ...card, incident: { ...incident, resolvedAt: of.takenAt + 90_000 } }
    expect(headlineOf(over)).toBe('🟢 Resolved: checkout blocked 1 session on orders · 1 min 30 s')
  })
})
