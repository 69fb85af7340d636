import { expect, test } from 'vitest'
import { jamBehind, jamRecommendations } from '../../../src/domain/locks/recommendation.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { LockGroup } from '../../../src/domain/session/snapshot.ts'
import * as of from '../../support/builders.ts'

const orders = of.relation('orders')
const other = of.relation('other', 20_000)

/** What is said of the jam behind `root`, which holds orders. */
function said(root: Session, others: readonly Session[] = [], groups: readonly LockGroup[] = []) {
  const picture = of.picture(
    [root, of.waiting(9, 60), ...others],
    [
      of.held(orders, 'ShareUpdateExclusiveLock', root.pid),
      of.wanted(orders, 'ShareLock', [9, 60]),
      ...groups,
    ],
  )
  const jam = picture.forest.roots.find(({ pid }) => pid === root.pid)
  const advice = jam && jamRecommendations(picture, [])(jamBehind(jam))
  if (!advice) throw new Error('no jam')
  return advice
}
const inWait = (pid: number, waitEventType: string, waitEvent: string, over: Partial<Session> = {}) =>
  of.session(pid, { waitEventType, waitEvent, stateSeconds: 60, ...over })
const vacuum = (waitEventType: string, waitEvent: string, over: Partial<Session> = {}) =>
  of.serverProcess(900, 'autovacuum worker', {
    waitEventType,
    waitEvent,
    state: 'active',
    stateSeconds: 60,
    datname: 'orders',
    query: 'autovacuum: VACUUM public.orders (to prevent wraparound)',
    sameWaitSeconds: 40,
    ...over,
  })

test('a vacuum that waits for a pin is not let finish: who has a cursor on its table is named', () => {
  const cursor = of.idleInTransaction(7, 300, { applicationName: 'report', backendXmin: '700' })
  const elsewhere = of.idleInTransaction(8, 600, { backendXmin: '650' })
  const { text, named } = said(
    vacuum('BufferPin', 'BufferPin'),
    [cursor, elsewhere],
    [of.held(orders, 'AccessShareLock', 7), of.held(other, 'AccessShareLock', 8)],
  )
  expect(text).not.toContain('Let it finish')
  expect(text).toMatch(
    / 900 waits for a page that others have in use \(BufferPin\/BufferPin, at every look for 40 s\)\. Behind it can be 7 \(report, idle in transaction for 5 min\): a session with an open cursor/,
  )
  expect(text).not.toContain(' 8 (')
  expect(named).toContain(7)
})

test('where nobody’s lock on the table is seen, all of the database with a snapshot may be behind a pin', () => {
  const { text } = said(vacuum('Buffer', 'BufferCleanup'), [
    of.idleInTransaction(5, 100, { backendXmin: null }),
    of.idleInTransaction(6, 100, { backendXmin: '700', datname: 'elsewhere' }),
    of.idleInTransaction(7, 100, { backendXmin: '700' }),
    of.session(8, { stateSeconds: 50, backendXmin: '700' }),
    of.idle(4, 100, { backendXmin: '700' }),
    of.serverProcess(3, 'walsender', { state: 'active', backendXmin: '700' }),
  ])
  expect(text).toMatch(/Behind it can be 7 \([^)]*\), 8 \([^)]*\): /)
})

test('a vacuum that works slowly on purpose is let finish', () => {
  const { text } = said(vacuum('Timeout', 'VacuumDelay'))
  expect(text).toContain('Let it finish')
  expect(text).toContain('900 waits for its next turn: it works slowly on purpose (Timeout/VacuumDelay')
})

test('a wait that ends by itself is mentioned only when it lasts', () => {
  expect(said(vacuum('IO', 'DataFileRead', { sameWaitSeconds: 9 })).text).not.toContain('waits for the disk')
  expect(said(vacuum('IO', 'DataFileRead', { sameWaitSeconds: 10 })).text).toContain('waits for the disk')
  expect(said(vacuum('BufferPin', 'BufferPin', { sameWaitSeconds: 0 })).text).toContain(
    'in use (BufferPin/BufferPin). Behind',
  )
  expect(said(of.session(1, { stateSeconds: 60 })).text).not.toContain('waits for')
})

