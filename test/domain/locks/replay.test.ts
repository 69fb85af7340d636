import { describe, expect, it, test } from 'vitest'
import { findings } from '../../../src/domain/incidents/finding.ts'
import { replayPatience, replayWait } from '../../../src/domain/locks/replay.ts'
import { fittingAction } from '../../../src/domain/session/allowedAction.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { LockGroup } from '../../../src/domain/session/snapshot.ts'
import * as of from '../../support/builders.ts'

const standby = of.server({ inRecovery: true, standbyDelaySeconds: 30 })
const startup = (waitEventType: string | null, waitEvent: string | null) =>
  of.serverProcess(7, 'startup', { waitEventType, waitEvent })
const see = (sessions: readonly Session[], locks: readonly LockGroup[] = []) =>
  of.picture(sessions, locks, { server: standby })
const pidsOf = (picture: ReturnType<typeof see>) => replayWait(picture)?.holders.map(({ pid }) => pid)

describe('replayWait', () => {
  it('is held back by who stands before the lock of the primary', () => {
    const at = of.relation('public.orders')
    const picture = see(
      [of.session(1), of.session(2), startup('Lock', 'relation')],
      [of.held(at, 'AccessShareLock', 1), of.wanted(at, 'AccessExclusiveLock', [7, 40])],
    )
    expect(replayWait(picture)).toMatchObject({ pid: 7, kind: 'lock', sure: true })
    expect(pidsOf(picture)).toEqual([1])
    // The startup process is a victim like any other.
    expect(findings(picture.snapshot, picture.forest, of.thresholds)).toMatchObject([
      { kind: 'blocking', root: { pid: 1, victims: [7], oldestWaitSeconds: 40 } },
    ])
  })

  it('is likely held back by the oldest snapshot of each database', () => {
    const readers = [
      of.session(1, { backendXmin: '900' }),
      of.idleInTransaction(2, 60, { backendXmin: '850' }),
      of.session(3, { backendXmin: '850' }),
      of.session(4, { datname: 'billing', backendXmin: '880' }),
      of.session(5, { datname: 'billing', backendXmin: null }),
      // Older than all, across the wrap of transaction ids, but nobody's client.
      of.serverProcess(6, 'walsender', { backendXmin: '4294967200' }),
    ]
    const picture = see([...readers, startup('IPC', 'RecoveryConflictSnapshot')])
    expect(replayWait(picture)).toMatchObject({ kind: 'snapshot', sure: false })
    expect(pidsOf(picture)).toEqual([2, 3, 4])
  })

  it('knows that transaction ids go round', () => {
    const picture = see([
      of.session(1, { backendXmin: '5' }),
      of.session(2, { backendXmin: '4294967200' }),
      startup('IPC', 'RecoveryConflictSnapshot'),
    ])
    expect(pidsOf(picture)).toEqual([2])
  })

  test.each([
    ['BufferPin', 'BufferPin', 'pin'],
    // From 19 on.
    ['Buffer', 'BufferCleanup', 'pin'],
    ['IPC', 'RecoveryConflictTablespace', 'tablespace'],
  ])('%s/%s: nobody can be named', (type, event, kind) => {
    const picture = see([of.session(1, { backendXmin: '5' }), startup(type, event)])
    expect(replayWait(picture)).toEqual({ pid: 7, kind, waitEvent: event, holders: [], sure: false })
  })

  it('is nothing on a primary, without a startup process, or while replay goes on', () => {
    const conflict = startup('IPC', 'RecoveryConflictSnapshot')
    expect(replayWait(of.picture([of.session(1, { backendXmin: '5' }), conflict]))).toBeNull()
    expect(replayWait(see([of.session(1)]))).toBeNull()
    expect(replayWait(see([of.session(1), startup('Activity', 'RecoveryWalStream')]))).toBeNull()
  })

  it('says what the server will do', () => {
    expect(replayPatience(standby)).toBe(
      'The server cancels them when replay is 30 s late (max_standby_streaming_delay).',
    )
    expect(replayPatience(of.server({ standbyDelaySeconds: null }))).toContain('for ever')
  })
})

test('on a standby no work is lost, and the lock that replay holds belongs to the primary', () => {
  for (const session of [of.session(1), of.idleInTransaction(1, 60)])
    expect(fittingAction(session, standby, []).why).toContain('a standby writes nothing')
  expect(fittingAction(startup(null, null), standby, [])).toMatchObject({
    action: null,
    why: expect.stringContaining('a transaction on the primary'),
  })
})
