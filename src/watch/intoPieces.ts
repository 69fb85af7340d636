import { randomUUID } from 'node:crypto'
import type { Row } from '../domain/history/chunk.ts'
import type { PastLook } from '../domain/history/look.ts'
import { type ChunkWriter, writeChunk } from '../domain/history/writeChunk.ts'
import { type HistoryPiece, longestChunkMs, packPiece } from '../store/history/pieces.ts'

/** A look on its way into the store: a piece of a chunk. */
export type LookPiece = {
  readonly piece: HistoryPiece
  /** Statements that its chunk names here for the first time, by id. */
  readonly texts: ReadonlyMap<string, string>
  /** Jam of the look, where nobody here knows that of the look before; null: the piece says whether it is another one. */
  readonly jam: string | null
}

/** Chunks that the looks go into, one open for each cluster. */
export type IntoPieces = {
  /**
   * Makes a piece of a look, and keeps nothing else of it.
   * @param jam what `jamIn` says of it
   * @throws where it cannot be kept, a fault of ours; the next look begins a new chunk
   */
  add(cluster: string, look: PastLook, jam: string): LookPiece
  /** A piece of this chunk is lost, and with it what follows: the next look begins a new chunk, and counts as another jam. */
  lost(cluster: string, chunk: string): void
  /** A cluster is not watched here any more. */
  forget(cluster: string): void
  forgetAll(): void
  /** Chunks of several pieces that get no more of them, until `joined`. */
  readonly full: ReadonlySet<string>
  joined(chunk: string): void
}

type OpenChunk = {
  readonly id: string
  readonly writer: ChunkWriter
  pieces: number
  lastAt: number
}

/** State in which the looks until now have left a cluster. */
type State = {
  /** null: the next look stands for itself. */
  open: OpenChunk | null
  /** Jam of the last look; null: not known. */
  jam: string | null
}

/** Stands for a jam that is another one than any. */
const lostJam = ''

export function createIntoPieces(everyMsOf: (cluster: string) => number): IntoPieces {
  const states = new Map<string, State>()
  const full = new Set<string>()

  function stateOf(cluster: string): State {
    const state = states.get(cluster) ?? { open: null, jam: null }
    states.set(cluster, state)
    return state
  }

  function end(state: State) {
    if (state.open && state.open.pieces > 1) full.add(state.open.id)
    state.open = null
  }

  function forget(cluster: string) {
    const state = states.get(cluster)
    if (state) end(state)
    states.delete(cluster)
  }

  return {
    full,
    joined: (chunk) => void full.delete(chunk),
    add(cluster, look, jam) {
      const state = stateOf(cluster)
      const { takenAt } = look
      const everyMs = everyMsOf(cluster)
      const rows: Row[] = []
      if (state.open && !fits(state.open, takenAt, everyMs)) end(state)
      if (!state.open) {
        const head = { cluster, everyMs, startedAt: takenAt }
        state.open = { id: randomUUID(), writer: writeChunk(head), pieces: 0, lastAt: takenAt }
        rows.push(head)
      }
      const chunk = state.open
      try {
        rows.push(chunk.writer.add(look))
        const data = packPiece(rows)
        const isAnother = state.jam !== null && state.jam !== jam
        const at = { fromAt: takenAt, toAt: takenAt, changes: isAnother ? [takenAt] : [] }
        const piece = { chunk: chunk.id, piece: chunk.pieces, cluster, ...at, data }
        const made = { piece, texts: chunk.writer.takeTexts(), jam: state.jam === null ? jam : null }
        chunk.pieces++
        chunk.lastAt = takenAt
        state.jam = jam
        return made
      } catch (error) {
        // Its writer may have taken half of that look.
        end(state)
        throw error
      }
    },
    lost(cluster, chunk) {
      const state = states.get(cluster)
      if (state?.open?.id !== chunk) return
      end(state)
      state.jam = lostJam
    },
    forget,
    forgetAll() {
      for (const cluster of states.keys()) forget(cluster)
    },
  }
}

/** Decides whether a look may stand in this chunk. One from before it, after the clock was set back, may not. */
const fits = ({ lastAt, writer: { head } }: OpenChunk, at: number, everyMs: number): boolean =>
  at > lastAt && at - head.startedAt <= longestChunkMs && head.everyMs === everyMs
