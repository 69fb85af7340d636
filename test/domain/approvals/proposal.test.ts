import { describe, expect, it, test } from 'vitest'
import { differences, stands, stillThere } from '../../../src/domain/approvals/approvedState.ts'
import { movedOn } from '../../../src/domain/approvals/outcome.ts'
import { victimsAmong } from '../../../src/domain/approvals/proposal.ts'
import { fittingAction, objection } from '../../../src/domain/session/allowedAction.ts'
import {
  idle,
  idleInTransaction,
  server,
  serverProcess,
  serverTime,
  session,
  waiting,
} from '../../support/builders.ts'
import { proposal } from '../../support/proposals.ts'

describe('fittingAction', () => {
  const protectedSessions = [{ applicationName: 'pg_dump' }]
  test.each([
    ['an active session', session(1), 'cancel', /ends its statement/],
    ['one that waits for a lock', waiting(1, 40), 'cancel', /ends its statement/],
    ['one idle in a transaction', idleInTransaction(1, 400), 'terminate', /rolls its transaction back/],
    [
      'an aborted one',
      idleInTransaction(1, 400, { state: 'idle in transaction (aborted)' }),
      'terminate',
      /rolls/,
    ],
    ['an idle one', idle(1, 4000), 'terminate', /No transaction is open; temporary tables/],
    [
      'one that waits for its client',
      session(1, { waitEventType: 'Client', waitEvent: 'ClientWrite' }),
      'terminate',
      /ends the session/,
    ],
    [
      'a COPY that waits for data',
      session(1, { waitEventType: 'Client', waitEvent: 'ClientRead' }),
      'terminate',
      /ends the session/,
    ],
    [
      'a protected one',
      session(1, { applicationName: 'pg_dump' }),
      null,
      /protected by the configuration \(applicationName: pg_dump\)/,
    ],
    ['a superuser', session(1, { isSuperuser: true }), null, /superuser/],
    ['autovacuum', serverProcess(1, 'autovacuum worker'), null, /comes back/],
    ['a walsender', serverProcess(1, 'walsender'), null, /replication/],
    ...['logical replication worker', 'logical replication apply worker'].map(
      (type) => [`a ${type}`, serverProcess(1, type), null, /ALTER SUBSCRIPTION … DISABLE/] as const,
    ),
    ['the checkpointer', serverProcess(1, 'checkpointer'), null, /server process \(checkpointer\)/],
    [
      'one that has committed',
      session(1, { waitEventType: 'IPC', waitEvent: 'SyncRep' }),
      null,
      /has committed and waits for a synchronous standby .* synchronous_standby_names/,
    ],
    ['an unseen one', session(1, { state: null }), null, /pg_monitor/],
    ['an untracked one', session(1, { state: 'disabled' }), null, /track_activities/],
  ] as const)('%s', (_, about, action, why) => {
    const fit = fittingAction(about, server(), protectedSessions)
    expect(fit.action).toBe(action)
    expect(fit.why).toMatch(why)
  })

  it('lets a superuser act on superusers', () => {
    expect(fittingAction(session(1, { isSuperuser: true }), server({ isSuperuser: true }), []).action).toBe(
      'cancel',
    )
  })

  it('objects to a cancel that has no effect, and to nothing that has one', () => {
    expect(objection('cancel', idleInTransaction(1, 400), server(), [])).toMatch(/no effect/)
    expect(objection('terminate', idleInTransaction(1, 400), server(), [])).toBeNull()
    expect(objection('terminate', session(1), server(), [])).toBeNull()
    expect(objection('cancel', session(1), server(), [])).toBeNull()
  })
})

