import { expect, test } from 'vitest'
import { findings } from '../../../src/domain/incidents/finding.ts'
import { noForest } from '../../../src/domain/locks/blocking.ts'
import { workLost } from '../../../src/domain/locks/workLost.ts'
import { fittingAction } from '../../../src/domain/session/allowedAction.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { costOf, workOf } from '../../../src/views/card/cost.ts'
import { whyOfFinding } from '../../../src/views/card/findings.ts'
import { plainWords } from '../../../src/views/kit.ts'
import * as of from '../../support/builders.ts'

/** A state is no fact about what is held: that follows from ids, snapshots and locks. */

const why = (session: Session) =>
  whyOfFinding({ kind: 'idleInTransaction', session, seconds: 400 }).map(plainWords).join(' ')
const failed = of.idleInTransaction(1, 400, {
  state: 'idle in transaction (aborted)',
  xactStart: null,
  xactSeconds: null,
})

test('a transaction that has failed outside of a savepoint holds a connection', () => {
  expect(why(failed)).toContain('holds no locks of tables or rows, and does not hold vacuum back')
  expect(workOf(failed, 'idleReader')).toBe('Its transaction has failed: nothing of it is left to be lost.')
  expect(fittingAction(failed, of.server(), []).why).not.toMatch(/locks are released|rolls/)
  expect(workLost(failed, undefined)).toBe('idleReader')
})

test('one that has failed in a savepoint keeps what it locked before', () => {
  const session = { ...failed, xactStart: of.serverTime(500), xactSeconds: 500, backendXid: '9' }
  expect(why(session)).toContain('keeps its locks, also on rows, and holds vacuum back')
  expect(workLost(session, undefined)).toBe('idleWriter')
  expect(fittingAction(session, of.server(), []).why).toContain('locks are released')
})

test('one that has only read: what it holds follows from its snapshot', () => {
  const reader = of.idleInTransaction(1, 400)
  expect(why(reader)).toMatch(/locks on the tables .* locked no rows, and does not hold vacuum back/)
  const repeatable = { ...reader, backendXmin: '700' }
  expect(why(repeatable)).toContain('its snapshot keeps removed rows from being cleaned up')
  expect(why(repeatable)).not.toContain('also on rows')
})

test('with row locks alone nothing was written', () => {
  const locker = of.idleInTransaction(1, 400, { backendXid: '9' })
  const writers = { certain: new Set([1]), unchanged: new Set([1]) }
  expect(workLost(locker, undefined, writers)).toBe('idleReader')
  expect(workLost(locker, undefined, { ...writers, unchanged: new Set() })).toBe('idleWriter')
  expect(workOf(locker, 'idleReader')).toContain('it has locked rows, and changed no table')
  expect(costOf('terminate', locker, 'idleReader', null)).toContain('nothing was written')
  expect(costOf('terminate', locker, 'idleWriter', null)).toContain('dead rows')
  expect(workOf({ ...locker, backendXid: null }, 'idleReader')).toContain('it has written nothing')
})

test('temporary tables go with a session, not with a statement', () => {
  const lost = 'Temporary tables of the session are lost, if it has any.'
  for (const session of [of.idle(1, 400), of.idleInTransaction(1, 400), of.session(1)])
    expect(costOf('terminate', session, 'idle', null)).toContain(lost)
  expect(costOf('cancel', of.session(1), 'activeReader', null)).not.toContain('emporary')
})

test('who has failed is no suspect in a lock storm', () => {
  const held = of.idleInTransaction(2, 10, { backendXid: '9' })
  const shot = of.snapshot([failed, held], {
    locks: { kind: 'jammed', why: 'busy', last: null, lastTakenAt: null },
  })
  const [storm] = findings(shot, noForest, of.thresholds)
  expect(storm).toMatchObject({ kind: 'lockStorm', suspects: [{ pid: 2 }] })
})
