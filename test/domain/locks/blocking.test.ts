import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blockingForest, type Forest } from '../../../src/domain/locks/blocking.ts'
import {
  type PreparedTransaction,
  type Session,
  unknownSession,
} from '../../../src/domain/session/session.ts'
import type { LockGroup, LockTable, LockTarget } from '../../../src/domain/session/snapshot.ts'
import { startCpu } from '../../support/cpu.ts'

/** The manual's table "Conflicting Lock Modes", row by row, in its own order. */
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
  '. . . . . . . X',
  '. . . . . . X X',
  '. . . . X X X X',
  '. . . X X X X X',
  '. . X X . X X X',
  '. . X X X X X X',
  '. X X X X X X X',
  'X X X X X X X X',
].map((row) => row.split(' ').map((cell) => cell === 'X'))
const conflict = (a: string, b: string): boolean => manual[modes.indexOf(a)]?.[modes.indexOf(b)] ?? false

const target = (fields: Partial<LockTarget>): LockTarget => ({
  locktype: 'relation',
  database: 5,
  relation: null,
  relationName: null,
  page: null,
  tuple: null,
  virtualxid: null,
  transactionid: null,
  classid: null,
  objid: null,
  objsubid: null,
  ...fields,
})
const orders = target({ relation: 16384, relationName: 'orders' })
const holds = (pid: number | number[], mode: string, on = orders): LockGroup => ({
  target: on,
  mode,
  granted: true,
  pids: [pid].flat(),
  waitStarts: [],
})
/** Waits since this many seconds; null: the server has not set it yet. */
const waits = (pid: number, mode: string, since: number | null, on = orders): LockGroup => ({
  target: on,
  mode,
  granted: false,
  pids: [pid],
  waitStarts: [since === null ? null : readAt - since],
})
const readAt = 1_000_000
const tableOf = (groups: readonly LockGroup[], more: Partial<LockTable> = {}): LockTable => ({
  readAt,
  groups,
  prepared: [],
  confirmedBlockers: new Map(),
  near: [],
  sharedRows: null,
  unchanged: new Set(),
  ...more,
})
const session = (pid: number, more: Partial<Session> = {}): Session => ({
  ...unknownSession,
  pid,
  backendStart: '2026-01-01 00:00:00.000001+00',
  datname: 'app',
  usename: 'app',
  state: 'active',
  backendSeconds: 1,
  ...more,
})
const worker = (pid: number, leaderPid: number) => session(pid, { leaderPid, backendType: 'parallel worker' })
const forestOf = (groups: readonly LockGroup[], sessions: readonly Session[] = []) =>
  blockingForest(tableOf(groups), sessions)
const shape = (forest: Forest) => forest.roots.map(({ pid, victims }) => [pid, victims])