describe('differences', () => {
  const active = session(1)
  const resting = idleInTransaction(1, 400)
  const unused = idle(1, 4000)
  test.each([
    ['a cancel of the same statement', 'cancel', active, { ...active, querySeconds: 9 }, []],
    [
      'a cancel of the next statement',
      'cancel',
      active,
      { ...active, queryStart: serverTime(0) },
      ['it runs another statement'],
    ],
    [
      'a cancel of the next statement of the same message',
      'cancel',
      { ...active, queryId: '1' },
      { ...active, queryId: '2' },
      ['it runs another statement'],
    ],
    [
      'a cancel of a statement that had only just begun',
      'cancel',
      { ...active, queryId: null },
      { ...active, queryId: '2' },
      [],
    ],
    [
      'a cancel after the statement',
      'cancel',
      active,
      { ...active, state: 'idle' },
      ['it is idle now, its statement ended'],
    ],
    [
      'a cancel of another session',
      'cancel',
      active,
      { ...active, backendStart: serverTime(1) },
      ['the pid belongs to another session'],
    ],
    ['a terminate of the same transaction', 'terminate', resting, { ...resting, stateSeconds: 500 }, []],
    [
      'a terminate of the next transaction',
      'terminate',
      resting,
      { ...resting, xactStart: serverTime(1) },
      ['its transaction ended'],
    ],
    [
      'a terminate of one that is put to use',
      'terminate',
      unused,
      { ...unused, state: 'active', xactStart: serverTime(0) },
      ['it is in use again'],
    ],
    [
      'a terminate of one that was used meanwhile',
      'terminate',
      unused,
      { ...unused, stateChange: serverTime(1) },
      ['it was used meanwhile'],
    ],
  ] as const)('%s', (_, action, then, now, expected) => {
    const approved = { action, session: then, victims: [], requestedBy: null }
    expect(differences(approved, now)).toEqual(expected)
    const gone = action === 'cancel' ? expected.length > 0 : then.backendStart !== now.backendStart
    expect(stillThere(approved, now)).toBe(!gone)
  })

  it('lets an idle session be ended for what it holds, though it was used since', () => {
    const now = { ...unused, stateChange: serverTime(1) }
    const victims = [{ pid: 2, backendStart: 'then', queryStart: null }]
    expect(differences({ action: 'terminate', session: unused, victims, requestedBy: null }, now)).toEqual([])
    expect(
      differences({ action: 'terminate', session: unused, victims: [], requestedBy: 'U1' }, now),
    ).toEqual([])
  })

  it('takes a session that is not there for gone', () => {
    expect(
      stillThere({ action: 'terminate', session: resting, victims: [], requestedBy: null }, undefined),
    ).toBe(false)
  })
})

describe('stands', () => {
  const latest = proposal()
  const { action, session: then } = latest
  const other = action === 'cancel' ? 'terminate' : 'cancel'
  test.each([
    ['the same action on the same session', latest, action, then, true],
    ['another action', latest, other, then, false],
    ['one that was offered instead of another', { ...latest, insteadOf: 'before' }, other, then, true],
    ['a session that began at the same time', latest, action, { ...then, pid: then.pid + 1 }, false],
    ['a later owner of the pid', latest, action, { ...then, backendStart: serverTime(1) }, false],
  ] as const)('%s', (_, before, wanted, now, expected) => {
    expect(stands(before, wanted, now)).toBe(expected)
  })
})

describe('movedOn', () => {
  it('counts those who wait no more in the statement that they waited in', () => {
    const [a, b, c, d] = [waiting(1, 40), waiting(2, 30), waiting(3, 20), waiting(4, 10)]
    const e = session(5, { waitEventType: 'IPC', waitEvent: 'SafeSnapshot' })
    const victims = victimsAmong([1, 2, 3, 4, 5], [a, b, c, d, e])
    const now = [
      a, // still waits
      e, // and so does this one
      { ...b, waitEventType: null, waitEvent: null }, // runs
      { ...c, queryStart: serverTime(0) }, // waits in its next statement
      // 4 is gone
    ]
    expect(movedOn(victims, now)).toBe(3)
  })
})
