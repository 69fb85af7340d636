import { describe, expect, it, test } from 'vitest'
import { hasEnded, type Silence, silenceOf } from '../../../src/domain/incidents/silence.ts'
import { idle } from '../../support/builders.ts'

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

describe('a silence covers', () => {
  const subject = (kind: 'idle' | 'unreachable', cluster = 'orders') => ({
    id: 'i',
    cluster,
    key: kind,
    finding:
      kind === 'idle'
        ? ({ kind, session: idle(1, 1), seconds: 1 } as const)
        : ({ kind, code: 'DEADLINE', reason: '', seconds: 1, last: null } as const),
  })
  const covers = (scope: Silence['scope'], kind: 'idle' | 'unreachable', cluster?: string) =>
    silenceOf(subject(kind, cluster), [silence(scope)]) !== null

  it('what is on its own cluster', () => {
    expect(covers({ kind: 'cluster' }, 'idle')).toBe(true)
    expect(covers({ kind: 'cluster' }, 'idle', 'billing')).toBe(false)
    expect(covers({ kind: 'finding', findingKind: 'idle' }, 'idle', 'billing')).toBe(false)
  })

  it('nothing of another kind, and no other incident', () => {
    expect(covers({ kind: 'finding', findingKind: 'idle' }, 'idle')).toBe(true)
    expect(covers({ kind: 'finding', findingKind: 'unreachable' }, 'idle')).toBe(false)
    expect(covers({ kind: 'incident', incidentId: 'j', key: 'k' }, 'idle')).toBe(false)
  })

  it('a cluster that cannot be seen only where that is named', () => {
    expect(covers({ kind: 'cluster' }, 'unreachable')).toBe(false)
    expect(covers({ kind: 'finding', findingKind: 'unreachable' }, 'unreachable')).toBe(true)
    expect(covers({ kind: 'incident', incidentId: 'i', key: 'k' }, 'unreachable')).toBe(true)
    expect(covers({ kind: 'incident', incidentId: 'j', key: 'unreachable' }, 'unreachable')).toBe(true)
  })
})