describe('who blocks whom', () => {
  test.each(modes.flatMap((held) => modes.map((wanted) => [held, wanted] as const)))(
    '%s before %s',
    (held, wanted) => {
      const forest = forestOf([holds(1, held), waits(2, wanted, 5)])
      expect(forest.blockedBy(2)).toEqual(conflict(held, wanted) ? [1] : [])
      expect(shape(forest)).toEqual(conflict(held, wanted) ? [[1, [2]]] : [])
    },
  )

  test('a reader behind a waiting ALTER TABLE is blocked by it, not by the reader that holds it up', () => {
    const forest = forestOf([
      holds(1, 'AccessShareLock'),
      waits(2, 'AccessExclusiveLock', 60),
      waits(3, 'AccessShareLock', 50),
      waits(4, 'RowExclusiveLock', 40),
    ])
    expect([2, 3, 4].map(forest.blockedBy)).toEqual([[1], [2], [2]])
    expect(shape(forest)).toEqual([[1, [2, 3, 4]]])
    expect(forest.roots[0]).toMatchObject({ oldestWaitSeconds: 60, wait: { pid: 2, relationName: 'orders' } })
  })

  test('who came without a wait start yet stands last', () => {
    const groups = [holds(1, 'ShareLock'), waits(2, 'RowExclusiveLock', null), waits(3, 'ExclusiveLock', 1)]
    const forest = forestOf(groups)
    expect(forest.blockedBy(2)).toEqual([1, 3])
    expect(forest.blockedBy(3)).toEqual([1])
    expect(forest.waits.get(2)?.seconds).toBeNull()
  })

  test('who holds a lock already goes before the first that would have to wait for it', () => {
    const forest = forestOf([
      holds([1, 4], 'AccessShareLock'),
      holds(1, 'ShareLock'),
      waits(2, 'RowExclusiveLock', 30),
      waits(3, 'AccessExclusiveLock', 20),
      waits(4, 'RowExclusiveLock', 10),
    ])
    // 4 came last, but 3 waits for what 4 holds: 4 stands before 3, and behind 2.
    expect(forest.blockedBy(4)).toEqual([1])
    expect(forest.blockedBy(3)).toEqual([1, 2, 4])
  })

  test('a lock group is one party, by the name of its leader', () => {
    const sessions = [session(10), worker(11, 10), worker(12, 10), session(20)]
    const forest = forestOf(
      [
        holds([10, 11], 'AccessShareLock'),
        waits(12, 'AccessExclusiveLock', 9),
        waits(20, 'AccessExclusiveLock', 5),
      ],
      sessions,
    )
    expect(forest.blockedBy(20)).toEqual([10])
    expect(forest.blockedBy(10)).toEqual([])
    expect(forest.blockedBy(12)).toEqual([])
  })

  test('a leader waits with its workers', () => {
    const sessions = [session(10), worker(11, 10), worker(12, 10)]
    const forest = forestOf(
      [holds(1, 'AccessExclusiveLock'), waits(11, 'AccessShareLock', 3), waits(12, 'AccessShareLock', 8)],
      sessions,
    )
    expect([10, 11, 12].map(forest.blockedBy)).toEqual([[1], [1], [1]])
    expect(shape(forest)).toEqual([[1, [10]]])
    expect(forest.waits.get(10)).toMatchObject({ pid: 12, seconds: 8 })
  })

  test('a logical replication worker is a party of its own', () => {
    const apply = session(11, { leaderPid: 10, backendType: 'logical replication parallel worker' })
    const forest = forestOf([holds(10, 'ShareLock'), waits(11, 'RowExclusiveLock', 3)], [session(10), apply])
    expect(forest.blockedBy(11)).toEqual([10])
  })

  test('a prepared transaction blocks as pid 0, with its gid', () => {
    const prepared: PreparedTransaction = {
      xid: '4000000000',
      gid: 'two-phase',
      owner: 'app',
      database: 'app',
      prepared: '2026-01-01 00:00:00+00',
      preparedSeconds: 77,
    }
    const table = tableOf([holds([-4_000_000_000, -8], 'RowExclusiveLock'), waits(2, 'ShareLock', 5)], {
      prepared: [prepared],
    })
    const forest = blockingForest(table, [])
    expect(forest.blockedBy(2)).toEqual([0])
    expect(forest.roots).toMatchObject([
      { pid: 0, kind: 'preparedTransaction', victims: [2], prepared },
      { pid: 0, kind: 'preparedTransaction', victims: [2], prepared: null },
    ])
  })

  test('a wait for a row has its relation from the row lock', () => {
    const xid = target({ locktype: 'transactionid', database: null, transactionid: '77' })
    const row = target({ locktype: 'tuple', relation: 16384, relationName: 'orders', page: 0, tuple: 1 })
    const forest = forestOf([
      holds(1, 'ExclusiveLock', xid),
      holds(2, 'ExclusiveLock', row),
      waits(2, 'ShareLock', 9, xid),
      waits(3, 'ExclusiveLock', 4, row),
    ])
    expect(shape(forest)).toEqual([[1, [2, 3]]])
    expect(forest.roots[0]?.wait).toMatchObject({ pid: 2, relationName: 'orders', mode: 'ShareLock' })
    expect(forest.waits.get(3)?.relationName).toBe('orders')
  })

  test('the same number in another field is another target', () => {
    const xid = target({ locktype: 'transactionid', database: null, transactionid: '16384' })
    expect(forestOf([holds(1, 'ExclusiveLock', xid), waits(2, 'ExclusiveLock', 1)]).blockedBy(2)).toEqual([])
  })

  test('finds nothing when nobody waits', () => {
    const forest = forestOf([holds([1, 2, 3], 'AccessExclusiveLock')])
    expect([forest.roots, forest.cycles, forest.waits.size, forest.blockedBy(1)]).toEqual([[], [], 0, []])
  })

  test('worst first: more victims, then the older wait', () => {
    const of = (relation: number) => target({ relation })
    const forest = forestOf([
      ...[holds(1, 'ShareLock', of(1)), waits(11, 'ExclusiveLock', 900, of(1))],
      ...[
        holds(2, 'ShareLock', of(2)),
        waits(12, 'ExclusiveLock', 5, of(2)),
        waits(13, 'ExclusiveLock', 4, of(2)),
      ],
      ...[holds(3, 'ShareLock', of(3)), waits(14, 'ExclusiveLock', 901, of(3))],
    ])
    expect(shape(forest)).toEqual([
      [2, [12, 13]],
      [3, [14]],
      [1, [11]],
    ])
  })
})

