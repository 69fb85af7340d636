import { describe, expect, it } from 'vitest'
import type { Evidence, PastTrouble } from '../../../src/domain/advice/prevention.ts'
import { preventionOf, preventionsFor } from '../../../src/domain/advice/preventions.ts'
import type { SettingName, SetValue } from '../../../src/domain/advice/settings.ts'
import { identityOf, type Spell } from '../../../src/domain/advice/spells.ts'
import type { Finding } from '../../../src/domain/incidents/finding.ts'
import type { Root } from '../../../src/domain/locks/blocking.ts'
import type { Platform } from '../../../src/domain/session/platform.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { idle, idleInTransaction, prepared, relation, session, slot } from '../../support/builders.ts'

const off: readonly SetValue[] = (
  [
    ['idle_in_transaction_session_timeout', '0', 'ms'],
    ['statement_timeout', '0', 'ms'],
    ['lock_timeout', '0', 'ms'],
    ['transaction_timeout', '0', 'ms'],
    ['idle_session_timeout', '0', 'ms'],
    ['log_lock_waits', 'on', null],
    ['deadlock_timeout', '1000', 'ms'],
    ['max_slot_wal_keep_size', '-1', 'MB'],
    ['idle_replication_slot_timeout', '0', 's'],
    ['max_prepared_transactions', '64', null],
  ] as const
).map(([name, value, unit]) => ({ name, value, unit, role: null, database: null }))

const root = (victims: number, over: Partial<Root> = {}): Root => ({
  pid: 1,
  kind: 'session',
  prepared: null,
  victims: Array.from({ length: victims }, (_, index) => index + 2),
  oldestWaitSeconds: 60,
  wait: {
    ...{ pid: 2, target: relation('orders'), mode: 'ShareLock', relationName: 'orders', seconds: 60 },
  },
  ...over,
})

const jam = (of: Session, mostVictims = 12): PastTrouble => ({
  finding: { kind: 'blocking', root: root(mostVictims), session: of },
  mostVictims,
})
const about = (finding: Finding): PastTrouble => ({ finding, mostVictims: 0 })

const known = (troubles: readonly PastTrouble[], over: Partial<Evidence> = {}): Evidence => ({
  ...{ troubles, spells: [], isRecorded: true, settings: off, slotRetainsBytes: 10 * 1024 ** 3 },
  target: { platform: 'own', inRecovery: false },
  ...over,
})
const on = (platform: Platform, inRecovery = false) => ({ target: { platform, inRecovery } })
const without = (...names: readonly SettingName[]) => ({
  settings: off.filter(({ name }) => !names.includes(name)),
})
const withSet = (name: SettingName, value: string, over: Partial<SetValue> = {}): readonly SetValue[] => [
  ...off,
  { name, value, unit: 'ms', role: 'shop', database: 'orders', ...over },
]
const statements = (of: Evidence) => preventionsFor(of).map(({ statement }) => statement)

const spell = (seconds: number, over: Partial<Spell> = {}): Spell => ({
  kind: 'idleInTransaction',
  scope: { role: 'shop', database: 'orders' },
  applicationName: 'web',
  who: '77 2026-03-01',
  seconds,
  victims: 0,
  ...over,
})

