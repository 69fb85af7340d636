import { describe, expect, it } from 'vitest'
import { describeChange, ending } from '../../../src/domain/incidents/change.ts'
import { findingKey, findings } from '../../../src/domain/incidents/finding.ts'
import { type PoolWaits, poolWaits } from '../../../src/domain/incidents/poolWaits.ts'
import { severityOf } from '../../../src/domain/incidents/severity.ts'
import { pictureOf } from '../../../src/domain/locks/picture.ts'
import type { BouncerPool } from '../../../src/domain/session/pgbouncer.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { PoolerLook } from '../../../src/domain/session/snapshot.ts'
import { poolWaitsNext, poolWaitsSentence, poolWaitsWhy } from '../../../src/views/card/poolWaits.ts'
import { plainWords } from '../../../src/views/kit.ts'
import * as of from '../../support/builders.ts'

const pool = (waitSeconds: number, over: Partial<BouncerPool> = {}): BouncerPool => ({
  database: 'orders',
  user: 'shop',
  mode: 'transaction',
  clients: 9,
  waiting: 3,
  waitSeconds,
  lent: 2,
  free: 0,
  inLogin: 0,
  ...over,
})
const seen = (...waiting: BouncerPool[]): PoolerLook => ({ pools: 7, waiting, secondsOld: 0 })
const look = (pooler?: PoolerLook, sessions: readonly Session[] = []) =>
  of.snapshot(sessions, pooler ? { pooler } : {})
const found = (pooler: PoolerLook, open: readonly string[] = [], limit = 30) =>
  poolWaits(look(pooler), limit, new Set(open))
const finding = (over: Partial<PoolWaits> = {}): PoolWaits => {
  const [one] = found(seen(pool(31)))
  if (!one) throw new Error('not found')
  return { ...one, ...over }
}

describe('clients that wait in PgBouncer', () => {
  it('are found from the limit on, in all pools past it, and not while nothing is known', () => {
    expect(found(seen(pool(29.9)))).toEqual([])
    expect(found(seen(pool(30)))).toMatchObject([{ seconds: 30, clients: 3, others: 0 }])
    const many = [60, 50, 40, 39, 38, 37, 36, 20].map((seconds, n) => pool(seconds, { user: `u${n}` }))
    expect(found(seen(...many))).toMatchObject([{ seconds: 60, clients: 21, others: 2 }])
    expect(found(seen(...many))[0]?.pools.map(({ user }) => user)).toEqual(['u0', 'u1', 'u2', 'u3', 'u4'])
    expect(found({ unread: 'x' }, ['poolWaits'])).toEqual([])
    expect(found(seen(pool(1e9)), [], Number.POSITIVE_INFINITY)).toEqual([])
    expect(poolWaits(look(), 0, new Set())).toEqual([])
  })

  it('stay one trouble until nobody has waited for half of the limit', () => {
    expect(found(seen(pool(15)), ['poolWaits'])).toHaveLength(1)
    expect(found(seen(pool(14.9)), ['poolWaits'])).toEqual([])
    expect(found(seen(pool(15)), ['connections'])).toEqual([])
    expect(findingKey(finding())).toBe('poolWaits')
  })

  it('stand among the findings of a look', () => {
    const { snapshot, forest } = pictureOf(look(seen(pool(31))))
    expect(findings(snapshot, forest, of.thresholds)).toMatchObject([{ kind: 'poolWaits', seconds: 31 }])
    expect(findings(snapshot, forest, { ...of.thresholds, poolWaitsForSeconds: 32 })).toEqual([])
  })

  it('are critical from ten on, or from two minutes on', () => {
    expect(severityOf(finding({ clients: 9, seconds: 119.9 }))).toBe('warning')
    expect(severityOf(finding({ clients: 10 }))).toBe('critical')
    expect(severityOf(finding({ seconds: 120 }))).toBe('critical')
  })

  it('are news when they become more', () => {
    const change = (before: number, after: number) =>
      describeChange({ finding: finding({ clients: before }), mostVictims: 0 }, finding({ clients: after }))
    expect(change(3, 6)).toBe('6 clients wait, before it were 3.')
    expect(change(6, 3)).toBeNull()
    expect(change(20, 21)).toBeNull()
  })

  it('are over when the console shows that, and not while it shows nothing', () => {
    const end = (pooler?: PoolerLook) => ending(finding(), look(pooler), [])
    expect(end(seen())).toBe('Its clients do not wait that long any more.')
    expect(end({ unread: 'Nothing listens there.' })).toBeNull()
    expect(end()).toBe('PgBouncer is not configured any more.')
  })
})

describe('what the connections of a waiting pool do', () => {
  const own = { database: 'orders', user: 'shop', mode: 'transaction', client: null }
  const sessions = [
    of.waiting(1, 60, { pooler: own }),
    of.idleInTransaction(2, 60, { pooler: own }),
    of.session(3, { pooler: own }),
    of.idle(4, 60, { pooler: own }),
    of.idle(8, 60, { pooler: own }),
    of.session(5, { pooler: { ...own, user: 'other' } }),
    of.session(6, { pooler: { ...own, database: 'other' } }),
    of.session(7),
  ]

  it('is counted among the sessions of that pool alone', () => {
    const [one] = poolWaits(look(seen(pool(31, { lent: 3, free: 1 })), sessions), 30, new Set())
    expect(one?.pools).toMatchObject([{ waitForLocks: 1, idleInTransaction: 1, busy: 1 }])
    expect(one && poolWaitsWhy(one).map(plainWords)).toEqual([
      'Pool orders of shop (transaction mode): 3 clients wait, the longest for 31 s; 3 of its connections are lent: 1 waits for a lock, 1 is idle in transaction and 1 runs a statement.',
    ])
    expect(one && poolWaitsSentence(one)).toBe(
      '3 clients wait in PgBouncer for a connection to the server, the longest for 31 s.',
    )
  })

  it.each([
    [{ lent: 0 }, { waitForLocks: 0, idleInTransaction: 0, busy: 0 }, /^see why PgBouncer has no connection/],
    [{ lent: 4 }, { waitForLocks: 2, idleInTransaction: 2, busy: 0 }, /^\/pg blocking/],
    [{ lent: 4 }, { waitForLocks: 1, idleInTransaction: 2, busy: 1 }, /^\/pg idle/],
    [{ lent: 4 }, { waitForLocks: 1, idleInTransaction: 1, busy: 2 }, /^\/pg long .*default_pool_size/],
  ])('decides what to do next: %j, %j', (over, doing, next) => {
    const [one] = found(seen(pool(31, over)))
    const pools = one?.pools.map((each) => ({ ...each, ...doing })) ?? []
    expect(plainWords(poolWaitsNext(finding({ pools })))).toMatch(next)
  })

  it('is said also where it has none', () => {
    const [one] = found(seen(pool(31, { lent: 0, inLogin: 0 })))
    expect(one && plainWords(poolWaitsWhy({ ...one, others: 1 }).at(0) ?? [])).toContain(
      'it has no connection to the server.',
    )
    expect(one && plainWords(poolWaitsWhy({ ...one, others: 1 }).at(1) ?? [])).toBe('And 1 more pool.')
  })
})
