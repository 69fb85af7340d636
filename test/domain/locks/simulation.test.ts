import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Ending, rehearse, type WhatIf } from '../../../src/domain/locks/simulation.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { LockGroup, LockTarget } from '../../../src/domain/session/snapshot.ts'
import * as of from '../../support/builders.ts'
import { startCpu } from '../../support/cpu.ts'

const orders = of.relation('orders')
const items = of.relation('items', 16_400)
const terminate = (pid: number): Ending => ({ pid, action: 'terminate' })
const cancel = (pid: number): Ending => ({ pid, action: 'cancel' })
/** Begun with its own transaction, as a statement outside of BEGIN is. */
const alone = (pid: number, seconds: number) => of.waiting(pid, seconds)
/** Within a transaction that began before. */
const inBlock = (pid: number, seconds: number, over: Partial<Session> = {}) =>
  of.waiting(pid, seconds, { xactSeconds: seconds + 5, ...over })

const whatIf = (groups: readonly LockGroup[], sessions: readonly Session[], ...endings: Ending[]) =>
  rehearse(of.lockTable(groups), sessions).whatIf(...endings)
const lists = ({ atOnce, inTurn, later, stuck }: WhatIf) => ({ atOnce, inTurn, later, stuck })

describe('queues for a table', () => {
  const queue = [
    of.held(orders, 'AccessShareLock', 1),
    of.wanted(orders, 'AccessExclusiveLock', [2, 60]),
    of.wanted(orders, 'AccessShareLock', [3, 50], [5, 30]),
    of.wanted(orders, 'RowExclusiveLock', [4, 40]),
  ]
  const sessions = [of.session(1), alone(2, 60), alone(3, 50), alone(4, 40), alone(5, 30)]

  test('without the ALTER TABLE everybody behind it proceeds, whatever the first reader does', () => {
    const result = whatIf(queue, sessions, cancel(2))
    expect(lists(result)).toEqual({ atOnce: [3, 4, 5], inTurn: [], later: [], stuck: [] })
  })

  test('without the reader the ALTER TABLE proceeds, and the others when it is done', () => {
    const result = whatIf(queue, sessions, terminate(1))
    expect(lists(result)).toEqual({ atOnce: [2], inTurn: [3, 4, 5], later: [], stuck: [] })
    expect([2, 3, 4].map(result.behind)).toEqual([[], [2], [2]])
  })

  test('the others proceed later, when its client commits, if there was a BEGIN', () => {
    const begun = sessions.map((one) => (one.pid === 2 ? inBlock(2, 60) : one))
    expect(lists(whatIf(queue, begun, terminate(1)))).toEqual({
      atOnce: [2],
      inTurn: [],
      later: [3, 4, 5],
      stuck: [],
    })
  })

  test('everybody stays stuck while another session holds the table too', () => {
    const result = whatIf([...queue, of.held(orders, 'RowShareLock', 9)], sessions, terminate(1))
    expect(lists(result)).toEqual({ atOnce: [], inTurn: [], later: [], stuck: [2, 3, 4, 5] })
    expect(result.behind(2)).toEqual([9])
  })

  test('ending both holders lets the ALTER TABLE proceed', () => {
    const groups = [...queue, of.held(orders, 'RowShareLock', 9)]
    expect(whatIf(groups, sessions, terminate(1), terminate(9)).atOnce).toEqual([2])
  })

  test('everybody stays stuck behind a prepared transaction, which has no session to end', () => {
    const result = whatIf([...queue, of.held(orders, 'RowExclusiveLock', -77)], sessions, terminate(1))
    expect(result.stuck).toEqual([2, 3, 4, 5])
    expect(result.behind(2)).toEqual([0])
  })

  test('a parallel query proceeds when none of its processes waits any more', () => {
    const worker = (pid: number) => of.waiting(pid, 9, { leaderPid: 10, backendType: 'parallel worker' })
    const groups = [
      of.held(orders, 'AccessExclusiveLock', 1),
      of.held(items, 'AccessExclusiveLock', 2),
      of.wanted(orders, 'AccessShareLock', [11, 9]),
      of.wanted(items, 'AccessShareLock', [12, 9]),
    ]
    const group = [of.session(1), of.session(2), of.session(10), worker(11), worker(12)]
    expect(lists(whatIf(groups, group, terminate(1)))).toMatchObject({ atOnce: [], stuck: [10] })
    expect(lists(whatIf(groups, group, terminate(1), terminate(2)))).toMatchObject({ atOnce: [10] })
    // And it ends as one.
    const held = [of.held(orders, 'ShareLock', 11), of.wanted(orders, 'ExclusiveLock', [20, 3])]
    expect(whatIf(held, [...group, alone(20, 3)], terminate(10)).atOnce).toEqual([20])
  })
})

