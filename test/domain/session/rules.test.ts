import { describe, expect, it } from 'vitest'
import { findingKey, findings } from '../../../src/domain/incidents/finding.ts'
import { chooseIdle, chooseLong, chooseSessions } from '../../../src/domain/lists/selection.ts'
import type { Match, Rule, SessionThresholds, Thresholds } from '../../../src/domain/session/policy.ts'
import { explain, thresholdsAt } from '../../../src/domain/session/rules.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { parseHours } from '../../../src/domain/text/hours.ts'
import * as of from '../../support/builders.ts'

const never = Number.POSITIVE_INFINITY

function rule(match: Match, thresholds: Partial<SessionThresholds>, hours?: string): Rule {
  const parsed = hours === undefined ? null : parseHours(hours, 'UTC')
  if (parsed && 'problem' in parsed) throw new Error(parsed.problem)
  return { match, thresholds, hours: parsed?.hours ?? null, from: 'general' }
}
const by = (...rules: Rule[]): Thresholds => ({ ...of.thresholds, rules })
const query = (session: Session, thresholds: Thresholds, now = of.takenAt) =>
  thresholdsAt(thresholds, now)(session).queryLongerThanSeconds

describe('thresholdsAt', () => {
  const dump = of.session(1, { applicationName: 'pg_dump', usename: 'backup' })
  const web = of.session(2)

  it('takes the first rule that matches, and the rest from the general ones', () => {
    const rules = by(
      rule({ applicationName: 'pg_*', database: 'orders' }, { queryLongerThanSeconds: 21_600 }),
      rule({ user: 'backup' }, { queryLongerThanSeconds: 1, idleLongerThanSeconds: 1 }),
      rule({ applicationName: 'web' }, { queryLongerThanSeconds: 6 }),
    )
    expect(thresholdsAt(rules, of.takenAt)(dump)).toMatchObject({
      queryLongerThanSeconds: 21_600,
      idleLongerThanSeconds: 1_800,
      blockedForSeconds: 30,
    })
    expect(query({ ...dump, datname: 'shop' }, rules)).toBe(1)
    expect(query(web, rules)).toBe(6)
    expect(query({ ...web, applicationName: 'WEB' }, rules)).toBe(3_600)
    expect(query(web, of.thresholds)).toBe(3_600)
  })

  it('leaves a rule out outside of its hours, and asks the next', () => {
    const rules = by(
      rule({ applicationName: 'web' }, { queryLongerThanSeconds: 6 }, '08:00-18:00'),
      rule({ applicationName: '*' }, { queryLongerThanSeconds: 60 }),
    )
    expect(query(web, rules, Date.parse('2026-03-02T12:00:00Z'))).toBe(6)
    expect(query(web, rules, Date.parse('2026-03-02T19:00:00Z'))).toBe(60)
  })

  it('never silences a session whose names are not known', () => {
    const silent = by(rule({ user: 'backup' }, { queryLongerThanSeconds: never }))
    expect(query({ ...dump, usename: null }, silent)).toBe(3_600)
    expect(query(dump, silent)).toBe(never)
  })
})

describe('findings by rules', () => {
  const found = (
    sessions: Session[],
    thresholds: Thresholds,
    locks: Parameters<typeof of.picture>[1] = [],
  ) => {
    const { snapshot, forest } = of.picture(sessions, locks)
    return findings(snapshot, forest, thresholds).map((finding) =>
      findingKey(finding).split(':', 2).join(':'),
    )
  }

  it('are made by the thresholds of each session', () => {
    const rules = by(
      rule({ applicationName: 'pg_dump' }, { queryLongerThanSeconds: 21_600 }),
      rule(
        { applicationName: 'web' },
        {
          queryLongerThanSeconds: 6,
          idleInTransactionLongerThanSeconds: 2,
          idleLongerThanSeconds: never,
        },
      ),
    )
    const sessions = [
      of.session(1, { applicationName: 'pg_dump', stateSeconds: 20_000 }),
      of.session(2, { stateSeconds: 7 }),
      of.idleInTransaction(3, 3),
      of.idle(4, 1e6),
      of.idle(5, 1_900, { applicationName: 'other' }),
    ]
    expect(found(sessions, rules)).toEqual(['longQuery:2', 'idleInTransaction:3', 'idle:5'])
    expect(found(sessions, of.thresholds)).toEqual(['longQuery:1', 'idle:4', 'idle:5'])
  })

  const jam = [
    of.session(1, { applicationName: 'batch', stateSeconds: 100 }),
    of.waiting(2, 20),
    of.waiting(3, 10),
  ]
  const queue = of.rowQueue(1, [
    [2, 20],
    [3, 10],
  ])

  it.each([
    ['nobody has waited long enough', by(), []],
    [
      'a victim by its own rule',
      by(rule({ applicationName: 'web' }, { blockedForSeconds: 15 })),
      ['blocking:1'],
    ],
    [
      'the rule of the root does not count',
      by(rule({ applicationName: 'batch' }, { blockedForSeconds: 1 })),
      [],
    ],
    [
      'nor does it silence',
      { ...by(rule({ applicationName: 'batch' }, { blockedForSeconds: never })), blockedForSeconds: 20 },
      ['blocking:1'],
    ],
    [
      'victims that may wait',
      { ...by(rule({ applicationName: 'web' }, { blockedForSeconds: never })), blockedForSeconds: 1 },
      [],
    ],
  ])('a jam: %s', (_, thresholds, expected) => {
    expect(found(jam, thresholds, queue)).toEqual(expected)
  })

  it('finds the root of a jam that hurts nobody for what it does itself', () => {
    const patient = by(rule({ applicationName: 'web' }, { blockedForSeconds: never }))
    const sessions = [of.idleInTransaction(1, 400, { applicationName: 'batch' }), ...jam.slice(1)]
    expect(found(sessions, patient, queue)).toEqual(['idleInTransaction:1'])
  })
})

