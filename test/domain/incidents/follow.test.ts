import { describe, expect, it } from 'vitest'
import { type Finding, findingKey } from '../../../src/domain/incidents/finding.ts'
import { follow, type Known, mostFollowed, withinReach } from '../../../src/domain/incidents/follow.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import { type Session, sessionKeyOf } from '../../../src/domain/session/session.ts'
import { clusterConfig } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'
import { proposal } from '../../support/proposals.ts'

const watch = { ...clusterConfig('orders').watch, everyMs: 2000 }
const nothing: Known = { incidents: [], claimed: [], done: [], silences: [], lookedAt: of.takenAt }
const runner = of.session(7, { querySeconds: 4000, stateSeconds: 4000 })
const long: Finding = { kind: 'longQuery', session: runner, seconds: 4000 }

/** One look, so many milliseconds after the first one. */
function look(found: readonly Finding[], known: Partial<Known>, afterMs = 0) {
  let made = 0
  const sessions = found.flatMap((finding) => ('session' in finding ? [finding.session] : []))
  const snapshot = of.snapshot(sessions as Session[], { takenAt: of.takenAt + afterMs })
  const seen = { snapshot, found, recommendationOf: () => null }
  return follow(seen, { ...nothing, ...known }, watch, () => `i${++made}`)
}

const opened = (): Incident[] => look([long], {}).map(({ incident }) => incident)
const claimed = proposal({ id: 'p', cardId: 'by-hand', state: 'claimed' })
const silence = { id: 's', cluster: 'orders', since: 0, until: 0, by: 'U1', reason: '' }

describe('withinReach', () => {
  const idle = (pid: number): Finding => ({ kind: 'idle', session: of.session(pid), seconds: 4000 })
  const crowd = Array.from({ length: mostFollowed + 20 }, (_, index) => idle(1000 + index))
  const keys = (found: readonly Finding[]) => found.map(findingKey)

  it('leaves all where there is room, in its order', () => {
    const found = [...crowd.slice(0, mostFollowed), long]
    expect(withinReach(found, new Set())).toEqual(found)
  })

  it('leaves out what is too many of a kind, and nothing of another kind', () => {
    expect(withinReach([...crowd, long], new Set())).toEqual([...crowd.slice(0, mostFollowed), long])
  })

  it('goes on with what is followed already, and takes new ones into the room that is left', () => {
    const open = new Set(keys(crowd.slice(10)))
    expect(withinReach(crowd, open)).toEqual(crowd.slice(10))
    const few = new Set(keys(crowd.slice(-5)))
    expect(withinReach(crowd, few)).toEqual([...crowd.slice(0, mostFollowed - 5), ...crowd.slice(-5)])
  })

  it('prefers the worst', () => {
    const slots = crowd.map(
      (_, index): Finding => ({
        ...{ kind: 'wraparound', database: `d${index}`, age: 1, counts: 'transactions', freezeMaxAge: 1 },
        ...{ holder: null, others: 0, ratio: index === crowd.length - 1 ? 0.9 : 0.6 },
      }),
    )
    expect(withinReach(slots, new Set())).toContain(slots.at(-1))
    expect(withinReach(slots, new Set())).toHaveLength(mostFollowed)
  })
})

describe('follow', () => {
  it('opens an incident for what is new, on a card of its own', () => {
    expect(look([long], {})).toMatchObject([{ kind: 'opened', incident: { id: 'i1', cardId: 'i1' } }])
  })

  it('keeps it off a card while a silence covers it', () => {
    const silences = [{ ...silence, scope: { kind: 'cluster' } as const }]
    const [opening] = look([long], { silences })
    expect(opening?.incident.cardId).not.toBe(opening?.incident.id)
    const others = [{ ...silence, scope: { kind: 'finding', findingKind: 'idle' } as const }]
    expect(look([long], { silences: others })).toMatchObject([{ incident: { id: 'i1', cardId: 'i1' } }])
  })

  it('ends it when it is gone', () => {
    expect(look([], { incidents: opened() }, 1000)).toMatchObject([{ kind: 'resolved' }])
  })

  it.each([
    ['on its card', { ...claimed, cardId: 'i1' }, 0],
    ['on its session, on another card', { ...claimed, key: sessionKeyOf('orders', runner) }, 0],
    ['on another session and card', { ...claimed, key: sessionKeyOf('orders', of.session(9)) }, 1],
  ])('waits with its end for an action that is under way %s', (_, underWay, ends) => {
    expect(look([], { incidents: opened(), claimed: [underWay] }, 1000)).toHaveLength(ends)
  })

  it('changes an incident while an action is under way on its card', () => {
    const worse: Finding = { ...long, session: { ...runner, pid: 7 }, seconds: 40_000 }
    const claimedHere = [{ ...claimed, cardId: 'i1' }]
    expect(look([worse], { incidents: opened(), claimed: claimedHere }, 1000)).not.toEqual([])
  })
})

describe('what is said of the end', () => {
  const resolution = (known: Partial<Known>, afterMs = 1000) =>
    look([], { incidents: opened(), ...known }, afterMs)[0]?.incident.resolution

  it('names the approved action', () => {
    const done = proposal(
      {
        ...{ state: 'done', claimedAt: of.takenAt, action: 'terminate' },
        outcome: { kind: 'effective', afterMs: 10, victims: 0, movedOn: 0 },
      },
      runner,
    )
    const key = sessionKeyOf('orders', runner)
    expect(resolution({ done: [{ ...done, key }] })).toBe(
      'The session is gone. It was ended by the approved terminate.',
    )
  })

  it.each([
    [12_000, ''],
    [12_001, ' Nobody looked for 12 s, so it may have ended earlier.'],
  ])('says so when nobody looked for longer than the deadlines of a look: %i ms', (afterMs, more) => {
    expect(resolution({}, afterMs)).toBe(`The session is gone. It was not ended from here.${more}`)
  })

  it('says so when the bot was just started', () => {
    expect(resolution({ lookedAt: null })).toBe(
      'The session is gone. It was not ended from here. The bot was just started, so it may have ended earlier.',
    )
  })
})
