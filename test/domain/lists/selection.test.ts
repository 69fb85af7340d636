import { describe, expect, it } from 'vitest'
import type { Filters } from '../../../src/domain/lists/filters.ts'
import { chooseIdle, chooseLong, chooseSessions } from '../../../src/domain/lists/selection.ts'
import type { Picture } from '../../../src/domain/locks/picture.ts'
import * as of from '../../support/builders.ts'

/** The choice in short: pids, and how many more. */
function chosen(picture: Picture, filters: Filters = {}) {
  const { jams, moreJams, otherJams, groups, waiting } = chooseSessions(picture, of.thresholds, filters)
  return {
    jams: jams.map((jam) => (jam.kind === 'root' ? jam.root.pid : jam.pids)),
    ...(moreJams > 0 ? { moreJams } : {}),
    ...(otherJams > 0 ? { otherJams } : {}),
    waiting,
    ...Object.fromEntries(
      groups.map(({ kind, sessions, more }) => [
        kind,
        more > 0 ? [sessions.length, more] : sessions.map(({ pid }) => pid),
      ]),
    ),
  }
}

const many = (n: number, make: (pid: number) => ReturnType<typeof of.session>, from = 1) =>
  Array.from({ length: n }, (_, index) => make(from + index))

describe('chooseSessions', () => {
  it('takes one that waits for a safe snapshot for a victim, and not for slow', () => {
    const sessions = [
      of.idleInTransaction(1, 4000),
      of.session(2, {
        waitEventType: 'IPC',
        waitEvent: 'SafeSnapshot',
        querySeconds: 9000,
        stateSeconds: 9000,
      }),
    ]
    const table = { ...of.lockTable([]), confirmedBlockers: new Map([[2, [1]]]) }
    expect(chosen(of.picture(sessions, { kind: 'read', table }))).toEqual({ jams: [1], waiting: 1 })
  })

  it('shows a session once, for the worst thing that it does', () => {
    const sessions = [
      of.session(1, { stateSeconds: 9000 }),
      of.waiting(2, 8000),
      of.session(3, { stateSeconds: 7000 }),
      of.idleInTransaction(4, 400),
      of.idle(5, 4000),
      of.session(6),
    ]
    expect(chosen(of.picture(sessions, of.rowQueue(1, [[2, 8000]])))).toEqual({
      jams: [1],
      waiting: 1,
      longQuery: [3],
      idleInTransaction: [4],
      idle: [5],
    })
  })

  it('shows a jam however short the wait is', () => {
    expect(
      chosen(of.picture([of.session(1), of.waiting(2, 0.1)], of.rowQueue(1, [[2, null]]))),
    ).toMatchObject({
      jams: [1],
    })
  })

  it('without trouble shows the oldest five that do something, not those that are idle', () => {
    const sessions = [
      ...many(8, (pid) => of.session(pid, { stateSeconds: pid })),
      of.idle(20, 1000),
      of.idleInTransaction(21, 30),
    ]
    expect(chosen(of.picture(sessions))).toEqual({ jams: [], waiting: 0, other: [21, 8, 7, 6, 5] })
  })

  it('gives what one list does not need to the others', () => {
    const sessions = [
      ...many(30, (pid) => of.session(pid, { stateSeconds: 9000 })),
      ...many(3, (pid) => of.idle(pid, 9000), 100),
    ]
    expect(chosen(of.picture(sessions))).toEqual({
      jams: [],
      waiting: 0,
      longQuery: [17, 13],
      idle: [100, 101, 102],
    })
  })

  it('with a filter shows everything that matches, trouble first', () => {
    const sessions = [
      of.idle(1, 4000, { applicationName: 'batch' }),
      of.idle(2, 10, { applicationName: 'batch' }),
      of.session(3, { applicationName: 'batch' }),
      of.session(4),
      of.waiting(5, 3),
    ]
    expect(chosen(of.picture(sessions, of.rowQueue(4, [[5, 3]])), { app: 'batch' })).toEqual({
      jams: [],
      otherJams: 1,
      waiting: 1,
      idle: [1],
      other: [2, 3],
    })
  })

  it.each<[Filters, boolean]>([
    [{ db: 'orders' }, true],
    [{ user: 'shop', olderSeconds: 3600 }, true],
    [{ user: 'dana' }, false],
    [{ state: 'idle in transaction' }, false],
  ])('keeps a prepared transaction for %j: %s', (filters, kept) => {
    const picture = of.picture(
      [of.waiting(10, 60, { usename: 'app', datname: 'other' })],
      of.locksRead(of.rowQueue(-900, [[10, 60]]), { prepared: [of.prepared(900)] }),
    )
    expect(chosen(picture, filters).jams).toEqual(kept ? [0] : [])
  })

  it('never counts a cycle and its followers as waiting for nobody', () => {
    const picture = of.picture(
      [of.waiting(10, 1), of.waiting(11, 1), of.waiting(12, 1)],
      [
        of.held(of.advisory(1), 'ExclusiveLock', 10),
        of.held(of.advisory(2), 'ExclusiveLock', 11),
        of.wanted(of.advisory(2), 'ExclusiveLock', [10, 1]),
        of.wanted(of.advisory(1), 'ExclusiveLock', [11, 1], [12, 1]),
      ],
    )
    expect(chosen(picture)).toEqual({ jams: [[10, 11]], waiting: 3 })
  })
})

describe('chooseLong and chooseIdle', () => {
  const pids = ({ sessions, past }: ReturnType<typeof chooseLong>) => [past, sessions.map(({ pid }) => pid)]

  it('takes clients only', () => {
    const picture = of.picture([
      of.serverProcess(1, 'walsender', { state: 'active', stateSeconds: 90_000 }),
      of.session(2, { stateSeconds: 5000 }),
    ])
    expect(pids(chooseLong(picture, of.thresholds, {}))).toEqual([1, [2]])
  })

  it('shows the first twenty and keeps the rest apart', () => {
    const list = chooseLong(
      of.picture(many(33, (pid) => of.session(pid, { stateSeconds: 9000 - pid }))),
      of.thresholds,
      {},
    )
    expect([list.sessions.length, list.hidden.length, list.past]).toEqual([20, 13, 33])
  })

  it('does not fall back to the oldest where --older found none', () => {
    expect(pids(chooseIdle(of.picture([of.idle(1, 10)]), of.thresholds, { olderSeconds: 60 }))).toEqual([
      0,
      [],
    ])
    expect(pids(chooseIdle(of.picture([of.idle(1, 10)]), of.thresholds, {}))).toEqual([0, [1]])
  })
})
