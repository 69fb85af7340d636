import { describe, expect, it } from 'vitest'
import { blockingJson, sessionsJson } from '../../src/answers/json.ts'
import * as of from '../support/builders.ts'

const root = of.idleInTransaction(4312, 305)
const sessions = [
  root,
  of.waiting(4320, 130),
  of.waiting(4321, 90),
  of.waiting(4330, 4),
  of.session(9),
  of.serverProcess(3, 'checkpointer'),
]
const groups = [
  ...of.rowQueue(4312, [
    [4320, 130],
    [4321, 90],
  ]),
  ...of.rowQueue(-900, [[4330, 4]], 'public.payments', 2),
]
const picture = of.picture(sessions, of.locksRead(groups, { prepared: [of.prepared(900)] }))

describe('blockingJson', () => {
  it('has the roots with their recommendations, and everybody who blocks or waits', () => {
    const json = blockingJson(picture, [])
    expect(JSON.parse(JSON.stringify({ ...json, sessions: [] }))).toEqual({
      cluster: 'orders',
      takenAt: '2026-03-01T03:00:00.000Z',
      locksTakenAt: '2026-03-01T03:00:00.000Z',
      locksUnread: null,
      seesOthers: true,
      roots: [
        {
          pid: 4312,
          backendStart: root.backendStart,
          kind: 'session',
          gid: null,
          victims: [4320, 4321],
          oldestWaitSeconds: 130,
          recommendation: {
            action: 'terminate',
            pid: 4312,
            backendStart: root.backendStart,
            reason:
              'Terminate 4312 (web, idle in transaction for 5 min 5 s, it has written nothing): 1 of 2 waiters proceeds at once, 1 follows. Cancel has no effect on it: no statement is running.',
            otherwise: 'Cancel has no effect on it: no statement is running.',
            expected: { atOnce: [4320], follow: [4321], unsure: [] },
            others: [],
          },
        },
        {
          pid: 0,
          backendStart: null,
          kind: 'preparedTransaction',
          gid: 'payment-77',
          victims: [4330],
          oldestWaitSeconds: 4,
          recommendation: {
            action: null,
            pid: 0,
            backendStart: null,
            reason:
              "No session to end: the prepared transaction 'payment-77' (shop, prepared 3 h ago) holds the lock. Ask whoever coordinates it; by hand, in database orders as shop or a superuser: ROLLBACK PREPARED 'payment-77';",
            otherwise: null,
            expected: { atOnce: [], follow: [], unsure: [4330] },
            others: [],
          },
        },
      ],
      cycles: [],
      sessions: [],
    })
    expect(json.sessions.map(({ pid, blockedBy }) => [pid, blockedBy])).toEqual([
      [4312, []],
      [4320, [4312]],
      [4321, [4320]],
      [4330, [0]],
    ])
    expect(json.sessions[0]).toEqual({ ...root, blockedBy: [], tags: {} })
  })

  it('recommends nothing against a protected session, and says why', () => {
    const [first] = blockingJson(picture, [{ applicationName: 'web' }]).roots
    expect(first?.recommendation).toEqual({
      action: null,
      pid: 4312,
      backendStart: null,
      reason:
        'Nothing can be done to 4312 (web, idle in transaction for 5 min 5 s) from here. It is protected by the configuration (applicationName: web).',
      otherwise: null,
      expected: { atOnce: [], follow: [], unsure: [4320, 4321] },
      others: [],
    })
  })

  it('recommends to cancel the queued ALTER TABLE, not the root', () => {
    const items = of.relation('public.items')
    const queue = of.picture(
      [of.session(1, { stateSeconds: 40 }), of.waiting(2, 30), of.waiting(3, 20)],
      of.locksRead([
        of.held(items, 'AccessShareLock', 1),
        of.wanted(items, 'AccessExclusiveLock', [2, 30]),
        of.wanted(items, 'AccessShareLock', [3, 20]),
      ]),
    )
    const [first] = blockingJson(queue, []).roots
    expect(first).toMatchObject({ pid: 1, recommendation: { action: 'cancel', pid: 2 } })
    // The target is a victim of the root, and stands in no list.
    expect(first?.recommendation.expected).toEqual({ atOnce: [3], follow: [], unsure: [] })
    expect(first?.recommendation.others).toHaveLength(1)
  })

  it('says that the locks are old in a lock storm', () => {
    const storm = of.picture(sessions, {
      kind: 'jammed',
      why: 'busy',
      last: of.lockTable(groups.slice(0, 2)),
      lastTakenAt: of.takenAt - 5000,
    })
    expect(blockingJson(storm, [])).toMatchObject({
      locksTakenAt: '2026-03-01T02:59:55.000Z',
      locksUnread: 'busy',
      roots: [{ pid: 4312, victims: [4320] }],
    })
  })
})

describe('sessionsJson', () => {
  it('has every client, with the statements where they are given', () => {
    const json = sessionsJson(
      picture,
      sessions.map((session) => ({ ...session, query: `text of ${session.pid}` })),
    )
    expect(json.totals).toEqual({ active: 4, idle: 0, idleInTransaction: 1, waiting: 3, used: 7, max: 100 })
    const blind = of.picture(sessions, { kind: 'none' }, { server: of.server({ seesOthers: false }) })
    expect(sessionsJson(blind)).toMatchObject({ seesOthers: false, totals: null })
    expect(json.sessions.map(({ pid, query }) => [pid, query])).toEqual(
      [4312, 4320, 4321, 4330, 9].map((pid) => [pid, `text of ${pid}`]),
    )
  })
})

describe('a recommendation', () => {
  it('is rehearsed also where the longest wait is one for a safe snapshot', () => {
    const orders = of.relation('orders')
    const report = of.session(4100, { querySeconds: 7_200 })
    const readers = Array.from({ length: 10 }, (_, index) => 5_000 + index)
    const jam = of.picture(
      [
        report,
        of.session(5, { waitEventType: 'IPC', waitEvent: 'SafeSnapshot', querySeconds: 100 }),
        of.waiting(4312, 40, { backendXid: '900' }),
        ...readers.map((pid) => of.waiting(pid, 30)),
      ],
      of.locksRead(
        [
          of.held(orders, 'AccessShareLock', 4100),
          of.wanted(orders, 'AccessExclusiveLock', [4312, 40]),
          of.wanted(orders, 'AccessShareLock', ...readers.map((pid): [number, number] => [pid, 30])),
        ],
        { confirmedBlockers: new Map([[5, [4100]]]) },
      ),
    )
    expect(jam.forest.roots[0]?.wait.mode).toBe('SafeSnapshot')
    expect(blockingJson(jam, []).roots[0]?.recommendation).toMatchObject({ action: 'cancel', pid: 4312 })
  })
})