describe('cycles and what the server was asked', () => {
  const a = target({ locktype: 'advisory', objid: 1 })
  const b = target({ locktype: 'advisory', objid: 2 })
  const deadlock = [
    ...[holds(1, 'ExclusiveLock', a), holds(2, 'ExclusiveLock', b)],
    ...[waits(1, 'ExclusiveLock', 3, b), waits(2, 'ExclusiveLock', 2, a), waits(3, 'ExclusiveLock', 1, a)],
  ]

  test('a deadlock is a cycle without a root; who waits behind it is no member', () => {
    const forest = forestOf(deadlock)
    expect(forest.cycles).toEqual([[1, 2]])
    expect(forest.roots).toEqual([])
    expect(forest.blockedBy(3)).toEqual([1, 2])
  })

  test('a waiter that would upgrade its own lock is no cycle with itself', () => {
    const forest = forestOf([holds([1, 2], 'ShareLock'), waits(2, 'ExclusiveLock', 4)])
    expect(forest.cycles).toEqual([])
    expect(shape(forest)).toEqual([[1, [2]]])
  })

  test('what the server says counts more than the lock table', () => {
    const forest = blockingForest(tableOf(deadlock, { confirmedBlockers: new Map([[1, [9]]]) }), [])
    expect(forest.blockedBy(1)).toEqual([9])
    expect(forest.cycles).toEqual([])
    expect(shape(forest)).toEqual([[9, [1, 2, 3]]])
  })

  test('who was asked about and does not wait any more is a root', () => {
    const forest = blockingForest(tableOf(deadlock, { confirmedBlockers: new Map([[1, []]]) }), [])
    expect(forest.waits.has(1)).toBe(false)
    expect(shape(forest)).toEqual([[1, [2, 3]]])
  })

  test('the server says 0 for the prepared transaction that holds what is waited for', () => {
    const groups = [holds([-7, 5], 'ShareLock'), waits(2, 'ExclusiveLock', 4)]
    const forest = blockingForest(tableOf(groups, { confirmedBlockers: new Map([[2, [0]]]) }), [])
    expect(forest.blockedBy(2)).toEqual([0])
    expect(shape(forest)).toEqual([[0, [2]]])
  })

  test('a wait for a safe snapshot is taken only from what the server answers', () => {
    const reader = session(5, { waitEventType: 'IPC', waitEvent: 'SafeSnapshot', querySeconds: 12 })
    const forest = blockingForest(tableOf([], { confirmedBlockers: new Map([[5, [1]]]) }), [
      session(1),
      reader,
    ])
    expect(forest.blockedBy(5)).toEqual([1])
    expect(forest.roots).toMatchObject([
      { pid: 1, victims: [5], oldestWaitSeconds: 12, wait: { mode: 'SafeSnapshot' } },
    ])
  })

  test('only who waits for a safe snapshot, and behind somebody, has such a wait', () => {
    const confirmedBlockers = new Map([
      [5, [1]],
      [6, []],
    ])
    const others = [session(5), session(6, { waitEventType: 'IPC', waitEvent: 'SafeSnapshot' })]
    expect(blockingForest(tableOf([], { confirmedBlockers }), [session(1), ...others]).waits.size).toBe(0)
  })
})