describe('a session idle in its transaction that kept others waiting', () => {
  const forgotten = jam(idleInTransaction(1, 1500))

  it('is prevented by a timeout for its role in its database', () => {
    const [advice, ...more] = preventionsFor(known([forgotten]))
    expect(more).toEqual([])
    expect(advice).toMatchObject({
      setting: 'idle_in_transaction_session_timeout',
      scope: { role: 'shop', database: 'orders' },
      statement: "ALTER ROLE shop IN DATABASE orders SET idle_in_transaction_session_timeout = '60s';",
      undo: 'ALTER ROLE shop IN DATABASE orders RESET idle_in_transaction_session_timeout;',
      trouble:
        'shop in orders sat idle in a transaction for up to 25 min, once, with up to 12 sessions behind it.',
      now: 'off, as on the whole server',
      before: { times: 1, ended: 1, hits: { all: 0, innocent: 0, applications: [] } },
      needsRestart: false,
    })
  })

  it('is the same advice for all of its kind, and another for another role', () => {
    const again = jam(idleInTransaction(4, 45), 1)
    const other = jam(idleInTransaction(5, 300, { usename: 'Web "2"', datname: 'user' }), 1)
    const [first, second, ...more] = preventionsFor(known([other, again, forgotten]))
    expect(more).toEqual([])
    expect(first?.before).toMatchObject({ times: 2, ended: 1 })
    expect(first?.trouble).toContain('2 times')
    expect(second?.statement).toBe(
      `ALTER ROLE "Web ""2""" IN DATABASE "user" SET idle_in_transaction_session_timeout = '60s';`,
    )
    expect(second?.trouble).toContain('with up to 1 session behind it')
  })

  it('takes a shorter limit where it lasted no longer than the usual one, and none where it was over at once', () => {
    expect(statements(known([jam(idleInTransaction(1, 60))]))[0]).toContain("'30s'")
    expect(statements(known([jam(idleInTransaction(1, 11))]))[0]).toContain("'10s'")
    expect(statements(known([jam(idleInTransaction(1, 10))]))).toEqual([])
  })

  it('takes a longer limit where that spares those who kept nobody waiting, and names whom it still hits', () => {
    const spells = [
      spell(200),
      spell(1400, { applicationName: 'report' }),
      spell(1500, { victims: 12 }),
      spell(9000, { kind: 'statement' }),
      spell(9000, { scope: { role: 'web', database: 'orders' } }),
      spell(9000, { scope: { role: 'shop', database: 'stock' } }),
    ]
    const [advice] = preventionsFor(known([forgotten], { spells }))
    expect(advice?.statement).toContain("'5min'")
    expect(advice?.before?.hits).toEqual({ all: 2, innocent: 1, applications: ['report'] })
    const spared = preventionsFor(known([forgotten], { spells: [spell(1000, { victims: 1 }), spell(60)] }))
    expect(spared[0]?.statement).toContain("'60s'")
  })

  it('counts the sessions that made the trouble not among the others', () => {
    const culprits = [700, 1300, 5000].map((seconds, index) => idleInTransaction(index + 1, seconds))
    const troubles = culprits.map((one) =>
      about({ kind: 'idleInTransaction', session: one, seconds: one.stateSeconds ?? 0 }),
    )
    const spells = culprits.map((one) => spell(one.stateSeconds ?? 0, { who: identityOf(one) }))
    const [advice] = preventionsFor(known(troubles, { spells }))
    expect(advice?.statement).toContain("'60s'")
    expect(advice?.before).toEqual({ times: 3, ended: 3, hits: { all: 0, innocent: 0, applications: [] } })
  })

  it('says nothing of others where nothing is recorded', () => {
    const [advice] = preventionsFor(known([forgotten], { isRecorded: false }))
    expect(advice?.before).toEqual({ times: 1, ended: 1, hits: null })
  })

  it('is not advised where it is set already, wherever that is', () => {
    const name = 'idle_in_transaction_session_timeout'
    expect(statements(known([forgotten], { settings: withSet(name, '60s') }))).toEqual([])
    const forDatabase = withSet(name, '10min', { role: null })
    expect(statements(known([forgotten], { settings: forDatabase }))).toEqual([])
    const tooLong = known([forgotten], { settings: withSet(name, '1h', { database: null }) })
    expect(preventionsFor(tooLong)[0]?.now).toBe('1h, set for this role')
    // The strongest place decides: off for the role in the database.
    expect(preventionsFor(known([forgotten], { settings: withSet(name, '0') }))[0]?.now).toBe(
      'off, set for this role in this database',
    )
  })

  it('is a matter of the whole transaction where its pauses are short, from 17 on', () => {
    const chatty = jam(idleInTransaction(1, 2, { xactSeconds: 1500 }))
    expect(statements(known([chatty]))).toEqual([
      "ALTER ROLE shop IN DATABASE orders SET transaction_timeout = '5min';",
    ])
    expect(statements(known([chatty], without('transaction_timeout')))).toEqual([])
    expect(statements(known([jam(idleInTransaction(1, 300, { xactSeconds: 1200 }))]))[0]).toContain('idle_in')
  })
})

describe('the statement for one trouble', () => {
  const settings = off.map((one) => (one.name === 'log_lock_waits' ? { ...one, value: 'off' } : one))
  const { target, slotRetainsBytes } = known([])

  it('is the one that prevents it, and none that only writes it down', () => {
    const of = (trouble: PastTrouble) => preventionOf(trouble, { settings, target, slotRetainsBytes })
    expect(of(jam(idleInTransaction(1, 900)))).toBe(
      "ALTER ROLE shop IN DATABASE orders SET idle_in_transaction_session_timeout = '60s';",
    )
    expect(of(jam(idleInTransaction(1, 5)))).toBeNull()
  })
})