describe('queues for a row', () => {
  const waits: [number, number][] = [
    [1, 60],
    [2, 50],
    [3, 40],
  ]
  const root = of.idleInTransaction(9, 70, { backendXid: '700009' })

  test.each<[string, Session[], Partial<WhatIf>]>([
    [
      'each statement its own transaction: one after the other',
      [alone(1, 60), alone(2, 50), alone(3, 40)],
      { atOnce: [1], inTurn: [2, 3], later: [] },
    ],
    [
      'the second has begun: the third waits for its commit',
      [alone(1, 60), inBlock(2, 50), alone(3, 40)],
      { atOnce: [1], inTurn: [2], later: [3] },
    ],
    [
      'all have begun: only the first',
      [inBlock(1, 60), inBlock(2, 50), inBlock(3, 40)],
      { atOnce: [1], inTurn: [], later: [2, 3] },
    ],
  ])('%s', (_, sessions, expected) => {
    const result = whatIf(of.rowQueue(9, waits), [root, ...sessions], terminate(9))
    expect(lists(result)).toEqual({ stuck: [], ...expected })
    expect(result.behind(2)).toEqual([1])
  })

  test('ending a waiter frees nobody: the next one waits for the same transaction', () => {
    const sessions = [root, alone(1, 60), alone(2, 50), alone(3, 40)]
    const result = whatIf(of.rowQueue(9, waits), sessions, cancel(1))
    expect(lists(result)).toEqual({ atOnce: [], inTurn: [], later: [], stuck: [2, 3] })
    expect([2, 3].map(result.behind)).toEqual([[9], [2]])
  })

  test('sessions that want to share the row proceed together, and the next one waits for all of them', () => {
    const at = of.tuple('orders')
    const xid = of.transaction('700009')
    const groups = [
      of.held(xid, 'ExclusiveLock', 9),
      of.wanted(xid, 'ShareLock', [1, 60], [2, 50]),
      of.held(at, 'RowShareLock', 1, 2),
      of.wanted(at, 'ExclusiveLock', [3, 40]),
    ]
    const sessions = [root, inBlock(1, 60), inBlock(2, 50), alone(3, 40)]
    const result = whatIf(groups, sessions, terminate(9))
    expect(lists(result)).toEqual({ atOnce: [1, 2], inTurn: [], later: [3], stuck: [] })
  })

  test('in a chain a session that proceeds holds what others want, so they follow it', () => {
    const groups = [
      ...of.rowQueue(9, [[1, 60]]),
      ...of.rowQueue(1, [[2, 50]], 'public.items', 7),
      of.held(orders, 'RowExclusiveLock', 2),
      of.wanted(orders, 'ShareLock', [3, 40]),
    ]
    const sessions = [root, alone(1, 60), inBlock(2, 50), alone(3, 40)]
    expect(lists(whatIf(groups, sessions, terminate(9)))).toEqual({
      atOnce: [1],
      inTurn: [2],
      later: [3],
      stuck: [],
    })
    expect(lists(whatIf(groups, sessions, cancel(2)))).toMatchObject({ atOnce: [3], stuck: [] })
  })
})