/** Everything from the definitions, naively: every pair, every path. */
function naive(groups: readonly LockGroup[], leaderOf: (pid: number) => number) {
  type Entry = { pid: number; party: number; mode: string; since: number; on: LockTarget }
  const entries = (granted: boolean): Entry[] =>
    groups
      .filter((group) => group.granted === granted)
      .flatMap(({ target: on, mode, pids, waitStarts }) =>
        pids.map((pid, at) => ({ pid, party: leaderOf(pid), mode, on, since: waitStarts[at] ?? Infinity })),
      )
  const holders = entries(true)
  const arrived = entries(false).sort((x, y) => (x.since === y.since ? 0 : x.since - y.since))
  const queues = new Map<LockTarget, Entry[]>()
  for (const one of arrived) {
    const queue = queues.get(one.on) ?? []
    const mine = holders.filter((holder) => holder.on === one.on && holder.party === one.party)
    const place = queue.findIndex(
      (other) => other.party !== one.party && mine.some((held) => conflict(other.mode, held.mode)),
    )
    queues.set(one.on, queue.toSpliced(place < 0 ? queue.length : place, 0, one))
  }
  const blockers = new Map<number, Set<number>>()
  for (const queue of queues.values()) {
    for (const [at, one] of queue.entries()) {
      const set = blockers.get(one.party) ?? new Set()
      for (const other of [...holders.filter((holder) => holder.on === one.on), ...queue.slice(0, at)])
        if (other.party !== one.party && conflict(one.mode, other.mode)) set.add(other.party)
      blockers.set(one.party, set)
    }
  }
  const reachable = (from: number, met = new Set<number>()): Set<number> => {
    for (const next of blockers.get(from) ?? []) if (!met.has(next)) reachable(next, met.add(next))
    return met
  }
  const waiting = [...blockers.keys()]
  const roots = new Set(waiting.flatMap((pid) => [...reachable(pid)]).filter((pid) => !blockers.has(pid)))
  return {
    blockedBy: (pid: number) =>
      sorted([...(blockers.get(leaderOf(pid)) ?? [])].map((party) => Math.max(party, 0))),
    roots: [...roots]
      .map((root) => `${Math.max(root, 0)} < ${sorted(waiting.filter((pid) => reachable(pid).has(root)))}`)
      .sort(),
    behind: (pid: number) =>
      sorted(waiting.filter((one) => one !== leaderOf(pid) && reachable(one).has(leaderOf(pid)))),
    inCycles: sorted(waiting.filter((pid) => reachable(pid).has(pid))),
  }
}
const sorted = (pids: readonly number[]) => [...new Set(pids)].sort((x, y) => x - y)

const targets = [orders, target({ relation: 2 }), target({ locktype: 'advisory', objid: 2 })]
const anyTable = fc.record({
  held: fc.array(
    fc.record({
      pid: fc.integer({ min: 1, max: 12 }),
      mode: fc.constantFrom(...modes),
      on: fc.constantFrom(...targets),
    }),
    { maxLength: 14 },
  ),
  prepared: fc.array(fc.record({ mode: fc.constantFrom(...modes), on: fc.constantFrom(...targets) }), {
    maxLength: 2,
  }),
  waiting: fc.uniqueArray(
    fc.record({
      pid: fc.integer({ min: 1, max: 12 }),
      mode: fc.constantFrom(...modes),
      on: fc.constantFrom(...targets),
      since: fc.option(fc.integer({ min: 0, max: 20 }), { freq: 8 }),
    }),
    { maxLength: 10, selector: ({ pid }) => pid },
  ),
  // A worker's leader; 1 to 4 lead, 9 to 12 may be workers.
  leaders: fc.array(fc.tuple(fc.integer({ min: 9, max: 12 }), fc.integer({ min: 1, max: 4 })), {
    maxLength: 3,
  }),
})

test('any table: edges, roots, victims and cycles are those of the definition', () => {
  fc.assert(
    fc.property(anyTable, ({ held, prepared, waiting, leaders }) => {
      const leader = new Map(leaders)
      const groups = [
        ...held.map(({ pid, mode, on }) => holds(pid, mode, on)),
        ...prepared.map(({ mode, on }, at) => holds(-100 - at, mode, on)),
        ...waiting.map(({ pid, mode, on, since }) => waits(pid, mode, since, on)),
      ]
      const sessions = Array.from({ length: 12 }, (_, at) => at + 1).map((pid) =>
        leader.has(pid) ? worker(pid, leader.get(pid) ?? 0) : session(pid),
      )
      const forest = forestOf(groups, sessions)
      const expected = naive(groups, (pid) => leader.get(pid) ?? pid)
      for (const { pid } of sessions) {
        expect(forest.blockedBy(pid)).toEqual(expected.blockedBy(pid))
        expect(sorted(forest.behind(pid))).toEqual(expected.behind(pid))
      }
      expect(forest.roots.map(({ pid, victims }) => `${pid} < ${sorted(victims)}`).sort()).toEqual(
        expected.roots,
      )
      expect(sorted(forest.cycles.flat())).toEqual(expected.inCycles)
    }),
    { numRuns: 1_000 },
  )
})

test('a long queue stays linear', () => {
  const count = 50_000
  const pids = Array.from({ length: count }, (_, at) => at + 2)
  const queue: LockGroup[] = modes.slice(0, 7).map((mode, index) => {
    const mine = pids.filter((pid) => pid % 7 === index)
    return { target: orders, mode, granted: false, pids: mine, waitStarts: mine.map((pid) => pid) }
  })
  const cpu = startCpu()
  const forest = forestOf([holds(1, 'AccessExclusiveLock'), ...queue])
  // Every pair would be some hundred million edges.
  expect(cpu()).toBeLessThan(5_000)
  expect(forest.roots).toMatchObject([{ pid: 1 }])
  expect(forest.roots[0]?.victims).toHaveLength(count)
})