describe('other trouble of a role', () => {
  it.each([
    [
      'a long statement',
      about({ kind: 'longQuery', session: session(1, { stateSeconds: 7200 }), seconds: 7200 }),
      "statement_timeout = '5min'",
    ],
    ['a statement that blocks', jam(session(1, { stateSeconds: 400 })), "statement_timeout = '5min'"],
    [
      'a transaction of brief statements',
      jam(session(1, { querySeconds: 1, xactSeconds: 900 })),
      "transaction_timeout = '5min'",
    ],
    ['an idle session with a lock of its own', jam(idle(1, 9000)), "idle_session_timeout = '1h'"],
    [
      'a long-idle session',
      about({ kind: 'idle', session: idle(1, 9000), seconds: 9000 }),
      "idle_session_timeout = '1h'",
    ],
    [
      'a session idle in its transaction',
      about({ kind: 'idleInTransaction', session: idleInTransaction(1, 900), seconds: 900 }),
      "idle_in_transaction_session_timeout = '60s'",
    ],
  ])('is prevented: %s', (_, trouble, setting) => {
    expect(statements(known([trouble]))).toEqual([`ALTER ROLE shop IN DATABASE orders SET ${setting};`])
  })

  it('is not known without a name, and no process of the server is anybody’s role', () => {
    expect(preventionsFor(known([jam(session(1, { usename: null, stateSeconds: 900 }))]))).toEqual([])
    expect(preventionsFor(known([jam(session(1, { datname: null, stateSeconds: 900 }))]))).toEqual([])
    expect(preventionsFor(known([about({ kind: 'unreachable', reason: 'x' } as never)]))).toEqual([])
  })

  it('is a leak where most connections of the largest holder are idle', () => {
    const holder = {
      usename: 'shop',
      datname: 'orders',
      applicationName: 'web',
      clientAddr: '::1',
      count: 80,
    }
    const full = (over: object) =>
      about({ kind: 'connections', used: 97, max: 100, reserved: 3, holders: [{ ...holder, ...over }] })
    const [advice] = preventionsFor(known([full({ idle: 40 })]))
    expect(advice?.statement).toBe("ALTER ROLE shop IN DATABASE orders SET idle_session_timeout = '1h';")
    expect(advice?.trouble).toBe('shop in orders sat idle in many sessions, once.')
    expect(advice?.effect).toContain('pooler')
    expect(statements(known([full({ idle: 39 })]))).toEqual([])
    expect(statements(known([full({})]))).toEqual([])
    expect(statements(known([full({ idle: 80, datname: undefined })]))).toEqual([])
    expect(statements(known([full({ idle: 80, usename: '' })]))).toEqual([])
    expect(statements(known([full({ idle: 80 })], without('idle_session_timeout')))).toEqual([])
    expect(
      statements(known([full({ idle: 80 })], { settings: withSet('idle_session_timeout', '12h') })),
    ).toEqual([])
  })

  it('is a queue where somebody waited for a strong lock with others behind it', () => {
    const migration = spell(40, {
      kind: 'lockWait',
      scope: { role: 'deploy', database: 'orders' },
      victims: 9,
    })
    const alone = spell(40, { kind: 'lockWait', scope: { role: 'batch', database: 'orders' } })
    const [advice, ...more] = preventionsFor(known([], { spells: [migration, alone] }))
    expect(more).toEqual([])
    expect(advice).toMatchObject({
      statement: "ALTER ROLE deploy IN DATABASE orders SET lock_timeout = '5s';",
      trouble:
        'deploy in orders waited for a strong lock for up to 40 s, once, with up to 9 sessions behind it.',
    })
  })

  it('comes the worst first: by the time that sessions lost', () => {
    const small = jam(idleInTransaction(1, 100, { usename: 'a' }), 1)
    const large = jam(idleInTransaction(1, 100, { usename: 'b' }), 3)
    expect(preventionsFor(known([small, large])).map(({ scope }) => scope?.role)).toEqual(['b', 'a'])
  })

  it('is made on the primary of a standby', () => {
    const [advice] = preventionsFor(known([jam(session(1, { stateSeconds: 400 }))], on('own', true)))
    expect(advice?.statement).toMatch(/ -- on the primary$/)
    expect(advice?.undo).toMatch(/ -- on the primary$/)
  })
})

