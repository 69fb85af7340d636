import { describe, expect, test } from 'vitest'
import type { ProposalFields } from '../../../src/domain/approvals/proposal.ts'
import { callsAnybody, carries, coveredBy, noCalls } from '../../../src/domain/incidents/ladder.ts'
import { approvers, ask, channel, fresh, incident, notify } from '../../support/nights.ts'
import { madeAt, proposal } from '../../support/proposals.ts'

const minute = 60_000
const keys = (...asked: Parameters<typeof ask>) => ask(...asked).due.map(({ key }) => key)
const critical = incident('critical')
const warning = incident('warning')
const acknowledged = (one = critical) => ({ ...one, acknowledgedBy: 'U0MARCO' })
const open = (over: Partial<ProposalFields> = {}) =>
  proposal({ id: 'p1', createdAt: madeAt, expiresAt: madeAt + 15 * minute, requestedBy: null, ...over })

describe('an incident', () => {
  test('calls at once, again when nobody answers, and then each step', () => {
    const kept = fresh()
    expect(ask(kept, { incident: critical }, 0).due).toEqual([{ key: 'critical', mention: ['S0DBAONCALL'] }])
    expect(ask(kept, { incident: critical }, 5 * minute - 1)).toMatchObject({
      due: [],
      next: { at: 5 * minute, mention: ['S0DBAONCALL'] },
    })
    expect(ask(kept, { incident: critical }, 5 * minute).due).toEqual([
      { key: 'remind', mention: ['S0DBAONCALL'] },
    ])
    expect(ask(kept, { incident: critical }, 10 * minute)).toMatchObject({
      due: [{ key: 'escalate:0', mention: ['U0LEAD'] }],
      next: { at: 20 * minute, mention: ['U0BOSS'] },
    })
    expect(ask(kept, { incident: critical }, 20 * minute)).toMatchObject({
      due: [{ key: 'escalate:1', mention: ['U0BOSS'] }],
      next: null,
    })
    expect(keys(kept, { incident: critical }, 100 * minute)).toEqual([])
  })

  test('makes up for what was missed, in order', () => {
    const kept = fresh()
    ask(kept, { incident: critical }, 0)
    expect(keys(kept, { incident: critical }, 60 * minute)).toEqual(['remind', 'escalate:0', 'escalate:1'])
  })

  test('of a lower severity than `from` calls nobody, and does when it gets worse', () => {
    const kept = fresh()
    expect(keys(kept, { incident: warning }, 0)).toEqual([])
    expect(keys(kept, { incident: warning }, 60 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, 61 * minute)).toEqual(['critical'])
    expect(keys(kept, { incident: critical }, 66 * minute)).toEqual(['remind'])
  })

  test('of `from: warning` calls as a warning, and once more when it gets critical', () => {
    const kept = fresh()
    const settings = { ...notify, from: 'warning' as const }
    expect(keys(kept, { incident: incident('notice') }, 0, { settings })).toEqual([])
    expect(keys(kept, { incident: warning }, 0, { settings })).toEqual(['warning'])
    expect(keys(kept, { incident: critical }, 1, { settings })).toEqual(['critical'])
    expect(keys(kept, { incident: warning }, 2, { settings })).toEqual([])
    expect(keys(kept, { incident: critical }, 3, { settings })).toEqual([])
  })

  test('goes on with its steps when it gets better', () => {
    const kept = fresh()
    ask(kept, { incident: critical }, 0)
    expect(keys(kept, { incident: warning }, 5 * minute)).toEqual(['remind'])
  })

  test('in a digest calls when it has a card of its own', () => {
    const kept = fresh()
    expect(keys(kept, { incident: { ...critical, cardId: 'd' } }, 0)).toEqual([])
    expect(keys(kept, { incident: critical }, 1)).toEqual(['critical'])
  })

  test('that somebody acknowledged calls no more, and goes on where it stood when they hand it back', () => {
    const kept = fresh()
    ask(kept, { incident: critical }, 0)
    expect(ask(kept, { incident: acknowledged() }, minute)).toMatchObject({ due: [], next: null })
    expect(keys(kept, { incident: acknowledged() }, 60 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, 61 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, 65 * minute - 1)).toEqual([])
    expect(keys(kept, { incident: critical }, 65 * minute)).toEqual(['remind'])
  })

  test('that gets worse wants to be acknowledged again', () => {
    const kept = fresh()
    ask(kept, { incident: warning }, 0)
    ask(kept, { incident: acknowledged(warning) }, 1)
    const worse = ask(kept, { incident: acknowledged() }, 2)
    expect(worse).toMatchObject({ isWorse: true, due: [{ key: 'critical' }] })
    expect(keys(kept, { incident: acknowledged() }, 60 * minute)).toEqual([])
  })

  test.each([
    ['approved', proposal({ approvals: [{ userId: 'U0DANA', at: 1 }] })],
    ['denied', proposal({ decidedBy: 'U0DANA', state: 'denied' })],
  ])('on whose card somebody %s calls no more, until it gets worse', (_, decided) => {
    const kept = fresh()
    ask(kept, { incident: warning }, 0)
    ask(kept, { incident: warning, proposals: [decided] }, 1)
    expect(keys(kept, { incident: critical, proposals: [decided] }, 2)).toEqual(['critical'])
    expect(keys(kept, { incident: critical, proposals: [decided] }, 2 + 5 * minute)).toEqual(['remind'])
    const other = fresh()
    ask(other, { incident: critical }, 0)
    expect(keys(other, { incident: critical, proposals: [decided] }, 60 * minute)).toEqual([])
  })

  test('that is silent calls nobody, and does when the silence ends', () => {
    const kept = fresh()
    expect(keys(kept, { incident: critical, isSilent: true }, 0)).toEqual([])
    expect(keys(kept, { incident: critical }, 60 * minute)).toEqual(['critical'])
    expect(keys(kept, { incident: critical, isSilent: true }, 62 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, 72 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, 75 * minute - 1)).toEqual([])
    expect(keys(kept, { incident: critical }, 75 * minute)).toEqual(['remind'])
  })

  test('that gets worse in a silence, and was acknowledged before, calls after it', () => {
    const kept = fresh()
    ask(kept, { incident: acknowledged(warning) }, 0)
    expect(ask(kept, { incident: acknowledged(), isSilent: true }, 1)).toMatchObject({
      isWorse: true,
      due: [],
    })
    expect(keys(kept, { incident: critical }, 2)).toEqual(['critical'])
  })

  test('that is over calls nobody, and goes on when it is back', () => {
    const kept = fresh()
    ask(kept, { incident: critical }, 0)
    expect(keys(kept, { incident: { ...critical, resolvedAt: 1 } }, minute)).toEqual([])
    expect(keys(kept, { incident: { ...critical, resolvedAt: 1 } }, 60 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, 61 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, 65 * minute)).toEqual(['remind'])
  })

  test('takes back what has not reached Slack and is not true any more', () => {
    const kept = fresh()
    ask(kept, { incident: critical }, 0)
    ask(kept, { incident: critical }, 5 * minute, { reachesSlack: false })
    expect(ask(kept, { incident: acknowledged() }, 6 * minute).dropped).toEqual(['remind'])
    expect(keys(kept, { incident: critical }, 7 * minute)).toEqual(['remind'])
  })

  test('calls afresh where its first call never reached anybody', () => {
    const kept = fresh()
    ask(kept, { incident: critical }, 0, { reachesSlack: false })
    expect(ask(kept, { incident: critical, isSilent: true }, minute).dropped).toEqual(['critical'])
    expect(keys(kept, { incident: critical }, 60 * minute)).toEqual(['critical'])
    expect(keys(kept, { incident: critical }, 65 * minute - 1)).toEqual([])
  })

  test('is not held back by a clock that is set back', () => {
    const kept = fresh()
    ask(kept, { incident: critical }, 60 * minute)
    ask(kept, { incident: critical }, 62 * minute)
    expect(keys(kept, { incident: critical }, 12 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, 15 * minute)).toEqual(['remind'])
    kept.before = null
    expect(keys(kept, { incident: critical }, -100 * minute)).toEqual([])
    expect(keys(kept, { incident: critical }, -90 * minute)).toEqual(['escalate:0'])
  })

  test('reminds nobody where `notify` names only steps', () => {
    const settings = { ...notify, mention: [] }
    const kept = fresh()
    ask(kept, { incident: critical }, 0, { settings })
    expect(keys(kept, { incident: critical }, 60 * minute, { settings })).toEqual([
      'escalate:0',
      'escalate:1',
    ])
  })
})

