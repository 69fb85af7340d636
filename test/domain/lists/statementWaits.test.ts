import { describe, expect, it } from 'vitest'
import {
  noteWaits,
  noWaits,
  type StatementWaits,
  waitedSince,
} from '../../../src/domain/lists/statementWaits.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import * as of from '../../support/builders.ts'

const waiter = (over: Partial<Session> = {}) => of.waiting(7, 5, { queryId: '42', ...over })
const worker = (over: Partial<Session> = {}) => of.session(7, { queryId: '42', ...over })
const { usename, datname } = waiter()
const counted = { usename, datname, queryId: '42', toplevel: true, totalMs: 60_000, longestMs: 60_000 }

/** Looks every five seconds at these sessions. */
const looks = (...seen: (readonly Session[])[]): StatementWaits =>
  seen.reduce((waits, sessions, n) => noteWaits(waits, sessions, 1_000_000 + n * 5000), noWaits)

describe('waits of a statement', () => {
  it('count for the time between looks, once it is over', () => {
    const waiting = looks([], [waiter()], [waiter()])
    expect(waitedSince(waiting, 0)(counted)).toBe(0)
    const over = noteWaits(waiting, [], 1_015_000)
    expect(waitedSince(over, 0)(counted)).toBe(10_000)
    expect(waitedSince(over, 1_015_001)(counted)).toBe(0)
  })

  it('are not its work, and reading is', () => {
    const all = looks(
      [],
      [worker({ waitEventType: 'IO', waitEvent: 'DataFileRead' })],
      [waiter()],
      [worker()],
      [],
    )
    expect(waitedSince(all, 0)(counted)).toBe(5000)
  })

  it('are told apart by who runs it and where', () => {
    const all = looks([], [waiter()], [])
    expect(waitedSince(all, 0)({ ...counted, usename: 'somebody' })).toBe(0)
    expect(waitedSince(all, 0)({ ...counted, datname: 'elsewhere' })).toBe(0)
    expect(waitedSince(all, 0)({ ...counted, queryId: '43' })).toBe(0)
    expect(waitedSince(all, 0)({ ...counted, toplevel: false })).toBe(0)
  })

  it('are no more than the server counted, and none of one that it did not count', () => {
    const all = looks([], [waiter({ querySeconds: 5 })], [waiter({ querySeconds: 10 })], [])
    expect(waitedSince(all, 0)({ ...counted, totalMs: 3000 })).toBe(3000)
    // It was cancelled: the longest that was counted is shorter than it ran.
    expect(waitedSince(all, 0)({ ...counted, longestMs: 100 })).toBe(0)
  })

  it("are another's when the session runs it again", () => {
    const again = waiter({ queryStart: '2026-03-01 03:00:01+00', querySeconds: 0.5 })
    const all = looks([], [waiter()], [again])
    expect(waitedSince(all, 0)(counted)).toBe(5000)
  })

  it.each([
    ['BufferPin', 'BufferPin', 5000],
    ['Buffer', 'BufferCleanup', 5000],
    // A short lock inside of the server, as LWLock/BufferContent up to 18: work.
    ['Buffer', 'BufferShared', 0],
    ['LWLock', 'BufferContent', 0],
    ['Client', 'ClientWrite', 5000],
  ])('%s/%s counts %d ms', (waitEventType, waitEvent, ms) => {
    const all = looks([], [waiter({ waitEventType, waitEvent })], [])
    expect(waitedSince(all, 0)(counted)).toBe(ms)
  })

  it('keep their memory within bounds', () => {
    let waits = noWaits
    for (let n = 0; n < 30; n++) {
      const sessions = Array.from({ length: 1000 }, (_, pid) =>
        of.waiting(pid + 1, 5, { queryId: String(n * 1000 + pid) }),
      )
      waits = noteWaits(waits, sessions, n * 5000)
    }
    expect(waits.ended.length).toBeLessThanOrEqual(10_000)
    expect(waits.since).toBeGreaterThan(0)
  })
})