describe('for the whole server', () => {
  const storm = about({ kind: 'lockStorm', waiting: 700, why: 'busy', suspects: [] })
  const settings = (name: SettingName, value: string | null) =>
    off.map((one) => (one.name === name ? { ...one, value } : one))

  it('checks for a deadlock come later where they were a storm', () => {
    const [advice, ...more] = preventionsFor(known([storm, { ...storm }]))
    expect(more).toEqual([])
    expect(advice).toMatchObject({
      statement: "ALTER SYSTEM SET deadlock_timeout = '5s';\nSELECT pg_reload_conf();",
      undo: 'ALTER SYSTEM RESET deadlock_timeout;\nSELECT pg_reload_conf();',
      now: '1000ms, as on the whole server',
      scope: null,
      before: null,
      needsRestart: false,
    })
    expect(advice?.trouble).toContain('2 times: up to 700 sessions')
    expect(preventionsFor(known([storm], { settings: settings('deadlock_timeout', '5s') }))).toEqual([])
    expect(preventionsFor(known([storm], { settings: settings('deadlock_timeout', '4999') }))).toHaveLength(1)
    expect(preventionsFor(known([storm], { settings: settings('deadlock_timeout', null) }))).toEqual([])
  })

  it('the log says who waited for whom', () => {
    const short = jam(idleInTransaction(1, 5), 1)
    const deadlocks = about({
      ...{
        kind: 'deadlocks',
        database: 'orders',
        count: 1,
        since: 0,
        lastAt: 0,
        participants: [],
        reports: [],
      },
    })
    for (const trouble of [short, deadlocks]) {
      const [advice] = preventionsFor(known([trouble], { settings: settings('log_lock_waits', 'off') }))
      expect(advice?.statement).toContain("SET log_lock_waits = 'on'")
      expect(preventionsFor(known([trouble]))).toEqual([])
      expect(preventionsFor(known([trouble], { settings: settings('log_lock_waits', null) }))).toEqual([])
    }
    expect(preventionsFor(known([storm], { settings: settings('log_lock_waits', 'off') }))[0]?.setting).toBe(
      'deadlock_timeout',
    )
  })

  it('a slot keeps no more WAL than the disk can spare, and is given up when nobody uses it', () => {
    const behind = about({
      kind: 'replicationSlot',
      slot: slot('archive', { active: false, retainedBytes: 48 * 1024 ** 3, inactiveSeconds: 7200 }),
    })
    const [size, idleSlot, ...more] = preventionsFor(known([behind]))
    expect(more).toEqual([])
    expect(size?.statement).toContain("SET max_slot_wal_keep_size = '20GB'")
    expect(size?.now).toBe('no limit, as on the whole server')
    expect(size?.trouble).toBe('Replication slot archive kept up to 48 GB of WAL.')
    expect(idleSlot?.statement).toContain("SET idle_replication_slot_timeout = '1d'")
    expect(idleSlot?.trouble).toBe('Replication slot archive had no consumer for up to 2 h.')
    expect(preventionsFor(known([behind], without('idle_replication_slot_timeout')))).toHaveLength(1)
    const busy = about({ kind: 'replicationSlot', slot: slot('archive', { active: true, retainedBytes: 5 }) })
    expect(preventionsFor(known([busy])).map(({ setting }) => setting)).toEqual(['max_slot_wal_keep_size'])
    expect(
      preventionsFor(known([busy], { slotRetainsBytes: Number.POSITIVE_INFINITY }))[0]?.statement,
    ).toContain("'1GB'")
  })

  it.each(['0', '4096'])('a limit of WAL that is set (%s) stays', (value) => {
    const busy = about({ kind: 'replicationSlot', slot: slot('archive', { active: true }) })
    expect(preventionsFor(known([busy], { settings: settings('max_slot_wal_keep_size', value) }))).toEqual([])
  })

  it('prepared transactions are refused where nobody needs them, after a restart', () => {
    const forgotten = about({
      ...{ kind: 'preparedTransaction', prepared: prepared(7), seconds: 9000, finisher: 'shop' },
    })
    const blocking: PastTrouble = {
      finding: {
        kind: 'blocking',
        root: root(2, { pid: 0, kind: 'preparedTransaction', prepared: prepared(8, { gid: 'b' }) }),
        session: null,
      },
      mostVictims: 2,
    }
    const [advice, ...more] = preventionsFor(known([forgotten, forgotten, blocking]))
    expect(more).toEqual([])
    expect(advice).toMatchObject({
      setting: 'max_prepared_transactions',
      needsRestart: true,
      trouble: '2 prepared transactions were forgotten: payment-77 and b.',
    })
    expect(
      preventionsFor(known([forgotten], { settings: settings('max_prepared_transactions', '0') })),
    ).toEqual([])
  })

  it.each([
    ['rds', 'deadlock_timeout = 5s, in the parameter group of Amazon RDS'],
    ['cloudSql', 'deadlock_timeout = 5s, in the database flags of Cloud SQL'],
    ['azure', 'deadlock_timeout = 5s, in the server parameters of Azure Database for PostgreSQL'],
  ] as const)('is made in the words of %s', (platform, statement) => {
    const [advice] = preventionsFor(known([storm], on(platform)))
    expect(advice).toMatchObject({ statement, undo: null })
  })
})
