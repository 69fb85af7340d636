import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeChange } from '../../../src/domain/incidents/change.ts'
import { type Finding, findingKey, findings } from '../../../src/domain/incidents/finding.ts'
import { fold, type Incident } from '../../../src/domain/incidents/incident.ts'
import { kindNames, severityOf } from '../../../src/domain/incidents/severity.ts'
import {
  type DatabaseHealth,
  type DeadlockRise,
  type Health,
  quietAfterMs,
  risen,
} from '../../../src/domain/session/health.ts'
import type { Thresholds } from '../../../src/domain/session/policy.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import * as of from '../../support/builders.ts'

const minute = 60_000

describe('risen', () => {
  const look = (at: number, ...databases: DatabaseHealth[]) => ({ at, databases })
  /** Looks one after the other, and what is risen after the last. */
  const rises = (...looks: ReturnType<typeof look>[]): DeadlockRise[] => {
    let before: Pick<Health, 'takenAt' | 'databases' | 'deadlocks'> | null = null
    for (const { at, databases } of looks)
      before = { takenAt: at, databases, deadlocks: risen(before, databases, at) }
    return [...(before?.deadlocks ?? [])]
  }
  const orders = (deadlocks: number, commits = 100) => of.database('orders', { deadlocks, commits })

  it('says nothing at the first look: what was counted before is long ago', () => {
    expect(rises(look(0, orders(7)))).toEqual([])
    expect(rises(look(0, orders(7)), look(minute, orders(7)))).toEqual([])
  })

  it('reports how many came between two looks, in which database', () => {
    expect(
      rises(look(0, orders(7), of.database('shop')), look(minute, orders(9), of.database('shop'))),
    ).toMatchObject([{ database: 'orders', count: 2, since: 0, lastAt: minute }])
  })

  it('adds up what comes without a long pause, and then forgets it', () => {
    const looks = [look(0, orders(0)), look(minute, orders(1)), look(5 * minute, orders(3))]
    expect(rises(...looks)).toMatchObject([{ count: 3, since: 0, lastAt: 5 * minute }])
    expect(rises(...looks, look(9 * minute, orders(3)))).toMatchObject([{ count: 3, lastAt: 5 * minute }])
    expect(rises(...looks, look(10 * minute, orders(3)))).toEqual([])
    expect(rises(...looks, look(10 * minute, orders(4)))).toMatchObject([
      { count: 1, since: 5 * minute, lastAt: 10 * minute },
    ])
  })

  it('counts from nothing where the counter began again, or the database', () => {
    expect(rises(look(0, orders(7, 90)), look(minute, orders(2, 5)))).toMatchObject([{ count: 2 }])
    expect(rises(look(0, orders(7, 90)), look(minute, orders(0, 5)))).toEqual([])
    expect(rises(look(0, orders(7, 90)), look(minute, orders(9, 5)))).toMatchObject([{ count: 9 }])
    // A crash throws the statistics away.
    expect(rises(look(0, orders(7)), look(minute, orders(1)))).toMatchObject([{ count: 1 }])
    expect(rises(look(0), look(minute, orders(1)))).toMatchObject([{ count: 1 }])
  })

  it('loses none and invents none', () => {
    const steps = fc.array(
      fc.record({ more: fc.nat(3), pause: fc.integer({ min: 1, max: quietAfterMs - 1 }) }),
    )
    fc.assert(
      fc.property(steps, (steps) => {
        let at = 0
        let deadlocks = 5
        let lastRise = 0
        let count = 0
        const looks = [look(at, orders(deadlocks))]
        for (const { more, pause } of steps) {
          at += pause
          deadlocks += more
          looks.push(look(at, orders(deadlocks)))
          if (at - lastRise >= quietAfterMs) count = 0
          if (more > 0) {
            lastRise = at
            count += more
          }
        }
        const [rise] = rises(...looks)
        expect(rise?.count ?? 0).toBe(count)
      }),
    )
  })
})

const found = (
  health: Partial<Health>,
  sessions: readonly Session[] = [],
  thresholds: Partial<Thresholds> = {},
  open: ReadonlySet<string> = new Set(),
): Finding[] => {
  const { snapshot, forest } = of.picture(sessions, undefined, { health: of.health(health) })
  return findings(snapshot, forest, { ...of.thresholds, ...thresholds }, { open })
}
const kinds = (list: readonly Finding[]) => list.map(({ kind }) => kind)
const million = 1_000_000
const gigabyte = 2 ** 30

