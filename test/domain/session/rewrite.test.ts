import { expect, test } from 'vitest'
import { jamRecommendations } from '../../../src/domain/locks/recommendation.ts'
import { jamsIn } from '../../../src/domain/locks/tree.ts'
import { workLost } from '../../../src/domain/locks/workLost.ts'
import { fittingAction } from '../../../src/domain/session/allowedAction.ts'
import { rewriteOf } from '../../../src/domain/session/rewrite.ts'
import { maskQuery } from '../../../src/domain/text/mask.ts'
import { costOf } from '../../../src/views/card/cost.ts'
import * as of from '../../support/builders.ts'

const running = (query: string, over = {}) => of.session(1, { query, ...over })

test.each([
  ['REPACK t', false],
  ['repack t (a, b) using index i', false],
  ['REPACK (VERBOSE, ANALYZE) t', false],
  ['REPACK (CONCURRENTLY FALSE) t', false],
  ['REPACK (concurrently) t', true],
  ['/* night */ REPACK (VERBOSE, CONCURRENTLY ON) s.t USING INDEX', true],
  ['VACUUM FULL t', false],
  ['VACUUM (VERBOSE, FULL) t', false],
  ['CLUSTER t USING i', false],
  // Each table that is done stays so.
  ['REPACK', null],
  ['REPACK USING INDEX', null],
  ['VACUUM FULL a, b', null],
  ['VACUUM (FULL OFF) t', null],
  ['VACUUM t', null],
  ['SELECT repack FROM t', null],
  ["SELECT 'REPACK t'", null],
  ['REPACKAGE t', null],
])('%s: concurrent %s', (query, isConcurrent) => {
  for (const text of [query, maskQuery(query)])
    expect(rewriteOf(running(text))?.isConcurrent ?? null).toBe(isConcurrent)
  expect(rewriteOf(of.idle(1, 5, { query }))).toBeNull()
})

test('to end one costs all that it has copied, and nothing stays of it', () => {
  const alone = running('REPACK t', { backendXid: '9', querySeconds: 7200 })
  expect(costOf('cancel', alone, workLost(alone, undefined), null)).toMatch(
    /^The rollback takes a moment only: the new copy of the table is removed\. Run again, it begins from the start\. Its client gets/,
  )
  const online = running('REPACK (CONCURRENTLY) t', { backendXid: '9', querySeconds: 7200 })
  expect(costOf('cancel', online, workLost(online, undefined), null)).toContain(
    'removed, and its worker and replication slot (repack_…) go with it. Run again',
  )
  // It has no transaction id yet while its worker makes the slot.
  const begun = running('REPACK (CONCURRENTLY) t')
  expect(workLost(begun, undefined)).toBe('activeReader')
  expect(costOf('cancel', begun, 'activeReader', null)).toContain('nothing was written')
})

/** As 19 shows it: the worker is in the lock group of its leader. */
const worker = (over = {}) =>
  of.serverProcess(20, 'REPACK decoding worker', {
    leaderPid: 10,
    state: 'active',
    datname: 'orders',
    ...over,
  })
const leader = (over = {}) =>
  of.session(10, { query: 'REPACK (CONCURRENTLY) orders', applicationName: 'night', ...over })
const orders = of.relation('public.orders')
const said = (picture: ReturnType<typeof of.picture>, root: number) => {
  const jam = jamsIn(picture.forest).find((one) => one.root?.pid === root)
  return jam && jamRecommendations(picture, [])(jam)
}

test('while it copies, an ALTER TABLE waits behind it; the cheapest way is to cancel that', () => {
  const picture = of.picture(
    [
      leader({
        querySeconds: 7200,
        backendXid: '9',
        waitEventType: 'IPC',
        waitEvent: 'RepackWorkerExport',
        sameWaitSeconds: 60,
      }),
      worker({ waitEventType: 'IO', waitEvent: 'WalRead' }),
      of.waiting(30, 50, { query: 'ALTER TABLE orders ADD x int' }),
    ],
    of.locksRead([
      of.held(orders, 'ShareUpdateExclusiveLock', 10),
      of.wanted(orders, 'AccessExclusiveLock', [30, 50]),
    ]),
  )
  const recommendation = said(picture, 10)
  expect([recommendation?.best, ...(recommendation?.others ?? [])]).toMatchObject([
    { action: 'cancel', pid: 10 },
  ])
  expect(recommendation?.best?.text).toContain('its new copy of the table, 2 h of work, is thrown away')
  expect(recommendation?.text).toContain(
    '10 waits for the worker that reads for its REPACK what others change meanwhile (IPC/RepackWorkerExport',
  )
  expect(recommendation?.text).toContain('Behind it can be 20 (REPACK decoding worker')
})

test('while its worker waits for an old transaction, the root is who has that, and the worker is no target', () => {
  const xid = of.transaction('700')
  const picture = of.picture(
    [
      of.idleInTransaction(5, 300, { backendXid: '700', applicationName: 'report' }),
      leader({ waitEventType: 'IPC', waitEvent: 'RepackWorkerExport' }),
      worker({ waitEventType: 'Lock', waitEvent: 'transactionid' }),
      of.waiting(30, 50, { query: 'ALTER TABLE orders ADD x int' }),
    ],
    of.locksRead([
      of.held(xid, 'ExclusiveLock', 5),
      of.wanted(xid, 'ShareLock', [20, 60]),
      of.held(orders, 'ShareUpdateExclusiveLock', 10),
      of.wanted(orders, 'AccessExclusiveLock', [30, 50]),
    ]),
  )
  expect(picture.forest.roots.map(({ pid }) => pid)).toEqual([5])
  expect(said(picture, 5)?.best?.pid).not.toBe(20)
  expect(fittingAction(worker(), of.server({ versionNum: 190_000 }), [])).toEqual({
    action: null,
    why: 'It reads for a REPACK (CONCURRENTLY) what others change meanwhile: act on its leader.',
  })
})

test('at its last step it asks for the strong lock, and to end it there is the dearest way', () => {
  const picture = of.picture(
    [
      of.idleInTransaction(5, 300, { applicationName: 'report' }),
      leader({
        querySeconds: 7200,
        backendXid: '9',
        waitEventType: 'Lock',
        waitEvent: 'relation',
      }),
      of.waiting(30, 50, { query: 'SELECT FROM orders' }),
    ],
    of.locksRead([
      of.held(orders, 'AccessShareLock', 5),
      of.wanted(orders, 'AccessExclusiveLock', [10, 60]),
      of.wanted(orders, 'AccessShareLock', [30, 50]),
    ]),
  )
  const recommendation = said(picture, 5)
  expect(recommendation?.best).toMatchObject({ action: 'terminate', pid: 5 })
  expect(recommendation?.others).toMatchObject([{ action: 'cancel', pid: 10, workLost: 'activeWriter' }])
})
