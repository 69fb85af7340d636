import { describe, expect, it } from 'vitest'
import type { LookPiece } from '../../src/watch/intoPieces.ts'
import { createPiecesWaiting } from '../../src/watch/piecesWaiting.ts'

/** Pieces of a chunk, from this number on, each of so many bytes. */
const some = (cluster: string, chunk: string, count: number, { first = 0, bytes = 100 } = {}): LookPiece[] =>
  Array.from({ length: count }, (_, index) => ({
    piece: {
      ...{ chunk, piece: first + index, cluster, changes: [], data: new Uint8Array(bytes) },
      ...{ fromAt: first + index, toAt: first + index },
    },
    texts: new Map(),
    jam: null,
  }))

/** Bytes of data with which three pieces have room, and four have not. */
const third = 9_999_500

describe('pieces that wait', () => {
  const queueOf = (...pieces: readonly LookPiece[]) => {
    const queue = createPiecesWaiting()
    for (const one of pieces) expect(queue.add(one)).toEqual([])
    return queue
  }

  it('are taken in order, chunk by chunk, and are then gone', () => {
    const [first, second, third] = some('orders', 'o1', 3)
    const [other] = some('stock', 's1', 1)
    if (!first || !second || !third || !other) throw new Error('no pieces')
    const queue = queueOf(first, other, second, third)
    const known = () => [queue.isEmpty(), queue.has('o1'), queue.hasOf('stock')]
    expect([...known(), queue.has('b1'), queue.hasOf('billing')]).toEqual([false, true, true, false, false])
    expect(queue.take()).toEqual([first, second, third, other])
    expect([...known(), queue.take()]).toEqual([true, false, false, []])
  })

  it('are 200 at most at once, of whichever clusters', () => {
    const [orders, stock, billing] = [
      some('orders', 'o1', 150),
      some('stock', 's1', 120),
      some('billing', 'b1', 1),
    ]
    const queue = queueOf(...orders, ...stock, ...billing)
    expect(queue.take()).toEqual([...orders, ...stock.slice(0, 50)])
    expect(queue.take()).toEqual([...stock.slice(50), ...billing])
  })

  it('stand before the later ones when they are put back', () => {
    const [orders, stock] = [some('orders', 'o1', 3), some('stock', 's1', 1)]
    const queue = queueOf(...orders.slice(0, 2))
    const taken = queue.take()
    for (const one of [...stock, ...orders.slice(2)]) queue.add(one)
    expect(queue.putBack(taken)).toEqual([])
    expect(queue.take()).toEqual([...orders, ...stock])
    expect(queue.lost()).toBe(0)
  })

  it('lose the oldest chunk of whoever has most where memory has no room, with all that follows in it', () => {
    const orders = some('orders', 'o1', 1, { bytes: third })
    const [full, open] = [some('stock', 's1', 2, { bytes: 6_000_000 }), some('stock', 's2', 2)]
    const queue = queueOf(...orders, ...full, ...open)
    const much = some('billing', 'b1', 1, { bytes: 8_500_000 })
    expect(much.map(queue.add)).toEqual([[{ cluster: 'stock', chunk: 's1' }]])
    expect(queue.lost()).toBe(2)
    // What comes after the gap counts as another jam.
    const [after, last] = open
    const marked = { ...after, piece: { ...after?.piece, changes: [0] } }
    expect(queue.take()).toEqual([...orders, marked, last, ...much])
  })

  it('count the bytes of their data and statements, and what is around them', () => {
    const queue = queueOf(...some('orders', 'o1', 3, { bytes: third }))
    expect(queue.add({ ...some('orders', 'o2', 1, { bytes: 0 })[0] } as LookPiece)).toEqual([
      { cluster: 'orders', chunk: 'o1' },
    ])
    expect(queue.lost()).toBe(3)
    const [first, ...others] = some('stock', 's1', 3, { bytes: third - 200 })
    if (!first) throw new Error('no piece')
    for (const one of others) expect(queue.add(one)).toEqual([])
    const texts = new Map([['t1', 'x'.repeat(101)]])
    expect(queue.add({ ...first, texts })).toEqual([{ cluster: 'stock', chunk: 's1' }])
    expect(queue.take()).toHaveLength(1)
  })

  it('have as much room again when some were taken, and as little when those are put back', () => {
    const orders = some('orders', 'o1', 3, { bytes: third })
    const stock = some('stock', 's1', 3, { bytes: third })
    const queue = queueOf(...orders)
    const taken = queue.take()
    for (const one of stock) expect(queue.add(one)).toEqual([])
    // Both have as much: the older one goes.
    expect(queue.putBack(taken)).toEqual([{ cluster: 'orders', chunk: 'o1' }])
    expect(queue.lost()).toBe(3)
    expect(queue.take()).toEqual(stock)
    for (const one of some('billing', 'b1', 3, { bytes: third })) expect(queue.add(one)).toEqual([])
    expect(queue.lost()).toBe(3)
  })
})
