import { describe, expect, it } from 'vitest'
import { blockingForest } from '../../../src/domain/locks/blocking.ts'
import { followRowWaits, type RowWaits, recallRowWaits } from '../../../src/domain/locks/rowWaits.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import type { LockGroup, Locks, LockTarget, Snapshot } from '../../../src/domain/session/snapshot.ts'
import * as of from '../../support/builders.ts'

const zero = of.takenAt / 1000
const begun = of.serverTime(0)

type Waits = { readonly at: LockTarget; readonly since: number | null; readonly more?: readonly LockGroup[] }

const wanted = (at: LockTarget, pid: number, since: number | null): LockGroup => ({
  ...{ target: at, mode: 'ShareLock', granted: false, pids: [pid] },
  waitStarts: [since === null ? null : zero + since],
})

/** A look at this second, where session 2 waits for this since then; null: it is awake. */
function look(second: number, waits: Waits | null, over: Partial<Session> = {}, locks?: Locks): Snapshot {
  const one = of.session(2, {
    ...(waits ? { waitEventType: 'Lock', waitEvent: 'transactionid' } : {}),
    ...{ queryStart: begun, xactStart: begun, querySeconds: second, xactSeconds: second },
    backendStart: of.serverTime(3600),
    ...over,
  })
  const groups = waits ? [wanted(waits.at, 2, waits.since), ...(waits.more ?? [])] : []
  return of.snapshot([of.session(1), one], {
    takenAt: of.takenAt + second * 1000,
    locks: locks ?? (waits ? of.locksRead(groups, { readAt: zero + second }) : { kind: 'none' }),
  })
}

/** Seconds that session 2 has waited in the last of these looks. */
function waited(looks: readonly Snapshot[], before: RowWaits = new Map()) {
  let seen = before
  let last: Locks = { kind: 'none' }
  for (const one of looks) {
    const followed = followRowWaits(seen, one)
    seen = followed.seen
    last = followed.locks
  }
  const table = last.kind === 'read' ? last.table : last.kind === 'jammed' ? last.last : null
  const wait = table && blockingForest(table, looks.at(-1)?.sessions ?? []).waits.get(2)
  return wait && { seconds: wait.seconds, sinceHandOver: wait.sinceHandOver }
}

const xid = of.transaction
const row = of.tuple('orders')

