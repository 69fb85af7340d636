import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { Row } from '../domain/history/chunk.ts'
import { type ChunkWriter, writeChunk } from '../domain/history/writeChunk.ts'
import { type HistoryPiece, longestChunkMs } from '../store/history/pieces.ts'
import type { LooksOfOne } from './looksWaiting.ts'

/** A chunk that looks are added to. */
export type OpenChunk = {
  readonly id: string
  readonly writer: ChunkWriter
  pieces: number
  lastAt: number
}

/** State in which the looks until now have left a cluster. */
export type ChunkState = {
  /** null: the next look stands for itself. */
  readonly open: OpenChunk | null
  /** Jam of the last look; null: not known. */
  readonly jam: string | null
}

/** Result of some looks: what is to be written of them, and the state after them. */
export type Chunked = {
  readonly after: ChunkState
  readonly pieces: readonly HistoryPiece[]
  /** Chunks that get no more looks. */
  readonly full: readonly OpenChunk[]
  /** Statements that these chunks name for the first time, by id. */
  readonly texts: ReadonlyMap<string, string>
  /** Faults of ours, one for each look that cannot be kept: the others are not to wait for it. */
  readonly faults: readonly unknown[]
}

/** Share of one chunk in the looks: a piece, unless it keeps none of them. */
type Part = {
  readonly chunk: OpenChunk
  readonly rows: Row[]
  readonly times: number[]
  readonly changes: number[]
}

/** Puts looks of a cluster into chunks, which go on from where the looks before left them. Between two looks others have a turn. */
export async function intoChunks(
  { cluster, looks }: LooksOfOne,
  everyMs: number,
  { open, jam: jamBefore }: ChunkState,
): Promise<Chunked> {
  let part = open && partOf(open)
  let lastJam = jamBefore
  const parts = part ? [part] : []
  const faults: unknown[] = []
  for (const { look, jam } of looks) {
    await turn()
    const { takenAt } = look
    if (!part || !fits(part.chunk, takenAt, everyMs)) {
      const head = { cluster, everyMs, startedAt: takenAt }
      part = partOf({ ...{ id: randomUUID(), pieces: 0, lastAt: takenAt }, writer: writeChunk(head) }, head)
      parts.push(part)
    }
    try {
      part.rows.push(part.chunk.writer.add(look))
    } catch (error) {
      faults.push(error)
      // Its writer may have taken half of that look.
      part = null
      continue
    }
    part.chunk.lastAt = takenAt
    part.times.push(takenAt)
    if (jam !== lastJam) part.changes.push(takenAt)
    lastJam = jam
  }
  return {
    after: { open: part?.chunk ?? null, jam: lastJam },
    pieces: parts.flatMap((one) => pieceOf(cluster, one) ?? []),
    full: parts.filter((one) => one !== part).map(({ chunk }) => chunk),
    texts: new Map(parts.flatMap(({ chunk }) => [...chunk.writer.takeTexts()])),
    faults,
  }
}

const partOf = (chunk: OpenChunk, ...rows: Row[]): Part => ({ chunk, rows, times: [], changes: [] })

function pieceOf(cluster: string, { chunk, rows, times, changes }: Part): HistoryPiece | null {
  const [fromAt] = times
  if (fromAt === undefined) return null
  const piece = chunk.pieces++
  return { ...{ chunk: chunk.id, piece, cluster, fromAt, changes, rows }, toAt: chunk.lastAt }
}

/** Decides whether a look may stand in this chunk. One from before it, after the clock was set back, may not. */
const fits = ({ lastAt, writer: { head } }: OpenChunk, at: number, everyMs: number): boolean =>
  at > lastAt && at - head.startedAt <= longestChunkMs && head.everyMs === everyMs