describe('what a health check finds', () => {
  it('is nothing on a healthy server, and nothing before there was one', () => {
    expect(found({})).toEqual([])
    const { snapshot, forest } = of.picture([])
    expect(findings(snapshot, forest, of.thresholds)).toEqual([])
  })

  it('prepared transactions that are too old, by their age now', () => {
    const young = of.prepared(700, { gid: 'young', preparedSeconds: 870 })
    const old = of.prepared(701, { gid: 'old', preparedSeconds: 890 })
    expect(found({ prepared: [old, young] })).toMatchObject([
      {
        kind: 'preparedTransaction',
        prepared: { gid: 'old' },
        seconds: 910,
        finisher: 'shop or a superuser',
      },
    ])
    expect(found({ prepared: [old] }, [], { preparedLongerThanSeconds: Infinity })).toEqual([])
  })

  it('not the prepared transaction that stands in a jam already', () => {
    const health = of.health({ prepared: [of.prepared(700)], vacuumHolders: [] })
    const locks = of.locksRead(
      [
        of.held(of.transaction('700'), 'ExclusiveLock', -700),
        of.wanted(of.transaction('700'), 'ShareLock', [2, 40]),
      ],
      { prepared: [of.prepared(700)] },
    )
    const { snapshot, forest } = of.picture([of.waiting(2, 40)], locks, { health })
    expect(kinds(findings(snapshot, forest, of.thresholds))).toEqual(['blocking'])
  })

  it('the oldest who holds vacuum back, and no other', () => {
    const vacuumHolders = [of.holder('slot', 40 * million), of.holder('standby', 30 * million)]
    expect(found({ vacuumHolders })).toMatchObject([
      { kind: 'vacuumHeldBack', holder: { kind: 'slot' }, session: null },
    ])
    expect(found({ vacuumHolders }, [], { vacuumHeldBackBy: 50 * million })).toEqual([])
  })

  it('a session that holds vacuum back is no news for each statement that it runs', () => {
    const dump = of.session(7, { applicationName: 'pg_dump', querySeconds: 60, xactSeconds: 1200 })
    const next = { ...dump, queryStart: of.serverTime(1), querySeconds: 1 }
    const [before] = found({ vacuumHolders: [of.holding(dump, 12 * million)] }, [dump])
    const [after] = found({ vacuumHolders: [of.holding(next, 12 * million)] }, [next])
    if (!before || !after) throw new Error('nothing found')
    expect(describeChange({ finding: before, mostVictims: 0 }, after)).toBeNull()
  })

  it('a session that holds vacuum back is found with what it is now, for the worst thing alone', () => {
    const dump = of.session(7, { applicationName: 'pg_dump', querySeconds: 600, xactSeconds: 1200 })
    const vacuumHolders = [of.holding(dump, 12 * million)]
    expect(found({ vacuumHolders }, [dump])).toMatchObject([{ kind: 'vacuumHeldBack', session: { pid: 7 } }])
    const slow = of.session(7, { applicationName: 'pg_dump', querySeconds: 4000, xactSeconds: 4000 })
    expect(kinds(found({ vacuumHolders: [of.holding(slow, 12 * million)] }, [slow]))).toEqual(['longQuery'])
    // In another transaction by now, or gone.
    expect(found({ vacuumHolders }, [of.session(7, { applicationName: 'pg_dump', xactSeconds: 3 })])).toEqual(
      [],
    )
    expect(found({ vacuumHolders }, [])).toEqual([])
  })

  it('one whose snapshot moves on a little holds vacuum back as before', () => {
    const by = (age: number, open: ReadonlySet<string>) =>
      found({ vacuumHolders: [of.holder('standby', age * million)] }, [], {}, open)
    const open = new Set(by(11, new Set()).map(findingKey))
    expect(open.size).toBe(1)
    expect(by(9, new Set())).toEqual([])
    expect(by(9, open)).toHaveLength(1)
    expect(by(7, open)).toEqual([])
  })

  it('a rule may let a session hold vacuum back', () => {
    const dump = of.session(7, { applicationName: 'pg_dump' })
    const rule = {
      match: { applicationName: 'pg_dump' },
      thresholds: { vacuumHeldBackBy: Infinity },
      hours: null,
      from: 'general',
    } as const
    const vacuumHolders = [of.holding(dump, 12 * million), of.holder('standby', 11 * million)]
    expect(found({ vacuumHolders }, [dump], { rules: [rule] })).toMatchObject([
      { holder: { kind: 'standby' } },
    ])
  })

  it.each([
    [0.49, undefined],
    [0.5, 'warning'],
    [0.75, 'critical'],
  ])('a database that is %f of the way to wraparound: %s', (ratio, severity) => {
    const [finding] = found({
      databases: [of.database('calm'), of.database('orders', { xidAge: ratio * 2 ** 31 })],
    })
    expect(finding && severityOf(finding)).toBe(severity)
    if (finding)
      expect(finding).toMatchObject({ database: 'orders', ratio, counts: 'transactions', others: 0 })
  })

  it('multixacts count as well, and who holds the freezing up is named', () => {
    const age = 1.2e9
    const vacuumHolders = [of.holder('slot', age)]
    expect(found({ databases: [of.database('orders', { multixactAge: age })], vacuumHolders })).toMatchObject(
      [{ counts: 'multixacts', age, holder: null }, { kind: 'vacuumHeldBack' }],
    )
    const reader = of.holder('standby', 5)
    expect(
      found({
        databases: [of.database('orders', { xidAge: age })],
        vacuumHolders: [reader, ...vacuumHolders],
      })[0],
    ).toMatchObject({
      counts: 'transactions',
      holder: { kind: 'slot' },
    })
  })

  it('slots that keep too much WAL, and those that the server is about to give up', () => {
    const slots = [
      of.slot('large', { retainedBytes: 11 * gigabyte }),
      of.slot('fine', { retainedBytes: 9 * gigabyte }),
      of.slot('last', { retainedBytes: gigabyte, walStatus: 'unreserved' }),
      of.slot('dead', { retainedBytes: 99 * gigabyte, walStatus: 'lost' }),
    ]
    const list = found({ slots })
    expect(list).toMatchObject([{ slot: { name: 'large' } }, { slot: { name: 'last' } }])
    expect(list.map(severityOf)).toEqual(['warning', 'critical'])
    // What was found goes on until it is well below.
    const open = new Set(list.map(findingKey))
    const less = (bytes: number) =>
      found({ slots: [of.slot('large', { retainedBytes: bytes })] }, [], {}, open)
    expect(less(9 * gigabyte)).toHaveLength(1)
    expect(less(7 * gigabyte)).toEqual([])
  })

  it('one trouble once, where a slot keeps WAL and rows', () => {
    const slots = [of.slot('warehouse', { retainedBytes: 11 * gigabyte })]
    const vacuumHolders = [of.holder('slot', 40 * million, { name: 'warehouse' })]
    expect(kinds(found({ slots, vacuumHolders }))).toEqual(['replicationSlot'])
  })

  it('every kind has a name', () => {
    expect(new Set(Object.values(kindNames)).size).toBe(Object.keys(kindNames).length)
  })
})

