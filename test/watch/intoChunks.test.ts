import { describe, expect, it } from 'vitest'
import { isLook } from '../../src/domain/history/chunk.ts'
import type { PastLook } from '../../src/domain/history/look.ts'
import { readChunk } from '../../src/domain/history/readChunk.ts'
import { longestChunkMs } from '../../src/store/history/pieces.ts'
import { type Chunked, type ChunkState, intoChunks } from '../../src/watch/intoChunks.ts'
import { looksOf } from '../support/looks.ts'

const start = Date.UTC(2026, 2, 1)
const nothing: ChunkState = { open: null, jam: null }

const chunked = (
  looks: readonly PastLook[],
  {
    before = nothing,
    everyMs = 5_000,
    jamOf = () => 'seen',
  }: {
    before?: ChunkState
    everyMs?: number
    jamOf?: (look: PastLook) => string
  } = {},
): Promise<Chunked> => {
  const [first, ...others] = looks.map((look) => ({ look, jam: jamOf(look) }))
  if (!first) throw new Error('no look')
  return intoChunks({ cluster: 'orders', looks: [first, ...others] }, everyMs, before)
}

/** Times of the looks in each piece, read from its rows. */
const timesIn = ({ pieces }: Chunked, earlier: Chunked[] = []) =>
  pieces.map(({ chunk, rows }) => {
    const head = earlier.flatMap(({ pieces }) => pieces).filter((one) => one.chunk === chunk)
    return readChunk([...head.flatMap(({ rows }) => rows), ...rows], () => '').map(({ takenAt }) => takenAt)
  })

describe('looks into chunks', () => {
  it('go on in the chunk that is open, piece by piece', async () => {
    const looks = looksOf(start, 5, 2, 0.5)
    const times = looks.map(({ takenAt }) => takenAt)
    const first = await chunked(looks.slice(0, 2))
    const second = await chunked(looks.slice(2), { before: first.after })
    expect(first.pieces).toMatchObject([{ piece: 0, cluster: 'orders', fromAt: times[0], toAt: times[1] }])
    expect(second.pieces).toMatchObject([
      { chunk: first.pieces[0]?.chunk, piece: 1, fromAt: times[2], toAt: times[4] },
    ])
    expect(second.pieces.flatMap(({ rows }) => rows).every(isLook)).toBe(true)
    expect(timesIn(second, [first])).toEqual([times])
    expect([first.full, second.full]).toEqual([[], []])
  })

  it('fill a chunk of five minutes, and begin another one', async () => {
    const looks = looksOf(start, 130, 1, 0)
    const times = looks.map(({ takenAt }) => takenAt)
    const all = await chunked(looks)
    expect(all.pieces.map(({ fromAt, toAt }) => toAt - fromAt)).toEqual([
      longestChunkMs,
      longestChunkMs,
      35_000,
    ])
    expect(timesIn(all).flat()).toEqual(times)
    expect(all.full.map(({ id }) => id)).toEqual(all.pieces.slice(0, 2).map(({ chunk }) => chunk))
    expect(all.after.open?.id).toBe(all.pieces[2]?.chunk)
  })

  it('leave a chunk where the clock was set back, or the interval is another one', async () => {
    const [first, second, third] = looksOf(start, 3, 1, 0)
    if (!first || !second || !third) throw new Error('no looks')
    const one = await chunked([second, first])
    expect(timesIn(one)).toEqual([[second.takenAt], [first.takenAt]])
    const other = await chunked([third], { before: one.after, everyMs: 60_000 })
    expect(other.full).toEqual([one.after.open])
    expect(other.pieces).toMatchObject([{ piece: 0, rows: [{ everyMs: 60_000 }, {}] }])
    // The same time twice is not one after the other.
    expect((await chunked([third], { before: other.after, everyMs: 60_000 })).full).toHaveLength(1)
  })

  it('name the times of another jam, from one time to the next', async () => {
    const looks = looksOf(start, 5, 1, 0)
    const times = looks.map(({ takenAt }) => takenAt)
    const jamOf = ({ takenAt }: PastLook) => (takenAt < (times[2] ?? 0) ? 'seen' : 'seen 7<8')
    const first = await chunked(looks.slice(0, 3), { jamOf })
    expect(first.pieces.map(({ changes }) => changes)).toEqual([[times[0], times[2]]])
    const second = await chunked(looks.slice(3), { before: first.after, jamOf })
    expect(second.pieces.map(({ changes }) => changes)).toEqual([[]])
    const known = await chunked(looks.slice(0, 1), { before: { open: null, jam: 'seen' } })
    expect(known.pieces.map(({ changes }) => changes)).toEqual([[]])
  })

  it('give the statements of every chunk, each once', async () => {
    const [first, second] = looksOf(start, 2, 3, 1)
    if (!first || !second) throw new Error('no looks')
    const textsOf = (look: PastLook) => ('snapshot' in look ? [...(look.snapshot.texts?.values() ?? [])] : [])
    const one = await chunked([first])
    const again = await chunked([{ ...first, takenAt: first.takenAt + 1 }], { before: one.after })
    const other = await chunked([second], { before: again.after, everyMs: 60_000 })
    expect(new Set(one.texts.values())).toEqual(new Set(textsOf(first)))
    expect(again.texts.size).toBe(0)
    expect(new Set(other.texts.values())).toEqual(new Set(textsOf(second)))
  })

  it('leave out a look that cannot be kept, and end its chunk before it', async () => {
    const looks = looksOf(start, 4, 1, 0)
    const fault = new Error('odd')
    const odd = (look: PastLook | undefined): PastLook => ({
      takenAt: look?.takenAt ?? 0,
      get snapshot(): never {
        throw fault
      },
    })
    const [first, second, third, fourth] = looks
    if (!first || !third || !fourth) throw new Error('no looks')
    const all = await chunked([first, odd(second), third])
    expect(all.faults).toEqual([fault])
    expect(timesIn(all)).toEqual([[first.takenAt], [third.takenAt]])
    expect(all.full.map(({ id }) => id)).toEqual([all.pieces[0]?.chunk])
    const last = await chunked([odd(fourth)])
    expect(last).toMatchObject({ after: { open: null, jam: null }, pieces: [], faults: [fault] })
  })
})