describe('lists by rules', () => {
  const rules = by(
    rule(
      { applicationName: 'web' },
      { queryLongerThanSeconds: 6, idleInTransactionLongerThanSeconds: 2, idleLongerThanSeconds: never },
    ),
  )
  const picture = of.picture([
    of.session(1, { stateSeconds: 7 }),
    of.session(2, { stateSeconds: 7, applicationName: 'psql' }),
    of.idleInTransaction(3, 3),
    of.idle(4, 9_999),
    of.idle(5, 1_801, { applicationName: 'psql' }),
  ])
  const pids = (sessions: readonly Session[]) => sessions.map(({ pid }) => pid)

  it('show what is past its own limit', () => {
    expect(pids(chooseLong(picture, rules, {}).sessions)).toEqual([1])
    expect(pids(chooseIdle(picture, rules, {}).sessions)).toEqual([3, 5])
    expect(pids(chooseIdle(picture, rules, { olderSeconds: 5_000 }).sessions)).toEqual([4])
    expect(
      chooseSessions(picture, rules, {}).groups.map(({ kind, sessions }) => [kind, pids(sessions)]),
    ).toEqual([
      ['longQuery', [1]],
      ['idleInTransaction', [3]],
      ['idle', [5]],
    ])
  })

  it('name a root once, as a root, however long it idles', () => {
    const { jams, groups } = chooseSessions(
      of.picture([of.idleInTransaction(1, 9_999), of.waiting(2, 1)], of.rowQueue(1, [[2, 1]])),
      rules,
      {},
    )
    expect(jams).toHaveLength(1)
    expect(groups).toEqual([])
  })
})

describe('explain', () => {
  const rules = by(
    rule({ user: 'batch' }, { blockedForSeconds: never }, '22:00-02:00'),
    rule({ applicationName: 'pg_dump', user: 'backup' }, { queryLongerThanSeconds: 1 }),
    rule({ applicationName: 'pg_*' }, { queryLongerThanSeconds: 2 }),
    rule({ database: 'orders' }, { queryLongerThanSeconds: 3 }),
  )
  const kinds = (...given: Parameters<typeof explain>) => explain(...given).map(({ kind }) => kind)

  it('says of each rule why it holds or not', () => {
    expect(explain({ applicationName: 'pg_dump' }, rules, of.takenAt)).toEqual([
      { kind: 'otherHours' },
      { kind: 'depends', on: ['user'] },
      { kind: 'holds' },
      { kind: 'later' },
    ])
    expect(kinds({ applicationName: 'pg_dump', user: 'backup' }, rules, of.takenAt)[1]).toBe('holds')
    expect(kinds({ applicationName: 'web', database: 'shop' }, rules, of.takenAt).slice(1)).toEqual([
      'otherNames',
      'otherNames',
      'otherNames',
    ])
  })

  it('agrees with what holds for a session with these names', () => {
    for (const applicationName of ['pg_dump', 'pg_restore', 'web'])
      for (const user of ['backup', 'batch'])
        for (const database of ['orders', 'shop'])
          for (const now of [of.takenAt, of.takenAt + 20 * 3_600_000]) {
            const session = of.session(1, { applicationName, usename: user, datname: database })
            const at = explain({ applicationName, user, database }, rules, now).findIndex(
              ({ kind }) => kind === 'holds',
            )
            expect(thresholdsAt(rules, now)(session)).toEqual({ ...rules, ...rules.rules[at]?.thresholds })
          }
  })
})