describe('sessions that wait for each other', () => {
  const cycle = (seconds: [number, number], over: Partial<Session>[] = [{}, {}]) => {
    const locks = [
      of.held(of.advisory(1), 'ExclusiveLock', 1),
      of.wanted(of.advisory(1), 'ExclusiveLock', [2, seconds[1]]),
      of.held(of.advisory(2), 'ExclusiveLock', 2),
      of.wanted(of.advisory(2), 'ExclusiveLock', [1, seconds[0]]),
    ]
    const sessions = [of.waiting(1, seconds[0], over[0]), of.waiting(2, seconds[1], over[1])]
    return of.picture(sessions, locks, { health: of.health({ deadlockTimeoutSeconds: 600 }) })
  }
  const of2 = ({ snapshot, forest }: ReturnType<typeof cycle>) => findings(snapshot, forest, of.thresholds)

  it('are found once one of them has waited for too long', () => {
    expect(of2(cycle([29, 20]))).toEqual([])
    expect(of2(cycle([31, 20]))).toMatchObject([
      {
        kind: 'lockCycle',
        pids: [1, 2],
        waiting: 2,
        seconds: 31,
        closedSeconds: 20,
        deadlockTimeoutSeconds: 600,
      },
    ])
  })

  it('the one that is named has written nothing, or has worked for the shortest time', () => {
    const [first] = of2(cycle([31, 20], [{ backendXid: null }, { backendXid: '9' }]))
    expect(first).toMatchObject({ session: { pid: 1 } })
    const both = [
      { backendXid: '8', xactSeconds: 90 },
      { backendXid: '9', xactSeconds: 40 },
    ]
    expect(of2(cycle([31, 20], both))[0]).toMatchObject({ session: { pid: 2 } })
  })
})