describe('cancel', () => {
  const behind = (holder: Session, at: LockTarget = orders, ...more: LockGroup[]) =>
    lists(
      whatIf(
        [of.held(at, 'ExclusiveLock', 1), of.wanted(at, 'ExclusiveLock', [2, 9]), ...more],
        [holder, alone(2, 9)],
        cancel(1),
      ),
    )

  test.each<[string, Session, LockTarget, number[]]>([
    ['ends the transaction of a statement that runs', of.session(1), orders, [2]],
    ['does nothing to an idle transaction', of.idleInTransaction(1, 9), orders, []],
    ['does nothing to an idle session', of.idle(1, 9), of.advisory(4), []],
    [
      'does nothing to one that writes to its client',
      of.session(1, { waitEventType: 'Client', waitEvent: 'ClientWrite' }),
      orders,
      [],
    ],
    [
      'does nothing to one that waits for data from its client',
      of.session(1, { waitEventType: 'Client', waitEvent: 'ClientRead' }),
      orders,
      [],
    ],
    ['leaves advisory locks, which may be the session’s', of.session(1), of.advisory(4), []],
    ['ends the main transaction', of.session(1, { backendXid: '77' }), of.transaction('77'), [2]],
    ['ends a savepoint', of.session(1, { backendXid: '76' }), of.transaction('77'), [2]],
  ])('%s', (_, holder, at, atOnce) => {
    expect(behind(holder, at)).toEqual({ atOnce, inTurn: [], later: [], stuck: atOnce.length > 0 ? [] : [2] })
  })

  test('keeps what was locked before a savepoint', () => {
    const savepoint = [
      of.held(of.transaction('78'), 'ExclusiveLock', 1),
      of.wanted(of.transaction('78'), 'ShareLock', [3, 4]),
    ]
    const holder = of.session(1, { backendXid: '77', xactStart: '2026-01-01 00:00:00+00' })
    expect(behind(holder, orders, ...savepoint)).toMatchObject({
      atOnce: [3],
      stuck: [2],
    })
  })

  test('keeps it also when nobody waits for the savepoint', () => {
    const holder = of.session(1, { backendXid: '77', xactStart: '2026-01-01 00:00:00+00' })
    expect(behind(holder, orders, of.held(of.transaction('78'), 'ExclusiveLock', 1)).stuck).toEqual([2])
    expect(behind(holder, orders, of.held(of.transaction('77'), 'ExclusiveLock', 1)).atOnce).toEqual([2])
    expect(behind(holder, orders, of.held(of.transaction('78'), 'ExclusiveLock', 5)).atOnce).toEqual([2])
    expect(behind(holder, orders, of.held(of.transaction('78'), 'ShareLock', 1)).atOnce).toEqual([2])
    expect(
      behind({ ...holder, backendXid: null }, orders, of.held(of.transaction('78'), 'ExclusiveLock', 1))
        .atOnce,
    ).toEqual([2])
  })

  test('releases everything of a single statement, whose only subtransactions are EXCEPTION blocks', () => {
    const block = [
      of.held(of.transaction('78'), 'ExclusiveLock', 1),
      of.wanted(of.transaction('78'), 'ShareLock', [3, 4]),
    ]
    const holder = { ...alone(1, 20), waitEventType: null, waitEvent: null, backendXid: '77' }
    expect(behind({ ...holder, query: 'DO ?' }, orders, ...block)).toMatchObject({
      atOnce: [2, 3],
      stuck: [],
    })
    const query = 'BEGIN; SAVEPOINT one; UPDATE orders SET state = ?'
    expect(behind({ ...holder, query }, orders, ...block)).toMatchObject({ atOnce: [3], stuck: [2] })
  })

  test('takes a request out of its queue', () => {
    const groups = [
      of.held(orders, 'AccessShareLock', 9),
      of.wanted(orders, 'AccessExclusiveLock', [1, 9]),
      of.wanted(orders, 'AccessShareLock', [2, 8]),
    ]
    expect(whatIf(groups, [of.session(9), alone(1, 9), alone(2, 8)], cancel(1)).atOnce).toEqual([2])
  })
})

test('a session that proceeds keeps its advisory lock after its statement, since it may belong to the session', () => {
  const at = of.advisory(4)
  const groups = [of.held(at, 'ExclusiveLock', 1), of.wanted(at, 'ExclusiveLock', [2, 9], [3, 8])]
  const result = whatIf(groups, [of.idle(1, 99), alone(2, 9), alone(3, 8)], terminate(1))
  expect(lists(result)).toEqual({ atOnce: [2], inTurn: [], later: [3], stuck: [] })
})