test('a barrier is held up by who takes no note of it, those first who are known not to', () => {
  const dropping = inWait(1, 'IPC', 'ProcSignalBarrier', { sameWaitSeconds: 30 })
  const { text, named } = said(dropping, [
    of.session(2, { stateSeconds: 20, query: 'SELECT work()' }),
    of.session(3, { stateSeconds: 90, query: 'SELECT work()' }),
    of.session(4, { stateSeconds: 60, query: 'COPY t FROM PROGRAM ?' }),
    inWait(5, 'Client', 'ClientWrite', { stateSeconds: 10 }),
    of.idle(6, 600),
    inWait(7, 'IO', 'DataFileRead', { stateSeconds: 600 }),
    of.waiting(8, 600),
    of.serverProcess(10, 'archiver', { waitEventType: 'IPC', waitEvent: 'ArchiveCommand' }),
  ])
  expect(text).toMatch(
    /1 waits for every process of the server .* Behind it can be 4 \(COPY[^)]*\), 5 \([^)]*\), 10 \(archiver\), 1 more: /,
  )
  expect(named).toEqual(expect.arrayContaining([4, 5, 10]))
})

test('three are named, and no more are counted', () => {
  const dropping = inWait(1, 'IPC', 'ProcSignalBarrier')
  const outside = [4, 5, 6].map((pid) => of.session(pid, { query: 'COPY t FROM PROGRAM ?' }))
  const { text } = said(dropping, outside)
  expect(text).toMatch(/Behind it can be 4 \([^)]*\), 5 \([^)]*\), 6 \([^)]*\): a session/)
})

test('a commit waits for standbys: those that are connected are named', () => {
  const commit = inWait(1, 'IPC', 'SyncRep')
  const standby = of.serverProcess(2, 'walsender', { applicationName: 'standby_2', state: 'active' })
  expect(said(commit, [standby]).text).toMatch(/Behind it can be 2 \(standby_2[^)]*\): the standbys of/)
  expect(said(commit).text).toContain('Behind it can be the standbys of synchronous_standby_names')
})

test('a parallel query is held up where one of its own is', () => {
  const leader = inWait(1, 'IPC', 'ExecuteGather')
  const worker = (over: Partial<Session>) =>
    of.serverProcess(2, 'parallel worker', { leaderPid: 1, state: 'active', stateSeconds: 60, ...over })
  expect(said(leader, [worker({})]).text).not.toContain('waits for the other processes')
  expect(said(leader, [worker({ waitEventType: 'IO', waitEvent: 'DataFileRead' })]).text).not.toContain(
    'waits for the other processes',
  )
  expect(
    said(leader, [worker({ waitEventType: 'Extension', waitEvent: 'PostgresFdwGetResult' })]).text,
  ).toMatch(/waits for the other processes of its parallel query .* Behind it can be 2 \(/)
})

test('a root that cannot finish is not said to', () => {
  const alter = of.waiting(4312, 40, { backendXid: '900', query: 'ALTER TABLE orders ADD COLUMN note text' })
  const readers = [5, 6, 7].map((pid) => of.waiting(pid, 30))
  const textWith = (root: Session) => {
    const picture = of.picture(
      [root, alter, ...readers],
      [
        of.held(orders, 'AccessShareLock', root.pid),
        of.wanted(orders, 'AccessExclusiveLock', [4312, 40]),
        of.wanted(orders, 'AccessShareLock', [5, 30], [6, 30], [7, 30]),
      ],
    )
    const [jam] = picture.forest.roots
    return jam && jamRecommendations(picture, [])(jamBehind(jam))?.text
  }
  expect(textWith(of.session(1, { stateSeconds: 60 }))).toContain('may finish')
  expect(textWith(inWait(1, 'IO', 'DataFileRead'))).toContain('may finish')
  expect(textWith(inWait(1, 'Client', 'ClientWrite'))).toMatch(/; 1 \([^)]*\) stays\. 1 waits for its client/)
  expect(textWith(inWait(1, 'Extension', 'DblinkGetResult'))).toMatch(/; 1 \([^)]*\) stays\. /)
})