describe('a request by hand', () => {
  const asked = open({ requestedBy: 'U0OMAR' })
  const alone = { incident: null, proposals: [asked] }

  test('calls, reminds and escalates until somebody decides', () => {
    const kept = fresh()
    expect(keys(kept, alone, madeAt)).toEqual(['request:p1'])
    expect(keys(kept, alone, madeAt + 5 * minute)).toEqual(['remind'])
    const approved = { ...asked, approvals: [{ userId: 'U0DANA', at: 1 }] }
    expect(keys(kept, { incident: null, proposals: [approved] }, madeAt + 60 * minute)).toEqual([])
  })

  test('calls those who may approve when it is about to expire and nobody looked', () => {
    const kept = fresh()
    const late = { ...asked, expiresAt: madeAt + 3 * minute }
    const subject = { incident: null, proposals: [late] }
    ask(kept, subject, madeAt)
    expect(keys(kept, subject, madeAt + 2 * minute - 1)).toEqual([])
    expect(ask(kept, subject, madeAt + 2 * minute).due).toEqual([{ key: 'expiring:p1', mention: approvers }])
    expect(keys(kept, subject, madeAt + 3 * minute - 1)).toEqual([])
    const other = fresh()
    ask(other, subject, madeAt)
    expect(keys(other, subject, madeAt + 3 * minute)).toEqual([])
  })

  test('has no more than five minutes left when it says so', () => {
    const kept = fresh()
    const subject = { incident: null, proposals: [{ ...asked, expiresAt: madeAt + 60 * minute }] }
    ask(kept, subject, madeAt)
    ask(kept, subject, madeAt + 30 * minute)
    expect(keys(kept, subject, madeAt + 55 * minute - 1)).toEqual([])
    expect(keys(kept, subject, madeAt + 55 * minute)).toEqual(['expiring:p1'])
  })

  test('calls on a card that is silent or acknowledged, or that calls nobody by itself', () => {
    for (const incident of [critical, acknowledged(), warning])
      expect(keys(fresh(), { incident, proposals: [asked], isSilent: true }, madeAt)).toEqual(['request:p1'])
    const kept = fresh()
    ask(kept, { incident: warning, proposals: [asked] }, madeAt)
    expect(keys(kept, { incident: warning, proposals: [asked] }, madeAt + 5 * minute)).toEqual(['remind'])
    const denied = { ...asked, state: 'denied' as const }
    expect(keys(kept, { incident: warning, proposals: [denied] }, madeAt + 60 * minute)).toEqual([])
  })

  test('is over with its incident, and with its proposal', () => {
    const over = { ...critical, resolvedAt: 1 }
    expect(keys(fresh(), { incident: over, proposals: [asked] }, madeAt)).toEqual([])
    const kept = fresh()
    ask(kept, alone, madeAt, { reachesSlack: false })
    const expired = { ...asked, state: 'expired' as const }
    expect(ask(kept, { incident: null, proposals: [expired] }, madeAt + 1)).toMatchObject({
      due: [],
      dropped: ['request:p1'],
      next: null,
    })
  })

  test('that takes the place of a cancel in vain calls after a while, for somebody was just there', () => {
    const kept = fresh()
    const instead = { incident: null, proposals: [{ ...asked, insteadOf: 'p0' }] }
    expect(keys(kept, instead, madeAt)).toEqual([])
    expect(keys(kept, instead, madeAt + 5 * minute)).toEqual(['remind'])
  })

  test('of the watcher calls nobody by itself', () => {
    expect(keys(fresh(), { incident: warning, proposals: [open()] }, madeAt + 14 * minute)).toEqual([])
    expect(keys(fresh(), { incident: null, proposals: [open()] }, madeAt)).toEqual([])
  })
})

