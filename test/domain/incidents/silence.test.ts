import { describe, expect, test } from 'vitest'
import { hasEnded, type Silence } from '../../../src/domain/incidents/silence.ts'

const silence = (scope: Silence['scope'], until = 1_000): Silence => ({
  id: 's',
  cluster: 'orders',
  scope,
  since: 0,
  until,
  by: 'U1',
  reason: '',
})
const snooze: Silence['scope'] = { kind: 'incident', incidentId: 'i', key: 'k' }

describe('a silence has ended', () => {
  test.each<[string, Silence, { resolvedAt: number | null } | null, number, boolean]>([
    ['not while its incident is open', silence(snooze), { resolvedAt: null }, 999, false],
    ['when its time is up', silence(snooze), { resolvedAt: null }, 1_000, true],
    ['not while its incident may come back', silence(snooze), { resolvedAt: 100 }, 160, false],
    ['when its incident is over for good', silence(snooze), { resolvedAt: 100 }, 161, true],
    ['when its incident is not kept any more', silence(snooze), null, 1, true],
    ['for a cluster by time alone', silence({ kind: 'cluster' }), null, 999, false],
    ['for a kind by time alone', silence({ kind: 'finding', findingKind: 'idle' }), null, 999, false],
    ['for a cluster when its time is up', silence({ kind: 'cluster' }), null, 1_000, true],
  ])('%s', (_, one, incident, now, expected) => {
    expect(hasEnded(one, incident, 60, now)).toBe(expected)
  })
})
