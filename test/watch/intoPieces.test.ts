import { describe, expect, it } from 'vitest'
import type { PastLook } from '../../src/domain/history/look.ts'
import { readChunk } from '../../src/domain/history/readChunk.ts'
import { longestChunkMs, rowsIn } from '../../src/store/history/pieces.ts'
import { createIntoPieces, type LookPiece } from '../../src/watch/intoPieces.ts'
import { looksOf } from '../support/looks.ts'

const start = Date.UTC(2026, 2, 1)
const timesOf = (looks: readonly PastLook[]) => looks.map(({ takenAt }) => takenAt)

function piecesOf(looks: readonly PastLook[], jamOf: (look: PastLook) => string = () => 'seen') {
  const every = { ms: 5_000 }
  const into = createIntoPieces(() => every.ms)
  const made: LookPiece[] = []
  const add = (...some: readonly PastLook[]) => {
    for (const look of some) made.push(into.add('orders', look, jamOf(look)))
  }
  add(...looks)
  const chunks = () => [...Map.groupBy(made, ({ piece }) => piece.chunk)]
  return {
    ...{ every, into, made, add },
    ids: () => chunks().map(([id]) => id),
    /** Looks of each chunk, read from its pieces. */
    read: () =>
      Promise.all(
        chunks().map(async ([id, pieces]) => {
          expect(pieces.map(({ piece }) => piece.piece)).toEqual([...pieces.keys()])
          const rows =
            (await rowsIn(
              id,
              pieces.map(({ piece }) => piece),
            )) ?? []
          const texts = new Map(pieces.flatMap(({ texts }) => [...texts]))
          return readChunk(rows, (text) => texts.get(text))
        }),
      ),
  }
}

describe('looks into pieces', () => {
  it('make a piece of each look, of one chunk', async () => {
    const looks = looksOf(start, 5, 2, 0.5)
    const { made, read, ids, into } = piecesOf(looks)
    expect(await read()).toEqual([looks])
    expect(made.map(({ piece: { cluster, fromAt, toAt } }) => [cluster, fromAt, toAt])).toEqual(
      timesOf(looks).map((at) => ['orders', at, at]),
    )
    expect(ids()).toHaveLength(1)
    expect(into.full.size).toBe(0)
  })

  it('hold no memory but that of the piece', () => {
    const { made } = piecesOf(looksOf(start, 3, 2, 0.5))
    for (const { piece } of made) expect(piece.data.buffer.byteLength).toBe(piece.data.byteLength)
  })

  it('fill a chunk of five minutes, and begin another one', async () => {
    const looks = looksOf(start, 130, 1, 0)
    const { read, ids, into } = piecesOf(looks)
    const chunks = await read()
    expect(chunks.flat()).toEqual(looks)
    expect(chunks.map((all) => (all.at(-1)?.takenAt ?? 0) - (all[0]?.takenAt ?? 0))).toEqual([
      longestChunkMs,
      longestChunkMs,
      35_000,
    ])
    expect([...into.full]).toEqual(ids().slice(0, 2))
    into.joined(ids()[0] ?? '')
    expect([...into.full]).toEqual(ids().slice(1, 2))
  })

  it('leave a chunk where the clock was set back, or the interval is another one', async () => {
    const [first, second, third, fourth] = looksOf(start, 4, 1, 0)
    if (!first || !second || !third || !fourth) throw new Error('no looks')
    const { every, add, read, into, ids } = piecesOf([second, first])
    every.ms = 60_000
    add(third, fourth)
    // The same time twice is not one after the other.
    add(fourth)
    expect(await read()).toEqual([[second], [first], [third, fourth], [fourth]])
    // One piece needs no joining.
    expect([...into.full]).toEqual(ids().slice(2, 3))
  })

  it('name the times of another jam, and leave the first one to who knows the look before', () => {
    const looks = looksOf(start, 5, 1, 0)
    const times = timesOf(looks)
    const { made } = piecesOf(looks, ({ takenAt }) => (takenAt < (times[2] ?? 0) ? 'seen' : 'seen 7<8'))
    expect(made.map(({ piece }) => piece.changes)).toEqual([[], [], [times[2]], [], []])
    expect(made.map(({ jam }) => jam)).toEqual(['seen', null, null, null, null])
  })

  it('give the statements of every chunk, each once', () => {
    const [first, second] = looksOf(start, 2, 3, 1)
    if (!first || !second) throw new Error('no looks')
    const textsOf = (look: PastLook) => ('snapshot' in look ? [...(look.snapshot.texts?.values() ?? [])] : [])
    const { every, add, made } = piecesOf([first, { ...first, takenAt: first.takenAt + 1 }])
    every.ms = 60_000
    add(second)
    expect(made.map(({ texts }) => new Set(texts.values()))).toEqual(
      [textsOf(first), [], textsOf(second)].map((texts) => new Set(texts)),
    )
  })

  it('leave out a look that cannot be kept, and end its chunk before it', async () => {
    const [first, second, third, fourth, fifth] = looksOf(start, 5, 1, 0)
    const fault = new Error('odd')
    const odd = (look: PastLook | undefined): PastLook => ({
      takenAt: look?.takenAt ?? 0,
      get snapshot(): never {
        throw fault
      },
    })
    if (!first || !second || !fourth) throw new Error('no looks')
    const { into, add, read, ids, made } = piecesOf([first, second])
    expect(() => add(odd(third))).toThrow(fault)
    add(fourth)
    expect(() => add(odd(fifth))).toThrow(fault)
    expect(await read()).toEqual([[first, second], [fourth]])
    expect([...into.full]).toEqual(ids().slice(0, 1))
    expect(made.map(({ jam }) => jam)).toEqual(['seen', null, null])
    // As one at the start leaves open what the look before showed.
    const begun = createIntoPieces(() => 5_000)
    expect(() => begun.add('orders', odd(first), 'seen')).toThrow(fault)
    expect(begun.add('orders', second, 'seen').jam).toBe('seen')
  })

  it('begin again, with another jam, where a piece of the open chunk is lost', async () => {
    const looks = looksOf(start, 6, 1, 0)
    const { into, add, read, ids, made } = piecesOf(looks.slice(0, 2))
    const [chunk = ''] = ids()
    into.lost('stock', chunk)
    into.lost('orders', 'another')
    add(...looks.slice(2, 3))
    expect(ids()).toHaveLength(1)
    into.lost('orders', chunk)
    add(...looks.slice(3))
    expect(await read()).toEqual([looks.slice(0, 3), looks.slice(3)])
    expect(made.map(({ piece, jam }) => [piece.changes, jam])).toEqual([
      [[], 'seen'],
      [[], null],
      [[], null],
      [[looks[3]?.takenAt], null],
      [[], null],
      [[], null],
    ])
    expect([...into.full]).toEqual([chunk])
  })

  it('begin as at the start with a cluster that was left', async () => {
    const looks = looksOf(start, 5, 1, 0)
    const { into, add, read, ids, made } = piecesOf(looks.slice(0, 2))
    into.forget('stock')
    into.forget('orders')
    add(...looks.slice(2, 4))
    into.forgetAll()
    add(...looks.slice(4))
    expect(await read()).toEqual([looks.slice(0, 2), looks.slice(2, 4), looks.slice(4)])
    expect(made.map(({ jam }) => jam)).toEqual(['seen', null, 'seen', null, 'seen'])
    expect([...into.full]).toEqual(ids().slice(0, 2))
  })
})