describe('several cards', () => {
  const due = { key: 'critical', mention: ['S0DBAONCALL'] } as const
  const sent = { ...due, at: 1000, channel, inCard: true, by: null }
  const others = [{ id: 'a', calls: { ...noCalls, sent: [sent] } }]
  const here = { id: 'b', channel, now: 2000 }

  test('within seconds are one mention', () => {
    expect(coveredBy(due, here, others)).toBe('a')
    expect(coveredBy({ ...due, key: 'warning' }, here, others)).toBe('a')
    expect(coveredBy(due, { ...here, now: 11_000 }, others)).toBe('a')
    expect(coveredBy(due, { ...here, now: 1000 }, others)).toBe('a')
  })

  test.each([
    ['later', due, { ...here, now: 11_001 }],
    ['before a clock that was set back', due, { ...here, now: 999 }],
    ['in another channel', due, { ...here, channel: 'C0OTHER' }],
    ['the same card', due, { ...here, id: 'a' }],
    ['other people', { ...due, mention: ['U0LEAD'] }, here],
    ['a reminder', { ...due, key: 'remind' as const }, here],
    ['a request by hand', { ...due, key: 'request:p1' as const }, here],
  ])('are not: %s', (_, one, where) => {
    expect(coveredBy(one, where, others)).toBeNull()
  })

  test('are not where the other one was covered itself, so that no chain begins', () => {
    expect(
      coveredBy(due, here, [{ id: 'a', calls: { ...noCalls, sent: [{ ...sent, by: 'c' }] } }]),
    ).toBeNull()
  })

  test('a warning does not stand for what is critical', () => {
    const calls = { ...noCalls, sent: [{ ...sent, key: 'warning' as const }] }
    expect(coveredBy({ ...due, key: 'warning' }, here, [{ id: 'a', calls }])).toBe('a')
    expect(coveredBy({ ...due, key: 'critical' }, here, [{ id: 'a', calls }])).toBeNull()
  })

  test('each request and each step is a mention of its own', () => {
    const step = { key: 'escalate:0', mention: ['U0LEAD'] } as const
    const asked = { key: 'request:p', mention: ['U0LEAD'] } as const
    const calls = {
      ...noCalls,
      sent: [
        { ...sent, ...step },
        { ...sent, ...asked },
      ],
    }
    expect(coveredBy(step, here, [{ id: 'a', calls }])).toBe('a')
    expect(coveredBy({ ...step, key: 'escalate:1' }, here, [{ id: 'a', calls }])).toBeNull()
    expect(coveredBy(asked, here, [{ id: 'a', calls }])).toBeNull()
  })
})