test('the order that the server reports for a re-ordered queue counts more than when the waits began', () => {
  const groups = [
    of.held(orders, 'ShareLock', 9),
    of.wanted(orders, 'AccessExclusiveLock', [1, 60]),
    of.wanted(orders, 'RowExclusiveLock', [2, 50]),
  ]
  const sessions = [of.session(9), inBlock(1, 60), inBlock(2, 50)]
  const told = (asked: [number, number[]][]) =>
    rehearse(of.lockTable(groups, { confirmedBlockers: new Map(asked) }), sessions).whatIf(terminate(9))
      .atOnce
  expect(told([])).toEqual([1])
  expect(told([[1, [2, 9]]])).toEqual([2])
  expect(told([[2, [9]]])).toEqual([2])
})

test('a wait for a safe snapshot ends with the last writer that the server names', () => {
  const reader = of.session(5, { waitEventType: 'IPC', waitEvent: 'SafeSnapshot' })
  const rehearsal = rehearse(of.lockTable([], { confirmedBlockers: new Map([[5, [1, 2]]]) }), [
    of.session(1),
    of.session(2),
    reader,
  ])
  expect(rehearsal.whatIf(terminate(1))).toMatchObject({ atOnce: [], stuck: [5] })
  expect(rehearsal.whatIf(terminate(1), terminate(2)).atOnce).toEqual([5])
})

/** The manual's table "Conflicting Lock Modes". */
const modes = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
]
const manual = [
  '.......#',
  '......##',
  '....####',
  '...#####',
  '..##.###',
  '..######',
  '.#######',
  '########',
]
const conflict = (a: string, b: string) => manual[modes.indexOf(a)]?.[modes.indexOf(b)] === '#'

const targets = [orders, items, of.advisory(3)]
const pids = Array.from({ length: 10 }, (_, index) => index + 1)
const anyEntry: fc.Arbitrary<Entry> = fc.tuple(
  fc.constantFrom(...pids),
  fc.constantFrom(...modes),
  fc.constantFrom<LockTarget>(...targets),
)
const anyPid = fc.constantFrom(...pids)
const anyTable = fc
  .record({
    held: fc.array(anyEntry, { maxLength: 12 }),
    wanted: fc.uniqueArray(anyEntry, { maxLength: 9, selector: ([pid]) => pid }),
    begun: fc.array(anyPid),
  })
  .map(({ begun, ...random }) => {
    // Nobody waits who could be served.
    const served = naive(random, [])
    const held = [...random.held, ...random.wanted.filter(([pid]) => served.includes(pid))]
    const wanted = random.wanted.filter(([pid]) => !served.includes(pid))
    const groups = [
      ...held.map(([pid, mode, at]) => of.held(at, mode, pid)),
      ...wanted.map(([pid, mode, at], index) => of.wanted(at, mode, [pid, 100 - index])),
    ]
    const waiting = new Set(wanted.map(([pid]) => pid))
    const sessions = pids.map((pid) =>
      waiting.has(pid) ? (begun.includes(pid) ? inBlock(pid, 9) : alone(pid, 9)) : of.session(pid),
    )
    return { held, wanted, groups, sessions, waiting: [...waiting] }
  })

type Entry = [pid: number, mode: string, at: LockTarget]

/** Who is served when these have gone: from the definition, from the front of every queue again after each grant. */
function naive(
  { held, wanted }: { held: readonly Entry[]; wanted: readonly Entry[] },
  gone: readonly number[],
): number[] {
  const queues = targets.map((at) => {
    const queue: Entry[] = []
    for (const one of wanted.filter((other) => other[2] === at)) {
      const mine = held.filter(([pid, , on]) => on === at && pid === one[0])
      const place = queue.findIndex(
        ([pid, mode]) => pid !== one[0] && mine.some(([, heldMode]) => conflict(mode, heldMode)),
      )
      queue.splice(place < 0 ? queue.length : place, 0, one)
    }
    return queue.filter(([pid]) => !gone.includes(pid))
  })
  const holders = held.filter(([pid]) => !gone.includes(pid))
  const served: number[] = []
  for (;;) {
    const next = queues
      .flatMap((queue) => queue.map((one, place) => ({ one, queue, ahead: queue.slice(0, place) })))
      .find(
        ({ one: [pid, mode, at], ahead }) =>
          holders.every(([other, theirs, on]) => on !== at || other === pid || !conflict(mode, theirs)) &&
          ahead.every(([, theirs]) => !conflict(mode, theirs)),
      )
    if (!next) return served.sort((a, b) => a - b)
    holders.push(next.one)
    served.push(next.one[0])
    next.queue.splice(next.queue.indexOf(next.one), 1)
  }
}
const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)
const freedBy = ({ atOnce, inTurn, later }: WhatIf) => [...atOnce, ...inTurn, ...later]