describe('who waits for a row', () => {
  it('keeps the begin of its wait when the row goes to another transaction', () => {
    const looks = [
      look(10, { at: row, since: 4 }),
      look(15, { at: xid('8'), since: 14 }),
      look(20, { at: of.tuple('orders', 2), since: 19.5 }),
    ]
    expect(waited(looks.slice(0, 1))).toEqual({ seconds: 6, sinceHandOver: undefined })
    expect(waited(looks.slice(0, 2))).toEqual({ seconds: 11, sinceHandOver: 1 })
    expect(waited(looks)).toEqual({ seconds: 16, sinceHandOver: 0.5 })
  })

  it('has waited, also where the server has not said since when it waits now', () => {
    expect(waited([look(10, { at: xid('7'), since: 4 }), look(15, { at: xid('8'), since: null })])).toEqual({
      seconds: 11,
      sinceHandOver: 0,
    })
    expect(waited([look(15, { at: xid('8'), since: null })])).toEqual({
      seconds: null,
      sinceHandOver: undefined,
    })
  })

  it.each([
    ['another statement', { queryStart: of.serverTime(-12) }],
    ['another session with its pid', { backendStart: of.serverTime(-1) }],
    ['a session whose statements nobody sees', { state: null }],
    ['a session without a statement', { queryStart: null }],
  ])('is not taken for %s', (_, over) => {
    const looks = [look(10, { at: xid('7'), since: 4 }), look(15, { at: xid('8'), since: 14 }, over)]
    expect(waited(looks)).toEqual({ seconds: 1, sinceHandOver: undefined })
  })

  it('begins another wait at a row of another table, or at anything else', () => {
    const first = look(10, { at: of.tuple('orders', 1, 7), since: 4 })
    const elsewhere = { at: of.tuple('stock', 1, 8), since: 14 }
    expect(waited([first, look(15, elsewhere)])?.seconds).toBe(1)
    expect(waited([first, look(15, { at: of.relation('orders'), since: 14 })])?.seconds).toBe(1)
    expect(waited([first, look(15, { at: of.tuple('orders', 9, 7), since: 14 })])?.seconds).toBe(11)
    // It waits for a transaction, and the table is known by the row's lock that it has.
    const more = (oid: number) => [of.held(of.tuple('t', 1, oid), 'ExclusiveLock', 2)]
    expect(waited([first, look(15, { at: xid('8'), since: 14, more: more(8) })])?.seconds).toBe(1)
    expect(waited([first, look(15, { at: xid('8'), since: 14, more: more(7) })])?.seconds).toBe(11)
    // What is known of the table is kept.
    const between = look(15, { at: xid('8'), since: 14 })
    expect(waited([first, between, look(20, elsewhere)])?.seconds).toBe(6)
  })

  it('may be found awake once, between two that have the row', () => {
    const first = look(10, { at: xid('7'), since: 4 })
    const awake = look(15, null)
    const again = (since: number) => look(20, { at: xid('8'), since })
    expect(waited([first, awake, again(16)])).toEqual({ seconds: 16, sinceHandOver: 4 })
    expect(waited([first, awake, again(16.001)])?.seconds).toBeCloseTo(3.999)
    expect(waited([first, awake, look(17, null), again(17.5)])?.seconds).toBe(2.5)
    expect(waited([first, look(15, null, { state: 'idle in transaction' }), again(15.5)])?.seconds).toBe(4.5)
  })

  it('is not known any more after a minute in which nobody looked, unless it is the same wait', () => {
    const first = look(10, { at: xid('7'), since: 4 })
    const second = look(15, { at: xid('8'), since: 14 })
    expect(waited([first, look(70, { at: xid('8'), since: 69 })])?.seconds).toBe(66)
    expect(waited([first, look(70.001, { at: xid('8'), since: 69 })])?.seconds).toBeCloseTo(1.001)
    expect(waited([first, second, look(500, { at: xid('8'), since: 14 })])?.seconds).toBe(496)
  })

  it('keeps it in a storm, where the locks cannot be read', () => {
    const table = of.lockTable([wanted(xid('8'), 2, 14)], { readAt: zero + 15 })
    const jammed: Locks = { kind: 'jammed', why: 'busy', last: table, lastTakenAt: of.takenAt }
    const waits = { at: xid('8'), since: 14 }
    const first = look(10, { at: xid('7'), since: 4 })
    const stormy = (second: number, over: Partial<Session> = {}) => look(second, waits, over, jammed)
    expect(waited([first, look(15, waits), stormy(60)])).toEqual({ seconds: 11, sinceHandOver: 1 })
    const all = [first, stormy(60), stormy(110), look(160, { at: xid('9'), since: 159 })]
    expect(waited(all)?.seconds).toBe(156)
    expect(
      waited([first, stormy(60, { waitEventType: null, waitEvent: null, state: 'idle' }), all[3] ?? first])
        ?.seconds,
    ).toBe(1)
    const blind: Locks = { kind: 'jammed', why: 'busy', last: null, lastTakenAt: null }
    expect(waited([first, look(15, waits, {}, blind), look(20, { at: xid('9'), since: 19 })])?.seconds).toBe(
      16,
    )
  })

  it('changes nothing where nothing is known from before', () => {
    const { locks } = look(10, { at: xid('7'), since: 4 })
    expect(followRowWaits(new Map(), look(10, { at: xid('7'), since: 4 })).locks).toEqual(locks)
    expect(followRowWaits(new Map(), look(10, null)).locks).toEqual({ kind: 'none' })
  })

  describe('as another process has seen it', () => {
    const recorded = (looks: readonly Snapshot[]): Snapshot => {
      let seen: RowWaits = new Map()
      let last = looks[0]
      for (const one of looks) {
        const followed = followRowWaits(seen, one)
        seen = followed.seen
        last = { ...one, locks: followed.locks }
      }
      if (!last) throw new Error('no look')
      return last
    }
    const past = recorded([look(10, { at: row, since: 4 }), look(15, { at: xid('8'), since: 14 })])

    it('keeps its begin', () => {
      expect(waited([look(20, { at: xid('9'), since: 19 })], recallRowWaits(new Map(), past))).toEqual({
        seconds: 16,
        sinceHandOver: 1,
      })
      // Far later it is another wait.
      expect(waited([look(90, { at: xid('9'), since: 89 })], recallRowWaits(new Map(), past))?.seconds).toBe(
        1,
      )
    })

    it('goes before what was seen since, and only for the same wait', () => {
      const own = (one: Snapshot) => followRowWaits(new Map(), one).seen
      const next = look(25, { at: xid('9'), since: 24 })
      expect(waited([next], recallRowWaits(own(look(20, { at: xid('9'), since: 19 })), past))?.seconds).toBe(
        21,
      )
      const another = { queryStart: of.serverTime(-18), querySeconds: 2 }
      const mine = own(look(20, { at: xid('9'), since: 19 }, another))
      expect(
        waited([look(25, { at: xid('9'), since: 24 }, another)], recallRowWaits(mine, past))?.seconds,
      ).toBe(6)
      const earlier = own(look(9, { at: row, since: 1 }))
      expect(waited([look(20, { at: xid('9'), since: 19 })], recallRowWaits(earlier, past))?.seconds).toBe(19)
      expect(recallRowWaits(mine, look(30, null))).toBe(mine)
    })
  })
})