describe('what waits for Slack', () => {
  const asked = open({ requestedBy: 'U0OMAR' })
  const away = { reachesSlack: false }
  const droppedOf = (...look: Parameters<typeof ask>) => ask(...look).dropped

  test('a request by hand waits until it is decided, or its incident is over', () => {
    const kept = fresh()
    const other = open({ id: 'p0' })
    const on = (incident: typeof critical, one = asked) => ({
      incident,
      proposals: [other, one],
      isSilent: true,
    })
    ask(kept, on(critical), madeAt, away)
    expect(droppedOf(kept, on(critical), madeAt + 1)).toEqual([])
    const approved = { ...asked, approvals: [{ userId: 'U0DANA', at: 1 }] }
    expect(droppedOf(kept, on(acknowledged(), approved), madeAt + 2)).toEqual([])
    expect(droppedOf(kept, on({ ...critical, resolvedAt: 1 }), madeAt + 3)).toEqual(['request:p1'])
  })

  test.each([
    ['acknowledged', acknowledged(), asked, madeAt + 11 * minute],
    ['over', { ...critical, resolvedAt: 1 }, asked, madeAt + 11 * minute],
    ['decided', critical, { ...asked, state: 'denied' as const }, madeAt + 11 * minute],
    ['too late', critical, asked, madeAt + 15 * minute],
  ])('that a proposal is about to expire is taken back when it is %s', (_, incident, one, at) => {
    const settings = { ...notify, remindAfterMs: Number.POSITIVE_INFINITY, escalate: [] }
    const kept = fresh()
    const subject = {
      incident: critical,
      proposals: [open({ id: 'p0', expiresAt: madeAt + 60 * minute }), asked],
    }
    ask(kept, subject, madeAt, { settings })
    ask(kept, subject, madeAt + 10 * minute, { settings, ...away })
    expect([...kept.waiting]).toEqual(['expiring:p1'])
    expect(droppedOf(kept, subject, madeAt + 10 * minute + 1, { settings, ...away })).toEqual([])
    expect(
      droppedOf(kept, { incident, proposals: [subject.proposals[0] ?? asked, one] }, at, { settings }),
    ).toEqual(['expiring:p1'])
  })

  test('a silence takes back that it is critical, and not that nobody answers a request', () => {
    const kept = fresh()
    ask(kept, { incident: critical, proposals: [asked] }, madeAt, away)
    ask(kept, { incident: critical, proposals: [asked] }, madeAt + 5 * minute, away)
    const silent = { incident: critical, proposals: [asked], isSilent: true }
    expect(droppedOf(kept, silent, madeAt + 6 * minute)).toEqual(['critical'])
    const warned = fresh()
    const settings = { ...notify, from: 'warning' as const }
    ask(warned, { incident: warning, proposals: [asked] }, madeAt, { settings, ...away })
    expect(droppedOf(warned, { ...silent, incident: warning }, madeAt + 1, { settings })).toEqual(['warning'])
  })

  test('a card whose mention went with another one calls itself when that one took its own back', () => {
    const kept = fresh()
    const others = [
      {
        id: 'a',
        calls: {
          ...noCalls,
          sent: [{ key: 'critical', mention: notify.mention, at: 0, channel, inCard: true, by: null }],
        },
      },
    ] as const
    expect(ask(kept, { incident: critical }, 0, { others }).queued).toEqual([])
    expect(ask(kept, { incident: critical }, 1, { others })).toMatchObject({ due: [], dropped: [] })
    kept.waiting.add('critical')
    expect(ask(kept, { incident: critical }, 2)).toMatchObject({
      dropped: ['critical'],
      queued: [{ key: 'critical' }],
    })
  })

  test('only a call of its own may stand for another one', () => {
    const sent = { key: 'critical', mention: [], at: 0, channel, inCard: true, by: null } as const
    expect(carries({ ...noCalls, sent: [sent] }, 'warning')).toBe(true)
    expect(carries({ ...noCalls, sent: [{ ...sent, key: 'remind' }, sent] }, 'warning')).toBe(true)
    expect(carries({ ...noCalls, sent: [{ ...sent, key: 'remind' }] }, 'warning')).toBe(false)
    expect(carries({ ...noCalls, sent: [{ ...sent, by: 'b' }] }, 'warning')).toBe(false)
  })
})

test('what was critical once does not get worse a second time', () => {
  const kept = fresh()
  ask(kept, { incident: critical }, 0)
  ask(kept, { incident: acknowledged(warning) }, 1)
  expect(ask(kept, { incident: acknowledged() }, 2)).toMatchObject({ isWorse: false, due: [] })
})

test.each([
  [[], [], false],
  [['U1'], [], true],
  [[], [{ afterMs: 1, mention: ['U1'] }], true],
])('notify with mention %j and steps %j calls somebody: %j', (mention, escalate, expected) => {
  expect(callsAnybody({ ...notify, mention, escalate })).toBe(expected)
})