describe('any table', () => {
  test('exactly those proceed at once whom a naive walk over all queues would grant', () => {
    fc.assert(
      fc.property(anyTable, fc.uniqueArray(anyPid, { minLength: 1, maxLength: 3 }), (table, gone) => {
        // To be served out of turn can change who holds what, and with it the places in the queues.
        fc.pre(naive(table, []).length === 0)
        const result = whatIf(table.groups, table.sessions, ...gone.map(terminate))
        expect(sorted(result.atOnce)).toEqual(naive(table, gone))
        for (const pid of table.waiting)
          expect(result.behind(pid).length > 0).toBe(!result.atOnce.includes(pid) && !gone.includes(pid))
      }),
      { numRuns: 2_000 },
    )
  })

  test('each waiter is in at most one list, and a session that ends is in none', () => {
    fc.assert(
      fc.property(anyTable, anyPid, (table, pid) => {
        fc.pre(naive(table, []).length === 0)
        const { atOnce, inTurn, later, stuck } = whatIf(table.groups, table.sessions, terminate(pid))
        const all = [...atOnce, ...inTurn, ...later, ...stuck]
        expect(new Set(all).size).toBe(all.length)
        expect(all.every((one) => one !== pid && table.waiting.includes(one))).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  test('ending all roots frees everybody outside a deadlock; ending more never frees fewer, nor a cancel more than a terminate', () => {
    fc.assert(
      fc.property(anyTable, anyPid, anyPid, (table, one, another) => {
        fc.pre(naive(table, []).length === 0)
        const { forest } = of.picture(table.sessions, table.groups)
        const roots = pids.filter((pid) => !table.waiting.includes(pid))
        const everybody = whatIf(table.groups, table.sessions, ...roots.map(terminate))
        if (forest.cycles.length === 0) expect(sorted(freedBy(everybody))).toEqual(sorted(table.waiting))

        const first = whatIf(table.groups, table.sessions, terminate(one))
        const both = whatIf(table.groups, table.sessions, terminate(one), terminate(another))
        const freedByBoth = [...freedBy(both), one, another]
        expect(freedBy(first).filter((pid) => !freedByBoth.includes(pid))).toEqual([])
        // A cancel never frees more than a terminate.
        const mild = freedBy(whatIf(table.groups, table.sessions, cancel(one)))
        expect(mild.filter((pid) => !freedBy(first).includes(pid))).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })

  test('a rehearsal does not change the result of the next one', () => {
    fc.assert(
      fc.property(anyTable, anyPid, anyPid, (table, one, another) => {
        const rehearsal = rehearse(of.lockTable(table.groups), table.sessions)
        const before = lists(rehearsal.whatIf(terminate(one)))
        rehearsal.whatIf(terminate(another))
        expect(lists(rehearsal.whatIf(terminate(one)))).toEqual(before)
      }),
    )
  })
})

test.each<[string, LockGroup[]]>([
  [
    'one row',
    of.rowQueue(
      1,
      Array.from({ length: 20_000 }, (_, index) => [index + 2, 30_000 - index]),
    ),
  ],
  [
    'one table',
    [
      of.held(orders, 'AccessShareLock', 1),
      ...['AccessExclusiveLock', 'RowExclusiveLock', 'ShareLock'].map((mode, index) =>
        of.wanted(
          orders,
          mode,
          ...Array.from({ length: 6_666 }, (_, at): [number, number] => [2 + 3 * at + index, 30_000 - at]),
        ),
      ),
    ],
  ],
])('twenty thousand who wait for %s', (_, groups) => {
  const sessions = Array.from({ length: 20_001 }, (_, index) => of.waiting(index + 1, 9))
  const cpu = startCpu()
  const result = whatIf(groups, sessions, terminate(1))
  // Every pair would be two hundred million.
  expect(cpu()).toBeLessThan(4_000)
  expect(freedBy(result).length).toBeGreaterThan(19_990)
})
