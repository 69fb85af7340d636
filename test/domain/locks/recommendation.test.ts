import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Picture } from '../../../src/domain/locks/picture.ts'
import {
  expectedOf,
  type JamRecommendation,
  jamBehind,
  jamRecommendations,
} from '../../../src/domain/locks/recommendation.ts'
import { jamsIn } from '../../../src/domain/locks/tree.ts'
import { workLost } from '../../../src/domain/locks/workLost.ts'
import type { Protected } from '../../../src/domain/session/policy.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { LockGroup, Snapshot } from '../../../src/domain/session/snapshot.ts'
import * as of from '../../support/builders.ts'
import { startCpu } from '../../support/cpu.ts'

const orders = of.relation('orders')
const many = (count: number, from = 5_000) => Array.from({ length: count }, (_, index) => from + index)

function advise(
  sessions: readonly Session[],
  groups: readonly LockGroup[],
  over: {
    protect?: Protected[]
    prepared?: Parameters<typeof of.lockTable>[1]
    shot?: Partial<Snapshot>
  } = {},
): JamRecommendation {
  const picture = of.picture(sessions, of.locksRead(groups, over.prepared), over.shot)
  const [jam] = jamsIn(picture.forest)
  const advice = jam && jamRecommendations(picture, over.protect ?? [])(jam)
  if (!advice) throw new Error('nobody waits')
  return advice
}

function adviceOfAll(picture: Picture) {
  const adviceFor = jamRecommendations(picture, [])
  return jamsIn(picture.forest).map((jam) => adviceFor(jam))
}

/** A reader, an ALTER TABLE behind it, and readers behind that. */
function ddlQueue(root: Session, readers: number, alter: Partial<Session> = {}) {
  const waiters = many(readers)
  return {
    sessions: [
      root,
      of.waiting(4312, 40, { backendXid: '900', query: 'ALTER TABLE orders ADD COLUMN note text', ...alter }),
      ...waiters.map((pid) => of.waiting(pid, 30)),
    ],
    groups: [
      of.held(orders, 'AccessShareLock', root.pid),
      of.wanted(orders, 'AccessExclusiveLock', [4312, 40]),
      of.wanted(orders, 'AccessShareLock', ...waiters.map((pid): [number, number] => [pid, 30])),
    ],
  }
}
const reporting = of.session(4100, { applicationName: 'reporting', stateSeconds: 7_200 })

test('who is waited for has written, however soon its second statement came', () => {
  // checkout holds a row; fulfilment changed an invoice half a millisecond before it came to wait for it; billing waits.
  const [first, second] = [of.transaction('704100'), of.transaction('704200')]
  const { best, others } = advise(
    [
      of.idleInTransaction(4100, 60, { backendXid: '704100' }),
      of.waiting(4200, 40, { backendXid: '704200', xactSeconds: 40.0005 }),
      of.waiting(4300, 30, { backendXid: '704300' }),
    ],
    [
      of.held(first, 'ExclusiveLock', 4100),
      of.wanted(first, 'ShareLock', [4200, 40]),
      of.held(second, 'ExclusiveLock', 4200),
      of.wanted(second, 'ShareLock', [4300, 30]),
    ],
  )
  expect(best).toMatchObject({ pid: 4100, workLost: 'idleWriter' })
  expect(others).toMatchObject([{ pid: 4200, workLost: 'activeWriter' }])
})

