import { describe, expect, it } from 'vitest'
import { createLooksWaiting, type WaitingLook } from '../../src/watch/looksWaiting.ts'
import { looksOf } from '../support/looks.ts'

const start = Date.UTC(2026, 2, 1)
/** Looks that show so many sessions each. */
const some = (count: number, sessions: number): WaitingLook[] =>
  looksOf(start, count, sessions, 0).map((look) => ({ look, jam: 'seen' }))

describe('looks that wait', () => {
  const queueOf = (looks: Readonly<Record<string, readonly WaitingLook[]>>) => {
    const queue = createLooksWaiting()
    for (const [cluster, all] of Object.entries(looks)) for (const one of all) queue.add(cluster, one)
    return queue
  }

  it('are taken in order, those of all clusters together, and are then gone', () => {
    const looks = { orders: some(3, 2), stock: some(2, 1) }
    const queue = queueOf(looks)
    expect([queue.isEmpty(), queue.has('orders'), queue.has('billing')]).toEqual([false, true, false])
    expect(queue.take()).toEqual([
      { cluster: 'orders', looks: looks.orders },
      { cluster: 'stock', looks: looks.stock },
    ])
    expect([queue.isEmpty(), queue.has('orders'), queue.take()]).toEqual([true, false, []])
  })

  it('are 200 at most at once, of whichever clusters', () => {
    const looks = { orders: some(150, 1), stock: some(120, 1), billing: some(1, 1) }
    const queue = queueOf(looks)
    expect(queue.take()).toEqual([
      { cluster: 'orders', looks: looks.orders },
      { cluster: 'stock', looks: looks.stock.slice(0, 50) },
    ])
    expect(queue.take()).toEqual([
      { cluster: 'stock', looks: looks.stock.slice(50) },
      { cluster: 'billing', looks: looks.billing },
    ])
  })

  it('stand before the later ones when they are put back', () => {
    const [first, second, third] = some(3, 1)
    if (!first || !second || !third) throw new Error('no looks')
    const queue = queueOf({ orders: [first, second] })
    const taken = queue.take()
    queue.add('orders', third)
    queue.putBack(taken)
    expect(queue.take()).toEqual([{ cluster: 'orders', looks: [first, second, third] }])
    expect(queue.lost()).toBe(0)
  })

  it('lose the oldest of whoever has most where memory has no room', () => {
    const looks = { orders: some(2, 4_999), stock: some(4, 4_999) }
    const queue = queueOf(looks)
    expect(queue.lost()).toBe(0)
    // One session, or one look that shows none, is one too many.
    queue.add('billing', { look: { takenAt: start, unseen: 'gone' }, jam: 'notSeen' })
    expect(queue.lost()).toBe(1)
    const [orders, stock, billing] = queue.take()
    expect([orders?.looks, stock?.looks, billing?.looks.length]).toEqual([
      looks.orders,
      looks.stock.slice(1),
      1,
    ])
  })

  it('have as much room again when some were taken, and as little when those are put back', () => {
    const queue = queueOf({ orders: some(3, 9_999) })
    const taken = queue.take()
    for (const one of some(3, 9_999)) queue.add('stock', one)
    expect(queue.lost()).toBe(0)
    queue.putBack(taken)
    expect(queue.lost()).toBe(3)
    expect(queue.take().flatMap(({ looks }) => looks)).toHaveLength(3)
    for (const one of some(3, 9_999)) queue.add('stock', one)
    expect(queue.lost()).toBe(3)
  })
})