describe('its incidents', () => {
  const opened = (finding: Finding): Incident => {
    const { snapshot } = of.picture([])
    const [transition] = fold([], [finding], snapshot, { recommendationOf: () => null, newId: () => 'i1' })
    if (!transition) throw new Error('not opened')
    return transition.incident
  }
  /** What becomes of an incident that is not found any more. */
  const ending = (
    finding: Finding,
    over: Parameters<typeof of.picture>[2] = {},
    sessions: Session[] = [],
  ) => {
    const { snapshot } = of.picture(sessions, undefined, over)
    const [over_] = fold([opened(finding)], [], snapshot, { recommendationOf: () => null, newId: () => 'i2' })
    return over_?.incident.resolution ?? null
  }
  const old = of.prepared(700, { gid: 'pay', preparedSeconds: 1000 })
  const prepared: Finding = {
    kind: 'preparedTransaction',
    prepared: old,
    seconds: 1000,
    finisher: 'shop',
  }
  const slot: Finding = { kind: 'replicationSlot', slot: of.slot('s', { retainedBytes: 11 * gigabyte }) }

  it('stay as they are while nobody has looked', () => {
    for (const finding of [prepared, slot]) expect(ending(finding, { health: null })).toBeNull()
  })

  it('end with the reason that the next look gives', () => {
    const health = (over: Partial<Health> = {}) => ({ health: of.health(over) })
    expect(ending(prepared, health())).toBe('The prepared transaction was finished.')
    expect(ending(prepared, health({ prepared: [old] }))).toBe('It counts with another incident now.')
    expect(ending(slot, health())).toBe('The slot is gone.')
    expect(ending(slot, health({ slots: [of.slot('s')] }))).toBe('It holds back less WAL again.')
    expect(ending(slot, health({ slots: [of.slot('s', { walStatus: 'lost' })] }))).toMatch(/gave the slot up/)
    const [wraparound] = found({ databases: [of.database('orders', { xidAge: 1.2e9 })] })
    if (!wraparound) throw new Error('nothing found')
    expect(ending(wraparound, health())).toBe('The oldest transaction ids are frozen.')
  })

  it('of a session end with its transaction, whether somebody looks or not', () => {
    const dump = of.session(7, { xactSeconds: 1200 })
    const finding: Finding = { kind: 'vacuumHeldBack', holder: of.holding(dump, 12 * million), session: dump }
    expect(ending(finding, { health: null }, [dump])).toBeNull()
    expect(ending(finding, { health: null }, [of.session(7, { xactSeconds: 3 })])).toBe(
      'Its transaction ended.',
    )
    expect(ending(finding, { health: null }, [])).toBe('The session is gone.')
    expect(ending(finding, { health: of.health() }, [dump])).toBe(
      'It does not hold vacuum back that far any more.',
    )
  })

  it('of deadlocks end after some quiet minutes in which somebody looked, also after a restart of the bot', () => {
    const rise = (lastAt: number): Finding => ({
      kind: 'deadlocks',
      database: 'orders',
      count: 3,
      since: lastAt - minute,
      lastAt,
      participants: [],
      reports: [],
    })
    const lookAt = (takenAt: number) => ({ health: of.health({ takenAt }) })
    expect(ending(rise(of.takenAt - minute), lookAt(of.takenAt))).toBeNull()
    expect(ending(rise(of.takenAt - quietAfterMs), lookAt(of.takenAt))).toBe(
      'There was no deadlock for five minutes.',
    )
    // The health checks fail, or there was none since the start.
    expect(ending(rise(of.takenAt - quietAfterMs), lookAt(of.takenAt - minute))).toBeNull()
    expect(ending(rise(of.takenAt - quietAfterMs), { health: null })).toBeNull()
    const { kind: _, ...one } = rise(of.takenAt - quietAfterMs) as Finding & { kind: 'deadlocks' }
    expect(kinds(found({ deadlocks: [one], takenAt: of.takenAt - minute }))).toEqual(['deadlocks'])
  })

  it('are drawn again when it has become much worse, and when it has become critical', () => {
    const grown = (before: number, after: number) => {
      const at = (ratio: number) => found({ databases: [of.database('orders', { xidAge: ratio * 2 ** 31 })] })
      const [first] = at(before)
      if (!first) throw new Error('nothing found')
      const { snapshot } = of.picture([])
      return (
        fold([opened(first)], at(after), snapshot, { recommendationOf: () => null, newId: () => 'i2' })
          .length > 0
      )
    }
    expect(grown(0.74, 0.745)).toBe(false)
    expect(grown(0.74, 0.75)).toBe(true)
  })
})