describe('the sentence', () => {
  test('a queued ALTER TABLE is cancelled, not the report before it', () => {
    const { sessions, groups } = ddlQueue(reporting, 212)
    const { text, best, others } = advise(sessions, groups)
    expect(text).toBe(
      'Cancel 4312 (ALTER TABLE, waiting 40 s, nothing done is lost): 212 of 213 waiters proceed at once; 4100 (reporting, running 2 h) may finish.',
    )
    expect(best).toMatchObject({ action: 'cancel', pid: 4312, workLost: 'request', atOnce: 212, stuck: 0 })
    expect(others.map((way) => way.text)).toEqual([
      'Cancel 4100 (reporting, running 2 h, it has written nothing, its answer is lost): 1 of 213 waiters proceeds at once, 212 follow one after the other.',
    ])
  })

  test.each<[string, Session, LockGroup[], Session[], string]>([
    [
      'an idle holder of a row',
      of.idleInTransaction(4100, 300, { backendXid: '700', xactSeconds: 320 }),
      of.rowQueue(4100, [
        [1, 50],
        [2, 40],
        [3, 30],
      ]),
      [1, 2, 3].map((pid) => of.waiting(pid, 60 - 10 * pid)),
      'Terminate 4100 (web, idle in transaction for 5 min, what it wrote in 5 min 20 s is rolled back): 1 of 3 waiters proceeds at once, 2 follow one after the other.',
    ],
    [
      'an idle holder that has written nothing',
      of.idleInTransaction(4100, 300),
      [of.held(orders, 'AccessShareLock', 4100), of.wanted(orders, 'AccessExclusiveLock', [1, 20])],
      [of.waiting(1, 20)],
      'Terminate 4100 (web, idle in transaction for 5 min, it has written nothing): the one waiter proceeds at once.',
    ],
    [
      'an idle session with an advisory lock',
      of.idle(4100, 3_600),
      [
        of.held(of.advisory(7), 'ExclusiveLock', 4100),
        of.wanted(of.advisory(7), 'ShareLock', [1, 20], [2, 10]),
      ],
      [of.waiting(1, 20), of.waiting(2, 10)],
      'Terminate 4100 (web, idle for 1 h, no transaction is open; its temporary tables are lost, if it has any): all 2 waiters proceed at once.',
    ],
    [
      'a writer at work',
      of.session(4100, { backendXid: '7', stateSeconds: 60, query: 'update orders set note = ?' }),
      of.rowQueue(4100, [[1, 50]]),
      [of.waiting(1, 50)],
      'Cancel 4100 (UPDATE, running 1 min, what it wrote in 1 min is rolled back): the one waiter proceeds at once.',
    ],
  ])('%s', (_, root, groups, waiters, text) => {
    expect(advise([root, ...waiters], groups).text).toBe(text)
  })

  test('a name from the database cannot play the sentence', () => {
    const root = of.idleInTransaction(4100, 60, { applicationName: 'x): all proceed.\n<!channel> \u202e' })
    const groups = [of.held(orders, 'ShareLock', 4100), of.wanted(orders, 'ExclusiveLock', [1, 20])]
    expect(advise([root, of.waiting(1, 20)], groups).text).toMatch(
      /^Terminate 4100 \(x\?: all proceed\.\?\?\?channel\? \?, idle/,
    )
  })
})

describe('what is not allowed is not recommended', () => {
  const { sessions, groups } = ddlQueue(reporting, 3)

  test('a protected ALTER TABLE: then the root; both protected: nothing', () => {
    const migration = sessions.map((one) => (one.pid === 4312 ? { ...one, applicationName: 'migrate' } : one))
    const rules = [{ applicationName: 'migrate' }]
    expect(advise(migration, groups, { protect: rules }).best).toMatchObject({ pid: 4100, action: 'cancel' })
    const all = advise(migration, groups, { protect: [...rules, { applicationName: 'reporting' }] })
    expect(all).toMatchObject({ best: null, others: [], byHand: null })
    expect(all.text).toBe(
      'Nothing can be done to 4100 (reporting, running 2 h) from here. It is protected by the configuration (applicationName: reporting). Gentler, but not from here: cancel 4312 (ALTER TABLE, waiting 40 s, nothing done is lost). It is protected by the configuration (applicationName: migrate).',
    )
  })

  test('no action on a superuser when the bot is not one', () => {
    const superusers = sessions.map((one) => ({ ...one, isSuperuser: one.pid >= 4000 && one.pid < 5000 }))
    expect(advise(superusers, groups).text).toContain('belongs to a superuser')
    expect(advise(superusers, groups, { shot: { server: of.server({ isSuperuser: true }) } }).best?.pid).toBe(
      4312,
    )
  })

  test('one that is stuck in a write to its client is terminated: a cancel would do nothing', () => {
    const stuck = of.session(4100, { waitEventType: 'Client', waitEvent: 'ClientWrite' })
    const queue = [of.held(orders, 'AccessShareLock', 4100), of.wanted(orders, 'AccessExclusiveLock', [1, 9])]
    expect(advise([stuck, of.waiting(1, 9)], queue).best).toMatchObject({ action: 'terminate', pid: 4100 })
  })
})

describe('where no action helps', () => {
  test('a prepared transaction, with what to run by hand', () => {
    const groups = of.rowQueue(-88, [[1, 50]])
    const table = { prepared: [of.prepared(88, { gid: "it's-7" })] }
    const advice = advise([of.waiting(1, 50)], groups, { prepared: table })
    expect(advice).toMatchObject({ best: null, others: [], byHand: "ROLLBACK PREPARED 'it''s-7';" })
    expect(advice.text).toBe(
      "No session to end: the prepared transaction 'it''s-7' (shop, prepared 3 h ago) holds the lock. Ask whoever coordinates it; by hand, in database orders as shop or a superuser: ROLLBACK PREPARED 'it''s-7';",
    )
  })

  test('but the ALTER TABLE behind it can be cancelled', () => {
    const groups = [
      of.held(orders, 'RowExclusiveLock', -88),
      of.wanted(orders, 'AccessExclusiveLock', [4312, 40]),
      of.wanted(orders, 'RowExclusiveLock', [1, 30], [2, 20]),
    ]
    const sessions = [of.waiting(4312, 40, { query: 'ALTER TABLE x' }), of.waiting(1, 30), of.waiting(2, 20)]
    const advice = advise(sessions, groups, { prepared: { prepared: [of.prepared(88)] } })
    expect(advice.text).toBe(
      "Cancel 4312 (ALTER TABLE, waiting 40 s, nothing done is lost): 2 of 3 waiters proceed at once; the prepared transaction 'payment-77' stays.",
    )
    expect(advice.byHand).toBe("ROLLBACK PREPARED 'payment-77';")
  })

  test.each([
    [
      0.5,
      'autovacuum: VACUUM public.orders (to prevent wraparound)',
      'No action helps: 900 is an autovacuum worker that prevents transaction-id wraparound; ended, it comes back at once.',
    ],
    [
      45,
      null,
      'No action helps: 900 is an autovacuum worker, likely one that prevents transaction-id wraparound; ended, it comes back at once.',
    ],
    // As long as deadlock_timeout: it may be a minute.
    [
      45,
      'autovacuum: VACUUM ANALYZE public.orders',
      'Nothing to do: 900 is an autovacuum worker, which gives way by itself after deadlock_timeout.',
    ],
    [
      0.5,
      null,
      'Nothing to do: 900 is an autovacuum worker, which gives way by itself after deadlock_timeout.',
    ],
  ])('autovacuum that has blocked for %s s: %s', (seconds, query, text) => {
    const groups = [
      of.held(orders, 'ShareUpdateExclusiveLock', 900),
      of.wanted(orders, 'ShareLock', [1, seconds]),
    ]
    const vacuum = of.serverProcess(900, 'autovacuum worker', { xactSeconds: 600, query })
    expect(advise([vacuum, of.waiting(1, seconds)], groups)).toMatchObject({ best: null })
    expect(advise([vacuum, of.waiting(1, seconds)], groups).text).toContain(text)
    // Nor where the role may cancel it: that is for who asks for it.
    const shot = { server: of.server({ maySignalAutovacuum: true }) }
    const working = { ...vacuum, state: 'active' }
    expect(advise([working, of.waiting(1, seconds)], groups, { shot })).toMatchObject({ best: null })
  })

  test('the worker of a subscription, which has a user and no statement', () => {
    const none = {
      xactStart: null,
      queryStart: null,
      xactSeconds: null,
      querySeconds: null,
      usename: 'postgres',
    }
    const worker = of.serverProcess(900, 'logical replication apply worker', { state: 'active', ...none })
    const groups = [of.held(orders, 'RowExclusiveLock', 900), of.wanted(orders, 'ShareLock', [1, 40])]
    expect(advise([worker, of.waiting(1, 40)], groups)).toMatchObject({
      best: null,
      text: expect.stringMatching(
        /^Nothing can be done to 900 \(logical replication apply worker\) from here\. It applies a subscription/,
      ),
    })
  })

  test('a deadlock: the server does it', () => {
    const [a, b] = [of.advisory(1), of.advisory(2)]
    const advice = advise(
      [of.waiting(1, 1), of.waiting(2, 1), of.waiting(3, 1)],
      [
        ...[of.held(a, 'ExclusiveLock', 1), of.wanted(a, 'ExclusiveLock', [2, 1], [3, 0.5])],
        ...[of.held(b, 'ExclusiveLock', 2), of.wanted(b, 'ExclusiveLock', [1, 1])],
      ],
    )
    expect(advice.best).toBeNull()
    expect(advice.text).toBe(
      '1, 2 wait for each other: the server ends such a deadlock by itself, after deadlock_timeout.',
    )
    expect(advice.others.map(({ pid }) => pid).sort()).toEqual([1, 2])
  })

  test('the lock table was never read', () => {
    const jammed = of.picture([of.waiting(1, 1)], {
      kind: 'jammed',
      why: 'busy',
      last: null,
      lastTakenAt: null,
    })
    expect(
      jamRecommendations(
        jammed,
        [],
      )(jamBehind({ ...of.picture([], of.rowQueue(9, [[1, 1]])).forest.roots[0] } as never)),
    ).toBeNull()
  })
})

describe('ranking', () => {
  test('two readers before one lock: only both together help, and it says so', () => {
    const groups = [
      of.held(orders, 'AccessShareLock', 10, 11),
      of.wanted(orders, 'ExclusiveLock', [2, 5]),
      of.wanted(orders, 'AccessExclusiveLock', [1, 20]),
    ]
    const sessions = [
      of.idleInTransaction(10, 60),
      of.session(11, { stateSeconds: 90 }),
      of.waiting(1, 20),
      of.waiting(2, 5),
    ]
    const { best, text } = advise(sessions, groups)
    expect(best).toMatchObject({ pid: 1, action: 'cancel', atOnce: 1 })
    expect(text).toContain('10 (web, idle in transaction for 1 min) and 11 (web, running 1 min 30 s) stay')

    const alone = advise(
      sessions.filter(({ pid }) => pid !== 2),
      [groups[0], groups[2]] as LockGroup[],
    )
    expect(alone.best).toMatchObject({
      pid: 10,
      action: 'terminate',
      together: [{ pid: 11, action: 'cancel' }],
      workLost: 'activeReader',
    })
    expect(alone.text).toBe(
      'Terminate 10 (web, idle in transaction for 1 min, it has written nothing) and cancel 11 (web, running 1 min 30 s, it has written nothing, its answer is lost): the one waiter proceeds at once.',
    )
  })

  test('who frees far fewer is no cure, however cheap', () => {
    // 119 holds a table that one more wants; the row's owner keeps twenty waiting.
    const sessions = [
      of.idleInTransaction(9, 60, { backendXid: '9', xactSeconds: 60 }),
      ...many(20, 100).map((pid) => of.waiting(pid, 30)),
      of.waiting(121, 5),
    ]
    const groups = [
      ...of.rowQueue(
        9,
        many(20, 100).map((pid): [number, number] => [pid, 30]),
      ),
      of.held(orders, 'ShareLock', 119),
      of.wanted(orders, 'RowExclusiveLock', [121, 5]),
    ]
    const { best, others } = advise(sessions, groups)
    expect(best).toMatchObject({ pid: 9, workLost: 'idleWriter' })
    expect(others).toMatchObject([{ pid: 119, atOnce: 1, stuck: 19, workLost: 'request' }])
  })

  test('among two that cost the same, the younger', () => {
    const groups = [
      of.held(orders, 'AccessShareLock', 9),
      of.wanted(orders, 'AccessExclusiveLock', [1, 20], [2, 10]),
      of.wanted(orders, 'AccessShareLock', [3, 5]),
    ]
    const sessions = [
      reporting,
      of.idleInTransaction(9, 5),
      of.waiting(1, 20),
      of.waiting(2, 10),
      of.waiting(3, 5),
    ]
    const { best, others } = advise(sessions, groups)
    // Neither of the two alone frees the reader, so the root it is.
    expect(best).toMatchObject({ pid: 9, workLost: 'idleReader' })
    expect(others).toEqual([])
  })
})

test.each<[string, Partial<Session>, number | null]>([
  ['request', { backendXid: null, querySeconds: 40, xactSeconds: 600 }, 40],
  // A report that has run for two hours before it asked for one more table: its work would be lost.
  ['blockedReader', { backendXid: null, querySeconds: 7200 }, 40],
  // An id that the request itself took.
  ['request', { backendXid: '9', querySeconds: 40, xactSeconds: 40.0004 }, 39.99],
  ['activeWriter', { backendXid: '9', querySeconds: 40, xactSeconds: 55 }, 39.99],
  ['activeWriter', { backendXid: '9', querySeconds: 40, xactSeconds: 40 }, 12],
  ['activeWriter', { backendXid: '9', querySeconds: 40, xactSeconds: 40 }, null],
  ['activeReader', {}, -1],
  // Asked for by hand, a card has the session alone.
  ['halfDone', { waitEventType: 'Lock', waitEvent: 'virtualxid' }, -1],
  ['halfDone', { query: '? CREATE UNIQUE INDEX CONCURRENTLY i ON orders (id)', backendXid: '9' }, -1],
  ['halfDone', { query: 'REINDEX (VERBOSE) TABLE CONCURRENTLY orders' }, -1],
  ['halfDone', { query: 'ALTER TABLE orders DETACH PARTITION old CONCURRENTLY' }, -1],
  ['activeReader', { query: 'REFRESH MATERIALIZED VIEW CONCURRENTLY sums' }, -1],
  ['vacuum', { query: 'VACUUM (ANALYZE) orders' }, -1],
  // It has finished other tables before this one.
  ['vacuum', { query: 'vacuum', querySeconds: 4000 }, 40],
  ['request', { query: 'VACUUM orders', querySeconds: 40 }, 40],
  ['activeWriter', { query: 'VACUUM (VERBOSE, FULL) orders', backendXid: '9' }, -1],
  ['activeWriter', { backendXid: '9' }, -1],
  ['idle', { state: 'idle', xactStart: null, xactSeconds: null }, -1],
  // Between two transactions of its own.
  ['activeReader', { xactStart: null, xactSeconds: null }, -1],
  ['idleReader', { state: 'idle in transaction' }, -1],
  ['idleWriter', { state: 'idle in transaction', backendXid: '9' }, -1],
])('work lost: %s of %o, waiting for %s s', (expected, over, waits) => {
  const wait = { pid: 1, target: orders, mode: 'AccessExclusiveLock', relationName: null, seconds: waits }
  expect(workLost(of.session(1, over), waits === -1 ? undefined : wait)).toBe(expected)
})

test.each([
  // Its first transaction waits for the table, and has done nothing; the last one takes it for a moment.
  ['request', 'ShareUpdateExclusiveLock'],
  ['halfDone', 'AccessExclusiveLock'],
])('work lost: %s of a command CONCURRENTLY that waits for %s', (expected, mode) => {
  const session = of.waiting(1, 40, { query: 'ALTER TABLE t DETACH PARTITION p CONCURRENTLY' })
  const wait = { pid: 1, target: orders, mode, relationName: null, seconds: 40 }
  expect(workLost(session, wait)).toBe(expected)
})

test.each<[string, Partial<Session>, string]>([
  ['a statement that lasts', { xactSeconds: 60, querySeconds: 30 }, 'cancel'],
  ['a transaction that has just begun', { xactSeconds: 3, querySeconds: 1 }, 'cancel'],
  ['a statement of its own', { xactSeconds: 1, querySeconds: 1 }, 'cancel'],
  // Approved in half a minute, a cancel would find another statement, or none.
  ['one brief statement after the other in a transaction', { xactSeconds: 60, querySeconds: 1 }, 'terminate'],
])('whom a person can cancel in time: %s', (_, over, action) => {
  const root = of.session(9, { backendXid: '700', ...over })
  const { best } = advise([root, of.waiting(1, 40)], of.rowQueue(9, [[1, 40]]))
  expect(best).toMatchObject({ action, pid: 9 })
})

test('CREATE INDEX CONCURRENTLY that waits for a writer has work to lose, and leaves an invalid index', () => {
  const virtual = of.target({ locktype: 'virtualxid', virtualxid: '7/42' })
  const { text, others } = advise(
    [
      of.idleInTransaction(9, 60, { backendXid: '700', xactSeconds: 60 }),
      of.waiting(10, 50, {
        waitEvent: 'virtualxid',
        query: 'CREATE INDEX CONCURRENTLY ON orders (note)',
        querySeconds: 3_000,
      }),
      ...[1, 2, 3].map((pid) => of.waiting(pid, 20, { query: 'VACUUM orders' })),
    ],
    [
      of.held(virtual, 'ExclusiveLock', 9),
      of.wanted(virtual, 'ShareLock', [10, 50]),
      of.held(orders, 'ShareUpdateExclusiveLock', 10),
      of.wanted(orders, 'ShareUpdateExclusiveLock', [1, 20], [2, 19], [3, 18]),
    ],
  )
  expect(text).toMatch(/^Terminate 9 \(web, idle in transaction/)
  expect(others.map((way) => way.text)).toEqual([
    expect.stringMatching(/^Cancel 10 \(CREATE INDEX, waiting 50 s, an invalid index stays\): 1 of 4/),
  ])
})

test('who follows only when a client ends its transaction is counted apart from who follows by itself', () => {
  const behind = (begun: number) =>
    advise(
      [
        of.idleInTransaction(9, 60, { backendXid: '700', xactSeconds: 60 }),
        ...[1, 2, 3].map((pid) => of.waiting(pid, 50 - pid, { xactSeconds: 50 - pid + begun })),
      ],
      of.rowQueue(9, [
        [1, 49],
        [2, 48],
        [3, 47],
      ]),
    ).text
  expect(behind(0)).toMatch(/: 1 of 3 waiters proceeds at once, 2 follow one after the other\.$/)
  expect(behind(5)).toMatch(
    /: 1 of 3 waiters proceeds at once, 2 follow as the transactions before them end\.$/,
  )
})

test('a migration in a transaction that has changed no table is cancelled, not the report before it', () => {
  const { sessions, groups } = ddlQueue(reporting, 3, { xactSeconds: 45 })
  const unchanged = advise(sessions, groups, { prepared: { unchanged: new Set([4312]) } })
  expect(unchanged.text).toBe(
    'Cancel 4312 (ALTER TABLE, waiting 40 s, it has changed no table yet): 3 of 4 waiters proceed at once; 4100 (reporting, running 2 h) may finish.',
  )
  expect(unchanged.best).toMatchObject({ workLost: 'blockedReader' })
  // Not known to have changed nothing: then the report loses less.
  expect(advise(sessions, groups).best).toMatchObject({ pid: 4100, workLost: 'activeReader' })
})

test('advice on five hundred roots of one jam is quick', () => {
  const readers = many(500, 10_000)
  const waiters = many(1_500, 20_000)
  const picture = of.picture(
    [
      ...readers.map((pid) => of.session(pid)),
      of.waiting(4312, 40),
      ...waiters.map((pid) => of.waiting(pid, 30)),
    ],
    [
      of.held(orders, 'AccessShareLock', ...readers),
      of.wanted(orders, 'AccessExclusiveLock', [4312, 40]),
      of.wanted(orders, 'AccessShareLock', ...waiters.map((pid): [number, number] => [pid, 30])),
    ],
  )
  const cpu = startCpu()
  const advice = adviceOfAll(picture)
  expect(cpu()).toBeLessThan(4_000)
  expect(new Set(advice.map((one) => one?.best?.pid))).toEqual(new Set([4312]))
})

test('advice on two thousand waiters and on a hundred jams is quick', () => {
  const deep = ddlQueue(reporting, 2_000)
  const jams = many(100, 100_000).map((pid) => pid * 10)
  const picture = of.picture(
    [
      ...deep.sessions,
      ...jams.flatMap((pid) => [
        of.idleInTransaction(pid, 60),
        ...[1, 2, 3, 4].map((at) => of.waiting(pid + at, 5)),
      ]),
    ],
    [
      ...deep.groups,
      ...jams.flatMap((pid) =>
        of.rowQueue(
          pid,
          [1, 2, 3, 4].map((at): [number, number] => [pid + at, 5]),
          'public.items',
          pid,
        ),
      ),
    ],
  )
  const cpu = startCpu()
  const advice = adviceOfAll(picture)
  expect(cpu()).toBeLessThan(2_000)
  expect(advice).toHaveLength(101)
  expect(advice[0]?.best?.pid).toBe(4312)
})

test('every waiter that is not ended stands in exactly one list of what is expected', () => {
  const pids = fc.uniqueArray(fc.integer({ min: 1, max: 30 }))
  fc.assert(
    fc.property(pids, pids, pids, pids, pids, (jam, ended, atOnce, inTurn, later) => {
      const endings = ended.map((pid) => ({ pid, action: 'cancel' as const }))
      const none = { doubts: new Map(), afterDoubt: new Set<number>() }
      const expected = expectedOf({ atOnce, inTurn, later, ...none }, endings, new Set(jam))
      const listed = [...expected.atOnce, ...expected.follow, ...expected.unsure]
      expect(listed.toSorted((a, b) => a - b)).toEqual(
        jam.filter((pid) => !ended.includes(pid)).sort((a, b) => a - b),
      )
      expect(expected.atOnce).toEqual(expected.atOnce.filter((pid) => atOnce.includes(pid)))
      expect(expected.follow).toEqual(
        expected.follow.filter((pid) => inTurn.includes(pid) || later.includes(pid)),
      )
      expect(expected.unsure.filter((pid) => [...atOnce, ...inTurn, ...later].includes(pid))).toEqual([])
    }),
  )
})
